"""What kind of aircraft a heartbeat speaks of, as far as an autopilot's parameters differ by it."""

from __future__ import annotations

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.ardupilot.modes import COPTER_TYPES

_PLANES = frozenset((mavlink.MAV_TYPE_FIXED_WING, *range(19, 26)))  # 19 to 25: all that MAV_TYPE has of VTOL


def airframe(vehicle_type: int | None) -> str:
    """ "copter", "plane" (with those that also hover) or "other", of a MAV_TYPE."""
    if vehicle_type in COPTER_TYPES:
        return "copter"
    return "plane" if vehicle_type in _PLANES else "other"
