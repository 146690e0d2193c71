"""ODOMETRY for ArduPilot: LOCAL_FRD and BODY_FRD, or it is dropped without a word; the position is taken as NED.

Its stamps are in the autopilot's own clock. ArduPilot takes the fastest message's delay out of them, whatever it is:
the delay from exposure to sending belongs into VISO_DELAY_MS.

Of the covariance of a pose it makes one sigma for all three axes, the cube root of the sum of the squared *variances*
(`handle_odometry`, `handle_common_vision_position_estimate_data`): 1 m becomes 1.4 m, and 8 m becomes 20 m. So it is
told the variances of which it makes the sigma that is meant.
"""

from __future__ import annotations

import math
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.rotations import rotation
from runtime.values import Covariance, FailedOdometry, LocalOdometry, axis_sigma_m
from runtime.vehicle.odometry import LEVEL, odometry_failed, odometry_message

_FRAMES = mavlink.MAV_FRAME_LOCAL_FRD, mavlink.MAV_FRAME_BODY_FRD


def stamp_usec(t_ns: int, offset_ns: int) -> int:
    """In its own clock."""
    return (t_ns + offset_ns) // 1000


def pose_variances_m2(measured: LocalOdometry) -> tuple[Covariance, float]:
    """The variances of which ArduPilot makes the sigma of a horizontal axis, for all three."""
    variance_m2 = math.sqrt(axis_sigma_m(measured.covariance_m2) ** 3 / 3)
    return ((variance_m2, 0.0), (0.0, variance_m2)), variance_m2


def odometry(measured: LocalOdometry, ned_m: tuple[float, float, float], offset_ns: int) -> Any:
    """The velocity is turned into the body's axes by the very attitude that ArduPilot turns it back with."""
    body = rotation(measured.ned_from_body).inv().apply(measured.velocity_ned_m_s)
    velocity = float(body[0]), float(body[1]), float(body[2])
    stamp = stamp_usec(measured.t_ns, offset_ns)
    return odometry_message(measured, stamp, _FRAMES, ned_m, velocity, pose_variances_m2(measured))


def failed_odometry(failed: FailedOdometry, offset_ns: int) -> Any:
    """Quality -1."""
    return odometry_failed(failed, stamp_usec(failed.t_ns, offset_ns), *_FRAMES, LEVEL)
