"""The flags of ArduPilot's EKF_STATUS_REPORT."""

from __future__ import annotations

from runtime.mavlink.dialect import mavlink

MESSAGE_ID, MESSAGE_NAME, RATE_HZ = mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT, "EKF_STATUS_REPORT", 4.0
EKF_CONSTANT_POSITION = 0x80  # no aiding: the position is only held
EKF_UNINITIALISED = 0x400
EKF_GPS_GLITCH = 0x8000
_NEEDED = mavlink.EKF_ATTITUDE | mavlink.EKF_VELOCITY_HORIZ | mavlink.EKF_POS_HORIZ_ABS | mavlink.EKF_POS_VERT_ABS
_REFUSED = EKF_CONSTANT_POSITION | EKF_UNINITIALISED | EKF_GPS_GLITCH


def estimator_ok(flags: int) -> bool:
    """Whether there are absolute position, velocity and height, with aiding and without a GPS that disagrees."""
    return flags & _NEEDED == _NEEDED and not flags & _REFUSED


def gps_glitch(flags: int) -> bool:
    """Whether GPS is being rejected. After about 12 s it is accepted all the same, wrong by the whole jump."""
    return bool(flags & EKF_GPS_GLITCH)
