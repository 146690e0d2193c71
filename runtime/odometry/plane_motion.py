"""How a camera moved between two pictures of a plane: Gauss-Newton over the plane's homography, with what is known.

The plane's homography has eight degrees of freedom (Hartley and Zisserman, "Multiple View Geometry", section 13.1).
Taken as they are, tilt passes for motion wherever the pixels cannot tell them apart; so they are solved for as what
they are, each with its prior: the autopilot's attitude bounds the turn between the pictures, its heights the climb,
what terrain does the slope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHIFT, TURN, SLOPE = slice(0, 3), slice(3, 6), slice(6, 8)  # of the state
_ROUNDS = 3  # of telling which points lie on the plane
_STEPS = 3  # of Gauss-Newton in each round
_SETTLED = 2e-5  # heights and radians: a step that is shorter moves nothing by a centimetre
_OUTSIDE_SIGMAS = 3.0  # a point that misses by more is not on the plane
_NORMAL_MEDIAN = 0.6745  # median of an error's size over its sigma
_BLOCKS = 4  # a side: points of one block share what relief does, and are not independent


@dataclass(frozen=True, slots=True)
class Prior:
    """1-sigma of what is known beforehand.

    ``tilt_sigma_rad`` per axis and ``heading_sigma_rad`` (may be infinite) are of the turn between the two pictures
    against their poses; ``sink`` is how far the camera sank between them, in first heights, with its sigma;
    ``slope_sigma`` of the plane against level, terrain and attitude together; ``relief`` of what is seen against the
    plane, as a share of the height.
    """

    tilt_sigma_rad: float
    heading_sigma_rad: float
    sink: float
    sink_sigma: float
    slope_sigma: float
    relief: float


@dataclass(frozen=True, slots=True)
class PlaneMotion:
    """``state`` (8,): shift north, east, down in first heights; turn error about north, east, down in radians; slope of
    the plane to the north and to the east.

    ``ned_from_camera`` (3, 3): of the second picture, corrected. ``covariance`` (8, 8) of the state, with the slope's
    uncertainty; ``given_slope`` (6, 6) of its first six without. ``sigma``: of a point, in tangents of the ray.
    ``inside`` (N,): the points that lie on the plane.
    """

    state: Array
    ned_from_camera: Array
    covariance: Array
    given_slope: Array
    sigma: float
    inside: NDArray[np.bool_]

    @property
    def height_ratio(self) -> float:
        """Height above the plane at the second picture over that at the first."""
        return float(1.0 - self.state[2] - self.state[SLOPE] @ self.state[:2])

    @property
    def height_ratio_sigma(self) -> float:
        """1-sigma of it."""
        slope = np.zeros(8)
        slope[:3], slope[SLOPE] = (-self.state[6], -self.state[7], -1.0), -self.state[:2]
        return math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))


def solve(
    first: Array,
    second: Array,
    ned_from_second: Array,
    prior: Prior,
    inside: NDArray[np.bool_],
    least_sigma: float,
    most_sigma: float,
) -> PlaneMotion:
    """The motion between two pictures from (N, 2) ``first``, tangents north and east of the rays of the first picture
    (turned level by its pose), and (N, 2) ``second``, tangents of the same points' rays in the second camera, which
    the pose turns by ``ned_from_second`` (3, 3). ``inside`` (N,): at least 8 that are on the plane, to begin with.

    ``least_sigma`` and ``most_sigma`` bound the 1-sigma of a point per axis, which is measured between them. What
    stands on the plane is let off ``prior.relief`` along the line on which its height moves it, and only along it.
    """
    known = _Known.of(prior)
    state, turned = _start(first[inside], second[inside], ned_from_second)
    sigma = most_sigma
    for _ in range(_ROUNDS):
        on_plane, seen = first[inside], second[inside]
        for _ in range(_STEPS):
            missed, slopes = _whitened(*_miss(state, turned, on_plane, seen), prior.relief, sigma)
            normal, pull = _normal(missed, slopes, _huber(missed, sigma), state, known)
            step = np.linalg.solve(normal, -pull)
            state = state + step
            turned = _rotated(np.asarray(step[TURN], np.float64)) @ turned
            if np.abs(step).max() < _SETTLED:
                break
        raw = _miss(state, turned, first, second)
        sigma = float(np.clip(np.median(_across(raw[0], raw[2])[inside]) / _NORMAL_MEDIAN, least_sigma, most_sigma))
        lengths = _lengths(_whitened(*raw, prior.relief, sigma)[0])
        inside = lengths < _OUTSIDE_SIGMAS * sigma
        if inside.sum() < 8:
            inside = lengths <= np.sort(lengths)[7]
    missed, slopes = _whitened(*_miss(state, turned, first[inside], second[inside]), prior.relief, sigma)
    correlated = sigma * math.sqrt(design_effect(missed, second[inside], sigma))
    normal, _ = _normal(missed, slopes, _huber(missed, sigma) * (sigma / correlated) ** 2, state, known)
    whole, given_slope = (np.asarray(np.linalg.inv(part), np.float64) for part in (normal, normal[:6, :6]))
    return PlaneMotion(state, turned, whole, given_slope, sigma, inside)


def homography(state: Array, ned_from_first: Array, ned_from_second: Array) -> Array:
    """(3, 3) that takes rays of the first camera to rays of the second, up to length; ``ned_from_second`` corrected."""
    plane = np.array([state[6], state[7], 1.0])
    return np.asarray(ned_from_second.T @ (np.eye(3) - np.outer(state[SHIFT], plane)) @ ned_from_first)


def _rotated(by_rad: Array) -> Array:
    """(3, 3) rotation by a vector in radians; OpenCV's takes a tenth of the time of scipy's."""
    return np.asarray(cv2.Rodrigues(by_rad)[0], np.float64)


def _start(first: Array, second: Array, ned_from_second: Array) -> tuple[Array, Array]:
    """State and attitude from the similarity between both level pictures, by complex least squares on the points in
    the middle of the scatter."""
    turned = np.hstack([second, np.ones((len(second), 1))]) @ ned_from_second.T
    level = turned[:, :2] / np.maximum(turned[:, 2:], 0.05)
    a, b = first[:, 0] + 1j * first[:, 1], level[:, 0] + 1j * level[:, 1]
    kept = np.ones(len(a), bool)
    for _ in range(3):
        centred = a[kept] - a[kept].mean()
        factor = np.vdot(centred, b[kept]) / max(np.vdot(centred, centred).real, 1e-12)
        offset = b[kept].mean() - factor * a[kept].mean()
        missed = np.abs(factor * a + offset - b)
        kept = missed <= 3.0 * np.median(missed) + 1e-9
    shift = -offset / factor
    heading = -float(np.angle(factor))
    state = np.zeros(8)
    state[:3], state[5] = (shift.real, shift.imag, 1.0 - 1.0 / max(abs(factor), 0.1)), heading
    return state, _rotated(np.array([0.0, 0.0, heading])) @ ned_from_second


def _miss(state: Array, turned: Array, first: Array, second: Array) -> tuple[Array, Array, Array]:
    """(N, 2) where the points are expected in the second picture minus where they are, (N, 2, 8) its slopes by the
    state, and (N, 2) by the distance of each point along its first ray, as a share."""
    rays = np.hstack([first, np.ones((len(first), 1))])
    depth = 1.0 / np.maximum(1.0 + first @ state[SLOPE], 0.05)
    points = rays * depth[:, None]
    away = points - state[SHIFT]
    seen = away @ turned
    nearness = 1.0 / np.maximum(seen[:, 2], 1e-3)
    flat = seen[:, :2] * nearness[:, None]
    # d(flat)/d(away): rows of the transposed attitude, less the part along the ray.
    by_point = (turned.T[None, :2] - flat[:, :, None] * turned.T[None, 2:]) * nearness[:, None, None]
    slopes = np.empty((len(first), 2, 8))
    slopes[:, :, SHIFT] = -by_point
    for axis, after, before in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):  # by_point x away, row by row
        one, other = by_point[:, :, after] * away[:, None, before], by_point[:, :, before] * away[:, None, after]
        np.subtract(one, other, out=slopes[:, :, 3 + axis])
    by_distance = np.einsum("nij,nj->ni", by_point, points)
    slopes[:, :, SLOPE] = -(by_distance * depth[:, None])[:, :, None] * first[:, None, :]
    return flat - second, slopes, by_distance


def _whitened(missed: Array, slopes: Array, by_distance: Array, relief: float, sigma: float) -> tuple[Array, Array]:
    """Misses and slopes with the part along ``by_distance`` made smaller, to the same ``sigma`` as the part across."""
    length = _lengths(by_distance)
    along = by_distance / np.maximum(length, 1e-12)[:, None]
    less = 1.0 - 1.0 / np.hypot(1.0, relief * length / sigma)
    part = along * less[:, None]
    off = along[:, 0] * missed[:, 0] + along[:, 1] * missed[:, 1]
    sloped = along[:, :1] * slopes[:, 0] + along[:, 1:] * slopes[:, 1]
    return missed - part * off[:, None], slopes - part[:, :, None] * sloped[:, None]


def _across(missed: Array, by_distance: Array) -> Array:
    """(N,) sizes of the misses across the line on which a point's height moves it: of them relief has no part."""
    length = np.maximum(_lengths(by_distance), 1e-12)
    return np.asarray(np.abs(missed[:, 0] * by_distance[:, 1] - missed[:, 1] * by_distance[:, 0]) / length)


def _huber(missed: Array, sigma: float) -> Array:
    """(N,) weights: 1 over the variance within two sigma, falling off beyond."""
    return np.asarray(np.minimum(1.0, 2.0 * sigma / np.maximum(_lengths(missed), 1e-12)) / sigma**2)


def _lengths(rows: Array) -> Array:
    """(N,) of (N, 2) rows: of a hundred of them NumPy's own norm takes twice the time."""
    x, y = rows[:, 0], rows[:, 1]
    return np.asarray(np.sqrt(x * x + y * y))


@dataclass(frozen=True, slots=True)
class _Known:
    """What a `Prior` expects of the state (8,), how much that counts (8,), and what keeps its matrix regular (8, 8)."""

    expected: Array
    weight: Array
    matrix: Array

    @classmethod
    def of(cls, prior: Prior) -> _Known:
        """Of shift and turn, in the state's order."""
        sigmas = np.array([
            math.inf, math.inf, prior.sink_sigma, prior.tilt_sigma_rad, prior.tilt_sigma_rad, prior.heading_sigma_rad,
            prior.slope_sigma, prior.slope_sigma,
        ])  # fmt: skip
        weight = 1.0 / sigmas**2
        return cls(np.array([0.0, 0.0, prior.sink, 0.0, 0.0, 0.0, 0.0, 0.0]), weight, np.diag(weight + 1e-9))


def _normal(missed: Array, slopes: Array, weight: Array, state: Array, known: _Known) -> tuple[Array, Array]:
    """(8, 8) normal matrix and (8,) gradient, priors included."""
    flat = slopes.reshape(-1, 8)
    weighted = (slopes * weight[:, None, None]).reshape(-1, 8)
    off = state - known.expected
    off[5] = math.remainder(off[5], math.tau)
    return flat.T @ weighted + known.matrix, weighted.T @ missed.ravel() + known.weight * off


def design_effect(missed: Array, at: Array, sigma: float) -> float:
    """By how much the variance of a mean exceeds that of independent points, as neighbours share their errors: at least
    1. Blocks of the picture are taken as independent (Kish's design effect, from the sums within blocks)."""
    low, high = at.min(axis=0), at.max(axis=0)
    cells = np.minimum((at - low) / np.maximum(high - low, 1e-9) * _BLOCKS, _BLOCKS - 1).astype(int)
    block = cells[:, 0] * _BLOCKS + cells[:, 1]
    sums = np.stack([np.bincount(block, missed[:, axis], _BLOCKS**2) for axis in (0, 1)])
    occupied = len(np.unique(block))
    fitted = max(1.0 - 8.0 / (2.0 * occupied), 0.25)  # the eight that were solved for took their share of the sums
    return max(1.0, float((sums**2).sum()) / (2.0 * len(missed) * sigma**2 * fitted))
