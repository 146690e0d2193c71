"""How a kind of vehicle flies to a target and waits there, as the values that the rest of guidance goes by.

A multicopter is led by a point a few seconds ahead and stands still at its target. A plane is given the target itself
and circles it: it cannot stand still, nor be led by a point ahead, which sends it round in wide arcs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from runtime.guidance.arrival import ArrivalRules
from runtime.guidance.limits import Limits
from runtime.guidance.situation import Situation

_CORNER_M = 10.0  # a corner nearer than this is cut, where the limits allow: at it a copter would come to a stand
_WIDER, _WIDER_M = 1.25, 80.0  # than asked for: of 80 m, 156 were seen in 8 m/s of wind, joining it from its centre
_CIRCLING_SLACK_M = 6.0  # in height: a plane that banks, or turns into the wind, sinks and climbs more than a copter


@dataclass(frozen=True, slots=True)
class Manner:
    """``led``: targets lie a few seconds ahead and are renewed, else the corner itself is sent, once. ``circle_m``: how
    far from its target it gets while it waits there; 0: it stands still. ``corner_m``: a corner is reached so near."""

    led: bool = True
    circle_m: float = 0.0
    corner_m: float = _CORNER_M

    def arrival(self, rules: ArrivalRules) -> ArrivalRules:
        """The operator's rules for a vehicle that flies so: one that circles is there once it is on its circle, at
        whatever speed."""
        if self.circle_m == 0.0:
            return rules
        farthest_m = self.circle_m + rules.confirm_radius_m
        return replace(rules, radius_m=self.circle_m, max_speed_m_s=math.inf, confirm_radius_m=farthest_m)

    def limits(self, limits: Limits) -> Limits:
        """The operator's limits with the circle to spare: wherever it is told to wait, it stays within his."""
        return limits if self.circle_m == 0.0 else limits.inset(self.circle_m)

    def height_slack_m(self, slack_m: float) -> float:
        """How far past floor and ceiling it may get in flight."""
        return slack_m if self.circle_m == 0.0 else max(slack_m, _CIRCLING_SLACK_M)


HOVERING = Manner()


def manner_of(vehicle: Situation) -> Manner:
    """Of this vehicle."""
    if vehicle.loiter_radius_m is None:
        return HOVERING
    circle_m = _WIDER * vehicle.loiter_radius_m + _WIDER_M
    return Manner(led=False, circle_m=circle_m, corner_m=circle_m)
