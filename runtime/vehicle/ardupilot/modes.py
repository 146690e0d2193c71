"""ArduPilot's modes: their numbers depend on the type of the vehicle."""

from __future__ import annotations

from runtime.mavlink.dialect import mavlink

COPTER_TYPES = frozenset(
    {
        mavlink.MAV_TYPE_QUADROTOR,
        mavlink.MAV_TYPE_COAXIAL,
        mavlink.MAV_TYPE_HELICOPTER,
        mavlink.MAV_TYPE_HEXAROTOR,
        mavlink.MAV_TYPE_OCTOROTOR,
        mavlink.MAV_TYPE_TRICOPTER,
        mavlink.MAV_TYPE_DODECAROTOR,
        mavlink.MAV_TYPE_DECAROTOR,
    }
)
PLANE_TYPES = frozenset((mavlink.MAV_TYPE_FIXED_WING, *range(19, 26)))  # 19 to 25: all that MAV_TYPE has of VTOL


def mode_name(vehicle_type: int, custom_mode: int) -> str:
    """The name in the dialect's mode enumeration of that vehicle type, or "MODE_<number>"."""
    prefix = _mode_enum(vehicle_type)
    entry = mavlink.enums.get(prefix, {}).get(custom_mode)
    if entry is None or entry.name.endswith("ENUM_END"):
        return f"MODE_{custom_mode}"
    return str(entry.name).removeprefix(prefix + "_")


def is_guided(vehicle_type: int, custom_mode: int) -> bool:
    """Whether it is GUIDED of a copter; GUIDED_NOGPS takes no position targets."""
    return vehicle_type in COPTER_TYPES and custom_mode == mavlink.COPTER_MODE_GUIDED


def is_plane_guided(vehicle_type: int, custom_mode: int) -> bool:
    """Whether it is GUIDED of a plane or QuadPlane; no mode of a QuadPlane that hovers takes targets."""
    return vehicle_type in PLANE_TYPES and custom_mode == mavlink.PLANE_MODE_GUIDED


def _mode_enum(vehicle_type: int) -> str:
    if vehicle_type in COPTER_TYPES:
        return "COPTER_MODE"
    if vehicle_type in PLANE_TYPES:
        return "PLANE_MODE"
    return "ROVER_MODE" if vehicle_type == mavlink.MAV_TYPE_GROUND_ROVER else "UNKNOWN_MODE"
