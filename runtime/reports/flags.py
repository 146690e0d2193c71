"""What an estimator's flags mean, by the dialect that they are in: whether its position is to be believed."""

from __future__ import annotations

from runtime.mavlink.dialect import mavlink


class ArduPilotFlags:
    """Of EKF_STATUS_REPORT."""

    CONSTANT_POSITION = 0x80  # no aiding: the position is only held
    UNINITIALISED = 0x400
    GPS_GLITCH = 0x8000
    NEEDED = mavlink.EKF_ATTITUDE | mavlink.EKF_VELOCITY_HORIZ | mavlink.EKF_POS_HORIZ_ABS | mavlink.EKF_POS_VERT_ABS
    REFUSED = CONSTANT_POSITION | UNINITIALISED | GPS_GLITCH


class DataflashFlags:
    """Of the solution status ``SS`` of EKF4, NKF4 and XKF4: nav_filter_status of ArduPilot's AP_Nav_Common.h, whose
    first ten bits are EKF_STATUS_REPORT's and whose others are not."""

    GPS_GLITCH = 1 << 14
    DEAD_RECKONING = 1 << 18
    NEEDED = ArduPilotFlags.NEEDED
    REFUSED = ArduPilotFlags.CONSTANT_POSITION | GPS_GLITCH | DEAD_RECKONING


class Px4Flags:
    """Of ESTIMATOR_STATUS.

    Not the constant-position bit: PX4 also sets it while it stands on the ground with a good position (recorded:
    0x3ff).
    """

    GPS_GLITCH = mavlink.ESTIMATOR_GPS_GLITCH
    NEEDED = (
        mavlink.ESTIMATOR_ATTITUDE
        | mavlink.ESTIMATOR_VELOCITY_HORIZ
        | mavlink.ESTIMATOR_POS_HORIZ_ABS
        | mavlink.ESTIMATOR_POS_VERT_ABS
    )
    REFUSED = GPS_GLITCH | mavlink.ESTIMATOR_ACCEL_ERROR


Dialect = type[ArduPilotFlags] | type[DataflashFlags] | type[Px4Flags]


def estimator_ok(dialect: Dialect, flags: int) -> bool:
    """Whether there are attitude, velocity, absolute position and height, with aiding and without a GPS that disagrees
    (or, of PX4, a bad accelerometer)."""
    return flags & dialect.NEEDED == dialect.NEEDED and not flags & dialect.REFUSED


def gps_glitch(dialect: Dialect, flags: int) -> bool:
    """Whether the estimator rejects GPS. ArduPilot's accepts it all the same after about 12 s, wrong by the whole
    jump."""
    return bool(flags & dialect.GPS_GLITCH)
