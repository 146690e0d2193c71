"""ODOMETRY for PX4: everything in LOCAL_NED. PX4 maps the sender's clock itself by TIMESYNC, so stamps are in ours."""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import FailedOdometry, LocalOdometry
from runtime.vehicle.odometry import odometry_failed, odometry_ned


def odometry(measured: LocalOdometry, ned_m: tuple[float, float, float], offset_ns: int) -> Any:
    """As measured."""
    return odometry_ned(measured, ned_m, measured.t_ns // 1000)


def failed_odometry(failed: FailedOdometry, offset_ns: int) -> Any:
    """Quality -1."""
    return odometry_failed(failed, failed.t_ns // 1000, mavlink.MAV_FRAME_LOCAL_NED, mavlink.MAV_FRAME_LOCAL_NED)
