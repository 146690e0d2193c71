"""The levels of the pixels that show what stands on the ground: by surface, grain, and whether the sun reaches it.

Pixels that show an object are listed and pass through short loops one after the other; what decides nothing in a loop
lets the processor work on several pixels at once. Arrays of K points are (3, K) float32 in NED.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.compiled import compiled, inlined
from sim.raster.solids import Solids
from sim.raster.sunlight import Sunlight, cast_shadows
from sim.world.meshes import Surface

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
Index = npt.NDArray[np.int32]
Real = float | np.float32

SHADE = (0.36, 0.39, 0.44)  # light in full shade, as a share of that in the sun; bluish
LEAF_SIDE = 512  # of the lattice of leaf noise
_LEAF_BITS, _LEAF_MASK = np.int32(9), np.int32(LEAF_SIDE - 1)
_FULL = np.float32(1.3)  # no surface gets more than this many times the sunlight of flat ground
_LIFT_M = np.float32(0.03)  # a point's own triangle does not shade it
_LEAF = np.float32(0.32)  # disorder of a crown's normals
_LEAF_PER_M, _GRAIN_PER_M, _BROAD_PER_M = np.float32(1 / 0.22), np.float32(1 / 0.15), np.float32(1 / 1.1)
_DARKEST, _BRIGHTEST, _WHITE = np.float32(0.3), np.float32(1.7), np.float32(255.0)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_TINY = np.float32(1e-12)

# By `Surface`: deviation of the fine and the broad grain, what is taken off the light, and whether it is rounded.
_SURFACES = np.array(
    [
        (0.04, 0.03, 0.0, 0.0),  # wall
        (0.07, 0.08, 0.0, 0.0),  # roof
        (0.05, 0.09, 0.0, 0.0),  # flat roof
        (0.20, 0.16, 0.05, 1.0),  # crown
        (0.02, 0.00, 0.0, 0.0),  # car
    ],
    np.float32,
)
assert len(_SURFACES) == len(Surface)


class Response(NamedTuple):
    """How a sensor turns light, in which 255 is white, into levels."""

    matrix: Array  # (3, 3) of colours: white balance, saturation
    levels: Image  # (256, 3) tone curve and haze


class Look(NamedTuple):
    """What the surfaces of a scene are lit by."""

    to_sun: Array  # (3,) NED, the downward component -1
    leaf: Array  # (LEAF_SIDE**2,) noise, by rows


def shade_objects(
    pixels: Index, faces: Index, points: Array, rays: Array, solids: Solids, sunlight: Sunlight, look: Look,
    response: Response, out: Image,
) -> None:  # fmt: skip
    """Fill the pixels (K,), counted by rows, of out (H, W, 3); each shows its triangle (K,) at a point along a ray."""
    lifted = np.empty_like(points)
    direct, grain = np.empty(len(pixels), np.float32), np.empty(len(pixels), np.float32)
    _look_at(faces, points, rays, solids, look.to_sun, look.leaf, _SURFACES, lifted, direct, grain)
    cast_shadows(lifted, direct, sunlight)
    flat = out.reshape(-1, 3)
    _respond(pixels, faces, solids.part, solids.colour, direct, grain, response.matrix, response.levels, flat)


@compiled
def pixels_showing(face: Index) -> Index:
    """The pixels of face (H, W), counted by rows, that show a triangle."""
    flat = face.ravel()
    pixels = np.empty(len(flat), np.int32)
    count = 0
    for pixel in range(len(flat)):
        if flat[pixel] >= 0:
            pixels[count] = pixel
            count += 1
    return pixels[:count]


@compiled
def points_seen_by_lens(
    pixels: Index, xs: Array, ys: Array, nearness: Array, turn: Array, eye_m: Array, points: Array, rays: Array
) -> None:
    """Fill the points that pixels show, and the rays to them; xs, ys and nearness are the picture's, flat."""
    ex, ey, ez = eye_m[0], eye_m[1], eye_m[2]
    a0, a1, a2 = turn[0, 0], turn[0, 1], turn[0, 2]
    b0, b1, b2 = turn[1, 0], turn[1, 1], turn[1, 2]
    c0, c1, c2 = turn[2, 0], turn[2, 1], turn[2, 2]
    for k in range(len(pixels)):
        pixel = pixels[k]
        x, y, t = xs[pixel], ys[pixel], _ONE / nearness[pixel]
        north, east, down = a0 * x + a1 * y + a2, b0 * x + b1 * y + b2, c0 * x + c1 * y + c2
        rays[0, k], rays[1, k], rays[2, k] = north, east, down
        points[0, k], points[1, k], points[2, k] = ex + t * north, ey + t * east, ez + t * down


@compiled
def points_seen_from_above(
    pixels: Index, columns: int, north_m: float, west_m: float, step_m: float, lean_north: float, lean_east: float,
    down_m: Array, points: Array, rays: Array,
) -> None:  # fmt: skip
    """The same for the raster of `seen_from_above`, so many columns wide; down_m is flat."""
    for k in range(len(pixels)):
        row, column = pixels[k] // columns, pixels[k] % columns
        down = down_m[pixels[k]]
        rays[0, k], rays[1, k], rays[2, k] = lean_north, lean_east, 1.0
        points[0, k] = north_m - (row + 0.5) * step_m + lean_north * down
        points[1, k] = west_m + (column + 0.5) * step_m + lean_east * down
        points[2, k] = down


@compiled
def _look_at(
    faces: Index, points: Array, rays: Array, solids: Solids, to_sun: Array, leaf: Array, surfaces: Array,
    lifted: Array, direct: Array, grain: Array,
) -> None:  # fmt: skip
    """Fill the points lifted off their triangles, the sun's light on them as a multiple of that on flat ground
    (negative where averted), and their grain, in which 255 is neither."""
    normals, parts, kinds, centres = solids.normals, solids.part, solids.surface, solids.centre
    s0, s1, s2 = to_sun[0], to_sun[1], to_sun[2]
    for k in range(len(faces)):
        index = faces[k]
        part = parts[index]
        kind = kinds[part]
        n, e, d = points[0, k], points[1, k], points[2, k]
        a, b, c = normals[index, 0], normals[index, 1], normals[index, 2]
        side = -_ONE if a * rays[0, k] + b * rays[1, k] + c * rays[2, k] > _ZERO else _ONE  # towards the eye
        a, b, c = a * side, b * side, c * side
        lifted[0, k], lifted[1, k], lifted[2, k] = n + a * _LIFT_M, e + b * _LIFT_M, d + c * _LIFT_M
        # A crown is no facets: its normals lead away from its middle, with leaf-sized disorder.
        u, v, w = n - centres[part, 0], e - centres[part, 1], d - centres[part, 2]
        size = _ONE / np.sqrt(u * u + v * v + w * w + _TINY)
        u = u * size + _LEAF * _at(leaf, n, e, d, _LEAF_PER_M, 0)
        v = v * size + _LEAF * _at(leaf, n, e, d, _LEAF_PER_M, 1)
        w = w * size + _LEAF * _at(leaf, n, e, d, _LEAF_PER_M, 2)
        size = _ONE / np.sqrt(u * u + v * v + w * w + _TINY)
        rounded = surfaces[kind, 3]
        direct[k] = rounded * ((u * s0 + v * s1 + w * s2) * size) + (_ONE - rounded) * (a * s0 + b * s1 + c * s2)
        noise = surfaces[kind, 0] * _at(leaf, n, e, d, _GRAIN_PER_M, 1)
        noise += surfaces[kind, 1] * _at(leaf, n, e, d, _BROAD_PER_M, 2)
        grain[k] = _WHITE * min(max(_ONE + noise - surfaces[kind, 2], _DARKEST), _BRIGHTEST)


@inlined
def _at(leaf: Array, n: Real, e: Real, d: Real, per_m: Real, shift: int) -> Real:
    """Nearest lattice value at a point, its height mixed in so that vertical faces are textured too."""
    row = (np.int32((n + d * np.float32(0.7)) * per_m) + np.int32(131 * shift)) & _LEAF_MASK
    column = (np.int32((e - d * np.float32(0.6)) * per_m) + np.int32(57 * shift)) & _LEAF_MASK
    value: np.float32 = leaf[(row << _LEAF_BITS) | column]
    return value


@compiled
def _respond(
    pixels: Index, faces: Index, parts: Index, colours: Array, direct: Array, grain: Array, matrix: Array,
    levels: Image, out: Image,
) -> None:  # fmt: skip
    shade_r, shade_g, shade_b = np.float32(SHADE[0]), np.float32(SHADE[1]), np.float32(SHADE[2])
    for k in range(len(pixels)):
        part = parts[faces[k]]
        sun = min(max(direct[k], _ZERO), _FULL)
        r = colours[part, 0] * (shade_r + (_ONE - shade_r) * sun) * grain[k]
        g = colours[part, 1] * (shade_g + (_ONE - shade_g) * sun) * grain[k]
        b = colours[part, 2] * (shade_b + (_ONE - shade_b) * sun) * grain[k]
        for i in range(3):
            level = matrix[i, 0] * r + matrix[i, 1] * g + matrix[i, 2] * b
            out[pixels[k], i] = levels[np.int32(min(max(level, _ZERO), _WHITE)), i]
