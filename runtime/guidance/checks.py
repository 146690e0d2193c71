"""Each condition for commanding, as a pure function that names every one that fails."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.guidance.limits import Limits
from runtime.guidance.reasons import Reason
from runtime.guidance.situation import Situation
from runtime.values import Estimate, GeoPoint


def vehicle_reasons(vehicle: Situation, limits: Limits, height_slack_m: float = 0.0) -> Iterator[Reason]:
    """Every reason for not commanding that follows from the vehicle's own state.

    ``height_slack_m``: how far it may stray past floor and ceiling; zero before authority, a little in flight, where
    the height it is sent to lies within them and gusts do not.
    """
    if not vehicle.connected:
        yield Reason.NO_VEHICLE
        return
    facts = {
        Reason.SECOND_AUTOPILOT: not vehicle.single_autopilot,
        Reason.SECOND_COMPANION: not vehicle.single_companion,
        Reason.DISARMED: not vehicle.armed,
        Reason.NOT_IN_AIR: not vehicle.in_air,
        Reason.FAILSAFE: vehicle.failsafe is True,
        Reason.FAILSAFE_UNKNOWN: vehicle.failsafe is None,
        Reason.FENCE_BREACHED: vehicle.fence_breached is True,
        Reason.FENCE_UNKNOWN: vehicle.fence_breached is None,
        Reason.STICKS_MOVED: vehicle.sticks_moved is True,
        Reason.RC_UNKNOWN: vehicle.sticks_moved is None,
        Reason.TIME_NOT_SYNCED: not vehicle.time_synced,
        Reason.STREAM_MISSING: not vehicle.streams_ok,
        Reason.EKF_NOT_OK: not vehicle.ekf_ok,
        Reason.SPEED_UNKNOWN: vehicle.ground_speed_m_s is None,
        Reason.HOME_UNKNOWN: vehicle.home is None,
    }
    yield from (reason for reason, holds in facts.items() if holds)
    yield from _battery_reasons(vehicle, limits)
    yield from _height_reasons(vehicle, limits, height_slack_m)


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


def estimate_reasons(t_ns: int, estimate: Estimate, max_age_ns: int) -> Iterator[Reason]:
    """The reasons for not commanding that follow from the estimate: none, too old, or not to be trusted."""
    if estimate.position is None:
        yield Reason.NO_ESTIMATE
        return
    if t_ns - estimate.t_ns > max_age_ns:
        yield Reason.ESTIMATE_STALE
    if not estimate.trusted:
        yield Reason.ESTIMATE_UNTRUSTED


def place_reasons(limits: Limits, home: GeoPoint | None, here: GeoPoint | None) -> Iterator[Reason]:
    """The reasons for not commanding where the aircraft is outside the area or too far from home."""
    if here is None:
        return
    if not limits.area.contains(here):
        yield Reason.OUTSIDE_AREA
    if home is not None and not limits.within_distance(home, here):
        yield Reason.TOO_FAR


def target_reasons(
    limits: Limits, home: GeoPoint | None, here: GeoPoint | None, target: GeoPoint
) -> Iterator[Reason]:
    """The reasons for not commanding where the target, or the straight way to it, leaves the area or the distance."""
    if not limits.area.contains(target):
        yield Reason.TARGET_OUTSIDE_AREA
    elif here is not None and limits.area.contains(here) and not limits.area.contains_path(here, target):
        yield Reason.PATH_LEAVES_AREA
    if home is not None and not limits.within_distance(home, target):
        yield Reason.TARGET_TOO_FAR
