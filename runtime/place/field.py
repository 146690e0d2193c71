"""What a target scores where its centre could lie: the nodes that were flown over, and the places among them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Peak:
    """A place that fits: its (north, east) in metres, how far it stands out of its surroundings (``sharpness``), the
    mean cosine there (``similarity``), and how many full overlaps of a keyframe back it (``cover``). ``open``: it is
    not seen that the target fits less on every side, at the border of what was flown over: it may lie out there."""

    ne_m: tuple[float, float]
    sharpness: float
    similarity: float
    cover: float
    open: bool = False


@dataclass(frozen=True)
class Field:
    """Fitting scores of the N nodes of a lattice with enough evidence: ``nodes`` (N, 2) rows (north) and columns (east)
    in rising order, ``sharpness``, ``similarity`` and ``cover`` (N,), whether each is as sharp as all of its neighbours
    (``tops``) and whether it may be the edge of something beyond (``opens``, see `Peak`); node (i, j) lies at
    ``origin_ne_m + (i, j) * pitch_m``."""

    origin_ne_m: Array
    pitch_m: float
    nodes: Nodes
    sharpness: Array
    similarity: Array
    cover: Array
    tops: NDArray[np.bool_]
    opens: NDArray[np.bool_]

    @property
    def area_m2(self) -> float:
        """The ground on which a target's centre could have been found."""
        return len(self.nodes) * self.pitch_m**2

    def peaks(self, count: int, apart_m: float) -> list[Peak]:
        """The sharpest places, best first, no two nearer than ``apart_m``."""
        at = np.flatnonzero(self.tops)
        left, ne_m = self.sharpness[at], self.nodes[at] * self.pitch_m
        found: list[Peak] = []
        while len(found) < count and len(left):
            best = int(left.argmax())
            if left[best] == -np.inf:
                break
            found.append(self._peak(int(at[best])))
            left[np.hypot(*(ne_m - ne_m[best]).T) < apart_m] = -np.inf
        return found

    def at(self, row: int, column: int) -> int | None:
        """Which of the N a node of the lattice is; None where it has too little evidence."""
        key = row * self._width + column
        place = int(np.searchsorted(self._keys, key))
        return place if place < len(self._keys) and self._keys[place] == key else None

    @cached_property
    def _width(self) -> int:
        return int(self.nodes[:, 1].max(initial=0)) + 2  # a column beside the last is not the next row's first

    @cached_property
    def _keys(self) -> Nodes:
        return np.asarray(self.nodes[:, 0] * self._width + self.nodes[:, 1])

    def _peak(self, n: int) -> Peak:
        at = self.origin_ne_m + (self.nodes[n] + np.array([self._vertex(n, 0), self._vertex(n, 1)])) * self.pitch_m
        sharpness, similarity, cover = (float(one[n]) for one in (self.sharpness, self.similarity, self.cover))
        return Peak((float(at[0]), float(at[1])), sharpness, similarity, cover, bool(self.opens[n]))

    def _vertex(self, n: int, axis: int) -> float:
        """Where between the nodes the top lies, by a parabola along one axis."""
        i, j = map(int, self.nodes[n])
        step = (1, 0) if axis == 0 else (0, 1)
        beside = [self.at(i + k * step[0], j + k * step[1]) for k in (-1, 0, 1)]
        left, middle, right = (0.0 if one is None else float(self.similarity[one]) for one in beside)
        bend = left - 2 * middle + right
        return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-9 else 0.0
