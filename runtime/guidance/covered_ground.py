"""Covered ground: where an aircraft sees enough of what is remembered to be found, and how much of a way leads past it.

A keyframe is a north-up square, and so is what a camera sees. A place is covered where a view from straight above it
would share at least `MIN_OVERLAP` of the side of a keyframe with it, north and east: a smaller square about the same
centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import north_east_array_m, north_east_m, offsets
from runtime.values import Coverage, GeoPoint

Array = NDArray[np.float64]

MIN_OVERLAP = 0.5  # of a side; beyond half of it the matcher has less than a quarter of the picture left at a corner
_SEAM_M = 0.01  # squares that touch, as tiles of a map do, leave this much by rounding
_STILL = 1e-12  # of a way along one axis: keeps the quotient finite, of the right sign


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a way, in metres from its beginning."""

    start_m: float
    end_m: float

    @property
    def length_m(self) -> float:
        """How long it is."""
        return self.end_m - self.start_m


class CoveredGround:
    """A `Coverage` on a plane: ``centres_m`` (N, 2) north and east of the first square, ``half_m`` (N,) the half sides
    of what counts as covered."""

    def __init__(self, coverage: Coverage) -> None:
        """``coverage`` must not be empty."""
        self._origin = GeoPoint(*map(float, coverage.centres_deg[0]))
        self.centres_m = north_east_array_m(self._origin, *coverage.centres_deg.T)
        self._columns = np.ascontiguousarray(self.centres_m.T)
        self.half_m = coverage.footprints_m * (1.0 - MIN_OVERLAP)

    @property
    def origin(self) -> GeoPoint:
        """Where the plane touches the earth."""
        return self._origin

    def plane(self, points: Sequence[GeoPoint]) -> Array:
        """(M, 2) metres north and east of places."""
        return np.array([north_east_m(self._origin, point) for point in points]).reshape(-1, 2)

    def places(self, points_m: Array) -> list[GeoPoint]:
        """The places of (M, 2) metres north and east."""
        return offsets(self._origin, points_m)

    def bare(self, way_m: Array) -> list[Stretch]:
        """The stretches of a line over (M, 2) corners that no square covers, in order; one that goes on around a corner
        is one."""
        found: list[Stretch] = []
        walked_m = 0.0
        for start, end in zip(way_m, way_m[1:], strict=False):
            length_m = float(np.hypot(*(end - start)))
            found = joined(found, self._bare(start, end, length_m), walked_m)
            walked_m += length_m
        return found

    def _bare(self, start: Array, end: Array, length_m: float) -> list[Stretch]:
        """The same of one leg: it enters and leaves each square at two shares of its length (the slab method of ray
        tracing: Kay and Kajiya, SIGGRAPH 1986); what lies before, between and after their union is bare."""
        step = end - start
        near = self._near((start + end) / 2.0, np.abs(step) / 2.0)
        step = np.where(np.abs(step) < _STILL, _STILL, step)
        off, half = self.centres_m[near] - start, self.half_m[near, None]
        one, other = (off - half) / step, (off + half) / step
        enters = np.minimum(one, other).max(axis=1).clip(0.0, None)
        leaves = np.maximum(one, other).min(axis=1).clip(None, 1.0)
        crossed = enters <= leaves
        enters, leaves = enters[crossed], leaves[crossed]
        order = np.argsort(enters)
        begins = np.append(enters[order], 1.0) * length_m
        until = np.maximum.accumulate(np.concatenate([[0.0], leaves[order]])) * length_m
        gaps = np.flatnonzero(begins - until > _SEAM_M)
        return [Stretch(float(until[gap]), float(begins[gap])) for gap in gaps]

    def _near(self, middle: Array, span: Array) -> NDArray[np.intp]:
        """The squares that touch the box of half sides ``span`` about a point: a tenth of the work of all of them."""
        north = np.abs(self._columns[0] - middle[0]) <= self.half_m + span[0]
        return np.flatnonzero(north & (np.abs(self._columns[1] - middle[1]) <= self.half_m + span[1]))


def joined(first: list[Stretch], second: list[Stretch], length_m: float) -> list[Stretch]:
    """The stretches of a way of ``length_m`` and of one that goes on from its end; one across the join is one."""
    moved = [Stretch(one.start_m + length_m, one.end_m + length_m) for one in second]
    if first and moved and moved[0].start_m - first[-1].end_m <= _SEAM_M:
        return [*first[:-1], Stretch(first[-1].start_m, moved[0].end_m), *moved[1:]]
    return [*first, *moved]
