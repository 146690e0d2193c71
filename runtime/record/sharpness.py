"""How sharp a frame is, and whether it is blurred beside its neighbours."""

from __future__ import annotations

from collections import deque
from statistics import median

import cv2

from runtime.values import ImageRGB

_SIDE_PX = 640  # blur of a pixel or two must survive the shrinking
_WINDOW = 31  # frames: long enough to bridge a blurred turn, short enough to follow the ground's texture
_FIRST = 5  # frames before anything is called blurred
_BLURRED = 0.25  # of the usual sharpness; a Gaussian of 2 px on a sharp frame lies below it


def sharpness(image: ImageRGB) -> float:
    """Share of the contrast that lies in the finest detail: variance of the Laplacian over that of the grey values.

    The plain variance of the Laplacian would call a mown field blurred after a village.
    """
    shrink = min(1.0, _SIDE_PX / max(image.shape[:2]))
    small = image if shrink == 1.0 else cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    detail, contrast = (cv2.meanStdDev(one)[1].item() ** 2 for one in (cv2.Laplacian(grey, cv2.CV_16S), grey))
    return float(detail / (contrast + 1.0))  # + 1: a black frame has none


class BlurGate:
    """Compares every frame's sharpness with the running median of the last ones."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_WINDOW)

    def blurred(self, image: ImageRGB) -> bool:
        """Whether this frame is much less sharp than its neighbours; it joins them in either case."""
        value = sharpness(image)
        usual = median(self._recent) if len(self._recent) >= _FIRST else 0.0
        self._recent.append(value)
        return value < _BLURRED * usual
