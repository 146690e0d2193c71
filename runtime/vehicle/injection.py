"""What the autopilot's estimator is fed with, as MAVLink: nothing leaves on a link that may not carry it.

Stamps are the measurement's own, never the sending's. Every vector and covariance is whole: a NaN among numbers is read
as a number by one autopilot and drops the message on another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import (
    Aiding,
    AidingRoute,
    FailedOdometry,
    GlobalPosition,
    LocalOdometry,
    LocalOrigin,
    PositionEstimate,
    ReceiverFix,
    axis_sigma_m,
)
from runtime.vehicle.global_position import external_position_estimate, global_position_sensor
from runtime.vehicle.stack import Stack
from runtime.vehicle.telemetry.state import GeoHeight, Telemetry
from runtime.vehicle.vision import failed_vision, vision

_WEEK_MS = 7 * 24 * 3600 * 1000
_GPS_EPOCH_UNIX_MS = 315_964_800_000  # 1980-01-06
_LEAP_MS = 18_000  # GPS time is ahead of UTC by as much since 2017
_SATELLITES = 6  # as few as an estimator takes: a receiver that works is always preferred
_NO_FIX, _FIX_3D = 1, 3
_UNKNOWN_DOP = 655.35  # UINT16_MAX hundredths: GPS_RAW_INT's word for unknown
_RANGE_ERROR_M = 3.0  # of a satellite receiver, by which a sigma becomes a dilution of precision


class InjectionSender:
    """Encodes for one stack; whether the link allows it, the vehicle says before each call."""

    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put

    def send(
        self, message: Aiding, stack: Stack, autopilot: tuple[int, int], t_ns: int, offset_ns: int, heard: Telemetry
    ) -> str | None:
        """Sends now, at ``t_ns``. None, or why not: "no_origin" where the local frame has none, "no_word" where the
        autopilot would take a word of failure for a position. ``offset_ns``: the autopilot's clock less ours."""
        if isinstance(message, LocalOdometry):
            if heard.origin is None:
                return "no_origin"
            for packed in _local(message, stack, heard.origin, offset_ns):
                self._put(packed)
        elif isinstance(message, FailedOdometry):
            of_vision = message.route is AidingRoute.VISION
            told = failed_vision(message, stack, offset_ns) if of_vision else stack.failed_odometry(message, offset_ns)
            self._put(told)
        elif isinstance(message, ReceiverFix):
            self._put(gps_input(message, offset_ns, heard.unix_offset_ns))
        elif isinstance(message, GlobalPosition):
            if message.position is None and not stack.reads_unhealthy:
                return "no_word"
            self._put(global_position_sensor(message, autopilot, t_ns, offset_ns))
        elif isinstance(message, PositionEstimate):
            self._put(external_position_estimate(message, autopilot, t_ns, offset_ns))
        else:
            self._put(set_origin(message, autopilot[0]))
        return None


def _local(measured: LocalOdometry, stack: Stack, origin: GeoHeight, offset_ns: int) -> tuple[Any, ...]:
    ned_m = _ned_m(measured, stack, origin)
    if measured.route is AidingRoute.VISION:
        return vision(measured, ned_m, stack, offset_ns)
    return (stack.odometry(measured, ned_m, offset_ns),)


def _ned_m(odometry: LocalOdometry, stack: Stack, origin: GeoHeight) -> tuple[float, float, float]:
    """In the autopilot's own metres, whatever those are on the ellipsoid."""
    north_m, east_m = stack.north_east_m(origin.position, odometry.position)
    return north_m, east_m, origin.altitude_amsl_m - odometry.altitude_amsl_m


def set_origin(origin: LocalOrigin, target_system: int) -> Any:
    """SET_GPS_GLOBAL_ORIGIN; ``time_usec`` 0: no claim about a clock."""
    latitude, longitude = round(origin.position.latitude_deg * 1e7), round(origin.position.longitude_deg * 1e7)
    altitude_mm = round(origin.altitude_amsl_m * 1e3)
    return mavlink.MAVLink_set_gps_global_origin_message(target_system, latitude, longitude, altitude_mm, 0)


def gps_input(fix: ReceiverFix, offset_ns: int, unix_offset_ns: int | None) -> Any:
    """GPS_INPUT with the accuracies of the estimate; without UTC, week 0 (no time) rather than an invented one.

    The dilutions are the accuracies again, over what a receiver's ranges err by: ArduPilot takes one that is left out
    for 655, and its estimator never begins with such a receiver (EK3_GPS_CHECK, at most 2.5).
    """
    week, week_ms = (0, 0) if unix_offset_ns is None else gps_time(fix.t_ns + unix_offset_ns)
    north, east, down = fix.velocity_ned_m_s
    place, altitude = fix.position, fix.altitude_amsl_m
    sigma_m = 0.0 if place is None else axis_sigma_m(fix.covariance_m2)
    return mavlink.MAVLink_gps_input_message(
        time_usec=(fix.t_ns + offset_ns) // 1000,
        gps_id=fix.receiver,
        ignore_flags=0,
        time_week_ms=week_ms,
        time_week=week,
        fix_type=_NO_FIX if place is None else _FIX_3D,
        lat=0 if place is None else round(place.latitude_deg * 1e7),
        lon=0 if place is None else round(place.longitude_deg * 1e7),
        alt=altitude.value,
        hdop=_UNKNOWN_DOP if place is None else sigma_m / _RANGE_ERROR_M,
        vdop=_UNKNOWN_DOP if place is None else altitude.sigma / _RANGE_ERROR_M,
        vn=north,
        ve=east,
        vd=down,
        speed_accuracy=fix.velocity_sigma_m_s,
        horiz_accuracy=sigma_m,
        vert_accuracy=altitude.sigma,
        satellites_visible=0 if place is None else _SATELLITES,
    )


def gps_time(unix_ns: int) -> tuple[int, int]:
    """GPS week and milliseconds of it for a UTC instant."""
    return divmod(unix_ns // 1_000_000 - _GPS_EPOCH_UNIX_MS + _LEAP_MS, _WEEK_MS)
