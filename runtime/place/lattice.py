"""A lattice over wide ground of which only the tiles about some squares are kept: memory goes with what they cover."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

_BITS = 4  # a tile is 16 nodes wide
_SIDE = 1 << _BITS
_BLOCK = 16  # tiles along a block that is worked on at once: 256 nodes, 0.5 MB of doubles


@dataclass(frozen=True, slots=True)
class Block:
    """A window of the lattice with a border: ``first`` (row, column) of its corner, ``nodes`` (H, W) where each of its
    nodes is kept, -1 where it is not, and ``inner``, the window without the border."""

    first: tuple[int, int]
    nodes: Rows
    inner: tuple[slice, slice]


class Lattice:
    """Nodes (row, column) of a lattice of ``shape``; kept are the tiles that touch one of the squares from
    ``first`` (N, 2) to ``last`` (N, 2), both included. ``size``: how many nodes are kept."""

    def __init__(self, shape: tuple[int, int], first: Rows, last: Rows) -> None:
        self.shape = shape
        bounds = np.array(shape) - 1
        low, high = np.clip(first, 0, bounds) >> _BITS, np.clip(last, 0, bounds) >> _BITS
        kept = np.zeros(((bounds >> _BITS) + 1), dtype=bool)
        for (south, west), (north, east) in zip(low, high, strict=True):
            kept[south : north + 1, west : east + 1] = True
        self._kept = kept
        self._tile = np.full(kept.shape, -1, np.int32)
        self._tile[kept] = np.arange(np.count_nonzero(kept), dtype=np.int32)
        self.size = int(np.count_nonzero(kept)) << (2 * _BITS)

    def at(self, rows: Rows, columns: Rows) -> Rows:
        """Where nodes of the lattice are kept, -1 where they are not."""
        tile = self._tile[rows >> _BITS, columns >> _BITS].astype(np.int64)
        inside = ((rows & (_SIDE - 1)) << _BITS) + (columns & (_SIDE - 1))
        return np.where(tile >= 0, (tile << (2 * _BITS)) + inside, -1)

    def blocks(self, border: int) -> Iterator[Block]:
        """Windows that part all kept nodes among them, each with ``border`` nodes around it within the lattice."""
        side = _BLOCK * _SIDE
        for south in range(0, self._kept.shape[0], _BLOCK):
            for west in range(0, self._kept.shape[1], _BLOCK):
                if self._kept[south : south + _BLOCK, west : west + _BLOCK].any():
                    yield self._block((south * _SIDE, west * _SIDE), side, border)

    def _block(self, corner: tuple[int, int], side: int, border: int) -> Block:
        first, spans, inner = [], [], []
        for begin, most in zip(corner, self.shape, strict=True):
            low, high = max(begin - border, 0), min(begin + side + border, most)
            first.append(low)
            spans.append(np.arange(low, high))
            inner.append(slice(begin - low, min(begin + side, most) - low))
        nodes = self.at(spans[0][:, None], spans[1][None, :])
        return Block((first[0], first[1]), nodes, (inner[0], inner[1]))
