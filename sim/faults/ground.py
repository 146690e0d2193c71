"""Level ground with something on it everywhere, as a camera above sees it: quick to draw, and enough to be known by."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from runtime.camera_model import CameraModel
from runtime.values import ImageRGB

Array = npt.NDArray[np.float32]
_OCTAVES_M = (1.0, 2.0, 6.0, 20.0)  # sizes of what lies on it
_FIELDS = 260  # plain patches with sharp edges: roofs, roads, plots
_NO_SECOND_MAP: Any = None  # cv2.remap's first map holds x and y together


class Ground:
    """A square of ``side_m`` about the origin, drawn from a seed at ``texel_m``; beyond its edge is the edge."""

    def __init__(self, seed: int, side_m: float = 420.0, texel_m: float = 0.25) -> None:
        self._side_m, self._texel_m = side_m, texel_m
        self._picture = _drawn(np.random.default_rng([seed, 3]), round(side_m / texel_m), texel_m)

    def perspective(
        self, camera: CameraModel, ned_from_camera: npt.ArrayLike, position_ned_m: npt.ArrayLike
    ) -> ImageRGB:
        """The camera's view: (height_px, width_px, 3) uint8 RGB; it must look down all over its picture.

        ned_from_camera is (3, 3); position_ned_m (3,) from the origin, z negative above ground.
        """
        turn, (north, east, down) = np.asarray(ned_from_camera, np.float32), np.asarray(position_ned_m, np.float32)
        rays = _rays(camera) @ turn.T
        ground = rays[..., :2] * (-down / rays[..., 2:])
        half_m = self._side_m / 2
        columns, rows = ground[..., 1] + (east + half_m), (half_m - north) - ground[..., 0]
        at = np.stack([columns, rows], axis=-1) / np.float32(self._texel_m) - np.float32(0.5)
        seen = cv2.remap(self._picture, at, _NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen, np.uint8)


@lru_cache(maxsize=4)
def _rays(camera: CameraModel) -> Array:
    """(H, W, 3): the direction that each pixel looks in, for a lens without distortion."""
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    x, y = (columns - camera.cx_px) / camera.fx_px, (rows - camera.cy_px) / camera.fy_px
    return np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float32)


def _drawn(rng: np.random.Generator, side_px: int, texel_m: float) -> ImageRGB:
    picture = np.full((side_px, side_px, 3), (105.0, 115.0, 85.0), np.float32)
    for _ in range(_FIELDS):
        centre, size = rng.uniform(0, side_px, 2), rng.uniform(4.0, 26.0, 2) / texel_m
        corners = cv2.boxPoints((tuple(centre), tuple(size), float(rng.uniform(0.0, 90.0))))
        cv2.fillConvexPoly(picture, corners.astype(np.int32), rng.uniform(40.0, 215.0, 3).tolist())
    for octave_m in _OCTAVES_M:
        cells = max(2, round(side_px * texel_m / octave_m))
        coarse = rng.normal(0.0, 11.0, (cells, cells)).astype(np.float32)
        picture += cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.asarray(np.clip(picture, 0.0, 255.0), np.uint8)
