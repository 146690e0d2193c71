"""Which triangle each pixel's ray meets first: a z-buffer whose test is the ray's own, so that lenses may bend.

A triangle's pixels are searched within bounds that hold all of them; each is then decided by the signs of three
determinants, as in ray casting (Segura and Feito, WSCG 2001). Triangles that share an edge decide it by the same
numbers, so that no ray passes between them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.compiled import compiled, inlined
from sim.raster.lens import Lens, Span, pixel_at, pixels_reached
from sim.raster.solids import Solids

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]

_NEAR_M = 0.01  # nothing is bounded, though it may be seen, nearer to the lens than this
_SLACK = 1e-5  # of tangents kept as float32
_LARGE_PX = 200.0  # what is larger is bounded by the lens's envelopes: long edges bend much


@compiled
def seen_by_lens(
    solids: Solids, lens: Lens, ned_from_camera: Doubles, eye_m: Doubles, nearness: Array, face: Index
) -> None:
    """Fill, per pixel, the triangle met first (-1: none) and its nearness: 1 / t where eye + t * ray meets it.

    ned_from_camera (3, 3); eye_m (3,) NED; nearness and face (H, W).
    """
    triangles, first, spheres, closed = solids.triangles, solids.first, solids.spheres, solids.closed
    nearness[:] = 0.0
    face[:] = -1
    corners, edges = np.empty((3, 3)), np.empty((4, 3))
    xs, ys, sides = lens.x, lens.y, lens.sides
    for part in range(len(spheres)):
        if _out_of_sight(part, spheres, sides, ned_from_camera, eye_m):
            continue
        # From above, the averted side of what is closed above is hidden by the other.
        both_sides = not closed[part] or eye_m[2] > spheres[part, 2] - spheres[part, 3]
        for index in range(first[part], first[part + 1]):
            _into_camera(index, triangles, ned_from_camera, eye_m, corners)
            if not _edges(corners, edges, both_sides):
                continue
            column0, column1, row0, row1 = _bounds(corners, lens)
            if column0 <= column1 and row0 <= row1:
                _fill(index, edges, column0, column1, row0, row1, xs, ys, nearness, face)


@inlined
def _out_of_sight(part: int, spheres: Array, sides: Doubles, ned_from_camera: Doubles, eye_m: Doubles) -> bool:
    n, e, d = spheres[part, 0] - eye_m[0], spheres[part, 1] - eye_m[1], spheres[part, 2] - eye_m[2]
    radius, m = spheres[part, 3], ned_from_camera
    z = m[0, 2] * n + m[1, 2] * e + m[2, 2] * d
    if z < -radius:
        return True
    x = m[0, 0] * n + m[1, 0] * e + m[2, 0] * d
    y = m[0, 1] * n + m[1, 1] * e + m[2, 1] * d
    for i in range(4):
        if sides[i, 0] * x + sides[i, 1] * y + sides[i, 2] * z < -radius:
            return True
    return False


@inlined
def _into_camera(index: int, triangles: Array, ned_from_camera: Doubles, eye_m: Doubles, corners: Doubles) -> None:
    m = ned_from_camera
    for i in range(3):
        n, e = triangles[index, i, 0] - eye_m[0], triangles[index, i, 1] - eye_m[1]
        d = triangles[index, i, 2] - eye_m[2]
        for axis in range(3):
            corners[i, axis] = m[0, axis] * n + m[1, axis] * e + m[2, axis] * d


@inlined
def _edges(corners: Doubles, edges: Doubles, both_sides: bool) -> bool:
    """Three normals whose products with a ray inside have one sign, and one whose product is the nearness.

    False where the eye lies in the triangle's plane, or all of the triangle behind it; unless both sides are asked
    for, also where the triangle is averted.
    """
    if corners[0, 2] <= 0.0 and corners[1, 2] <= 0.0 and corners[2, 2] <= 0.0:
        return False
    for i in range(3):
        j = i + 1 if i < 2 else 0
        edges[i, 0] = corners[i, 1] * corners[j, 2] - corners[i, 2] * corners[j, 1]
        edges[i, 1] = corners[i, 2] * corners[j, 0] - corners[i, 0] * corners[j, 2]
        edges[i, 2] = corners[i, 0] * corners[j, 1] - corners[i, 1] * corners[j, 0]
    volume = edges[0, 0] * corners[2, 0] + edges[0, 1] * corners[2, 1] + edges[0, 2] * corners[2, 2]
    if volume == 0.0 or (volume > 0.0 and not both_sides):
        return False
    for axis in range(3):
        edges[3, axis] = (edges[0, axis] + edges[1, axis] + edges[2, axis]) / volume
    return True


@inlined
def _bounds(corners: Doubles, lens: Lens) -> Span:
    """The pixels that may show a triangle."""
    low_u, high_u, low_v, high_v = np.inf, -np.inf, np.inf, -np.inf
    for i in range(3):
        if corners[i, 2] < _NEAR_M:
            return _bounds_by_envelope(corners, lens)
        x, y = corners[i, 0] / corners[i, 2], corners[i, 1] / corners[i, 2]
        if x * x + y * y > lens.trusted_r2:
            return _bounds_by_envelope(corners, lens)
        u, v = pixel_at(x, y, lens.projection)
        low_u, high_u, low_v, high_v = min(low_u, u), max(high_u, u), min(low_v, v), max(high_v, v)
    size = max(high_u - low_u, high_v - low_v)
    if size > _LARGE_PX:
        return _bounds_by_envelope(corners, lens)
    margin = lens.margin_px + 2.0 * lens.bend_per_px * size * size
    rows, columns = lens.x.shape
    return (  # of pixels whose centres, at half a pixel, are within
        max(0, int(np.ceil(low_u - margin - 0.5))), min(columns - 1, int(np.floor(high_u + margin - 0.5))),
        max(0, int(np.ceil(low_v - margin - 0.5))), min(rows - 1, int(np.floor(high_v + margin - 0.5))),
    )  # fmt: skip


@compiled
def _bounds_by_envelope(corners: Doubles, lens: Lens) -> Span:
    """By the box of tangents around the part of the triangle that lies before the eye."""
    low_x, high_x, low_y, high_y = np.inf, -np.inf, np.inf, -np.inf
    for i in range(3):
        j = i + 1 if i < 2 else 0
        z, next_z = corners[i, 2], corners[j, 2]
        if z >= _NEAR_M:
            x, y = corners[i, 0] / z, corners[i, 1] / z
            low_x, high_x, low_y, high_y = min(low_x, x), max(high_x, x), min(low_y, y), max(high_y, y)
        if (z < _NEAR_M) != (next_z < _NEAR_M):  # the edge leaves through the near plane
            share = (_NEAR_M - z) / (next_z - z)
            x = (corners[i, 0] + share * (corners[j, 0] - corners[i, 0])) / _NEAR_M
            y = (corners[i, 1] + share * (corners[j, 1] - corners[i, 1])) / _NEAR_M
            low_x, high_x, low_y, high_y = min(low_x, x), max(high_x, x), min(low_y, y), max(high_y, y)
    return pixels_reached(low_x - _SLACK, high_x + _SLACK, low_y - _SLACK, high_y + _SLACK, lens)


@inlined
def _fill(
    index: int, edges: Doubles, column0: int, column1: int, row0: int, row1: int, xs: Array, ys: Array,
    nearness: Array, face: Index,
) -> None:  # fmt: skip
    ax, ay, az = np.float32(edges[0, 0]), np.float32(edges[0, 1]), np.float32(edges[0, 2])
    bx, by, bz = np.float32(edges[1, 0]), np.float32(edges[1, 1]), np.float32(edges[1, 2])
    cx, cy, cz = np.float32(edges[2, 0]), np.float32(edges[2, 1]), np.float32(edges[2, 2])
    nx, ny, nz = np.float32(edges[3, 0]), np.float32(edges[3, 1]), np.float32(edges[3, 2])
    zero = np.float32(0.0)
    for row in range(row0, row1 + 1):
        for column in range(column0, column1 + 1):
            x, y = xs[row, column], ys[row, column]
            a = ax * x + ay * y + az
            b = bx * x + by * y + bz
            c = cx * x + cy * y + cz
            if (a >= zero and b >= zero and c >= zero) or (a <= zero and b <= zero and c <= zero):
                near = nx * x + ny * y + nz
                if near > nearness[row, column]:
                    nearness[row, column] = near
                    face[row, column] = index


@compiled
def seen_from_above(
    solids: Solids, north_m: float, west_m: float, step_m: float, lean_north: float, lean_east: float,
    down_m: Array, face: Index,
) -> None:  # fmt: skip
    """The same for parallel rays onto a raster of flat ground, whose lean is the ray's shift per metre downwards.

    down_m (H, W) is overwritten by the z of what is met (0: the ground), face (H, W) by its triangle. The raster's
    upper left corner lies at (north_m, west_m).
    """
    down_m[:] = 0.0
    face[:] = -1
    triangles, first, spheres, closed = solids.triangles, solids.first, solids.spheres, solids.closed
    rows, columns = face.shape
    x, y, z = np.empty(3), np.empty(3), np.empty(3)  # of a triangle, on the raster: columns, rows, metres down
    slant = 1.0 + np.sqrt(lean_north**2 + lean_east**2)
    for part in range(len(spheres)):
        down, reach = spheres[part, 2], spheres[part, 3] * slant / step_m + 1.0
        middle_x = (spheres[part, 1] - lean_east * down - west_m) / step_m
        middle_y = (north_m - spheres[part, 0] + lean_north * down) / step_m
        if middle_x < -reach or middle_x > columns + reach or middle_y < -reach or middle_y > rows + reach:
            continue
        for index in range(first[part], first[part + 1]):
            for i in range(3):
                z[i] = triangles[index, i, 2]
                x[i] = (triangles[index, i, 1] - lean_east * z[i] - west_m) / step_m - 0.5
                y[i] = (north_m - triangles[index, i, 0] + lean_north * z[i]) / step_m - 0.5
            area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
            if area < 0.0 or (area > 0.0 and not closed[part]):
                _fill_flat(index, area, x, y, z, down_m, face)


@inlined
def _fill_flat(index: int, area: float, x: Doubles, y: Doubles, z: Doubles, down_m: Array, face: Index) -> None:
    rows, columns = face.shape
    first_column = max(0, int(np.ceil(min(x[0], x[1], x[2]))))
    last_column = min(columns - 1, int(np.floor(max(x[0], x[1], x[2]))))
    for row in range(
        max(0, int(np.ceil(min(y[0], y[1], y[2])))), min(rows - 1, int(np.floor(max(y[0], y[1], y[2])))) + 1
    ):
        for column in range(first_column, last_column + 1):
            a = (x[1] - column) * (y[2] - row) - (x[2] - column) * (y[1] - row)
            b = (x[2] - column) * (y[0] - row) - (x[0] - column) * (y[2] - row)
            c = (x[0] - column) * (y[1] - row) - (x[1] - column) * (y[0] - row)
            if (a >= 0.0 and b >= 0.0 and c >= 0.0) or (a <= 0.0 and b <= 0.0 and c <= 0.0):
                down = (a * z[0] + b * z[1] + c * z[2]) / area
                if down < down_m[row, column]:
                    down_m[row, column] = down
                    face[row, column] = index
