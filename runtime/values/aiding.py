"""What an autopilot's estimator is fed with: a pose in its local frame, a receiver's answer, and the frame's origin."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.values.quantities import Covariance, GeoPoint, Measured, Quaternion, Velocity


@dataclass(frozen=True, slots=True)
class LocalOdometry:
    """Where the aircraft was at ``t_ns``; the vehicle room turns it into the autopilot's local frame.

    Only the horizontal position and velocity are measured: height, vertical velocity and ``ned_from_body`` are the
    autopilot's own of that instant, for it takes whole vectors or none. ``covariance_m2`` is of north and east;
    ``quality`` 1 to 100. `failed` makes the one that says that nothing was measured.
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


@dataclass(frozen=True, slots=True)
class FailedOdometry:
    """Nothing was measured at ``t_ns``: the source says that it is unhealthy, before it falls silent."""

    t_ns: int
    reset_counter: int


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
class LocalOrigin:
    """Where the autopilot's local frame is to begin, for one that has no origin of its own."""

    position: GeoPoint
    altitude_amsl_m: float


Aiding = LocalOdometry | FailedOdometry | ReceiverFix | LocalOrigin
