"""ODOMETRY for PX4: everything in LOCAL_NED. PX4 maps the sender's clock itself by TIMESYNC, so stamps are in ours.

A failure carries no attitude either (NaN): with EKF2_EV_QMIN 0 PX4 looks at no quality, and with the yaw bit of
EKF2_EV_CTRL it would take the level attitude of such a message for a heading of north, known to EKF2_EVA_NOISE.
"""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import FailedOdometry, LocalOdometry
from runtime.vehicle.odometry import NO_ATTITUDE, odometry_failed, odometry_ned


def stamp_usec(t_ns: int, offset_ns: int) -> int:
    """In our clock."""
    return t_ns // 1000


def odometry(measured: LocalOdometry, ned_m: tuple[float, float, float], offset_ns: int) -> Any:
    """As measured."""
    return odometry_ned(measured, ned_m, stamp_usec(measured.t_ns, offset_ns))


def failed_odometry(failed: FailedOdometry, offset_ns: int) -> Any:
    """Quality -1."""
    frame = mavlink.MAV_FRAME_LOCAL_NED
    return odometry_failed(failed, stamp_usec(failed.t_ns, offset_ns), frame, frame, NO_ATTITUDE)
