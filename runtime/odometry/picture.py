"""A camera's picture made ready to be tracked: grey, of bounded size, every part against its surroundings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.matching.rootsift import Descriptors, Points, detect
from runtime.values import ImageRGB

Grey = NDArray[np.uint8]

_LONG_SIDE_PX = 640  # tracking on more costs time and moves a displacement by centimetres
_SURROUNDINGS_PX = 41  # side of the square whose mean a pixel is divided by
LEVEL = 128.0  # what the mean of the surroundings becomes
_PROBE_STEP_PX = 5  # every fifth pixel each way tells two pictures apart as well as all of them
_CORNER_BLOCK_PX = 5
_CORNER_APART_PX = 9  # between two corners: closer ones see the same texture twice
_CELLS = (8, 6)  # across and down: the picture is covered evenly, whatever stands out in one corner of it
_CORNERS_PER_CELL = 3
_LEAST_CORNER = 2e-4  # smaller eigenvalue of the structure tensor: three times that of a sensor's noise of 2.5 levels
_COARSE = 0.25  # of the picture's side: light and dark of the ground that needs no corner to be seen
_COARSE_PX = 9  # side of the square, on the coarse picture, against which light and dark are told
_BORDER_PX = 8  # the window that is tracked lies inside
_SIFT_SHRINK = 0.5  # for the first guess half the pixels do, at a quarter of the time
_SIFT_FEATURES = 400
_SIFT_CONTRAST = 0.02
_TOLD_LEVELS = 2.0  # lighter or darker by less is a sensor's noise
_TOLD_SHARE = 0.05  # of the picture: with less of it nothing is said


@dataclass(slots=True)
class Picture:
    """``grey`` (H, W) uint8: brightness relative to the surroundings, so that neither exposure nor a vignette moves it.

    ``camera`` is of this size. ``probe``: some of the pixels as they came. ``sharpness``: deviation of the Laplacian.
    """

    grey: Grey
    camera: CameraModel
    probe: NDArray[np.uint8]
    sharpness: float
    _described: tuple[Points, Descriptors] | None = field(default=None)
    _coarse: NDArray[np.float32] | None = field(default=None)

    @classmethod
    def of(cls, image: ImageRGB, camera: CameraModel) -> Picture:
        """The picture of an (H, W, 3) uint8 frame of any size."""
        shrink = min(1.0, _LONG_SIDE_PX / max(image.shape[:2]))
        if shrink < 1.0:
            image = np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
        raw = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        around = cv2.boxFilter(raw, -1, (_SURROUNDINGS_PX, _SURROUNDINGS_PX))
        grey = np.asarray(cv2.divide(raw, around, scale=LEVEL), np.uint8)
        _, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
        probe = np.ascontiguousarray(raw[::_PROBE_STEP_PX, ::_PROBE_STEP_PX])
        return cls(grey, camera.scaled_to(grey.shape[1], grey.shape[0]), probe, float(spread[0, 0]))

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.grey.shape[1], self.grey.shape[0]

    def rays(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """(N, 2) tangents of the rays of (N, 2) pixels, whose origin is the middle of the top left one."""
        if len(pixels) == 0:
            return np.zeros((0, 2))
        at = pixels.reshape(-1, 1, 2).astype(np.float64) + 0.5
        flat = cv2.undistortPoints(at, self.camera.matrix, np.array(self.camera.distortion))
        return np.asarray(flat.reshape(-1, 2), np.float64)

    def corners(self) -> NDArray[np.float32]:
        """(N, 2) pixels of the strongest corners of every cell (Shi and Tomasi, "Good features to track", 1994)."""
        strength = cv2.cornerMinEigenVal(self.grey, _CORNER_BLOCK_PX)
        peaks = strength == cv2.dilate(strength, np.ones((_CORNER_APART_PX, _CORNER_APART_PX), np.uint8))
        peaks &= strength > _LEAST_CORNER
        peaks[:_BORDER_PX], peaks[-_BORDER_PX:] = False, False
        peaks[:, :_BORDER_PX], peaks[:, -_BORDER_PX:] = False, False
        rows, columns = np.nonzero(peaks)
        order = np.argsort(-strength[rows, columns], kind="stable")
        rows, columns = rows[order], columns[order]
        cell = columns * _CELLS[0] // self.size_px[0] + rows * _CELLS[1] // self.size_px[1] * _CELLS[0]
        by_cell = np.argsort(cell, kind="stable")
        first = np.searchsorted(cell[by_cell], cell[by_cell])  # where the run of this cell begins
        kept = by_cell[np.arange(len(by_cell)) - first < _CORNERS_PER_CELL]
        return np.stack([columns[kept], rows[kept]], axis=1).astype(np.float32)

    def coarse(self) -> NDArray[np.float32]:
        """(H / 4, W / 4) how much lighter every part is than what surrounds it; darker is negative; made once."""
        if self._coarse is None:
            small = cv2.resize(self.grey, None, fx=_COARSE, fy=_COARSE, interpolation=cv2.INTER_AREA)
            light = small.astype(np.float32)
            self._coarse = light - cv2.blur(light, (_COARSE_PX, _COARSE_PX))
        return self._coarse

    def likeness(self, other: Picture, other_from_this: NDArray[np.float64]) -> float:
        """The share of this picture that is light where the other is light and dark where it is dark, once the (3, 3)
        homography of pixels has put one on the other: by area, whatever stands out; chance has a half. 1 where next to
        nothing can be compared."""
        mine, theirs = self.coarse(), other.coarse()
        to_coarse = np.diag([_COARSE, _COARSE, 1.0])
        warped = cv2.warpPerspective(
            theirs, to_coarse @ other_from_this @ np.linalg.inv(to_coarse), (mine.shape[1], mine.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=0.0,
        )  # fmt: skip
        told = (np.abs(mine) > _TOLD_LEVELS) & (np.abs(warped) > _TOLD_LEVELS / 2)
        if told.sum() < _TOLD_SHARE * mine.size:
            return 1.0
        return float(((mine > 0) == (warped > 0))[told].mean())

    def described(self) -> tuple[Points, Descriptors]:
        """RootSIFT of the picture at half its size, its points in this picture's pixels; made once."""
        if self._described is None:
            small = cv2.resize(self.grey, None, fx=_SIFT_SHRINK, fy=_SIFT_SHRINK, interpolation=cv2.INTER_AREA)
            points, descriptors = detect(np.asarray(small), _SIFT_FEATURES, _SIFT_CONTRAST)
            self._described = np.asarray(points / _SIFT_SHRINK - 0.5, np.float32), descriptors
        return self._described
