"""What the operator decides of the injection, and the limits that nobody needs to."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.values import AidingRoute as Route

__all__ = ["InjectionLimits", "InjectionSettings", "Route"]


@dataclass(frozen=True, slots=True)
class InjectionSettings:
    """``source_set``: the EKF source set that uses external navigation; ``receiver``: as which GPS (0 or 1) GPS_INPUT
    goes; ``sensor_id``: by which id the autopilot knows us as a sensor of global positions.

    ``origin_altitude_amsl_m``: of the ground, for an autopilot that has neither an origin nor an altitude.
    """

    route: Route = Route.OFF
    source_set: int = 2
    receiver: int = 1
    sensor_id: int = 1
    max_sigma_m: float = 8.0
    max_fix_age_ns: int = 10_000_000_000
    origin_altitude_amsl_m: float | None = None


@dataclass(frozen=True, slots=True)
class InjectionLimits:
    """When sight speaks for its position, when the autopilot is told to fly on it, and when that has failed."""

    odometry_age_ns: int = 1_000_000_000  # without a measured motion: five frames of a slow camera (5 Hz)
    gps_lost_s: float = 1.0  # without a fix; a receiver at 5 Hz has missed five
    streamed_ns: int = 1_000_000_000  # of unbroken feeding before the switch: it is in the estimator's buffers then
    answer_ns: int = 3_000_000_000  # for the acknowledgement of the switch, before it is asked for again
    settle_ns: int = 3_000_000_000  # after the switch, before the autopilot's answer is judged
    disagree_ns: int = 3_000_000_000  # of disagreement with the autopilot, before feeding ends
    brief_ns: int = 1_000_000_000  # of nothing fed, through which an estimator carries on: it is judged on as before
    disagree_sigmas: float = 4.0
    disagree_least_m: float = 5.0  # an estimator that follows lags by as much in a turn at 10 m/s and half a second
    rejected_ratio: float = 1.0  # innovation test ratio above which an estimator leaves a measurement out
    aligned_sigmas: float = 4.0
    aligned_least_m: float = 5.0  # what a history and a receiver may lie apart
    drift_m_s: float = 2.0  # by which an estimator without a position wanders off
    unhealthy_words: int = 5  # of "failed" in flight, then silence
    unhealthy_every_ns: int = 100_000_000  # 10 Hz: ArduPilot calls a source unhealthy after 300 ms, and will not arm
    origin_every_ns: int = 2_000_000_000
    estimate_every_ns: int = 1_000_000_000  # between two positions onto which an estimator is put: each is a small jump
