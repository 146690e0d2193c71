"""Pictures as a browser shows them: the live view, what was recognised, and keyframes; each made only when asked for.

Everything runs in the page's worker threads, and OpenCV lets go of Python's lock meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.geodesy import north_east_m
from runtime.values import Frame, ImageRGB, Keyframe, Sighting
from runtime.view import GroundPlane

LIVE_SIDE_PX = 640  # longer side: what a phone's screen shows, 20 to 40 kB
_MATCHED_SIDE_PX = 320
_NODES = 33  # projected points a side of a matched view
_FAR_PX = -1e4  # outside of every frame
_JPEG_QUALITY = 75
_NO_SECOND_MAP: Any = None  # cv2.remap's first map holds x and y together
_NOTHING = (128, 128, 128)  # grey: ground that the frame does not show
_KEPT_BYTES = 2 << 20  # of finished pictures: those that a few viewers look at


class Keyframes(Protocol):
    """The part of a history that is needed here; it may be asked from any thread."""

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        """One keyframe."""
        ...


class Views:
    """Makes JPEGs, each once, however many look at it."""

    def __init__(self, history: Keyframes, camera: CameraModel) -> None:
        self._history, self._camera = history, camera
        self._lock = threading.Lock()  # of the cache
        self._made: LRUCache[tuple[object, ...], bytes] = LRUCache(_KEPT_BYTES, getsizeof=len)

    def live(self, frame: Frame) -> bytes:
        """A frame as the camera saw it, at most `LIVE_SIDE_PX` on its longer side."""
        return self._once(("live", frame.t_ns, frame.index), lambda: jpeg(reduced(frame.image, LIVE_SIDE_PX)))

    def matched(self, sighting: Sighting) -> bytes:
        """What a recognised frame shows of its keyframe's ground: north-up, at the keyframe's scale, about its centre.

        Ground that it does not show is grey; a frame without attitude or height is given as it is.

        Raises:
            HistoryError: the keyframe cannot be read.
        """
        return self._once(("matched", sighting.frame.t_ns), lambda: jpeg(self._laid_on(sighting)))

    def keyframe(self, keyframe_id: int, side_px: int) -> bytes:
        """A keyframe's crop, north-up, at most ``side_px`` wide.

        Raises:
            HistoryError: there is none of that id, or it cannot be read.
        """

        def make() -> bytes:
            return jpeg(reduced(self._history.keyframe(keyframe_id).crop, side_px))

        return self._once(("keyframe", keyframe_id, side_px), make)

    def _once(self, key: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        with self._lock:
            made = self._made.get(key)
        if made is None:
            made = make()
            if len(made) <= _KEPT_BYTES // 4:
                with self._lock:
                    self._made[key] = made
        return made

    def _laid_on(self, sighting: Sighting) -> ImageRGB:
        fix, frame = sighting.fix, sighting.frame
        assert fix.keyframe_id is not None and fix.aircraft is not None  # those of a fix
        camera = self._camera.scaled_to(frame.image.shape[1], frame.image.shape[0])
        plane = GroundPlane.of(camera, sighting.pose)
        if plane is None:
            return reduced(frame.image, _MATCHED_SIDE_PX)
        keyframe = self._history.keyframe(fix.keyframe_id, crop=False)
        north_m, east_m = north_east_m(fix.aircraft, keyframe.ground)
        return _crop(frame.image, plane, north_m, east_m, keyframe.footprint_m)


def reduced(image: ImageRGB, longest_px: int) -> ImageRGB:
    """An image (H, W, 3), smaller where its longer side has more than ``longest_px``."""
    scale = longest_px / max(image.shape[:2])
    if scale >= 1.0:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def jpeg(image: ImageRGB) -> bytes:
    """An image (H, W, 3) uint8 RGB as a JPEG."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
    return bytes(data.tobytes())


def _crop(image: ImageRGB, plane: GroundPlane, north_m: float, east_m: float, side_m: float) -> ImageRGB:
    """The north-up crop about a ground point, with grey where the frame does not reach.

    Few points are projected, and what lies between them interpolated: all of them would take tens of megabytes.
    """
    steps = (np.arange(_NODES) / (_NODES - 1) - 0.5) * side_m
    east, north = np.meshgrid(east_m + steps, north_m - steps)
    ground: NDArray[np.float64] = np.stack([north.ravel(), east.ravel()], axis=1)
    pixels = plane.pixels_of(ground) - 0.5
    pixels[~np.isfinite(plane.metres_per_pixel(ground))] = _FAR_PX  # behind the camera
    at = ((np.arange(_MATCHED_SIDE_PX, dtype=np.float32) + 0.5) / _MATCHED_SIDE_PX * (_NODES - 1)).astype(np.float32)
    nodes = pixels.reshape(_NODES, _NODES, 2).astype(np.float32)
    lookup = cv2.remap(nodes, *np.meshgrid(at, at), cv2.INTER_LINEAR)
    crop = cv2.remap(
        image, lookup, _NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_NOTHING
    )
    return np.asarray(crop, dtype=np.uint8)
