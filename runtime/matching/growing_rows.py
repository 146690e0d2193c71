"""An array that rows are appended to while others read it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 64  # rows


class GrowingRows:
    """(N, ...) rows of one shape, in an array that doubles when it is full: a row is copied twice on average.

    What `first` has handed out never changes: new rows go behind it, or into a new array. One thread appends at a
    time; any number read.
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype
        self._rows: NDArray[Any] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: NDArray[Any]) -> None:
        """Adds (M, ...) rows.

        Raises:
            ValueError: they are of another shape than those before.
        """
        if not len(rows):
            return
        if self._rows is None:
            self._rows = np.empty((max(_FIRST_CAPACITY, len(rows)), *rows.shape[1:]), self._dtype)
        if rows.shape[1:] != self._rows.shape[1:]:
            raise ValueError(f"rows of {rows.shape[1:]} among rows of {self._rows.shape[1:]}")
        needed = self._count + len(rows)
        if needed > len(self._rows):
            larger = np.empty((max(2 * len(self._rows), needed), *rows.shape[1:]), self._dtype)
            larger[: self._count] = self._rows[: self._count]
            self._rows = larger
        self._rows[self._count : needed] = rows
        self._count = needed

    def first(self, count: int, width: tuple[int, ...] = ()) -> NDArray[Any]:
        """The first ``count`` rows, without copying; ``width`` is a row's shape where there has been none yet."""
        if self._rows is None:
            return np.zeros((0, *width), self._dtype)
        return self._rows[:count]
