"""How much ground a history remembers, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from runtime.geodesy import north_east_m, offset
from runtime.values import Coverage, GeoPoint

CELL_M = 5.0  # a tenth of a small footprint
_MOST_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class CoveredCells:
    """``counts`` (rows, columns) int32: how many keyframes show each cell of ``cell_m``; row 0 is the northernmost.
    ``south_west``: the lower left corner of the lowest row's first cell."""

    counts: NDArray[np.int32]
    cell_m: float
    south_west: GeoPoint

    def area_m2(self, at_least: int = 1) -> float:
        """Ground that this many keyframes show."""
        return float(np.count_nonzero(self.counts >= at_least)) * self.cell_m**2

    def share_of(self, area: BaseGeometry) -> float:
        """Of an area, in metres east and north of ``south_west``, the part that at least one keyframe shows."""
        north, east = self.centres_m()
        inside = shapely.contains_xy(area, east.ravel(), north.ravel()).reshape(self.counts.shape)
        return min(1.0, float(np.count_nonzero(inside & (self.counts > 0))) * self.cell_m**2 / area.area)

    def centres_m(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(rows, columns) each: metres north and east of ``south_west`` of every cell's centre."""
        rows, columns = self.counts.shape
        north = (np.arange(rows)[::-1] + 0.5) * self.cell_m
        east = (np.arange(columns) + 0.5) * self.cell_m
        return np.broadcast_to(north[:, None], self.counts.shape), np.broadcast_to(east, self.counts.shape)


def covered_cells(coverage: Coverage) -> CoveredCells:
    """Counts the squares of a coverage over a grid that holds all of them; cells grow where the ground is very wide.

    Raises:
        ValueError: there is no square.
    """
    if not len(coverage):
        raise ValueError("nothing is covered")
    origin = GeoPoint(*coverage.centres_deg[0])
    centres = np.array([north_east_m(origin, GeoPoint(*one)) for one in coverage.centres_deg])
    low = (centres - coverage.footprints_m[:, None] / 2).min(axis=0)
    span = (centres + coverage.footprints_m[:, None] / 2).max(axis=0) - low
    cell_m = max(CELL_M, math.sqrt(float(span[0] * span[1]) / _MOST_CELLS))
    rows, columns = (int(math.ceil(float(side) / cell_m)) + 1 for side in span)
    steps = np.zeros((rows + 1, columns + 1), dtype=np.int32)
    for (north, east), side in zip(centres - low, coverage.footprints_m, strict=True):
        # A cell counts where its centre lies in the square.
        first_row, last_row = (math.ceil((north + sign * side / 2) / cell_m - 0.5) for sign in (-1, 1))
        first, last = (math.ceil((east + sign * side / 2) / cell_m - 0.5) for sign in (-1, 1))
        steps[first_row, first] += 1
        steps[last_row, first] -= 1
        steps[first_row, last] -= 1
        steps[last_row, last] += 1
    counts = steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1].astype(np.int32)
    return CoveredCells(counts[::-1], cell_m, offset(origin, float(low[0]), float(low[1])))
