"""A camera model as the rasteriser needs it: every pixel's ray, and which pixels a region of rays can fall on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from runtime.camera_model import CameraModel
from sim.compiled import compiled, inlined

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Span = tuple[int, int, int, int]  # first column, last column, first row, last row; inclusive

_REACH = 1.15  # beyond the image's own corner, in tangents, the distortion's polynomial is not trusted
_BEND_STEP = 0.01  # of the tangents at which the polynomial's bend is measured


class Lens(NamedTuple):
    """Rays of a camera: ray (x, y, 1) of pixel (row, column) in the camera frame, and bounds to find pixels by."""

    x: Array  # (H, W) float32
    y: Array  # (H, W) float32
    # Envelopes that never fall, for a binary search, whatever the distortion: of all rays up to, and from, a column
    # (or row) the most and the least x (or y).
    most_x: Array  # (W,)
    least_x: Array  # (W,)
    most_y: Array  # (H,)
    least_y: Array  # (H,)
    sides: Doubles  # (4, 3) unit normals, pointing inwards, of planes through the eye that bound all rays
    projection: Doubles  # (9,) fx, fy, cx, cy [px], k1, k2, p1, p2, k3
    trusted_r2: float  # squared tangent up to which `projection` is used; 0: never
    margin_px: float  # that the projection and the rays disagree by, at most
    bend_per_px: float  # a straight edge of L pixels leaves its chord by at most this times L squared


@lru_cache(maxsize=8)
def lens_of(camera: CameraModel) -> Lens:
    """The lens of a camera model, through the centre of every pixel."""
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2)
    flat = cv2.undistortPoints(pixels, camera.matrix, np.array(camera.distortion, np.float64)).reshape(-1, 2)
    x, y = (np.ascontiguousarray(flat[:, i].reshape(columns.shape), np.float32) for i in (0, 1))
    projection, trusted_r2, margin_px, bend_per_px = _projection(camera, x, y, columns, rows)
    return Lens(
        x, y,
        np.maximum.accumulate(x.max(axis=0)), np.minimum.accumulate(x.min(axis=0)[::-1])[::-1].copy(),
        np.maximum.accumulate(y.max(axis=1)), np.minimum.accumulate(y.min(axis=1)[::-1])[::-1].copy(),
        _sides(x, y), projection, trusted_r2, margin_px, bend_per_px,
    )  # fmt: skip


def _sides(x: Array, y: Array) -> Doubles:
    sides = np.array([[1, 0, -x.min()], [-1, 0, x.max()], [0, 1, -y.min()], [0, -1, y.max()]], np.float64)
    return np.asarray(sides / np.linalg.norm(sides, axis=1, keepdims=True))


def _projection(
    camera: CameraModel, x: Array, y: Array, columns: Doubles, rows: Doubles
) -> tuple[Doubles, float, float, float]:
    """(projection, trusted_r2, margin_px, bend_per_px); not trusted where it does not lead back to the pixels."""
    coefficients = [*camera.distortion, 0.0, 0.0, 0.0, 0.0, 0.0][:5]
    projection = np.array([camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *coefficients])
    u, v = _distorted(x.astype(np.float64), y.astype(np.float64), projection)
    off_px = float(max(np.abs(u - columns).max(), np.abs(v - rows).max()))
    corner_r2 = float((x.astype(np.float64) ** 2 + y.astype(np.float64) ** 2).max())
    if len(camera.distortion) > 5 or not off_px < 2.0:
        return projection, 0.0, 0.0, 0.0
    return projection, corner_r2 * _REACH**2, 0.05 + off_px, _bend_per_px(projection, corner_r2 * _REACH**2)


def _distorted(x: Doubles, y: Doubles, projection: Doubles) -> tuple[Doubles, Doubles]:
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = projection
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return fx * u + cx, fy * v + cy


def _bend_per_px(projection: Doubles, r2: float) -> float:
    """By second differences of the distortion over all that is trusted, in the worst direction, and half as much
    again."""
    reach, h = r2**0.5, _BEND_STEP
    x, y = np.meshgrid(*(np.arange(-reach, reach + h, h),) * 2)
    inside = x * x + y * y <= r2
    x, y = x[inside], y[inside]
    worst = 0.0
    for dx, dy in ((h, 0.0), (0.0, h), (h * 0.5**0.5, h * 0.5**0.5), (h * 0.5**0.5, -h * 0.5**0.5)):
        ends = [_distorted(x + s * dx, y + s * dy, projection) for s in (-1, 0, 1)]
        for before, here, after in zip(*ends, strict=True):
            worst = max(worst, float(np.abs(before - 2 * here + after).max()))
    curvature = worst / h**2 / float(min(projection[0], projection[1])) ** 2  # pixels per pixel squared
    return 1.5 * curvature / 8


@compiled
def pixels_reached(low_x: float, high_x: float, low_y: float, high_y: float, lens: Lens) -> Span:
    """The pixels whose ray may lie in a box of tangents; the last is before the first where none does."""
    return (
        _first_reaching(lens.most_x, low_x), _last_within(lens.least_x, high_x),
        _first_reaching(lens.most_y, low_y), _last_within(lens.least_y, high_y),
    )  # fmt: skip


@inlined
def pixel_at(x: float, y: float, projection: Doubles) -> tuple[float, float]:
    """(column, row) in continuous pixels where a trusted ray (x, y, 1) falls."""
    p = projection
    r2 = x * x + y * y
    radial = 1.0 + r2 * (p[4] + r2 * (p[5] + r2 * p[8]))
    u = x * radial + 2.0 * p[6] * x * y + p[7] * (r2 + 2.0 * x * x)
    v = y * radial + p[6] * (r2 + 2.0 * y * y) + 2.0 * p[7] * x * y
    return p[0] * u + p[2], p[1] * v + p[3]


@compiled
def _first_reaching(rising: Array, value: float) -> int:
    """Index of the first element that is not less than the value; the length where there is none."""
    low, high = 0, len(rising)
    while low < high:
        middle = (low + high) // 2
        if rising[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _last_within(rising: Array, value: float) -> int:
    """Index of the last element that is not more than the value; -1 where there is none."""
    low, high = 0, len(rising)
    while low < high:
        middle = (low + high) // 2
        if rising[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low - 1
