"""Mount and delay from what pairs of pictures saw and what the log says: one adjustment of a whole flight.

The turn between two pictures is the body's turn seen from the camera, so where the body turns about its down axis, the
camera shows how that axis lies in it (hand-eye calibration: Tsai and Lenz 1989). The ground seen in perspective says
where down is; its slope is one for all pairs, so a turned nose tells it from the mount. Straight ways with a velocity
in the log say where the nose is. And a turn that begins or ends says when. What lies between two pictures, a shift, a
turn and a slope, is solved for with them, pair by pair, each with its prior (Schur complement).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from runtime.mounting.seen import Seen
from runtime.mounting.told import StateAt, Told, height_m, told_of
from runtime.rotations import rotation
from runtime.values import Quaternion

Array = NDArray[np.float64]

MOUNT, DELAY, SLOPE = slice(0, 3), 3, slice(4, 6)  # of what is solved for once
_ONCE, _EACH = 6, 8
_EARLIEST_S, _LATEST_S, _STEP_S = -0.3, 0.7, 0.05  # delays that are tried
_STARTS_DEG = (0.0, 90.0, 180.0, 270.0)  # a camera may be mounted the other way round
_ITERATIONS = 12
_INNER = 5  # of each pair alone, from nothing
_RELATIVE = 1e-9  # of a diagonal: nothing beside what is measured, enough for it to be inverted
_NOTHING_KNOWN = 1e-9  # keeps what no measurement says finite
_SETTLED = 1e-6
_DIFFERENCE = np.array([1e-5] * 3 + [1e-3] + [1e-5] * 2)  # for slopes: radians, seconds, tangents
_TURN_SIGMA_RAD = math.radians(0.3)  # of a log's turn between two instants, to begin with; then as it is found to be
_LEAST_TURN_RAD, _MOST_TURN_RAD = math.radians(0.05), math.radians(2.0)
_SINK_SIGMA = 0.05  # of the height: what terrain, or a range finder over roofs, does between two pictures
_AREA_SLOPE, _LOCAL_SLOPE = math.tan(math.radians(3.0)), math.tan(math.radians(2.0))  # 1-sigma of level ground
_OUTLIER = 3.0  # sigma of a pair's misses as a whole, beyond which it counts less
_BLOCKS = 8  # of time, each left out once: neighbours in time share their errors


@dataclass(frozen=True, slots=True)
class Adjusted:
    """``body_from_camera`` and ``delay_s``, with 1-sigma: ``tilt_sigma_rad`` about the body's horizontal axes,
    ``turn_sigma_rad`` about its down axis. ``left_over_rad`` (P, 3): by how much the pictures of each pair turned
    otherwise than the log, about north, east and down; ``turned_rad`` (P, 3): by how much the log turned; ``stamps_s``
    (P,) of the second pictures. ``costs`` (D,) of ``delays_s`` (D,): how badly each delay fits."""

    body_from_camera: Rotation
    delay_s: float
    tilt_sigma_rad: float
    turn_sigma_rad: float
    delay_sigma_s: float
    stamps_s: Array
    left_over_rad: Array
    turned_rad: Array
    costs: Array
    delays_s: Array


class Adjustment:
    """The pairs of one flight of which the log says something at every delay that is tried."""

    def __init__(
        self, pairs: Sequence[Seen], state_at: StateAt, mount: Quaternion, delay_s: float, free: NDArray[np.bool_]
    ) -> None:
        """``mount`` and ``delay_s``: to begin with; ``free`` (6,) bool: what is solved for."""
        self._state_at, self._mount, self._free = state_at, rotation(mount), np.asarray(free, bool)
        self._delay_s = delay_s
        grid = np.arange(_EARLIEST_S, _LATEST_S + _STEP_S / 2, _STEP_S)
        self.delays_s = grid if free[DELAY] else np.array([delay_s])
        reach = (*self.delays_s[[0, -1]], delay_s)
        self.pairs = [pair for pair in pairs if all(self._known(pair, one) for one in reach)]
        self._at = np.array([pair.at for pair in self.pairs]).reshape(-1, 4, 2)
        self._to = np.array([pair.to for pair in self.pairs]).reshape(-1, 4, 2)
        whole = np.array([pair.covariance for pair in self.pairs]).reshape(-1, 8, 8)
        self._root = np.linalg.inv(np.linalg.cholesky(whole + 1e-14 * np.eye(8))) if self.pairs else whole
        self._turn_sigma = _TURN_SIGMA_RAD
        self._cache: dict[float, Told] = {}

    def solve(self) -> Adjusted:
        """The best mount and delay, with what is left over; how well they are known is for the caller to judge."""
        everything = np.ones(len(self.pairs))
        begun = self._best_start(everything)
        once, each, known = self._settled(begun, everything)
        spread = np.median(np.abs(each[:, 3:6]), axis=0).mean() / 0.6745
        self._turn_sigma = float(np.clip(spread, _LEAST_TURN_RAD, _MOST_TURN_RAD))
        once, each, known = self._settled(once, everything)
        sigmas = np.maximum(self._formal(known), self._left_out(once))
        mount = Rotation.from_rotvec(once[MOUNT]) * self._mount
        told = self._told(float(once[DELAY]))
        between = Rotation.from_matrix(told.turns[:, 1] @ np.swapaxes(told.turns[:, 0], 1, 2)).as_rotvec()
        return Adjusted(
            mount, float(once[DELAY]), float(max(sigmas[0], sigmas[1])), float(sigmas[2]), float(sigmas[DELAY]),
            np.array([pair.second_s for pair in self.pairs]), each[:, 3:6], between,
            np.array([self._cost(np.where(np.arange(_ONCE) == DELAY, one, once), everything) for one in self.delays_s]),
            self.delays_s,
        )  # fmt: skip

    def _known(self, pair: Seen, delay_s: float) -> bool:
        states = [self._state_at(stamp_s - delay_s) for stamp_s in (pair.first_s, pair.second_s)]
        return all(one is not None and one.pose.attitude_measured and height_m(one) > 0 for one in states)

    def _best_start(self, weights: Array) -> Array:
        """The turn about the down axis that fits best, and then the delay."""
        starts = []
        for start_deg in _STARTS_DEG if self._free[2] else (0.0,):
            once = np.zeros(_ONCE)
            once[DELAY], once[2] = self._delay_s, math.radians(start_deg)
            starts.append(self._settled(once, weights, self._free & (np.arange(_ONCE) != DELAY), 5)[0])
        best = min(starts, key=lambda one: self._cost(one, weights))
        tried = []
        for delay_s in self.delays_s:
            once = best.copy()
            once[DELAY] = delay_s
            tried.append(self._settled(once, weights, self._free & (np.arange(_ONCE) != DELAY), 2)[0])
        return min(tried, key=lambda one: self._cost(one, weights))

    def _settled(
        self, once: Array, weights: Array, free: NDArray[np.bool_] | None = None, iterations: int = _ITERATIONS
    ) -> tuple[Array, Array, Array]:
        """Gauss-Newton from ``once``: what is solved for once, (P, 8) of each pair, and the inverse covariance."""
        free = self._free if free is None else free
        each = self._moved(once)
        known = np.eye(_ONCE)
        for _ in range(iterations):
            known, step = self._step(once, each, weights, free)
            once = once + step
            once[DELAY] = np.clip(once[DELAY], _EARLIEST_S, _LATEST_S) if free[DELAY] else once[DELAY]
            each = self._moved(once, each)
            if np.abs(step).max() < _SETTLED:
                break
        return once, each, known

    def _step(self, once: Array, each: Array, weights: Array, free: NDArray[np.bool_]) -> tuple[Array, Array]:
        missed, by_each = self._missed(once, each)
        by_once = self._by_once(once, each, missed, free)
        robust = (weights * _robust(missed))[:, None, None]
        turned = np.swapaxes(by_each, 1, 2)
        inner, cross = np.linalg.inv(_regular(turned @ by_each)), turned @ by_once
        pull = np.einsum("pij,pi->pj", by_once, missed)
        pull -= np.einsum("pji,pj->pi", inner @ cross, np.einsum("pij,pi->pj", by_each, missed))
        known = (robust * (np.swapaxes(by_once, 1, 2) @ by_once - np.swapaxes(cross, 1, 2) @ inner @ cross)).sum(axis=0)
        gradient = (robust[:, :, 0] * pull).sum(axis=0)
        known[SLOPE, SLOPE] += np.eye(2) / _AREA_SLOPE**2
        gradient[SLOPE] += once[SLOPE] / _AREA_SLOPE**2
        step = np.zeros(_ONCE)
        solved = known[np.ix_(free, free)] + _NOTHING_KNOWN * np.eye(int(free.sum()))
        step[free] = -np.linalg.solve(solved, gradient[free])
        return known, step

    def _by_once(self, once: Array, each: Array, missed: Array, free: NDArray[np.bool_]) -> Array:
        """(P, 16, 6) slopes by what is solved for once, by differences; that of the area's slope is a prior's."""
        slopes = np.zeros((*missed.shape, _ONCE))
        for k in np.flatnonzero(free[:SLOPE.start]):
            ahead = once.copy()
            ahead[k] += _DIFFERENCE[k]
            slopes[:, :, k] = (self._missed(ahead, each)[0] - missed) / _DIFFERENCE[k]
        slopes[:, 14, 4] = slopes[:, 15, 5] = -1.0 / _LOCAL_SLOPE
        return slopes

    def _moved(self, once: Array, each: Array | None = None) -> Array:
        """(P, 8) shift, turn and slope of each pair, for a mount and a delay."""
        rounds = _INNER if each is None else 1
        each = self._first_guess(once) if each is None else each
        for _ in range(rounds):
            missed, by_each = self._missed(once, each)
            turned = np.swapaxes(by_each, 1, 2)
            each = each - np.linalg.solve(_regular(turned @ by_each), turned @ missed[:, :, None])[:, :, 0]
        return each

    def _first_guess(self, once: Array) -> Array:
        """Level ground, no turn but the log's: the shift is what the middle of the picture moved by."""
        level, turned = self._turned(once)
        there = np.concatenate([self._to, np.ones((len(self._to), 4, 1))], axis=2) @ np.swapaxes(turned, 1, 2)
        there = there[:, :, :2] / np.maximum(there[:, :, 2:], 0.1)
        each = np.zeros((len(self._to), _EACH))
        each[:, :2] = np.clip((level - there).mean(axis=1), -2.0, 2.0)
        each[:, 6:8] = once[SLOPE]
        return each

    def _turned(self, once: Array) -> tuple[Array, Array]:
        """(P, 4, 2) the first rays turned level, and (P, 3, 3) ned_from_camera of the second picture."""
        mount = (Rotation.from_rotvec(once[MOUNT]) * self._mount).as_matrix()
        cameras = self._told(float(once[DELAY])).turns @ mount
        rays = np.concatenate([self._at, np.ones((len(self._at), 4, 1))], axis=2) @ np.swapaxes(cameras[:, 0], 1, 2)
        return rays[:, :, :2] / np.maximum(rays[:, :, 2:], 0.1), cameras[:, 1]

    def _missed(self, once: Array, each: Array) -> tuple[Array, Array]:
        """(P, 16) everything that should be zero, in its sigmas: the four points, and the priors; and (P, 16, 8) its
        slopes by what is solved for pair by pair."""
        level, turned = self._turned(once)
        told = self._told(float(once[DELAY]))
        depth = 1.0 / np.maximum(1.0 + np.einsum("pij,pj->pi", level, each[:, 6:8]), 0.05)
        points = np.concatenate([level, np.ones((len(level), 4, 1))], axis=2) * depth[:, :, None]
        camera = Rotation.from_rotvec(each[:, 3:6]).as_matrix() @ turned
        away = points - each[:, None, :3]
        seen = away @ camera
        nearness = 1.0 / np.maximum(seen[:, :, 2], 1e-3)
        flat = seen[:, :, :2] * nearness[:, :, None]
        across = np.swapaxes(camera, 1, 2)[:, None]
        by_point = (across[:, :, :2] - flat[:, :, :, None] * across[:, :, 2:]) * nearness[:, :, None, None]
        slopes = np.empty((*flat.shape, _EACH))
        slopes[..., 0:3] = -by_point
        slopes[..., 3:6] = np.cross(away[:, :, None, :], -by_point)  # by a turn of the camera, about north, east, down
        by_distance = np.einsum("pijk,pik->pij", by_point, points) * depth[:, :, None]
        slopes[..., 6:8] = -by_distance[..., None] * level[:, :, None, :]
        missed = np.hstack([
            np.einsum("pij,pj->pi", self._root, (flat - self._to).reshape(-1, 8)),
            np.einsum("pij,pj->pi", told.shift_known, each[:, :2] - told.shift),
            (each[:, 2:3] - told.sink[:, None]) / _SINK_SIGMA,
            each[:, 3:6] / self._turn_sigma,
            (each[:, 6:8] - once[SLOPE]) / _LOCAL_SLOPE,
        ])  # fmt: skip
        by_each = np.zeros((*missed.shape, _EACH))
        by_each[:, :8] = self._root @ slopes.reshape(-1, 8, _EACH)
        by_each[:, 8:10, 0:2] = told.shift_known
        by_each[:, 10, 2] = 1.0 / _SINK_SIGMA
        by_each[:, 11:14, 3:6] = np.eye(3) / self._turn_sigma
        by_each[:, 14:16, 6:8] = np.eye(2) / _LOCAL_SLOPE
        return missed, by_each

    def _cost(self, once: Array, weights: Array) -> float:
        squares = (self._missed(once, self._moved(once))[0] ** 2).sum(axis=1)
        most = _OUTLIER**2 * _EACH
        bent = np.where(squares < most, squares, 2.0 * np.sqrt(most * squares) - most)  # Huber's
        return float((weights * bent).sum())

    def _formal(self, known: Array) -> Array:
        """(6,) 1-sigma by the priors and the pixels; infinite of what was not solved for."""
        sigmas = np.zeros(_ONCE)
        inverse = np.linalg.pinv(known[np.ix_(self._free, self._free)])
        sigmas[self._free] = np.sqrt(np.maximum(np.diag(inverse), 0.0))
        return sigmas

    def _left_out(self, once: Array) -> Array:
        """(6,) 1-sigma by leaving each block of time out once (the jackknife): what neighbours share is in it."""
        blocks = min(_BLOCKS, len(self.pairs))
        found = []
        for block in range(blocks):
            weights = np.ones(len(self.pairs))
            weights[block * len(weights) // blocks : (block + 1) * len(weights) // blocks] = 0.0
            found.append(self._settled(once, weights, iterations=2)[0])
        off = np.array(found) - np.mean(found, axis=0)
        return np.where(self._free, np.sqrt((blocks - 1) / blocks * (off**2).sum(axis=0)), 0.0)

    def _told(self, delay_s: float) -> Told:
        if delay_s not in self._cache:
            if len(self._cache) > 64:
                self._cache.clear()
            self._cache[delay_s] = told_of(self.pairs, self._state_at, delay_s)
        return self._cache[delay_s]


def _regular(normal: Array) -> Array:
    """(P, 8, 8) normal equations that can be solved, also of a start so far off that its numbers outgrow a prior."""
    diagonal = np.einsum("pii->pi", normal)
    return np.asarray(normal + np.eye(_EACH) * (_NOTHING_KNOWN + _RELATIVE * diagonal)[:, None, :])


def _robust(missed: Array) -> Array:
    sizes = np.sqrt((missed**2).sum(axis=1) / _EACH)
    return np.asarray(np.minimum(1.0, _OUTLIER / np.maximum(sizes, 1e-9)))


def turned_by(adjusted: Adjusted, mount: Quaternion) -> tuple[float, float]:
    """Radians by which the camera's axis tilts, and by which it turns about the down axis, from another mount."""
    off = (adjusted.body_from_camera * rotation(mount).inv()).as_rotvec()
    return math.hypot(off[0], off[1]), abs(float(off[2]))
