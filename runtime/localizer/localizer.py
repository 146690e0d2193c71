"""The seam between the daemon and whatever says where the aircraft is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from runtime.geodesy import north_east_m
from runtime.values import Decision, Estimate, Fix, NavState, Position


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


def difference_of(fix: Fix, autopilot: Position | None) -> FixDifference | None:
    """A fix less the autopilot's position at its exposure; None where either is unknown."""
    if fix.decision is not Decision.FIX or fix.aircraft is None or autopilot is None:
        return None
    return FixDifference(fix.t_ns, *north_east_m(autopilot.point, fix.aircraft))
