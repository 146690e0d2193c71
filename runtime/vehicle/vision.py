"""VISION_POSITION_ESTIMATE and VISION_SPEED_ESTIMATE: what ODOMETRY carries, for autopilots that take it no other way.

Neither message has a quality: that nothing was measured is said by numbers that are none (NaN), which every autopilot
leaves out of its estimator while it knows by them that the source is there.
"""

from __future__ import annotations

import math
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.rotations import rotation
from runtime.values import FailedOdometry, LocalOdometry
from runtime.vehicle.odometry import pose_covariance
from runtime.vehicle.stack import Stack


def vision(measured: LocalOdometry, ned_m: tuple[float, float, float], stack: Stack, offset_ns: int) -> tuple[Any, ...]:
    """The pose at ``ned_m`` of the local frame and, where the autopilot reads it, the velocity, both in NED."""
    stamp = stack.stamp_usec(measured.t_ns, offset_ns)
    yaw, pitch, roll = (float(angle) for angle in rotation(measured.ned_from_body).as_euler("ZYX"))
    covariance, counter = pose_covariance(stack.pose_variances_m2(measured)), measured.reset_counter % 256
    pose = mavlink.MAVLink_vision_position_estimate_message(stamp, *ned_m, roll, pitch, yaw, covariance, counter)
    if not stack.takes_vision_speed:
        return (pose,)
    variance = measured.velocity_sigma_m_s**2
    speed = mavlink.MAVLink_vision_speed_estimate_message(
        stamp, *measured.velocity_ned_m_s, [variance, 0.0, 0.0, 0.0, variance, 0.0, 0.0, 0.0, variance], counter
    )
    return pose, speed


def failed_vision(failed: FailedOdometry, stack: Stack, offset_ns: int) -> Any:
    """VISION_POSITION_ESTIMATE without a number in it."""
    stamp = stack.stamp_usec(failed.t_ns, offset_ns)
    return mavlink.MAVLink_vision_position_estimate_message(
        stamp, *[math.nan] * 6, [math.nan] * 21, failed.reset_counter % 256
    )
