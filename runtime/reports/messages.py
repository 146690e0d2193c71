"""MAVLink messages into `runtime.reports.values`: the one reading of each, in flight and from a telemetry log.

In plain arithmetic: in flight these run for every message.
"""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.reports import values
from runtime.reports.flags import ArduPilotFlags, Dialect, Px4Flags, estimator_ok, gps_glitch
from runtime.reports.values import Attitude, Estimator, Fused, Ground, Receiver

_INVALID = 1  # of DISTANCE_SENSOR.signal_quality; 0 is not said, 100 perfect


def addressee(m: Any, unnamed: int) -> int:
    """The system that a message is for, 0 for all; ``unnamed`` where it names none."""
    return int(getattr(m, "target_system", getattr(m, "target", unnamed)))


def attitude(m: Any) -> Attitude | None:
    """ATTITUDE."""
    return values.attitude((m.roll, m.pitch, m.yaw), (m.rollspeed, m.pitchspeed, m.yawspeed))


def global_position(m: Any) -> Fused:
    """GLOBAL_POSITION_INT, the estimator's position."""
    return Fused(
        values.geo_point(m.lat * 1e-7, m.lon * 1e-7),
        values.altitude_m(m.alt * 1e-3),
        values.height_m(m.relative_alt * 1e-3),
        (m.vx * 1e-2, m.vy * 1e-2, m.vz * 1e-2),
    )


def receiver(m: Any, instance: int = 0) -> Receiver:
    """GPS_RAW_INT (``instance`` 0) or GPS2_RAW (1)."""
    return Receiver(
        m.fix_type,
        m.satellites_visible,
        values.geo_point(m.lat * 1e-7, m.lon * 1e-7),
        values.altitude_m(m.alt * 1e-3),
        values.sigma_m(m.h_acc * 1e-3),
        values.sigma_m(m.v_acc * 1e-3),
        instance,
    )


def ekf_status_report(m: Any) -> Estimator:
    """ArduPilot's EKF_STATUS_REPORT."""
    return _estimator(ArduPilotFlags, m.flags, m.pos_horiz_variance, m.velocity_variance)


def estimator_status(m: Any) -> Estimator:
    """PX4's ESTIMATOR_STATUS."""
    return _estimator(Px4Flags, m.flags, m.pos_horiz_ratio, m.vel_ratio)


def _estimator(dialect: Dialect, flags: int, position: float, velocity: float) -> Estimator:
    return Estimator(flags, estimator_ok(dialect, flags), gps_glitch(dialect, flags), position, velocity)


def ground(m: Any) -> Ground | None:
    """DISTANCE_SENSOR: a reading straight down within the sensor's range."""
    if m.orientation != mavlink.MAV_SENSOR_ROTATION_PITCH_270 or m.signal_quality == _INVALID:
        return None
    return values.ground(m.current_distance * 1e-2, m.min_distance * 1e-2, m.max_distance * 1e-2)
