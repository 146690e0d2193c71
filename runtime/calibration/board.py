"""A calibration board, as it is named on the command line, and where its corners are in a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import UsageError
from runtime.values import ImageRGB

_NAMED = re.compile(r"(charuco|checker):(\d+)x(\d+)(?::(\d+(?:\.\d+)?)mm)?(?::(\d+(?:\.\d+)?)mm)?(?::(DICT_\w+))?")
_MIN_SQUARES = 3  # squares along a side: fewer corners say nothing of the lens
_MAX_SQUARES = 60
_DEFAULT_SQUARE_MM = 30.0
_DEFAULT_MARKER = 0.75  # of a square, as OpenCV's own pattern generator draws them
_DEFAULT_DICTIONARY = "DICT_5X5_1000"


@dataclass(frozen=True, slots=True)
class Corners:
    """``image_px`` (N, 2) float32: column and row of each corner found; ``board_m`` (N, 3) float32: where it is on the
    board."""

    image_px: NDArray[np.float32]
    board_m: NDArray[np.float32]


@dataclass(frozen=True)
class Board:
    """``kind``: ``charuco``, of which a part may be seen, or ``checker``, which must be seen whole. ``columns`` and
    ``rows`` are squares. The scale moves no intrinsics; it gives the distances of a report."""

    kind: str
    columns: int
    rows: int
    square_m: float
    marker_m: float
    dictionary: str

    @classmethod
    def named(cls, text: str) -> Board:
        """From ``charuco:COLUMNSxROWS[:SQUAREmm[:MARKERmm[:DICTIONARY]]]`` or ``checker:COLUMNSxROWS[:SQUAREmm]``.

        Raises:
            UsageError: it is neither, or no such board can be made.
        """
        found = _NAMED.fullmatch(text)
        if found is None:
            raise UsageError(
                f"board {text} is not understood; name it charuco:7x5:30mm or checker:9x6:25mm, sides in squares."
            )
        kind, columns, rows, square, marker, dictionary = found.groups()
        square_mm = float(square or _DEFAULT_SQUARE_MM)
        marker_mm = float(marker or _DEFAULT_MARKER * square_mm)
        board = cls(kind, int(columns), int(rows), square_mm / 1e3, marker_mm / 1e3, dictionary or _DEFAULT_DICTIONARY)
        board._check(text)
        return board

    def _check(self, text: str) -> None:
        if not all(_MIN_SQUARES <= side <= _MAX_SQUARES for side in (self.columns, self.rows)):
            raise UsageError(f"board {text} has sides of other than {_MIN_SQUARES} to {_MAX_SQUARES} squares.")
        if self.kind == "charuco" and not 0 < self.marker_m < self.square_m:
            raise UsageError(f"board {text}: a marker must be smaller than its square.")
        if self.kind == "charuco" and not hasattr(cv2.aruco, self.dictionary):
            raise UsageError(f"board {text}: OpenCV knows no dictionary {self.dictionary}.")

    def corners(self, image: ImageRGB) -> Corners | None:
        """The board's inner corners in an (H, W, 3) picture, to a fraction of a pixel; None where it is not seen."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return self._charuco(grey) if self.kind == "charuco" else self._checker(grey)

    def drawn(self, pixels_per_square: int) -> NDArray[np.uint8]:
        """The board as an (H, W) picture, without a margin, to be printed."""
        if self.kind == "charuco":
            size = (self.columns * pixels_per_square, self.rows * pixels_per_square)
            return np.asarray(self._pattern.generateImage(size), dtype=np.uint8)
        squares = np.indices((self.rows, self.columns)).sum(axis=0) % 2
        return np.kron(squares * 255, np.ones((pixels_per_square, pixels_per_square))).astype(np.uint8)

    @cached_property
    def _pattern(self) -> Any:
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, self.marker_m, dictionary)

    @cached_property
    def _detector(self) -> Any:
        return cv2.aruco.CharucoDetector(self._pattern)

    def _charuco(self, grey: NDArray[Any]) -> Corners | None:
        image_px, numbers, _, _ = self._detector.detectBoard(grey)
        if numbers is None or len(numbers) < 6:  # a pose of the board and its doubt need more than four
            return None
        board_m = np.asarray(self._pattern.getChessboardCorners(), np.float32)[numbers.ravel()]
        return None if _on_a_line(board_m) else Corners(image_px.reshape(-1, 2).astype(np.float32), board_m)

    def _checker(self, grey: NDArray[Any]) -> Corners | None:
        inner = (self.columns - 1, self.rows - 1)
        seen, image_px = cv2.findChessboardCornersSB(grey, inner, flags=cv2.CALIB_CB_ACCURACY)
        if not seen:
            return None
        grid = np.zeros((inner[0] * inner[1], 3), np.float32)
        grid[:, :2] = np.mgrid[: inner[0], : inner[1]].T.reshape(-1, 2) * self.square_m
        return Corners(image_px.reshape(-1, 2).astype(np.float32), grid)


def _on_a_line(points: NDArray[np.float32]) -> bool:
    """Whether all corners are of one row or column, which no plane can be told from."""
    return any(np.ptp(points[:, axis]) < 1e-6 for axis in (0, 1))


def seen_cells(found: Sequence[Corners], size_px: tuple[int, int], cells: int = 8) -> NDArray[np.bool_]:
    """(cells, cells): which parts of the picture, of ``size_px`` (width, height), any corner has been in."""
    seen = np.zeros((cells, cells), dtype=bool)
    for corners in found:
        column, row = (np.clip(corners.image_px[:, i] / size_px[i] * cells, 0, cells - 1).astype(int) for i in (0, 1))
        seen[row, column] = True
    return seen
