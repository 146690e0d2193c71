"""Whether a picture shows anything: the one measure for frames, targets, tiles and what a history keeps."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.values import ImageRGB

PLAIN = "is of one colour and holds nothing to match"
_MIN_DEVIATION = 2.0  # grey levels, 1-sigma: a picture this even holds nothing to match
_SIDE_PX = 64  # of the reduced picture: noise of the sensor, or of JPEG, averages out, what is on the ground stays
_MIN_COARSE_DEVIATION = 1.5  # grey levels of the reduced picture; the dimmest real flight at hand shows 2.1


def is_plain(image: ImageRGB) -> bool:
    """Whether an (H, W, 3) picture is all of one colour, but for noise and shading: black, white, a lens cap."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if cv2.meanStdDev(grey)[1].item() < _MIN_DEVIATION:
        return True
    coarse = cv2.resize(grey.astype(np.float32), (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).ravel()
    shading = _shading()
    return bool(np.std(coarse - shading @ (shading.T @ coarse)) < _MIN_COARSE_DEVIATION)


@cache
def _shading() -> NDArray[np.float32]:
    """(N, 6) orthonormal: all brightnesses over a reduced picture that are quadratic in its rows and columns, as a
    lens's fall of light, or daylight that leaks past a cap."""
    y, x = np.mgrid[-1 : 1 : _SIDE_PX * 1j, -1 : 1 : _SIDE_PX * 1j].reshape(2, -1)
    basis, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1))
    return np.asarray(basis, dtype=np.float32)
