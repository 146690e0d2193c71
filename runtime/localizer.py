"""Where the aircraft is: here the autopilot's word, with the live view's independent word beside it.

The `Localizer` protocol is the seam for a filter that fuses fixes and odometry and can fly without GPS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from runtime.freshness import POSITION_TO_TRUST
from runtime.geodesy import north_east_m
from runtime.values import Decision, Estimate, Fix, NavState, Position, PositionSource, TrackingState

MAX_SIGMA_M = 10.0  # beyond it the autopilot's position is no place to steer by


@dataclass(frozen=True, slots=True)
class FixDifference:
    """Fix minus autopilot at the instant of one exposure, in metres."""

    t_ns: int
    north_m: float
    east_m: float

    @property
    def distance_m(self) -> float:
        """Horizontal distance between the two."""
        return math.hypot(self.north_m, self.east_m)


class Localizer(Protocol):
    """Says where the aircraft is, and whether to trust that, from the autopilot's states and fixes as they come."""

    def on_nav(self, state: NavState) -> None:
        """Takes the autopilot's newest state."""
        ...

    def on_fix(self, fix: Fix, autopilot: Position | None) -> FixDifference | None:
        """Takes a fix and the autopilot's position at its exposure; their difference, None where either is unknown."""
        ...

    def estimate(self, t_ns: int) -> Estimate:
        """The estimate at ``t_ns``; its own ``t_ns`` is the instant of the measurement that it rests on."""
        ...


class AutopilotLocalizer:
    """Believes the autopilot, within its own stated sigma; fixes are compared, never mixed in.

    TRACKING while the autopilot has a fresh position and calls it good enough, else LOST with the reason: with nothing
    but the autopilot's word there is nothing to search by, so it is never SEARCHING.
    """

    def __init__(self, max_sigma_m: float = MAX_SIGMA_M) -> None:
        self._max_sigma_m = max_sigma_m
        self._newest: NavState | None = None

    def on_nav(self, state: NavState) -> None:
        """See `Localizer`; a state older than the newest is dropped."""
        if self._newest is None or state.t_ns >= self._newest.t_ns:
            self._newest = state

    def on_fix(self, fix: Fix, autopilot: Position | None) -> FixDifference | None:
        """See `Localizer`."""
        if fix.decision is not Decision.FIX or fix.aircraft is None or autopilot is None:
            return None
        north_m, east_m = north_east_m(autopilot.point, fix.aircraft)
        return FixDifference(fix.t_ns, north_m, east_m)

    def estimate(self, t_ns: int) -> Estimate:
        """See `Localizer`."""
        if self._newest is None or self._newest.position is None:
            return Estimate.lost(t_ns, PositionSource.AUTOPILOT, "the autopilot reports no position")
        position, age_ns = self._newest.position, t_ns - self._newest.t_ns
        reason = ""
        if position.sigma_m > self._max_sigma_m:
            reason = f"the autopilot's sigma is {position.sigma_m:.0f} m"
        if age_ns > POSITION_TO_TRUST.ns:
            reason = f"the autopilot's last position is {age_ns * 1e-9:.0f} s old"
        return Estimate(
            t_ns=self._newest.t_ns,
            state=TrackingState.LOST if reason else TrackingState.TRACKING,
            position=position.point,
            covariance_m2=position.covariance_m2,
            source=position.source,
            reason=reason,
            velocity_ned_m_s=position.velocity_ned_m_s,
            heading=self._newest.pose.heading,
        )
