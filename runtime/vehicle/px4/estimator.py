"""The flags of PX4's ESTIMATOR_STATUS."""

from __future__ import annotations

from runtime.mavlink.dialect import mavlink

MESSAGE_ID, MESSAGE_NAME, RATE_HZ = mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS, "ESTIMATOR_STATUS", 2.0
_NEEDED = (
    mavlink.ESTIMATOR_ATTITUDE
    | mavlink.ESTIMATOR_VELOCITY_HORIZ
    | mavlink.ESTIMATOR_POS_HORIZ_ABS
    | mavlink.ESTIMATOR_POS_VERT_ABS
)
# not the constant-position bit: PX4 also sets it while it stands on the ground with a good position (recorded: 0x3ff)
_REFUSED = mavlink.ESTIMATOR_GPS_GLITCH | mavlink.ESTIMATOR_ACCEL_ERROR


def estimator_ok(flags: int) -> bool:
    """Whether there are attitude, velocity, absolute position and height, no GPS glitch and no bad accelerometer."""
    return flags & _NEEDED == _NEEDED and not flags & _REFUSED


def gps_glitch(flags: int) -> bool:
    """Whether the estimator rejects GPS."""
    return bool(flags & mavlink.ESTIMATOR_GPS_GLITCH)
