"""A keyframe's spatial map as the file has it: in half precision, or packed to a twelfth of that.

A packed map is centred (`runtime.centred`), its numbers are rounded to whole steps, and those are entropy coded. All
channels are kept: they vary nearly alike, so that leaving the weakest out costs more of the layout than a coarse step
over all. Rounding adds noise that is independent of the query, and a sum of cosines over the cells of an overlap
averages it away, as long as the cells are not brought to unit length again, which would shrink every cosine.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.centred import centred

STEP = 1.8  # deviations of a unit cell's numbers: the fits of one map on others correlate by 0.994 with the unrounded
_MOST_STEPS = 7  # either way: half a byte
_PAIRS = np.stack(np.divmod(np.arange(256), 16), axis=1).astype(np.float32) - _MOST_STEPS  # by their byte
_PAIRS_AT_ONCE = _PAIRS.view(np.uint64).ravel()
_MARK = b"HMQ1"
_HEAD = struct.Struct("<4sf")
NO_SHAPE = (None, None, None)  # of what has no map
DAMAGED = (ValueError, TypeError, OverflowError, zlib.error, struct.error)  # what bytes that are no map raise


@dataclass(frozen=True, slots=True)
class PackedMap:
    """A map of ``shape`` (C, h, w) as it is stored."""

    shape: tuple[int, int, int]
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class CentredMap:
    """A centred map of ``shape`` (C, h, w) as memory holds it: ``numbers`` in whole steps of a size, two in a byte, as
    the file has them; of one that is not packed (C, h, w) halves, and no ``step``."""

    shape: Sequence[int]
    numbers: NDArray[Any]
    step: float | None = None

    def unpacked(self) -> NDArray[np.float32]:
        """(C, h, w)."""
        if self.step is None:
            return self.numbers.astype(np.float32)
        pairs = np.take(_PAIRS_AT_ONCE, self.numbers).view(np.float32)[: int(np.prod(self.shape))]
        return np.asarray(pairs.reshape(self.shape) * np.float32(self.step))


def pack(spatial: NDArray[np.floating]) -> PackedMap:
    """A map (C, h, w), unit along C, packed."""
    layout = centred(np.asarray(spatial, np.float32))
    step = max(STEP / float(np.sqrt(len(layout))), float(np.abs(layout).max(initial=0.0)) / _MOST_STEPS)
    steps = (np.round(layout / step).astype(np.int8) + _MOST_STEPS).astype(np.uint8).ravel()
    pairs = np.append(steps, np.zeros(len(steps) % 2, np.uint8)).reshape(-1, 2)
    coder = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)  # nothing repeats in it
    coded = coder.compress((pairs[:, 0] << 4 | pairs[:, 1]).tobytes()) + coder.flush()
    channels, rows, columns = layout.shape
    return PackedMap((channels, rows, columns), _HEAD.pack(_MARK, step) + coded)


def halves(spatial: NDArray[np.floating]) -> PackedMap:
    """A map (C, h, w) in half precision, as it is."""
    channels, rows, columns = spatial.shape
    return PackedMap((channels, rows, columns), spatial.astype("<f2").tobytes())


def map_of(row: Sequence[Any]) -> NDArray[np.float32] | None:
    """The map of a row of channels, rows, columns and bytes; None where it has none, or a damaged one."""
    shape, data = row[:3], row[3]
    try:
        found = decoded(shape, data) if data else None
    except DAMAGED:
        return None
    return None if found is None or not np.isfinite(found).all() else found


def centred_map_of(row: Sequence[Any]) -> CentredMap | None:
    """The same, `runtime.centred`, as memory holds it. A packed map is centred already, and its cells' lengths are true
    only on average."""
    shape, data = row[:3], row[3]
    if not is_packed(shape, data):
        found = map_of(row)
        return None if found is None else CentredMap(found.shape, centred(found).astype(np.float16))
    try:
        return CentredMap(shape, *_steps(shape, data))
    except DAMAGED:
        return None


def is_packed(shape: Sequence[Any], data: Any) -> bool:
    """Whether stored bytes are a packed map's; one in half precision has two bytes for every number."""
    return isinstance(data, bytes) and data[:4] == _MARK and len(data) != 2 * int(np.prod(shape))


def decoded(shape: Sequence[int], data: bytes) -> NDArray[np.float32]:
    """The map (C, h, w) of stored bytes; raises one of `DAMAGED` where they are none."""
    if is_packed(shape, data):
        return CentredMap(shape, *_steps(shape, data)).unpacked()
    return np.frombuffer(data, np.float16).reshape(shape).astype(np.float32)


def _steps(shape: Sequence[int], data: bytes) -> tuple[NDArray[np.uint8], float]:
    """A packed map's numbers in whole steps, two in a byte, and the step."""
    _, step = _HEAD.unpack_from(data)
    size = (int(np.prod(shape)) + 1) // 2
    coded, most = data[_HEAD.size :], size + 1  # whatever damage claims; of 0 bytes at most zlib would give all
    pairs = np.frombuffer(zlib.decompressobj().decompress(coded, most), np.uint8)[:size]
    if len(pairs) < size or not math.isfinite(step):
        raise ValueError("no map of that shape")
    return pairs, step
