"""Arrival: within a radius and slow, then a hold, then the live view must agree that this is the place.

Within a radius that is smaller than the sigma of the position nobody is but by luck. Where the aircraft stands at the
target by such an estimate it is not called arrived: it is kept there, in the hope of better fixes, and after as long as
an arrival may take to be confirmed the flight ends as not confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.geodesy import distance_m
from runtime.guidance.reasons import Phase
from runtime.values import Decision, Fix, GeoPoint


@dataclass(frozen=True, slots=True)
class ArrivalRules:
    """When a flight counts as arrived, and when its arrival as confirmed."""

    radius_m: float = 3.0
    max_speed_m_s: float = 0.7
    hold_ns: int = 5_000_000_000
    confirm_radius_m: float = 15.0  # the largest error an accepted place may have
    min_fixes: int = 2  # one fix may be a mistake
    confirm_timeout_ns: int = 15_000_000_000  # after the hold


class Arrival:
    """Follows one flight to one target; the fixes are those of the live view, blind to the autopilot's position."""

    def __init__(self, target: GeoPoint, rules: ArrivalRules) -> None:
        self._target = target
        self._rules = rules
        self._since_ns: int | None = None
        self._standing_since_ns: int | None = None
        self._uncertain = False
        self._agreeing = 0
        self._disagreeing = 0
        self._verdict: Phase | None = None

    @property
    def phase(self) -> Phase:
        """EN_ROUTE, HOLDING, CONFIRMED or NOT_CONFIRMED."""
        if self._verdict is not None:
            return self._verdict
        return Phase.EN_ROUTE if self._since_ns is None else Phase.HOLDING

    @property
    def uncertain(self) -> bool:
        """Whether it is there by an estimate that is worse than the radius."""
        return self._uncertain

    def moved(self, t_ns: int, here: GeoPoint, speed_m_s: float, sigma_m: float) -> None:
        """Takes the position, its largest 1-sigma and the speed at ``t_ns``; it stays arrived, for nothing is searched
        for afterwards."""
        if self._since_ns is None:
            self._approached(t_ns, distance_m(here, self._target), speed_m_s, sigma_m)
        if self._since_ns is not None and self._verdict is None:
            self._verdict = self._judge(t_ns - self._since_ns)

    def _approached(self, t_ns: int, left_m: float, speed_m_s: float, sigma_m: float) -> None:
        rules, slow = self._rules, speed_m_s <= self._rules.max_speed_m_s
        there = slow and left_m <= rules.radius_m
        self._uncertain = there and sigma_m > rules.radius_m
        if there and not self._uncertain:
            self._since_ns = t_ns
        elif not (slow and left_m <= rules.confirm_radius_m):
            self._standing_since_ns = None
        elif self._standing_since_ns is None:
            self._standing_since_ns = t_ns
        elif t_ns - self._standing_since_ns >= rules.hold_ns + rules.confirm_timeout_ns:
            self._verdict = Phase.NOT_CONFIRMED

    def saw(self, fix: Fix) -> None:
        """Counts a fix of the live view for or against the arrival; only frames exposed after the arrival count."""
        if self._since_ns is None or fix.t_ns < self._since_ns:
            return
        if fix.decision is not Decision.FIX or fix.aircraft is None:
            return
        if distance_m(fix.aircraft, self._target) <= self._rules.confirm_radius_m:
            self._agreeing += 1
        else:
            self._disagreeing += 1

    def _judge(self, held_ns: int) -> Phase | None:
        if held_ns < self._rules.hold_ns:
            return None
        fixes = self._agreeing + self._disagreeing
        if fixes >= self._rules.min_fixes and self._agreeing > self._disagreeing:
            return Phase.CONFIRMED
        timed_out = held_ns >= self._rules.hold_ns + self._rules.confirm_timeout_ns
        return Phase.NOT_CONFIRMED if timed_out else None
