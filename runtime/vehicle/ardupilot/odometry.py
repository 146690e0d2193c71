"""ODOMETRY for ArduPilot: LOCAL_FRD and BODY_FRD, or it is dropped without a word; the position is taken as NED.

Its stamps are in the autopilot's own clock. ArduPilot takes the fastest message's delay out of them, whatever it is:
the delay from exposure to sending belongs into VISO_DELAY_MS.
"""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.rotations import rotation
from runtime.values import FailedOdometry, LocalOdometry
from runtime.vehicle.odometry import odometry_failed, odometry_message

_FRAMES = mavlink.MAV_FRAME_LOCAL_FRD, mavlink.MAV_FRAME_BODY_FRD


def odometry(measured: LocalOdometry, ned_m: tuple[float, float, float], offset_ns: int) -> Any:
    """The velocity is turned into the body's axes by the very attitude that ArduPilot turns it back with."""
    body = rotation(measured.ned_from_body).inv().apply(measured.velocity_ned_m_s)
    velocity = float(body[0]), float(body[1]), float(body[2])
    return odometry_message(measured, (measured.t_ns + offset_ns) // 1000, _FRAMES, ned_m, velocity)


def failed_odometry(failed: FailedOdometry, offset_ns: int) -> Any:
    """Quality -1."""
    return odometry_failed(failed, (failed.t_ns + offset_ns) // 1000, *_FRAMES)
