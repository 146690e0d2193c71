"""Where the aircraft is: here the autopilot's word, with the live view's independent word beside it.

The `Localizer` protocol is the seam for a filter that fuses fixes and odometry and can fly without GPS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from runtime.geodesy import north_east_m
from runtime.values import Decision, Estimate, Fix, Pose

MAX_SIGMA_M = 10.0  # beyond it the autopilot's position is no place to steer by
MAX_AGE_NS = 3_000_000_000  # a word older than this says where the aircraft was


@dataclass(frozen=True, slots=True)
class FixDifference:
    """Fix minus autopilot at the instant of one exposure, in metres."""

    t_ns: int
    north_m: float
    east_m: float

    @property
    def distance_m(self) -> float:
        """How far apart the two are."""
        return math.hypot(self.north_m, self.east_m)


class Localizer(Protocol):
    """Takes poses and fixes as they come, and says where the aircraft is and whether to trust that."""

    def on_pose(self, pose: Pose) -> None:
        """The autopilot's newest pose."""
        ...

    def on_fix(self, fix: Fix, pose: Pose) -> FixDifference | None:
        """A fix, with the autopilot's pose at its exposure; how far they differ where both have a position."""
        ...

    def estimate(self, t_ns: int) -> Estimate:
        """The belief at ``t_ns``; its own ``t_ns`` is the instant of the measurement that it rests on."""
        ...


class AutopilotLocalizer:
    """Believes the autopilot, within its own stated sigma; fixes are compared, never mixed in."""

    def __init__(self, max_sigma_m: float = MAX_SIGMA_M) -> None:
        self._max_sigma_m = max_sigma_m
        self._pose: Pose | None = None

    def on_pose(self, pose: Pose) -> None:
        """Keeps the newest."""
        if self._pose is None or pose.t_ns >= self._pose.t_ns:
            self._pose = pose

    def on_fix(self, fix: Fix, pose: Pose) -> FixDifference | None:
        """See `Localizer`."""
        if fix.decision is not Decision.FIX or fix.aircraft is None or pose.position is None:
            return None
        north_m, east_m = north_east_m(pose.position, fix.aircraft)
        return FixDifference(fix.t_ns, north_m, east_m)

    def estimate(self, t_ns: int) -> Estimate:
        """See `Localizer`; trusted when the autopilot has a fresh position and calls it good enough."""
        if self._pose is None or self._pose.position is None:
            return Estimate(t_ns, None, math.inf, False, "autopilot", "the autopilot reports no position")
        sigma_m = self._pose.position_sigma_m
        reason = f"the autopilot's sigma is {sigma_m:.0f} m" if sigma_m > self._max_sigma_m else ""
        if t_ns - self._pose.t_ns > MAX_AGE_NS:
            reason = f"the autopilot's last position is {(t_ns - self._pose.t_ns) * 1e-9:.0f} s old"
        return Estimate(self._pose.t_ns, self._pose.position, sigma_m, not reason, "autopilot", reason)
