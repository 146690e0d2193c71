"""How far a fix is from the autopilot's position at the same exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.geodesy import north_east_m
from runtime.values import Decision, Fix, Position


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


def difference_of(fix: Fix, autopilot: Position | None) -> FixDifference | None:
    """A fix less the autopilot's position at its exposure; None where either is unknown."""
    if fix.decision is not Decision.FIX or fix.aircraft is None or autopilot is None:
        return None
    return FixDifference(fix.t_ns, *north_east_m(autopilot.point, fix.aircraft))
