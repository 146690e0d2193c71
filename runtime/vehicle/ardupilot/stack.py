"""What is ArduPilot's own: mode numbers per vehicle type, EKF flags, and targets that it keeps for ever.

A position target is sent once: ArduCopter's GUIDED never times it out (only velocity and attitude, after 3 s). It has
no acknowledgement; POSITION_TARGET_GLOBAL_INT, which has to be requested, is the echo. It is ignored outside GUIDED,
and before lift-off it silently cancels a take-off, so guidance waits until the vehicle is in the air.
"""

from __future__ import annotations

from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.link.dialect import mavlink
from runtime.vehicle.stack import StreamRequest, common_streams

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
EKF_POSITION = 0x33F  # attitude, velocities, positions relative and absolute, both predictions; seen when READY
EKF_CONSTANT_POSITION = 0x80  # no aiding: the position is only held
EKF_UNINITIALISED = 0x400
EKF_GPS_GLITCH = 0x8000
_EKF_NEEDED = mavlink.EKF_ATTITUDE | mavlink.EKF_VELOCITY_HORIZ | mavlink.EKF_POS_HORIZ_ABS | mavlink.EKF_POS_VERT_ABS


class ArduPilot:
    """ArduCopter; other ArduPilot vehicles are read but have no guided mode here."""

    name = "ardupilot"
    setpoint_period_s: float | None = None
    takes_targets_outside_guided = False
    reports_local_targets = False

    def mode_name(self, vehicle_type: int, custom_mode: int) -> str:
        """The name in the dialect's mode enumeration of that vehicle type."""
        prefix = _mode_enum(vehicle_type)
        entry = mavlink.enums.get(prefix, {}).get(custom_mode)
        if entry is None or entry.name.endswith("ENUM_END"):
            return f"MODE_{custom_mode}"
        return str(entry.name).removeprefix(prefix + "_")

    def is_guided(self, vehicle_type: int, custom_mode: int) -> bool:
        """GUIDED of a copter; GUIDED_NOGPS takes no position targets."""
        return vehicle_type in COPTER_TYPES and custom_mode == mavlink.COPTER_MODE_GUIDED

    def estimator_ok(self, flags: int) -> bool:
        """Absolute position, velocity and height, with aiding and without a GPS that disagrees."""
        refused = EKF_CONSTANT_POSITION | EKF_UNINITIALISED | EKF_GPS_GLITCH
        return flags & _EKF_NEEDED == _EKF_NEEDED and not flags & refused

    def gps_glitch(self, flags: int) -> bool:
        """GPS is being rejected. After about 12 s it is accepted all the same, wrong by the whole jump."""
        return bool(flags & EKF_GPS_GLITCH)

    def streams(self, config: VehicleConfig) -> tuple[StreamRequest, ...]:
        """Nothing but HEARTBEAT, TIMESYNC and texts comes unasked."""
        estimator = StreamRequest(mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT, "EKF_STATUS_REPORT", 4.0, True)
        return common_streams(config, estimator)


def _mode_enum(vehicle_type: int) -> str:
    if vehicle_type in COPTER_TYPES:
        return "COPTER_MODE"
    if vehicle_type == mavlink.MAV_TYPE_FIXED_WING:
        return "PLANE_MODE"
    return "ROVER_MODE" if vehicle_type == mavlink.MAV_TYPE_GROUND_ROVER else "UNKNOWN_MODE"
