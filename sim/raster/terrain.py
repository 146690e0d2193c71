"""The levels of the pixels that show ground, flat or lifted, or sky."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.compiled import compiled, inlined

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
Index = npt.NDArray[np.int32]

ROUNDS = 12  # of looking where a ray meets lifted ground: each divides the error by how much steeper than it the ray is
HORIZON = 1e-3  # a ray that falls by less than this per unit of depth sees the sky
FINE_ZERO, FINE_PER_SIGMA = 128, 28  # of the fine noise as it is kept, in bytes: 4.5 deviations fit
_DETAIL = 0.06  # deviation of the fine noise, as a share of brightness
_ZERO, _ONE, _HALF, _WHITE = np.float32(0.0), np.float32(1.0), np.float32(0.5), np.float32(255.0)


def as_fine(noise: Array) -> Image:
    """Noise of deviation 1 in bytes; a step is a five-hundredth of the brightness that it varies."""
    return np.clip(np.round(noise * FINE_PER_SIGMA) + FINE_ZERO, 0, 255).astype(np.uint8)


@inlined
def _lifted(heights_m: Array, row: np.float32, column: np.float32) -> np.float32:
    """The height between the nodes, bilinear; beyond them that of the border."""
    last = np.float32(len(heights_m) - 1)
    down, right = min(max(row, _ZERO), last), min(max(column, _ZERO), last)
    i, j = min(int(down), len(heights_m) - 2), min(int(right), len(heights_m) - 2)
    v, u = down - np.float32(i), right - np.float32(j)
    upper = heights_m[i, j] * (_ONE - u) + heights_m[i, j + 1] * u
    lower = heights_m[i + 1, j] * (_ONE - u) + heights_m[i + 1, j + 1] * u
    height: np.float32 = upper * (_ONE - v) + lower * v
    return height


@compiled
def ground_behind(
    turn: Array, eye_m: Array, xs: Array, ys: Array, north_m: float, west_m: float, gsd_m: float,
    fine_texel_m: float, fine_side: int, heights_m: Array, step_m: float, rounds: int,
    column: Array, row: Array, fine_column: Array, fine_row: Array,
) -> None:  # fmt: skip
    """Where on the ground raster, and on the endless fine noise, each pixel's ray ends: four maps, filled; all flat.

    The ground is lifted by ``heights_m`` (see `Relief`), where the ray ends after some ``rounds``; 0: it is not lifted.
    """
    a0, a1, a2 = turn[0, 0], turn[0, 1], turn[0, 2]
    b0, b1, b2 = turn[1, 0], turn[1, 1], turn[1, 2]
    c0, c1, c2 = turn[2, 0], turn[2, 1], turn[2, 2]
    north0, east0, height = eye_m[0], eye_m[1], -eye_m[2]
    north1, west1, per_m = np.float32(north_m), np.float32(west_m), np.float32(1.0 / gsd_m)
    fine_per_m, side, horizon = np.float32(1.0 / fine_texel_m), np.float32(fine_side), np.float32(HORIZON)
    per_side = _ONE / side
    per_step, half = np.float32(1.0 / step_m), np.float32((len(heights_m) - 1) / 2)
    for i in range(len(xs)):
        x, y = xs[i], ys[i]
        fall = max(c0 * x + c1 * y + c2, horizon)
        to_north, to_east, reach = a0 * x + a1 * y + a2, b0 * x + b1 * y + b2, height / fall
        for _ in range(rounds):
            lifted = _lifted(
                heights_m, half - (north0 + to_north * reach) * per_step, half + (east0 + to_east * reach) * per_step
            )
            reach = max(height - lifted, _ZERO) / fall
        north, east = north0 + to_north * reach, east0 + to_east * reach
        column[i], row[i] = (east - west1) * per_m - _HALF, (north1 - north) * per_m - _HALF
        a, b = north * fine_per_m, east * fine_per_m
        fine_row[i] = a - np.floor(a * per_side) * side
        fine_column[i] = b - np.floor(b * per_side) * side


@compiled
def respond_to_ground(ground: Image, fine: Image, matrix: Array, levels: Image, out: Image) -> None:
    """Fill out (N, 3) by the lit ground (N, 3) varied by the fine noise (N,); the response as `Response` has it."""
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    per_step, zero = np.float32(_DETAIL / FINE_PER_SIGMA), np.int32(FINE_ZERO)
    for i in range(len(fine)):
        detail = _ONE + per_step * np.float32(np.int32(fine[i]) - zero)
        r, g, b = ground[i, 0] * detail, ground[i, 1] * detail, ground[i, 2] * detail
        out[i, 0] = levels[np.int32(min(max(m00 * r + m01 * g + m02 * b, _ZERO), _WHITE)), 0]
        out[i, 1] = levels[np.int32(min(max(m10 * r + m11 * g + m12 * b, _ZERO), _WHITE)), 1]
        out[i, 2] = levels[np.int32(min(max(m20 * r + m21 * g + m22 * b, _ZERO), _WHITE)), 2]


@compiled
def put_sky(turn: Array, xs: Array, ys: Array, sky: Image, out: Image) -> None:
    """Put the level sky (3,) into out (N, 3) where a ray does not fall towards the ground."""
    for i in range(len(xs)):
        if turn[2, 0] * xs[i] + turn[2, 1] * ys[i] + turn[2, 2] <= HORIZON:
            for channel in range(3):
                out[i, channel] = sky[channel]
