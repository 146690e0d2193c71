"""The way from the aircraft to the target, as a line with corners, and what forbids to fly it.

``direct``: straight. ``retrace``: over the ground that the history covers (`runtime.guidance.retrace`), planned anew
while nobody has granted the vehicle, and left as it is in flight.

Ground without coverage is crossed where the camera's position may coast over it. More of it is refused before the
aircraft gets there, not flown slowly: what may be coasted is a time, so that whoever slows down covers less of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from runtime.geodesy import distance_m
from runtime.guidance.covered_ground import CoveredGround, Stretch, joined
from runtime.guidance.limits import EXACT, MARGIN_SIGMA, Limits, largest_sigma_m
from runtime.guidance.reasons import Reason
from runtime.guidance.retrace import Retrace
from runtime.values import Covariance, Coverage, Estimate, GeoPoint

_ROOM_M = 5.0  # beside the margin, which grows in flight: what a way is planned inside the limits by, where it can be
_MOVED_M = 5.0  # a way is planned anew from farther than this
_PLAN_EVERY_NS = 1_000_000_000  # tens of milliseconds each
_FLOWN_SHARE = 1.25  # of what may be bare: winds bend a way that was just within it
_HERE_M = 1.0  # a bare stretch that begins nearer than this has begun


class RouteKind(str, Enum):
    """How the way to the target leads there."""

    DIRECT = "direct"  # straight
    RETRACE = "retrace"  # over ground that the history covers


@dataclass(frozen=True, slots=True)
class RouteRules:
    """``bare_s``: how long the way may lead over ground without coverage; at ``speed_m_s``. ``reserve_s``: of coasting
    that must be left behind it."""

    kind: RouteKind = RouteKind.DIRECT
    bare_s: float = 10.0
    reserve_s: float = 5.0
    speed_m_s: float = 8.0

    @property
    def bare_m(self) -> float:
        """The longest stretch without coverage."""
        return self.bare_s * self.speed_m_s


def margin_covariance(estimate: Estimate) -> Covariance:
    """What limits are kept away by. An untrusted estimate commands nothing anyway, and its covariance, which may be
    infinite, would call every place outside."""
    return estimate.covariance_m2 if estimate.trusted else EXACT


class Way:
    """To one target. ``coverage`` None: nobody says which ground is covered, so nothing can be retraced, and where a
    straight way leaves it is not foreseen."""

    def __init__(self, target: GeoPoint, rules: RouteRules, coverage: Coverage | None = None) -> None:
        self._target = target
        self._rules = rules
        self._known = coverage is not None
        self._ground = CoveredGround(coverage) if coverage is not None and len(coverage) else None
        retraces = rules.kind is RouteKind.RETRACE and self._ground is not None
        self._retrace = Retrace(self._ground, rules.bare_m) if retraces and self._ground is not None else None
        self.corners: tuple[GeoPoint, ...] = () if rules.kind is RouteKind.RETRACE else (target,)
        self._planned: tuple[int, GeoPoint] | None = None
        self._bare_ahead: tuple[tuple[GeoPoint, ...], list[Stretch]] = (), []

    def follow(
        self, t_ns: int, estimate: Estimate, limits: Limits, home: GeoPoint | None, flown: bool, corner_m: float
    ) -> None:
        """Takes where the aircraft is at ``t_ns``; ``flown``: with authority, so that the way stays as it is; a corner
        that is nearer than ``corner_m`` is reached."""
        if flown:
            self._pass(estimate, limits, corner_m)
        else:
            self._look(t_ns, estimate, limits, home)

    def _look(self, t_ns: int, estimate: Estimate, limits: Limits, home: GeoPoint | None) -> None:
        """Plans the way from where the aircraft is, where that is due."""
        here = estimate.position
        if self._retrace is None or here is None:
            return
        if self._planned is not None:
            planned_ns, start = self._planned
            if t_ns - planned_ns < _PLAN_EVERY_NS or (self.corners and distance_m(here, start) < _MOVED_M):
                return
        self._planned = t_ns, here
        self.corners = self._plan(self._retrace, here, margin_covariance(estimate), limits, home)

    def _plan(
        self, retrace: Retrace, here: GeoPoint, spare: Covariance, limits: Limits, home: GeoPoint | None
    ) -> tuple[GeoPoint, ...]:
        """With room inside the limits where that can be, else with what the estimate needs in its worst direction, else
        just inside: `reasons` has the last word."""
        assert self._ground is not None
        margin_m = MARGIN_SIGMA * largest_sigma_m(spare)
        for inset_m in (margin_m + _ROOM_M, margin_m, 0.0):
            found = retrace.plan(here, self._target, limits.region(self._ground.origin, home, inset_m))
            if found is not None:
                return found
        return ()

    def _pass(self, estimate: Estimate, limits: Limits, corner_m: float) -> None:
        """Leaves corners behind that the aircraft has come to, where the straight line to the next one is allowed."""
        here, spare = estimate.position, margin_covariance(estimate)
        while here is not None and len(self.corners) > 1 and distance_m(here, self.corners[0]) <= corner_m:
            if not limits.area.contains_path(here, self.corners[1], spare):
                return
            self.corners = self.corners[1:]

    def reasons(
        self, estimate: Estimate, limits: Limits, home: GeoPoint | None, by_sight: bool, flown: bool
    ) -> Iterator[Reason]:
        """The reasons for not commanding where the target, or the way to it, leaves the area or the distance, with the
        estimate's sigma to spare, or, on the camera's word or where it shall be retraced, the covered ground."""
        here, spare = estimate.position, margin_covariance(estimate)
        if not limits.area.contains(self._target, spare):
            yield Reason.TARGET_OUTSIDE_AREA
        elif self._leaves(here, limits, home, spare):
            yield Reason.PATH_LEAVES_AREA
        if home is not None and not limits.within_distance(home, self._target, spare):
            yield Reason.TARGET_TOO_FAR
        retraced = self._rules.kind is RouteKind.RETRACE
        if here is not None and (by_sight or retraced) and self._leaves_coverage(here, estimate, flown):
            yield Reason.ROUTE_LEAVES_COVERAGE

    def _leaves(self, here: GeoPoint | None, limits: Limits, home: GeoPoint | None, spare: Covariance) -> bool:
        """Whether the way does, where the aircraft does not; a straight line is farthest from home at its ends."""
        if here is None or not limits.area.contains(here, spare):
            return False
        way = [here, *self.corners]
        if not all(limits.area.contains_path(a, b, spare) for a, b in zip(way, way[1:], strict=False)):
            return True
        return home is not None and not all(limits.within_distance(home, corner, spare) for corner in self.corners[:-1])

    def _leaves_coverage(self, here: GeoPoint, estimate: Estimate, flown: bool) -> bool:
        """Whether the way leads farther over bare ground than may be coasted, or there is none."""
        if not self.corners:
            return True
        if self._ground is None:
            return self._known
        share = _FLOWN_SHARE if flown else 1.0
        left_s = self._rules.bare_s * share
        if estimate.coast_left_s is not None:
            left_s = min(left_s, estimate.coast_left_s - self._rules.reserve_s)
        begun_m, other_m = left_s * self._rules.speed_m_s, self._rules.bare_m * share
        return any(
            stretch.length_m > (begun_m if stretch.start_m < _HERE_M else other_m)
            for stretch in self._bare(self._ground, here)
        )

    def _bare(self, ground: CoveredGround, here: GeoPoint) -> list[Stretch]:
        """The bare stretches from here on; what lies beyond the next corner is measured once."""
        if self._bare_ahead[0] != self.corners:
            self._bare_ahead = self.corners, ground.bare(ground.plane(self.corners))
        first = ground.plane([here, self.corners[0]])
        length_m = float(np.hypot(*(first[1] - first[0])))
        return joined(ground.bare(first), self._bare_ahead[1], length_m)
