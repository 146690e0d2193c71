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

from runtime.fix.sheets import Corrections, Sheets

Array = NDArray[np.float64]

_MAX_STEPS = 12  # of Gauss-Newton
_CROSS_X = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
_CROSS_Z = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
_EVERY, _EAST_SOUTH = np.arange(6), np.eye(2)
_HUBER_SIGMAS = 2.0  # beyond them a pair counts linearly


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

    ``covariance_m2`` (2, 2): of east and south, from the pairs' scatter and the priors; ``residual_m``: median distance
    between where a ray meets the ground and its partner.
    """

    east_m: float
    south_m: float
    height_m: float
    level_from_query: Array
    covariance_m2: Array
    residual_m: float

    @property
    def sigma_m(self) -> float:
        """Horizontal 1-sigma per axis."""
        return math.sqrt(max(self.covariance_m2[0, 0] + self.covariance_m2[1, 1], 0.0) / 2)

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


def solve(
    rays: Array,
    ground: Array,
    noise_m: float,
    prior: Prior,
    rounds: int = _MAX_STEPS,
    start: PlanarPose | None = None,
    sheets: Sheets | None = None,
) -> PlanarPose:
    """The pose that carries (N, 2) ``rays`` onto (N, 2) ``ground`` east/south metres; N at least 4.

    ``noise_m``: the least 1-sigma of a pair; the scatter found raises it. ``rounds``: at most so many steps, from
    ``start`` where a pose through most of the same pairs is there already. ``sheets``: where the points are of several
    keyframes; the recorded pose of each is then corrected within its sigmas, so that what the keyframes err against
    each other is not taken for a tilt of the camera.
    """
    state = _similarity(rays, ground) if start is None else start.state
    rays = np.hstack([rays, np.ones((len(rays), 1))])
    corrections = None if sheets is None else Corrections(sheets, ground)
    weights, told = np.full(len(rays), 1.0 / noise_m), _precisions(prior)
    for _ in range(rounds):
        turn = _turn(state)
        flat, down = _projected(rays, turn)
        missed = flat * state[5] + (state[3:5] - ground)
        residuals = missed if corrections is None else missed - corrections.best(missed, weights)
        lengths = np.hypot(residuals[:, 0], residuals[:, 1])
        sigma_m = max(noise_m, _median(lengths) / 1.18)  # median of a Rayleigh is 1.18 sigma
        weights = np.sqrt(np.minimum(1.0, _HUBER_SIGMAS * sigma_m / np.maximum(lengths, 1e-9))) / sigma_m
        jacobian = _jacobian(state, turn, rays, flat, down)
        jacobian *= weights[:, None, None]
        slopes = jacobian.reshape(-1, 6)
        normal = slopes.T @ slopes
        normal[_EVERY, _EVERY] += told + 1e-12
        if corrections is not None:
            normal -= corrections.taken(slopes, weights)
            residuals = missed - corrections.best(missed, weights)
        pull = (residuals * weights[:, None]).ravel() @ slopes + told * _off(state, prior)
        step = np.linalg.solve(normal, -pull)
        state = state + step
        if np.abs(step[:3]).max() < 1e-5 and np.abs(step[3:]).max() < 2e-3:
            break
    covariance = np.linalg.inv(normal)[3:5, 3:5]
    return PlanarPose(state[3], state[4], state[5], _turn(state), covariance, _median(lengths))


def _median(values: Array) -> float:
    """As `np.median`, of a few: it takes a tenth of the time."""
    ordered = np.sort(values)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


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


def _projected(rays: Array, turn: Array) -> tuple[Array, Array]:
    """Where turned rays (N, 3) meet a plane one metre below: (N, 2) east and south; and (N, 1) how far they point
    down."""
    turned = rays @ turn.T
    down = np.maximum(turned[:, 2:], 1e-3)
    return turned[:, :2] / down, down


def _jacobian(state: Array, turn: Array, rays: Array, flat: Array, down: Array) -> Array:
    """(N, 2, 6) slopes of where the rays meet the ground, by the state."""
    slopes = np.empty((len(rays), 2, 6))
    moved = (rays @ _turn_slopes(state, turn).reshape(9, 3).T).reshape(-1, 3, 3)  # by angle, by axis
    by_angle = (moved[:, :, :2] - flat[:, None] * moved[:, :, 2:]) * (state[5] / down)[:, :, None]
    slopes[:, :, :3] = by_angle.transpose(0, 2, 1)
    slopes[:, :, 3:5] = _EAST_SOUTH
    slopes[:, :, 5] = flat
    return slopes


def _turn_slopes(state: Array, turn: Array) -> Array:
    """(3, 3, 3) derivatives of `_turn` by its three angles: R [x], Rz [y] Rz^T R and [z] R, [.] the cross product."""
    cosine, sine = math.cos(state[2]), math.sin(state[2])
    about_y = np.array([[0.0, 0.0, cosine], [0.0, 0.0, sine], [-cosine, -sine, 0.0]])
    return np.array([turn @ _CROSS_X, about_y @ turn, _CROSS_Z @ turn])


def _precisions(prior: Prior) -> Array:
    """(6,) of each of the state's numbers: 1 over the variance that it is known with beforehand."""
    sigmas = [prior.tilt_sigma_rad, prior.tilt_sigma_rad, prior.heading_sigma_rad, math.inf, math.inf]
    return np.asarray(1.0 / np.square([*sigmas, prior.height_sigma_m]))


def _off(state: Array, prior: Prior) -> Array:
    """(6,) by how much the state differs from what is known beforehand; of what nothing is known, 0."""
    heading = math.remainder(state[2], math.tau)
    return np.array([state[0], state[1], heading, 0.0, 0.0, state[5] - prior.height_m])
