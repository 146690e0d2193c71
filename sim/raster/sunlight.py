"""Whether the sun reaches a point: the triangles sorted into the cells of a plane that sunbeams cross at one place.

All beams of one sun are parallel, so that each meets flat ground at one point: there the triangles in its way are
listed, the highest first. The ground's own shadows are the same triangles seen from the sun.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.compiled import compiled, inlined
from sim.raster.solids import Solids

Array = npt.NDArray[np.float32]
Index = npt.NDArray[np.int32]
Real = float | np.float32

_CELL_M = 0.5  # smaller lists more triangles than it saves tests
_PER_M = 1.0 / _CELL_M


class Beams(NamedTuple):
    """How beams run, and the raster of ground that they are listed by."""

    lean_north: float  # shift of a beam northwards per metre downwards
    lean_east: float
    north_m: float  # upper edge of the cells
    west_m: float
    rows: int
    columns: int


class Sunlight(NamedTuple):
    """Per cell of ground, the triangles that beams to it cross."""

    beams: Beams
    start: Index  # (rows * columns + 1,) where each cell's list begins in `faces`
    faces: Index  # (E,) triangles, in each list the highest first
    top_m: Array  # (F,) z of the highest corner of each triangle
    met: Array  # (F, 3, 3) where the beams through each triangle's corners meet flat ground; the corners' own z


def sunlight_of(solids: Solids, to_sun: npt.NDArray[np.float32]) -> Sunlight:
    """Sort the triangles for a sun in the direction (3,), a NED unit vector."""
    lean_north, lean_east = float(to_sun[0]) / float(to_sun[2]), float(to_sun[1]) / float(to_sun[2])
    met = solids.triangles.copy()  # (F, 3, 3) where the beams through the corners meet the ground; z stays
    met[:, :, 0] -= np.float32(lean_north) * met[:, :, 2]
    met[:, :, 1] -= np.float32(lean_east) * met[:, :, 2]
    low, high = met.min(axis=1), met.max(axis=1)
    top_m = np.ascontiguousarray(low[:, 2])
    shading = np.flatnonzero(_may_shade(solids, to_sun))
    kept: Index = np.asarray(shading[np.argsort(top_m[shading], kind="stable")], np.int32)
    north_m, west_m = float(np.ceil(high[:, 0].max())), float(np.floor(low[:, 1].min()))
    rows, columns = int((north_m - low[:, 0].min()) * _PER_M) + 1, int((high[:, 1].max() - west_m) * _PER_M) + 1
    beams = Beams(lean_north, lean_east, north_m, west_m, rows, columns)
    edges = (north_m - high[:, 0], north_m - low[:, 0], low[:, 1] - west_m, high[:, 1] - west_m)
    spans = np.stack([(edge * _PER_M).astype(np.int32) for edge in edges], axis=1)
    start, faces = _listed(kept, spans, rows, columns)
    return Sunlight(beams, start, faces, top_m, met)


def _may_shade(solids: Solids, to_sun: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Of what is closed above, the side towards the sun is enough: a beam that enters it leaves there."""
    return ~solids.closed[solids.part] | (solids.normals @ to_sun > 0)


@compiled
def _listed(kept: Index, spans: Index, rows: int, columns: int) -> tuple[Index, Index]:
    start = np.zeros(rows * columns + 1, np.int32)
    for index in kept:
        for row in range(spans[index, 0], spans[index, 1] + 1):
            for column in range(spans[index, 2], spans[index, 3] + 1):
                start[row * columns + column + 1] += 1
    for cell in range(rows * columns):
        start[cell + 1] += start[cell]
    faces = np.empty(start[-1], np.int32)
    filled = start[:-1].copy()
    for index in kept:
        for row in range(spans[index, 0], spans[index, 1] + 1):
            for column in range(spans[index, 2], spans[index, 3] + 1):
                cell = row * columns + column
                faces[filled[cell]] = index
                filled[cell] += 1
    return start, faces


@compiled
def cast_shadows(points: Array, direct: Array, sunlight: Sunlight) -> None:
    """Take the sun's light direct (K,) from the points (3, K) that it does not reach."""
    start, faces, top_m, met, beams = sunlight.start, sunlight.faces, sunlight.top_m, sunlight.met, sunlight.beams
    zero = np.float32(0.0)
    for k in range(len(direct)):
        if direct[k] > zero and not _reached(
            points[0, k], points[1, k], points[2, k], start, faces, top_m, met, beams
        ):  # fmt: skip
            direct[k] = zero


@inlined
def _reached(
    n: Real, e: Real, d: Real, start: Index, faces: Index, top_m: Array, met: Array, beams: Beams
) -> bool:  # fmt: skip
    """Whether nothing stands between the point (NED metres) and the sun."""
    north, east = n - beams.lean_north * d, e - beams.lean_east * d
    row, column = int((beams.north_m - north) * _PER_M), int((east - beams.west_m) * _PER_M)
    if row < 0 or column < 0 or row >= beams.rows or column >= beams.columns:
        return True
    cell = row * beams.columns + column
    north, east, d = np.float32(north), np.float32(east), np.float32(d)
    zero = np.float32(0.0)
    for entry in range(start[cell], start[cell + 1]):
        index = faces[entry]
        if top_m[index] >= d:
            return True
        x0, x1, x2 = met[index, 0, 0] - north, met[index, 1, 0] - north, met[index, 2, 0] - north
        y0, y1, y2 = met[index, 0, 1] - east, met[index, 1, 1] - east, met[index, 2, 1] - east
        a, b, c = x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0
        if (a >= zero and b >= zero and c >= zero) or (a <= zero and b <= zero and c <= zero):
            area = a + b + c
            if area != zero and (a * met[index, 0, 2] + b * met[index, 1, 2] + c * met[index, 2, 2]) / area < d:
                return False
    return True
