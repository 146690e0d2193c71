"""What kind of aircraft a heartbeat speaks of, as far as an autopilot's parameters differ by it."""

from __future__ import annotations

from runtime.vehicle.ardupilot.modes import COPTER_TYPES, PLANE_TYPES


def airframe(vehicle_type: int | None) -> str:
    """ "copter", "plane" (with those that also hover) or "other", of a MAV_TYPE."""
    if vehicle_type in COPTER_TYPES:
        return "copter"
    return "plane" if vehicle_type in PLANE_TYPES else "other"
