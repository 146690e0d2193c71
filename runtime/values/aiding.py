"""What an autopilot's estimator is fed with, and by which message: a pose in its local frame, a receiver's answer, a
position on the globe, and the frame's origin."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runtime.values.quantities import Covariance, GeoPoint, Measured, Quaternion, Velocity


class AidingRoute(str, Enum):
    """In which form a position reaches the autopilot."""

    OFF = "off"
    AUTO = "auto"  # the best that the autopilot takes
    ODOMETRY = "odometry"  # a pose in its local frame: external navigation
    VISION = "vision"  # the same as VISION_POSITION_ESTIMATE and VISION_SPEED_ESTIMATE
    GPS_INPUT = "gps_input"  # the answer of a satellite receiver
    GLOBAL_POSITION = "global_position"  # GLOBAL_POSITION_SENSOR
    POSITION_ESTIMATE = "position_estimate"  # MAV_CMD_EXTERNAL_POSITION_ESTIMATE: puts a dead-reckoning estimator there


@dataclass(frozen=True, slots=True)
class LocalOdometry:
    """Where the aircraft was at ``t_ns``; the vehicle room turns it into the autopilot's local frame.

    Only the horizontal position and velocity are measured: height, vertical velocity and ``ned_from_body`` are the
    autopilot's own of that instant, for it takes whole vectors or none. ``covariance_m2`` is of north and east;
    ``quality`` 1 to 100. ``route``: ODOMETRY or VISION.
    """

    t_ns: int
    position: GeoPoint
    covariance_m2: Covariance
    altitude_amsl_m: float
    height_sigma_m: float
    velocity_ned_m_s: Velocity
    velocity_sigma_m_s: float
    ned_from_body: Quaternion
    reset_counter: int
    quality: int
    route: AidingRoute = AidingRoute.ODOMETRY


@dataclass(frozen=True, slots=True)
class FailedOdometry:
    """Nothing was measured at ``t_ns``: the source says that it is unhealthy, before it falls silent."""

    t_ns: int
    reset_counter: int
    route: AidingRoute = AidingRoute.ODOMETRY


@dataclass(frozen=True, slots=True)
class ReceiverFix:
    """A position at ``t_ns`` in the form of a satellite receiver's answer, as its number ``receiver`` (0 or 1).

    ``position`` None is a receiver without a fix. ``altitude_amsl_m`` is the autopilot's own, as in `LocalOdometry`.
    """

    t_ns: int
    receiver: int
    position: GeoPoint | None
    covariance_m2: Covariance
    altitude_amsl_m: Measured
    velocity_ned_m_s: Velocity
    velocity_sigma_m_s: float


@dataclass(frozen=True, slots=True)
class GlobalPosition:
    """A horizontal position at ``t_ns``, as the sensor that the autopilot knows by ``sensor_id``; ``position`` None:
    the sensor is unhealthy. The camera measures no height, so none is said."""

    t_ns: int
    sensor_id: int
    position: GeoPoint | None
    covariance_m2: Covariance


@dataclass(frozen=True, slots=True)
class PositionEstimate:
    """A horizontal position at ``t_ns``, on which an estimator that reckons by dead reckoning is put."""

    t_ns: int
    position: GeoPoint
    covariance_m2: Covariance


@dataclass(frozen=True, slots=True)
class LocalOrigin:
    """Where the autopilot's local frame is to begin, for one that has no origin of its own."""

    position: GeoPoint
    altitude_amsl_m: float


Aiding = LocalOdometry | FailedOdometry | ReceiverFix | GlobalPosition | PositionEstimate | LocalOrigin


def says_failed(message: Aiding) -> bool:
    """Whether it says that nothing was measured."""
    lost = isinstance(message, (ReceiverFix, GlobalPosition)) and message.position is None
    return lost or isinstance(message, FailedOdometry)
