"""Whole flights without GPS through the localizer, as they reach it: odometry between fixes that come late, of which
some are refused, some are wrong, and those that are wrong are so together."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import north_east_m, offset
from runtime.localizer.vision import VisionLocalizer
from runtime.values import (
    Displacement,
    Estimate,
    Fix,
    GeoPoint,
    Hypothesis,
    Odometry,
    OdometryFault,
    TrackingState,
    circular,
)

Array = NDArray[np.float64]
ORIGIN = GeoPoint(60.45, 22.25)
INSIDE_68, INSIDE_95 = 2.279, 5.991  # chi-square with two degrees of freedom
HARDEST_M_S2, GUST_M_S2 = 5.0, 0.4
WRONG_SIGMAS, WRONG_M = 4.0, 15.0  # beyond both, while TRACKING, an estimate is confidently wrong


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a flight goes. Rates in Hz; shares of fixes; sigmas per axis in metres.

    ``wrong``: of accepted fixes; they come in bursts of ``burst`` on average, which all show the place that lies
    ``alias_m`` or so away, as rows of like houses do, or, half of them, anywhere. ``refused``: of all; ``named``: of
    those the share that name the right place among others. ``gap_every_s``: from one time without fixes, of ``gap_s``,
    to the next. ``odometry_lost``: share of frames; ``odometry_off``: share that are wrong by a metre unnoticed.
    ``carried_s``: when the aircraft is carried off by ``carried_m``.
    """

    seconds: float = 60.0
    frame_hz: float = 5.0
    fix_hz: float = 2.0
    speed_m_s: float = 8.0
    fix_m: float = 1.5
    shared_m: float = 1.5
    reach_m: float = 150.0
    constant_m: float = 0.7
    wrong: float = 0.05
    burst: float = 3.0
    alias_m: float = 60.0
    area_m: float = 1500.0
    refused: float = 0.25
    named: float = 0.6
    gap_every_s: float = 30.0
    gap_s: float = 4.0
    odometry_lost: float = 0.05
    odometry_off: float = 0.01
    carried_s: float = math.inf
    carried_m: float = 600.0


@dataclass(slots=True)
class Outcome:
    """What was said of each frame of some flights, against the truth: ``error_m`` and ``squares``, the normalised ones,
    while TRACKING; ``first_s`` and ``recovered_s``: until it tracked (inf: never), from the start and after having been
    carried off."""

    frames: int = 0
    error_m: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    recovered_s: list[float] = field(default_factory=list)

    @property
    def tracking_share(self) -> float:
        """Of all frames."""
        return len(self.error_m) / self.frames

    @property
    def wrong_share(self) -> float:
        """Of all frames: confidently wrong."""
        off = np.array(self.error_m), np.array(self.squares)
        return float(((off[0] > WRONG_M) & (off[1] > WRONG_SIGMAS**2)).sum() / self.frames)

    def inside(self, limit: float) -> float:
        """Share of the normalised errors within a limit."""
        return float(np.mean(np.array(self.squares) < limit))


def fly(seed: int, conditions: Conditions, outcome: Outcome, localizer: VisionLocalizer | None = None) -> None:
    """One flight; what comes of it is added to ``outcome``."""
    random = np.random.default_rng(seed)
    localizer = localizer or VisionLocalizer()
    true_m = _way(random, conditions)
    arriving = sorted(_fixes(random, true_m, conditions), key=lambda one: one[0])
    heapq.heapify(arriving)
    first_s = recovered_s = math.inf
    for frame, odometry in enumerate(_odometry(random, true_m, conditions)):
        now_s = frame / conditions.frame_hz
        while arriving and arriving[0][0] <= now_s:
            localizer.on_fix(heapq.heappop(arriving)[2], None)
        localizer.on_odometry(odometry)
        estimate = localizer.estimate(odometry.t_ns)
        outcome.frames += 1
        if estimate.state is not TrackingState.TRACKING:
            continue
        error_m = _judge(estimate, true_m[frame], outcome)
        first_s = min(first_s, now_s)
        if now_s > conditions.carried_s and error_m < WRONG_M:
            recovered_s = min(recovered_s, now_s - conditions.carried_s)
    outcome.first_s.append(first_s)
    if conditions.carried_s < conditions.seconds:
        outcome.recovered_s.append(recovered_s)


def _judge(estimate: Estimate, true_m: Array, outcome: Outcome) -> float:
    assert estimate.position is not None
    off = np.array(north_east_m(ORIGIN, estimate.position)) - true_m
    error_m = float(np.hypot(*off))
    outcome.error_m.append(error_m)
    outcome.squares.append(float(off @ np.linalg.solve(np.array(estimate.covariance_m2), off)))
    return error_m


def _way(random: np.random.Generator, conditions: Conditions) -> Array:
    """(N, 2) where it truly was at each frame: every 12 s or so it takes another course, braking and turning as hard as
    a multirotor does, and gusts push it."""
    count = round(conditions.seconds * conditions.frame_hz)
    way, frame_s, velocity = np.zeros((count, 2)), 1.0 / conditions.frame_hz, np.zeros(2)
    at, wanted = random.uniform(-300.0, 300.0, 2), np.zeros(2)
    for frame in range(count):
        if frame == 0 or random.random() < frame_s / 12.0:
            course = random.uniform(0.0, math.tau)
            wanted = conditions.speed_m_s * np.array([math.cos(course), math.sin(course)])
            velocity = wanted if frame == 0 else velocity
        push = wanted - velocity + random.normal(0.0, GUST_M_S2 * math.sqrt(frame_s), 2)
        velocity = velocity + push * min(1.0, HARDEST_M_S2 * frame_s / max(float(np.hypot(*push)), 1e-9))
        at = at + velocity * frame_s
        way[frame] = at
    carried = np.arange(count) / conditions.frame_hz > conditions.carried_s
    angle = random.uniform(0.0, math.tau)
    way[carried] += conditions.carried_m * np.array([math.cos(angle), math.sin(angle)])
    return way


def _odometry(random: np.random.Generator, true_m: Array, conditions: Conditions) -> Iterator[Odometry]:
    scale, heading = 1.0 + random.normal(0.0, 0.05), random.normal(0.0, math.radians(3.0))
    turned = scale * np.array([[math.cos(heading), -math.sin(heading)], [math.sin(heading), math.cos(heading)]])
    reference = 0
    for frame in range(len(true_m)):
        t_ns = _t_ns(frame, conditions)
        way = turned @ (true_m[frame] - true_m[reference])
        carried = np.hypot(*(true_m[frame] - true_m[max(frame - 1, 0)])) > 50.0
        if frame == 0 or carried or random.random() < conditions.odometry_lost:
            yield Odometry(t_ns, None, (OdometryFault.NO_OVERLAP,) if frame else ())
            reference = frame if carried else reference
            continue
        wrong = random.normal(0.0, 1.0, 2) if random.random() < conditions.odometry_off else np.zeros(2)
        said = way + wrong + random.normal(0.0, 0.15, 2)
        yield Odometry(t_ns, _displacement(_t_ns(reference, conditions), t_ns, said))
        if np.hypot(*way) > 25.0:
            reference = frame


def _displacement(from_t_ns: int, to_t_ns: int, way_m: Array) -> Displacement:
    return Displacement(
        from_t_ns, to_t_ns, float(way_m[0]), float(way_m[1]), ((0.15**2, 0.0), (0.0, 0.15**2)),
        scale_sigma=0.05, heading_sigma_rad=0.05, turn_rad=0.0, turn_sigma_rad=0.01,
        height_ratio=1.0, height_ratio_sigma=0.01,
    )  # fmt: skip


def _fixes(random: np.random.Generator, true_m: Array, conditions: Conditions) -> Iterator[tuple[float, int, Fix]]:
    """When each arrives, a number, and the fix."""
    every = conditions.frame_hz / conditions.fix_hz
    shared = random.normal(0.0, conditions.shared_m, 2)
    constant = random.normal(0.0, conditions.constant_m, 2)
    gap_s = random.uniform(10.0, conditions.gap_every_s)
    alias: Callable[[Array], Array] | None = None
    before = true_m[0]
    for number in range(int(len(true_m) / every)):
        frame = int(number * every)
        at, t_s = true_m[frame], frame / conditions.frame_hz
        kept = math.exp(-float(np.hypot(*(at - before))) / conditions.reach_m)
        shared = kept * shared + math.sqrt(1.0 - kept**2) * random.normal(0.0, conditions.shared_m, 2)
        before = at
        if gap_s <= t_s < gap_s + conditions.gap_s:
            continue
        if t_s >= gap_s + conditions.gap_s:
            gap_s += random.exponential(conditions.gap_every_s) + conditions.gap_s
        if alias is None and random.random() < conditions.wrong / conditions.burst / (1.0 - conditions.wrong):
            alias = _alias(random, conditions)
        elif alias is not None and random.random() < 1.0 / conditions.burst:
            alias = None
        seen = at + shared + constant + random.normal(0.0, conditions.fix_m, 2)
        yield t_s + random.uniform(0.045, 0.4), number, _fix(random, _t_ns(frame, conditions), seen, alias, conditions)


def _alias(random: np.random.Generator, conditions: Conditions) -> Callable[[Array], Array]:
    """Where the fixes of a burst lie, by where they should."""
    if random.random() < 0.5:
        return lambda _: random.uniform(-0.5, 0.5, 2) * conditions.area_m
    angle, far_m = random.uniform(0.0, math.tau), conditions.alias_m * random.uniform(0.5, 3.0)
    return lambda at: at + far_m * np.array([math.cos(angle), math.sin(angle)])


def _fix(
    random: np.random.Generator,
    t_ns: int,
    seen: Array,
    alias: Callable[[Array], Array] | None,
    conditions: Conditions,
) -> Fix:
    if random.random() < conditions.refused:
        others = [_hypothesis(random.uniform(-0.5, 0.5, 2) * conditions.area_m, conditions, random.uniform(-2.0, 3.0))]
        if random.random() < conditions.named:
            others.append(_hypothesis(seen, conditions, random.uniform(0.5, 5.0)))
        return Fix.none(t_ns, "not sure", tuple(sorted(others, key=lambda one: -one.log_likelihood_ratio)))
    best = _hypothesis(seen if alias is None else alias(seen), conditions, random.uniform(8.0, 40.0))
    return Fix.at(t_ns, best, "", (best,), 1)


def _hypothesis(north_east: Array, conditions: Conditions, ratio: float) -> Hypothesis:
    at = offset(ORIGIN, float(north_east[0]), float(north_east[1]))
    return Hypothesis(at, at, circular(conditions.fix_m), (1,), 30, ratio, 0.8)


def _t_ns(frame: int, conditions: Conditions) -> int:
    return round(frame / conditions.frame_hz * 1e9)
