"""An array that rows are appended to while others read it, and that lies in a file once it is large."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 64  # rows
IN_MEMORY_BYTES = 48 << 20  # of an array: a larger one lies in a file without a name; memory holds what is read of it


class GrowingRows:
    """(N, ...) rows of one shape, in an array that doubles when it is full: a row is copied twice on average.

    What `first` has handed out never changes: new rows go behind it, or into a new array. One thread appends at a
    time; any number read.
    """

    def __init__(self, dtype: Any, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        self._dtype = dtype
        self._in_memory_bytes = in_memory_bytes
        self._rows: NDArray[Any] | None = None
        self._count = 0
        self._reserved = 0

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
            self._rows = self._room(max(_FIRST_CAPACITY, self._reserved, len(rows)), rows.shape[1:])
        if rows.shape[1:] != self._rows.shape[1:]:
            raise ValueError(f"rows of {rows.shape[1:]} among rows of {self._rows.shape[1:]}")
        needed = self._count + len(rows)
        if needed > len(self._rows):
            self._grow_to(max(2 * len(self._rows), needed))
        self._rows[self._count : needed] = rows
        self._count = needed
        released(self._rows)

    def reserve(self, count: int) -> None:
        """Makes room for ``count`` rows in all, so that appending up to there copies none twice and wastes nothing."""
        if self._rows is None:
            self._reserved = count
        elif count > len(self._rows):
            self._grow_to(count)

    def _grow_to(self, count: int) -> None:
        assert self._rows is not None
        larger = self._room(count, self._rows.shape[1:])
        larger[: self._count] = self._rows[: self._count]
        self._rows = larger

    def _room(self, count: int, shape: tuple[int, ...]) -> NDArray[Any]:
        size = count * int(np.prod(shape, dtype=np.int64)) * np.dtype(self._dtype).itemsize
        if size > self._in_memory_bytes:
            try:
                return _in_file((count, *shape), self._dtype, size)
            except OSError:  # no room, or nowhere to write: memory it is
                pass
        return np.empty((count, *shape), self._dtype)

    def first(self, count: int, width: tuple[int, ...] = ()) -> NDArray[Any]:
        """The first ``count`` rows, without copying; ``width`` is a row's shape where there has been none yet."""
        if self._rows is None:
            return np.zeros((0, *width), self._dtype)
        return self._rows[:count]


class _Mapped(mmap.mmap):
    """A file in memory that can be read without its pages becoming this process's memory."""

    descriptor: int


def _in_file(shape: tuple[int, ...], dtype: Any, size: int) -> NDArray[Any]:
    """Rows in a file that nobody else sees and that goes with them; a full disk is noticed here, not while writing."""
    with tempfile.TemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, size)
        mapped = _Mapped(file.fileno(), size)
        mapped.descriptor = os.dup(file.fileno())
    weakref.finalize(mapped, os.close, mapped.descriptor)
    rows: NDArray[Any] = np.ndarray(shape, dtype, buffer=mapped)
    return rows


def lies_in_file(rows: NDArray[Any]) -> bool:
    """Whether rows lie in a file, whose pages memory holds only while they are wanted."""
    return isinstance(_base(rows), mmap.mmap)


def picked(rows: NDArray[Any], which: NDArray[np.int64]) -> NDArray[Any]:
    """A copy of some of (N, D) rows. Of those that lie in a file each is read by itself: a page that is touched brings
    fifteen others into memory, and takes twice as long."""
    base = _base(rows)
    if not isinstance(base, _Mapped) or rows.strides[1] != rows.itemsize:
        return np.asarray(rows[which])
    first = rows.__array_interface__["data"][0] - np.frombuffer(base, np.uint8).__array_interface__["data"][0]
    descriptor, size, apart = base.descriptor, rows.shape[1] * rows.itemsize, rows.strides[0]
    read = b"".join([os.pread(descriptor, size, first + apart * row) for row in which.tolist()])
    return np.frombuffer(read, rows.dtype).reshape(len(which), rows.shape[1])


def released(rows: NDArray[Any]) -> None:
    """Gives back the memory of rows that lie in a file; the next that read them get it from there again."""
    base = _base(rows)
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def _base(rows: NDArray[Any]) -> Any:
    base: Any = rows
    while isinstance(base, np.ndarray):
        base = base.base
    return base.obj if isinstance(base, memoryview) else base
