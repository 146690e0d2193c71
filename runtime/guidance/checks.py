"""Each condition for commanding, as a pure function that names every one that fails."""

from __future__ import annotations

import math
from collections.abc import Iterator

from runtime.freshness import MODE
from runtime.geodesy import distance_m
from runtime.guidance.limits import Limits
from runtime.guidance.reasons import Reason
from runtime.guidance.situation import Situation
from runtime.guidance.way import margin_covariance
from runtime.values import Estimate, PositionSource

MAX_APART_M = 10.0  # the autopilot's position from the camera's: more than the sigma to which either is steered by


def by_sight(estimate: Estimate) -> bool:
    """Whether the position is the camera's, and owes nothing to a satellite receiver."""
    return estimate.source is PositionSource.VISION


def ground_speed_m_s(vehicle: Situation, estimate: Estimate) -> float | None:
    """How fast the aircraft moves over ground, by the source of its position: an autopilot that is fed by sight must
    not be asked how fast that is."""
    if not by_sight(estimate):
        return vehicle.ground_speed_m_s
    velocity = estimate.velocity_ned_m_s
    return None if velocity is None else math.hypot(velocity[0], velocity[1])


def vehicle_reasons(vehicle: Situation, limits: Limits, height_slack_m: float = 0.0) -> Iterator[Reason]:
    """Every reason for not commanding that follows from the vehicle's own state, whatever its position rests on.

    ``height_slack_m``: how far it may stray past floor and ceiling; zero before authority, a little in flight, where
    the height it is sent to lies within them and gusts do not.
    """
    if not vehicle.connected:
        yield Reason.NO_VEHICLE
        return
    facts = (
        (Reason.VEHICLE_KIND, not vehicle.hovers and vehicle.loiter_radius_m is None),
        (Reason.SECOND_AUTOPILOT, not vehicle.single_autopilot),
        (Reason.SECOND_COMPANION, not vehicle.single_companion),
        (Reason.DISARMED, not vehicle.armed),
        (Reason.NOT_IN_AIR, not vehicle.in_air),
        (Reason.FAILSAFE, vehicle.failsafe is True),
        (Reason.FAILSAFE_UNKNOWN, vehicle.failsafe is None),
        (Reason.FENCE_BREACHED, vehicle.fence_breached is True),
        (Reason.FENCE_UNKNOWN, vehicle.fence_breached is None),
        (Reason.STICKS_MOVED, vehicle.sticks_moved is True),
        (Reason.RC_UNKNOWN, vehicle.sticks_moved is None),
        (Reason.TIME_NOT_SYNCED, not vehicle.time_synced),
        (Reason.STREAM_MISSING, not vehicle.streams_ok),
        (Reason.EKF_NOT_OK, not vehicle.ekf_ok),
        (Reason.EKF_VARIANCE, vehicle.ekf_rejects),
        (Reason.HOME_UNKNOWN, vehicle.home is None),
    )
    yield from (reason for reason, holds in facts if holds)
    yield from _battery_reasons(vehicle, limits)
    yield from _height_reasons(vehicle, limits, height_slack_m)


def mode_is_fresh(vehicle: Situation) -> bool:
    """Whether the heartbeat that shows the mode is new enough to command by."""
    age_s = vehicle.heartbeat_age_s
    return age_s is not None and age_s <= MODE.seconds


def _battery_reasons(vehicle: Situation, limits: Limits) -> Iterator[Reason]:
    if vehicle.battery_percent is None:
        yield Reason.BATTERY_UNKNOWN
    elif vehicle.battery_percent < limits.battery_reserve_percent:
        yield Reason.BATTERY_RESERVE


def _height_reasons(vehicle: Situation, limits: Limits, slack_m: float) -> Iterator[Reason]:
    if vehicle.height_takeoff_m is None or vehicle.altitude_amsl_m is None:
        yield Reason.HEIGHT_UNKNOWN
        return
    if vehicle.height_takeoff_m < limits.floor_height_takeoff_m - slack_m:
        yield Reason.BELOW_FLOOR
    if vehicle.height_takeoff_m > limits.ceiling_height_takeoff_m + slack_m:
        yield Reason.ABOVE_CEILING


def estimate_reasons(t_ns: int, estimate: Estimate, max_age_ns: int, coast_reserve_s: float) -> Iterator[Reason]:
    """The reasons for not commanding that follow from the estimate: none, too old, not to be trusted, or without a fix
    for so long that less than ``coast_reserve_s`` is left of it."""
    if estimate.position is None:
        yield Reason.NO_ESTIMATE
        return
    if t_ns - estimate.t_ns > max_age_ns:
        yield Reason.ESTIMATE_STALE
    if not estimate.trusted:
        yield Reason.ESTIMATE_UNTRUSTED
    if estimate.coast_left_s is not None and estimate.coast_left_s < coast_reserve_s:
        yield Reason.COASTING_TOO_LONG


def source_reasons(vehicle: Situation, estimate: Estimate) -> Iterator[Reason]:
    """The reasons that follow from what the position rests on: a receiver that the autopilot or the camera doubts, or a
    camera beside whose position the autopilot steers by another.

    Position targets are flown to in the autopilot's own frame: where that is not the estimate's, they lead astray.
    """
    if ground_speed_m_s(vehicle, estimate) is None:
        yield Reason.SPEED_UNKNOWN
    if not by_sight(estimate):
        if vehicle.gps_glitch:
            yield Reason.EKF_NOT_OK
        if vehicle.gps_doubted:
            yield Reason.GPS_DOUBTED
    elif estimate.position is not None:
        theirs = vehicle.position
        if theirs is None or distance_m(theirs, estimate.position) > MAX_APART_M:
            yield Reason.AUTOPILOT_ELSEWHERE


def place_reasons(vehicle: Situation, estimate: Estimate, limits: Limits) -> Iterator[Reason]:
    """The reasons for not commanding where the aircraft may be outside the area, or beyond the distance."""
    here, home = estimate.position, vehicle.home
    if here is None:
        return
    spare = margin_covariance(estimate)
    if not limits.area.contains(here, spare):
        yield Reason.OUTSIDE_AREA
    if home is not None and not limits.within_distance(home, here, spare):
        yield Reason.TOO_FAR
