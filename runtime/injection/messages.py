"""From an estimate to what the autopilot is fed with."""

from __future__ import annotations

from runtime.injection.settings import InjectionSettings, Route
from runtime.injection.values import AidingSituation
from runtime.values import (
    Aiding,
    Covariance,
    Estimate,
    FailedOdometry,
    GeoPoint,
    GlobalPosition,
    LocalOdometry,
    LocalOrigin,
    Measured,
    PositionEstimate,
    ReceiverFix,
    axis_sigma_m,
    circular,
)

_VELOCITY_SIGMA_M_S = 0.5  # of an estimate that does not say its own
_BEST_SIGMA_M = 1.0  # that is of full quality


def measured(
    vision: Estimate,
    point: GeoPoint,
    covariance_m2: Covariance,
    reset_counter: int,
    vehicle: AidingSituation,
    settings: InjectionSettings,
    route: Route,
) -> Aiding:
    """``point`` with ``covariance_m2`` at ``vision.t_ns``, with the estimate's velocity and the autopilot's own height,
    vertical velocity and attitude of that instant."""
    assert vehicle.nav is not None and vehicle.nav.pose.altitude_amsl_m is not None
    assert vision.velocity_ned_m_s is not None
    if route is Route.GLOBAL_POSITION:
        return GlobalPosition(vision.t_ns, settings.sensor_id, point, covariance_m2)
    if route is Route.POSITION_ESTIMATE:
        return PositionEstimate(vision.t_ns, point, covariance_m2)
    pose, own = vehicle.nav.pose, vehicle.nav.position
    altitude = vehicle.nav.pose.altitude_amsl_m
    north_m_s, east_m_s, _ = vision.velocity_ned_m_s
    down_m_s = own.velocity_ned_m_s[2] if own is not None and own.velocity_ned_m_s is not None else 0.0
    sigma_m_s = _VELOCITY_SIGMA_M_S if vision.velocity_sigma_m_s is None else vision.velocity_sigma_m_s
    velocity = north_m_s, east_m_s, down_m_s
    if route is Route.GPS_INPUT:
        return ReceiverFix(
            vision.t_ns, settings.receiver, point, covariance_m2, altitude, velocity, sigma_m_s
        )  # fmt: skip
    return LocalOdometry(
        t_ns=vision.t_ns,
        position=point,
        covariance_m2=covariance_m2,
        altitude_amsl_m=altitude.value,
        height_sigma_m=1.0 if pose.height_takeoff_m is None else pose.height_takeoff_m.sigma,
        velocity_ned_m_s=velocity,
        velocity_sigma_m_s=sigma_m_s,
        ned_from_body=pose.ned_from_body or (1.0, 0.0, 0.0, 0.0),
        reset_counter=reset_counter,
        quality=quality_of(axis_sigma_m(covariance_m2)),
        route=route,
    )


def quality_of(sigma_m: float) -> int:
    """The quality, 1 to 100, that a position with this sigma is fed with."""
    return max(1, min(100, round(100 * _BEST_SIGMA_M / sigma_m)))


def failed(
    t_ns: int, settings: InjectionSettings, reset_counter: int, vehicle: AidingSituation, route: Route
) -> Aiding | None:
    """That nothing was measured; None where the route has no word for it."""
    if route is Route.POSITION_ESTIMATE:
        return None
    if route is Route.GLOBAL_POSITION:
        return GlobalPosition(t_ns, settings.sensor_id, None, circular(1e3))
    if route is not Route.GPS_INPUT:
        return FailedOdometry(t_ns, reset_counter, route)
    altitude = None if vehicle.nav is None else vehicle.nav.pose.altitude_amsl_m
    unknown = Measured(0.0, 1e3, "unknown")  # metres; without a fix nobody reads it
    return ReceiverFix(t_ns, settings.receiver, None, circular(1e3), altitude or unknown, (0.0, 0.0, 0.0), 1e2)


def origin(vision: Estimate, vehicle: AidingSituation, settings: InjectionSettings) -> LocalOrigin | None:
    """Where the aircraft is by sight, as the origin; None while nothing says how high that is."""
    if not vision.trusted or vision.position is None or settings.origin_altitude_amsl_m is None:
        return None
    return LocalOrigin(vision.position, settings.origin_altitude_amsl_m)
