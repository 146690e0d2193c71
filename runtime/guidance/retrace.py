"""The shortest way over the ground that a history covers: Dijkstra over its keyframes, then pulled straight.

Two squares whose half sides together reach across the larger of their distances north and east cover the whole line
between their centres: such keyframes are linked. Gaps are bridged along the edges of a Delaunay triangulation, in which
the nearest keyframes of two patches are always neighbours; a bridged metre costs `BARE_COST` covered ones. Only one
keyframe of a cell about as large as its half side is linked; what is flown is measured against all of them.

scipy's parts are imported where they are used: the configuration needs this module, and need not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from runtime.guidance.covered_ground import Array, CoveredGround
from runtime.values import GeoPoint

BARE_COST = 10.0  # covered metres that are flown rather than a bare one
_NO_LONGER_M = 0.5  # a shortcut over this much more bare ground is none
_CONVEX = 1.0 - 1e-6  # of the hull's area, which rounding may miss

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Links:
    """E lines between places: ``ends`` (E, 2) their numbers, ``costs`` (E,) in covered metres."""

    ends: Indices
    costs: Array

    def kept(self, which: NDArray[np.bool_]) -> _Links:
        return _Links(self.ends[which], self.costs[which])


class Retrace:
    """Plans over one state of a history; ``bridge_m``: the longest bare stretch of a way."""

    def __init__(self, ground: CoveredGround, bridge_m: float) -> None:
        self._ground = ground
        self._bridge_m = bridge_m
        chosen = _thinned(ground.centres_m, ground.half_m)
        self._nodes, self._half = ground.centres_m[chosen], ground.half_m[chosen]
        self._links = self._linked(_neighbours(self._nodes, self._half))

    def plan(self, start: GeoPoint, target: GeoPoint, region: BaseGeometry) -> tuple[GeoPoint, ...] | None:
        """The corners of the way from ``start``, which is not among them, to ``target``, which is the last; None where
        there is none inside ``region`` (north, east) of the ground's plane."""
        ends_m = self._ground.plane([start, target])
        path = self._shortest(ends_m, region)
        if path is None:
            return None
        corners = self._pulled(path, region)[1:]
        return (*self._ground.places(corners[:-1]), target)

    def _linked(self, pairs: Indices) -> _Links:
        """The pairs of keyframes between which no more than the bridge is bare."""
        steps = self._nodes[pairs[:, 0]] - self._nodes[pairs[:, 1]]
        return self._costed(pairs, steps, self._half[pairs].sum(axis=1))

    def _costed(self, ends: Indices, steps: Array, covered: Array) -> _Links:
        lengths = np.hypot(*steps.T)
        across = np.maximum(np.abs(steps).max(axis=1), 1e-9)
        bare = lengths * (1.0 - covered / across).clip(0.0, None)
        return _Links(ends, lengths + BARE_COST * bare).kept(bare <= self._bridge_m)

    def _shortest(self, ends_m: Array, region: BaseGeometry) -> Array | None:
        """(M, 2) from start to target over keyframes."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import dijkstra

        count = len(self._nodes)
        places = np.concatenate([self._nodes, ends_m])
        links = [self._links, *(self._to(place, count + k) for k, place in enumerate(ends_m))]
        links = [_inside(one, places, region) for one in links]
        if region.covers(shapely.LineString(ends_m)):
            links.append(self._straight(ends_m, count))
        ends, costs = np.concatenate([one.ends for one in links]), np.concatenate([one.costs for one in links])
        graph = csr_matrix((costs, ends.T), shape=(count + 2, count + 2))
        lengths, before = dijkstra(graph, directed=False, indices=count, return_predecessors=True)
        if not np.isfinite(lengths[count + 1]):
            return None
        path = [count + 1]
        while path[-1] != count:
            path.append(int(before[path[-1]]))
        return places[path[::-1]]

    def _to(self, place: Array, number: int) -> _Links:
        """From a place, of which nothing is seen, to the keyframes in reach."""
        nodes = np.arange(len(self._nodes))
        ends = np.stack([nodes, np.full_like(nodes, number)], axis=1)
        return self._costed(ends, place - self._nodes, self._half)

    def _straight(self, ends_m: Array, count: int) -> _Links:
        bare = [stretch.length_m for stretch in self._ground.bare(ends_m)]
        cost = float(np.hypot(*(ends_m[1] - ends_m[0]))) + BARE_COST * sum(bare)
        links = _Links(np.array([[count, count + 1]]), np.array([max(cost, 1e-9)]))
        return links.kept(np.array([max(bare, default=0.0) <= self._bridge_m]))

    def _pulled(self, path: Array, region: BaseGeometry) -> Array:
        """The corners of ``path`` that are left when each is left out that a straight line may pass."""
        legs = [sum(one.length_m for one in self._ground.bare(path[i : i + 2])) for i in range(len(path) - 1)]
        bare = np.concatenate([[0.0], np.cumsum(legs)])

        def straight(i: int, j: int) -> bool:
            line = path[[i, j]]
            if not region.covers(shapely.LineString(line)):
                return False
            stretches = [one.length_m for one in self._ground.bare(line)]
            allowed = bare[j] - bare[i] + _NO_LONGER_M
            return sum(stretches) <= allowed and max(stretches, default=0.0) <= self._bridge_m

        kept, last = [0], len(path) - 1
        while kept[-1] < last:
            kept.append(_farthest(kept[-1], last, straight))
        return path[kept]


def _farthest(i: int, last: int, straight: Callable[[int, int], bool]) -> int:
    """A corner as far after ``i`` as a straight line reaches, by bisection; the next one always does."""
    if straight(i, last):
        return last
    good, bad = i + 1, last
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if straight(i, middle) else (good, middle)
    return good


def _thinned(centres_m: Array, half_m: Array) -> Indices:
    """Of the squares of about one size in one cell, that which is nearest to the cell's centre."""
    sizes_m = _sizes_m(half_m)
    cells = np.floor(centres_m / sizes_m[:, None])
    off = np.hypot(*(centres_m / sizes_m[:, None] - cells - 0.5).T)
    order = np.lexsort((off, cells[:, 1], cells[:, 0], sizes_m))
    keys = np.column_stack([sizes_m, cells])[order]
    first = np.any(np.diff(keys, axis=0, prepend=np.nan) != 0.0, axis=1)
    return np.sort(order[first])


def _sizes_m(half_m: Array) -> Array:
    """The half sides rounded down to powers of two, which are the cells that squares are thinned by."""
    sizes: Array = np.exp2(np.floor(np.log2(half_m)))
    return sizes


def _neighbours(nodes_m: Array, half_m: Array) -> Indices:
    """(E, 2) pairs that may be linked: squares of about one size that overlap, and neighbours of any size."""
    from scipy.spatial import Delaunay, cKDTree

    if len(nodes_m) < 2:
        return np.zeros((0, 2), np.intp)
    found, sizes_m = [], _sizes_m(half_m)
    for size_m in np.unique(sizes_m):
        alike = np.flatnonzero(sizes_m == size_m)
        reach_m = 2.0 * float(half_m[alike].max())
        found.append(alike[cKDTree(nodes_m[alike]).query_pairs(reach_m, p=np.inf, output_type="ndarray")])
    if len(nodes_m) < 5:
        found.append(np.array([(i, j) for j in range(len(nodes_m)) for i in range(j)]))
    else:
        corners = Delaunay(nodes_m, qhull_options="QJ").simplices  # joggled: keyframes may lie in one line
        found += [np.sort(corners[:, pair], axis=1) for pair in ((0, 1), (1, 2), (0, 2))]
    pairs: Indices = np.unique(np.concatenate(found), axis=0).astype(np.intp)
    return pairs


def _inside(links: _Links, places: Array, region: BaseGeometry) -> _Links:
    """The links that stay inside; in a convex region those whose ends do."""
    shapely.prepare(region)
    within = np.asarray(shapely.covers(region, shapely.points(places)), dtype=np.bool_)
    links = links.kept(np.logical_and(*within[links.ends].T))
    if region.area >= _CONVEX * region.convex_hull.area:
        return links
    lines = shapely.linestrings(places[links.ends])
    return links.kept(np.asarray(shapely.covers(region, lines), dtype=np.bool_))
