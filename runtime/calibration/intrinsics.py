"""Focal length, centre and distortion of a lens from views of a calibration board.

Zhang's method (A flexible new technique for camera calibration, PAMI 2000) by OpenCV, on few views that differ much:
hundreds of frames of a slow film say the same thing hundreds of times, and hide the error of a bad one. Views that fit
worse than the others are left out once. A fifth of the views is kept from the solution and tells how well it predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.calibration.board import Corners, seen_cells
from runtime.errors import CalibrationError

FEWEST_VIEWS = 8  # Zhang's error levels off there, and one view in five is held back
MOST_VIEWS = 40  # more cost time and change the fourth digit
_KEPT_BACK = 5  # every fifth view
_OUTLIER = 2.5  # times the median error of a view
_LEAST_COVER = 0.5  # of the picture's 64 cells: where no corner was, distortion is only extrapolated
_LEAST_TILT_DEG = 15.0  # between views: of boards that all face the camera, focal length and distance are one


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A solved lens. ``sigma_px``: 1-sigma of fx, fy, cx, cy; ``errors_px``: RMS of each view used;
    ``predicted_px``: RMS on views that were kept back; ``residuals``: (N, 4) column, row, and what the model lies off
    in each; ``cover``: share of the picture where a corner was seen; ``tilt_deg``: the greatest angle between views."""

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: tuple[float, float, float, float, float]
    sigma_px: tuple[float, float, float, float]
    errors_px: tuple[float, ...]
    predicted_px: float
    residuals: NDArray[np.float64]
    cover: float
    tilt_deg: float

    @property
    def rms_px(self) -> float:
        """Of all corners used."""
        return float(np.sqrt(np.mean(np.sum(self.residuals[:, 2:] ** 2, axis=1))))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the views leaves the lens in doubt, in words with what to do."""
        said = []
        if self.cover < _LEAST_COVER:
            said.append(f"corners were seen in {self.cover:.0%} of the picture; bring the board into its corners too.")
        if self.tilt_deg < _LEAST_TILT_DEG:
            said.append(f"the views differ by {self.tilt_deg:.0f} deg at most; tilt the board, by 30 deg and more.")
        if self.predicted_px > 1.0:
            said.append(f"views kept back lie {self.predicted_px:.1f} px off; hold still, in good light, a flat board.")
        return tuple(said)


def solve(found: Sequence[Corners], size_px: tuple[int, int]) -> Intrinsics:
    """The lens of a camera whose pictures, ``size_px`` wide and high, showed these corners.

    Raises:
        CalibrationError: the views are too few, or say too little.
    """
    chosen = _most_different(found, size_px)
    if len(chosen) < FEWEST_VIEWS:
        raise CalibrationError(
            f"the board was found in {len(found)} pictures, {len(chosen)} of them different enough; "
            f"{FEWEST_VIEWS} are needed: move and tilt it slowly in front of the camera for a minute."
        )
    kept_back, used = chosen[_KEPT_BACK - 1 :: _KEPT_BACK], [
        view for number, view in enumerate(chosen) if number % _KEPT_BACK != _KEPT_BACK - 1
    ]  # fmt: skip
    first = _Solution.of(used, size_px)
    good = [view for view, error in zip(used, first.errors_px, strict=True)
            if error <= _OUTLIER * float(np.median(first.errors_px))]  # fmt: skip
    solution = first if len(good) in (len(used), *range(FEWEST_VIEWS - 2)) else _Solution.of(good, size_px)
    return solution.intrinsics(size_px, kept_back, found)


@dataclass(frozen=True, slots=True)
class _Solution:
    """What OpenCV gives for some views: intrinsics (3, 3), distortion (5,), each board's turn and step (3, 1), sigmas
    of the intrinsics, and the RMS of each view."""

    views: Sequence[Corners]
    matrix: Any
    distortion: Any
    turns: Any
    steps: Any
    sigmas: Any
    errors_px: Any

    @classmethod
    def of(cls, views: Sequence[Corners], size_px: tuple[int, int]) -> _Solution:
        try:
            _, matrix, distortion, turns, steps, sigmas, _, errors = cv2.calibrateCameraExtended(
                [view.board_m for view in views], [view.image_px for view in views], size_px,
                np.eye(3), np.zeros(5),
            )  # fmt: skip
        except cv2.error as error:
            raise CalibrationError(f"the views do not agree on any lens ({error.err}); film the board anew.") from None
        return cls(views, matrix, distortion.ravel(), turns, steps, sigmas.ravel(), errors.ravel())

    def intrinsics(
        self, size_px: tuple[int, int], kept_back: Sequence[Corners], found: Sequence[Corners]
    ) -> Intrinsics:
        off = [self._off(view, turn, step)
               for view, turn, step in zip(self.views, self.turns, self.steps, strict=True)]  # fmt: skip
        corners = np.concatenate([view.image_px for view in self.views])
        k1, k2, p1, p2, k3 = self.distortion[:5]
        return Intrinsics(
            *size_px, self.matrix[0, 0], self.matrix[1, 1], self.matrix[0, 2], self.matrix[1, 2],
            (float(k1), float(k2), float(p1), float(p2), float(k3)),
            (float(self.sigmas[0]), float(self.sigmas[1]), float(self.sigmas[2]), float(self.sigmas[3])),
            tuple(float(error) for error in self.errors_px),
            self._predicted(kept_back),
            np.hstack([corners, np.concatenate(off)]).astype(np.float64),
            float(seen_cells(found, size_px).mean()),
            _greatest_turn_deg(self.turns),
        )  # fmt: skip

    def _predicted(self, kept_back: Sequence[Corners]) -> float:
        """RMS of views that had no part in the lens: each is given its best pose, and no more."""
        squares = []
        for view in kept_back:
            seen, turn, step = cv2.solvePnP(view.board_m, view.image_px, self.matrix, self.distortion)
            if seen:
                squares.append(np.sum(self._off(view, turn, step) ** 2, axis=1))
        return float(np.sqrt(np.mean(np.concatenate(squares)))) if squares else float("inf")

    def _off(self, view: Corners, turn: Any, step: Any) -> NDArray[np.float64]:
        """(N, 2): how far the lens puts each corner from where it was seen, the board turned and moved so."""
        told, _ = cv2.projectPoints(view.board_m, turn, step, self.matrix, self.distortion)
        return np.asarray(told.reshape(-1, 2) - view.image_px, dtype=np.float64)


def _most_different(found: Sequence[Corners], size_px: tuple[int, int]) -> list[Corners]:
    """Views one after the other, each the farthest from all before it, until those that are left repeat one.

    A view is told by where its corners lie, how large and how slanted they lie there.
    """
    if not found:
        return []
    told = np.array([_look(view, size_px) for view in found])
    order = [int(np.argmax([len(view.image_px) for view in found]))]
    distance = np.linalg.norm(told - told[order[0]], axis=1)
    while len(order) < min(MOST_VIEWS, len(found)) and distance.max() > 0.03:
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(told - told[order[-1]], axis=1))
    return [found[number] for number in order]


def _look(view: Corners, size_px: tuple[int, int]) -> NDArray[np.float64]:
    """Where the board's centre is in the picture, and the perspective map from it to there, in parts of the picture."""
    plane = (view.board_m[:, :2] / np.ptp(view.board_m[:, :2])).astype(np.float32)
    scaled = (view.image_px / np.array(size_px)).astype(np.float32)
    told: Any = cv2.findHomography(plane, scaled)[0]
    return np.zeros(8) if told is None else np.asarray((told / told[2, 2]).ravel()[:8], dtype=np.float64)


def _greatest_turn_deg(turns: Any) -> float:
    normals = np.array([cv2.Rodrigues(turn)[0][:, 2] for turn in turns])
    cosines = np.clip(normals @ normals.T, -1.0, 1.0)
    return float(np.degrees(np.arccos(cosines.min())))
