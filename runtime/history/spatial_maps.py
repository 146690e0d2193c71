"""A keyframe's spatial map as the file has it: in half precision, or packed to a twelfth of that.

A packed map is centred (`runtime.centred`), its numbers are rounded to whole steps, and those are entropy coded. All
channels are kept: they vary nearly alike, so that leaving the weakest out costs more of the layout than a coarse step
over all. Rounding adds noise that is independent of the query, and a sum of cosines over the cells of an overlap
averages it away, as long as the cells are not brought to unit length again, which would shrink every cosine.
"""

from __future__ import annotations

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
_MARK = b"HMQ1"
_HEAD = struct.Struct("<4sf")
NO_SHAPE = (None, None, None)  # of what has no map
DAMAGED = (ValueError, TypeError, OverflowError, zlib.error, struct.error)  # what bytes that are no map raise


@dataclass(frozen=True, slots=True)
class PackedMap:
    """A map of ``shape`` (C, h, w) as it is stored."""

    shape: tuple[int, int, int]
    data: bytes


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


def map_of(row: Sequence[Any], centre: bool) -> NDArray[np.float32] | None:
    """The map of a row of channels, rows, columns and bytes; None where it has none, or a damaged one.

    ``centre``: see `runtime.centred`; a packed map is centred already, and its cells' lengths are true only on average.
    """
    shape, data = row[:3], row[3]
    try:
        found = decoded(shape, data) if data else None
    except DAMAGED:
        return None
    if found is None or not np.isfinite(found).all():
        return None
    return centred(found) if centre and not is_packed(shape, data) else found


def is_packed(shape: Sequence[Any], data: Any) -> bool:
    """Whether stored bytes are a packed map's; one in half precision has two bytes for every number."""
    return isinstance(data, bytes) and data[:4] == _MARK and len(data) != 2 * int(np.prod(shape))


def decoded(shape: Sequence[int], data: bytes) -> NDArray[np.float32]:
    """The map (C, h, w) of stored bytes; raises one of `DAMAGED` where they are none."""
    if not is_packed(shape, data):
        return np.frombuffer(data, np.float16).reshape(shape).astype(np.float32)
    _, step = _HEAD.unpack_from(data)
    size = int(np.prod(shape))
    bytes_of_pairs = zlib.decompressobj().decompress(data[_HEAD.size :], size // 2 + 2)  # whatever damage claims
    pairs = np.frombuffer(bytes_of_pairs, np.uint8)
    steps = np.stack([pairs >> 4, pairs & 15], axis=1).ravel()[:size]
    return np.asarray((steps.reshape(shape).astype(np.float32) - _MOST_STEPS) * step, np.float32)
