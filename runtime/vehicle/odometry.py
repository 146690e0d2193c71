"""ODOMETRY, as every stack takes it: `ardupilot/odometry.py` and `px4/odometry.py` have what differs.

The attitude is the autopilot's own of that instant and no measurement: its variance says so. A number, not NaN: one
autopilot reads NaN there as a fault of its own, another as "use my default".
"""

from __future__ import annotations

import math
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import Covariance, FailedOdometry, LocalOdometry, Quaternion

_FAILED = -1
NO_ATTITUDE = (math.nan, math.nan, math.nan, math.nan)
LEVEL = (1.0, 0.0, 0.0, 0.0)
UNKNOWN_ANGLE_RAD2 = math.pi**2  # any angle at all


def as_measured(measured: LocalOdometry) -> tuple[Covariance, float]:
    """The variances of north and east, and of down, in m^2."""
    return measured.covariance_m2, measured.height_sigma_m**2


def odometry_ned(odometry: LocalOdometry, ned_m: tuple[float, float, float], time_usec: int) -> Any:
    """ODOMETRY with the pose in NED about the local origin and the velocity in NED."""
    return odometry_message(
        odometry,
        time_usec,
        (mavlink.MAV_FRAME_LOCAL_NED, mavlink.MAV_FRAME_LOCAL_NED),
        ned_m,
        odometry.velocity_ned_m_s,
        as_measured(odometry),
    )


def odometry_message(
    odometry: LocalOdometry,
    time_usec: int,
    frames: tuple[int, int],
    ned_m: tuple[float, float, float],
    velocity_m_s: tuple[float, float, float],
    variances_m2: tuple[Covariance, float],
) -> Any:
    """ODOMETRY with ``ned_m`` and ``velocity_m_s`` in the first and the second of ``frames`` (MAV_FRAME)."""
    angle, speed = UNKNOWN_ANGLE_RAD2, odometry.velocity_sigma_m_s**2
    return mavlink.MAVLink_odometry_message(
        time_usec,
        *frames,
        *ned_m,
        odometry.ned_from_body,
        *velocity_m_s,
        0.0,
        0.0,
        0.0,
        pose_covariance(variances_m2),
        upper_triangle((speed, speed, speed, angle, angle, angle)),
        odometry.reset_counter % 256,
        mavlink.MAV_ESTIMATOR_TYPE_VISION,
        odometry.quality,
    )


def odometry_failed(
    failed: FailedOdometry, time_usec: int, pose_frame: int, velocity_frame: int, attitude: Quaternion
) -> Any:
    """ODOMETRY of quality -1 without a position or a velocity (NaN, all of them): not even an autopilot that takes
    any quality takes it."""
    nan = math.nan
    return mavlink.MAVLink_odometry_message(
        time_usec,
        pose_frame,
        velocity_frame,
        nan,
        nan,
        nan,
        attitude,
        nan,
        nan,
        nan,
        0.0,
        0.0,
        0.0,
        [nan] * 21,
        [nan] * 21,
        failed.reset_counter % 256,
        mavlink.MAV_ESTIMATOR_TYPE_VISION,
        _FAILED,
    )


def pose_covariance(variances_m2: tuple[Covariance, float]) -> list[float]:
    """The 21 numbers of a pose whose angles are unknown."""
    ((nn, ne), (_, ee)), dd = variances_m2
    angle = UNKNOWN_ANGLE_RAD2
    return upper_triangle((nn, ee, dd, angle, angle, angle), ne)


def upper_triangle(diagonal: tuple[float, float, float, float, float, float], north_east: float = 0.0) -> list[float]:
    """The 21 numbers in which MAVLink carries a symmetric 6 x 6 covariance, row by row; off the diagonal only the
    first two axes are correlated."""
    numbers = [0.0] * 21
    for index, value in zip((0, 6, 11, 15, 18, 20), diagonal, strict=True):
        numbers[index] = value
    numbers[1] = north_east
    return numbers
