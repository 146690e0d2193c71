"""A camera's position over flat ground from pairs of sight rays and ground points, with what is known beforehand.

The level frame is x east, y south, z down. A ray (x, y, 1) of the query is turned by the unknown rotation and
meets the ground ``height_m`` below the camera. Six unknowns: two tilts, heading, east, south, height; tilts,
heading and height have priors where telemetry knows them, so that a distant or narrow pattern of points cannot
trade tilt against position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ITERATIONS = 12
_CROSS_X = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
_CROSS_Z = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
_HUBER = 2.0  # sigmas, from where a pair counts linearly


@dataclass(frozen=True, slots=True)
class Prior:
    """1-sigma of what is known beforehand: tilt about level, heading about 0, height about ``height_m``."""

    tilt_sigma_rad: float
    heading_sigma_rad: float = math.inf
    height_m: float = 1.0
    height_sigma_m: float = math.inf

    @property
    def posed(self) -> bool:
        """Whether heading and height are known."""
        return math.isfinite(self.heading_sigma_rad) and math.isfinite(self.height_sigma_m)


@dataclass(frozen=True, slots=True)
class PlanarPose:
    """``east_m``, ``south_m`` of the camera and its height; ``level_from_query`` (3, 3) turns the query's rays.

    ``sigma_m``: horizontal 1-sigma per axis from the pairs' scatter and the priors; ``residual_m``: median
    distance between where a ray meets the ground and its partner.
    """

    east_m: float
    south_m: float
    height_m: float
    level_from_query: Array
    sigma_m: float
    residual_m: float

    @property
    def tilt_rad(self) -> float:
        """Angle between the query frame's z axis and straight down."""
        return math.acos(float(np.clip(self.level_from_query[2, 2], -1.0, 1.0)))

    @property
    def heading_rad(self) -> float:
        """Clockwise turn of the query's frame: of its up direction from north."""
        return math.atan2(self.level_from_query[1, 0], self.level_from_query[0, 0])

    @property
    def state(self) -> Array:
        """(6,) tilts about the query's x and y axes, heading, east, south, height: what `solve` works on."""
        turn = self.level_from_query
        tilts = math.atan2(turn[2, 1], turn[2, 2]), math.asin(float(np.clip(-turn[2, 0], -1.0, 1.0)))
        return np.array([*tilts, self.heading_rad, self.east_m, self.south_m, self.height_m])

    def ground_of(self, rays: Array) -> Array:
        """(N, 2) east and south of the points that (N, 2) rays meet."""
        turned = np.hstack([rays, np.ones((len(rays), 1))]) @ self.level_from_query.T
        down = np.maximum(turned[:, 2:], 1e-3)
        return np.asarray(turned[:, :2] / down * self.height_m + [self.east_m, self.south_m])


@dataclass(frozen=True, slots=True)
class Sheets:
    """Ground points that come from K keyframes, whose cameras were not quite where and how they were said to be.

    ``of`` (N,): which keyframe each point is of. ``centres_m`` (K, 2): east and south of the keyframes' centres, and
    ``heights_m`` (K,) of their cameras above them; infinite where none took it. All points of one keyframe are moved by
    one error each of its position (``shift_sigma_m`` (K,) per axis), heading (``turn_sigma_rad``), height
    (``stretch_sigma``, a share) and attitude (``tilt_sigma_rad`` per axis).
    """

    of: NDArray[np.int64]
    centres_m: Array
    heights_m: Array
    shift_sigma_m: Array
    turn_sigma_rad: float
    stretch_sigma: float
    tilt_sigma_rad: float


def solve(
    rays: Array,
    ground: Array,
    noise_m: float,
    prior: Prior,
    rounds: int = _ITERATIONS,
    start: PlanarPose | None = None,
    sheets: Sheets | None = None,
) -> PlanarPose:
    """The pose that carries (N, 2) ``rays`` onto (N, 2) ``ground`` east/south metres; N at least 4.

    ``noise_m``: the least 1-sigma of a pair; the scatter found raises it. ``rounds``: at most so many steps, from
    ``start`` where a pose through most of the same pairs is there already. ``sheets``: where the points are of several
    keyframes, each of which is then moved as the pairs ask for and its sigmas allow, so that what the keyframes err
    against each other is not taken for a tilt of the camera.
    """
    state = _similarity(rays, ground) if start is None else start.state
    rays = np.hstack([rays, np.ones((len(rays), 1))])
    moved = _Moved(sheets, ground)
    weights = np.full(len(rays), 1.0 / noise_m)
    for _ in range(rounds):
        missed = _miss(state, rays, ground)
        residuals = missed - moved.best(missed, weights)
        lengths = np.hypot(residuals[:, 0], residuals[:, 1])
        sigma_m = max(noise_m, float(np.median(lengths)) / 1.18)  # median of a Rayleigh is 1.18 sigma
        weights = np.sqrt(np.minimum(1.0, _HUBER * sigma_m / np.maximum(lengths, 1e-9))) / sigma_m
        jacobian = _jacobian(state, rays, weights)
        known, pull = _prior_rows(state, prior)
        normal = jacobian.T @ jacobian + known.T @ known + np.eye(6) * 1e-12 - moved.taken(jacobian, weights)
        residuals = missed - moved.best(missed, weights)
        step = np.linalg.solve(normal, -(jacobian.T @ (residuals * weights[:, None]).ravel() + known.T @ pull))
        state = state + step
        if np.abs(step[:3]).max() < 1e-5 and np.abs(step[3:]).max() < 2e-3:
            break
    covariance = np.linalg.inv(normal)
    sigma = math.sqrt(max(covariance[3, 3] + covariance[4, 4], 0.0) / 2)
    return PlanarPose(state[3], state[4], state[5], _turn(state), sigma, float(np.median(lengths)))


class _Moved:
    """What moves the keyframes' sheets is linear and therefore eliminated: the best moves for a pose, and what they
    take from its normal matrix (variable projection: Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973)."""

    def __init__(self, sheets: Sheets | None, ground: Array) -> None:
        self._sheets = sheets
        if sheets is None:
            return
        east, south = (ground - sheets.centres_m[sheets.of]).T
        one, zero = np.ones_like(east), np.zeros_like(east)
        height = np.where(np.isfinite(sheets.heights_m), sheets.heights_m, 0.0)[sheets.of]
        bend = 1.0 / sheets.heights_m[sheets.of]
        by_axis = [
            [one, zero, -south, east, height + east**2 * bend, east * south * bend],
            [zero, one, east, south, east * south * bend, height + south**2 * bend],
        ]
        self._slopes = np.array(by_axis).transpose(2, 0, 1)  # (N, 2, 6)
        self._member = (sheets.of == np.arange(len(sheets.centres_m))[:, None]).astype(np.float64)  # (K, N)
        shift, same = np.asarray(sheets.shift_sigma_m), np.ones(len(sheets.centres_m))
        turn, stretch, tilt = (same * s for s in (sheets.turn_sigma_rad, sheets.stretch_sigma, sheets.tilt_sigma_rad))
        sigmas = np.maximum(np.stack([shift, shift, turn, stretch, tilt, tilt], axis=1), _LEAST)
        self._known = np.eye(6) * (sigmas**-2)[:, None]  # (K, 6, 6)

    def best(self, missed: Array, weights: Array) -> Array:
        """(N, 2) by how much the points move at best, for a pose that misses them so."""
        if self._sheets is None:
            return np.zeros_like(missed)
        pull = self._of_each((self._slopes * weights[:, None, None] ** 2).transpose(0, 2, 1) @ missed[:, :, None])
        return np.asarray((self._slopes @ np.linalg.solve(self._precision(weights), pull)[self._sheets.of])[:, :, 0])

    def taken(self, jacobian: Array, weights: Array) -> Array:
        """(6, 6) that the moves take from the pose's normal matrix."""
        if self._sheets is None:
            return np.zeros((6, 6))
        slopes = (self._slopes * weights[:, None, None]).transpose(0, 2, 1)
        shared = self._of_each(slopes @ jacobian.reshape(-1, 2, 6))
        own = np.linalg.solve(self._precision(weights), shared)
        return np.asarray((shared.transpose(0, 2, 1) @ own).sum(axis=0))

    def _precision(self, weights: Array) -> Array:
        """(K, 6, 6) of the moves, the pose being known."""
        slopes = self._slopes * weights[:, None, None]
        return np.asarray(self._of_each(slopes.transpose(0, 2, 1) @ slopes) + self._known)

    def _of_each(self, pairs: Array) -> Array:
        """(K, 6, m) sums of (N, 6, m) over each keyframe's pairs."""
        return np.asarray((self._member @ pairs.reshape(len(pairs), -1)).reshape(-1, *pairs.shape[1:]))


_LEAST = 1e-6  # metre, radian, share: as good as none


def _similarity(rays: Array, ground: Array) -> Array:
    """Start: the level camera whose view fits best, from complex least squares."""
    a = rays[:, 0] + 1j * rays[:, 1]
    b = ground[:, 0] + 1j * ground[:, 1]
    centred = a - a.mean()
    factor = np.vdot(centred, b - b.mean()) / max(np.vdot(centred, centred).real, 1e-12)
    at = b.mean() - factor * a.mean()
    return np.array([0.0, 0.0, np.angle(factor), at.real, at.imag, max(abs(factor), 1e-3)])


def _turn(state: Array) -> Array:
    """Heading about the vertical after two small tilts about the query's x and y axes: Rz(c) Ry(b) Rx(a)."""
    a, b, c = (float(angle) for angle in state[:3])
    ca, cb, cc, sa, sb, sc = math.cos(a), math.cos(b), math.cos(c), math.sin(a), math.sin(b), math.sin(c)
    return np.array(
        [
            [cc * cb, cc * sb * sa - sc * ca, cc * sb * ca + sc * sa],
            [sc * cb, sc * sb * sa + cc * ca, sc * sb * ca - cc * sa],
            [-sb, cb * sa, cb * ca],
        ]
    )


def _miss(state: Array, rays: Array, ground: Array) -> Array:
    turned = rays @ _turn(state).T
    return np.asarray(turned[:, :2] * (state[5] / np.maximum(turned[:, 2:], 1e-3)) + (state[3:5] - ground))


def _jacobian(state: Array, rays: Array, weights: Array) -> Array:
    """(2 N, 6) weighted slopes of `_miss`."""
    turn, height_m = _turn(state), float(state[5])
    turned = rays @ turn.T
    down = np.maximum(turned[:, 2:], 1e-3)
    flat = turned[:, :2] / down
    slopes = np.empty((len(rays), 2, 6))
    for column, slope in enumerate(_turn_slopes(state, turn)):
        moved = rays @ slope.T
        slopes[:, :, column] = (moved[:, :2] - flat * moved[:, 2:]) * (height_m / down)
    slopes[:, :, 3:5] = np.eye(2)
    slopes[:, :, 5] = flat
    return np.asarray((slopes * weights[:, None, None]).reshape(-1, 6))


def _turn_slopes(state: Array, turn: Array) -> tuple[Array, Array, Array]:
    """(3, 3) derivatives of `_turn` by its three angles: R [x], Rz [y] Rz^T R and [z] R, [.] the cross product."""
    cosine, sine = math.cos(state[2]), math.sin(state[2])
    about_y = np.array([[0.0, 0.0, cosine], [0.0, 0.0, sine], [-cosine, -sine, 0.0]])
    return turn @ _CROSS_X, about_y @ turn, _CROSS_Z @ turn


def _prior_rows(state: Array, prior: Prior) -> tuple[Array, Array]:
    rows, pull = np.zeros((4, 6)), np.zeros(4)
    weights = 1.0 / np.array([prior.tilt_sigma_rad, prior.tilt_sigma_rad, prior.heading_sigma_rad])
    rows[[0, 1, 2], [0, 1, 2]] = weights
    pull[:2] = state[:2] * weights[:2]
    pull[2] = math.remainder(state[2], math.tau) * weights[2]
    rows[3, 5] = 1.0 / prior.height_sigma_m
    pull[3] = (state[5] - prior.height_m) * rows[3, 5]
    return rows, pull
