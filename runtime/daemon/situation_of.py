"""From the vehicle room's snapshot to what guidance needs to know."""

from __future__ import annotations

import math

from runtime.freshness import POSITION_GAP, RC_CHANNELS, SYS_STATUS, MaxAge
from runtime.guidance.situation import Situation
from runtime.mavlink.dialect import mavlink
from runtime.vehicle.airframe import airframe
from runtime.vehicle.telemetry.state import Telemetry, VehicleState

REJECTS_ABOVE = 1.0  # innovation test ratio; recorded flights of both stacks stay below 0.5 unless GPS jumps
FLYING_STATES = frozenset({mavlink.MAV_STATE_STANDBY, mavlink.MAV_STATE_ACTIVE})
STOPPING_FAILSAFES = frozenset({"critical", "emergency", "terminated", "rc", "battery"})


def situation_of(
    state: VehicleState,
    t_ns: int,
    yield_to_sticks: bool = True,
    heard_after_ns: int | None = None,
    gps_doubted: bool = False,
) -> Situation:
    """The `Situation` at ``t_ns``; what telemetry does not say, or said too long ago, is False or None, which never
    speaks for commanding.

    ``heard_after_ns``: a heartbeat that did not come later counts as unknown. ``gps_doubted``: by navigation.
    """
    heard = state.telemetry
    velocity = heard.velocity_ned_m_s
    estimator = heard.estimator
    return Situation(
        connected=state.connected,
        heartbeat_age_s=_heartbeat_age_s(state, t_ns, heard_after_ns),
        hovers=airframe(heard.vehicle_type) == "copter",
        loiter_radius_m=state.loiter_radius_m if airframe(heard.vehicle_type) == "plane" else None,
        entered_here=state.entered_here,
        target_taken=state.target_taken is True,
        single_autopilot=state.other_autopilot is None,
        single_companion=not state.companion_conflict,
        time_synced=state.time_synced,
        streams_ok=bool(state.streams) and not state.streams_missing,
        mode=heard.mode or "",
        guided=heard.guided,
        wants_stream=state.wants_idle_stream,
        armed=bool(heard.armed),
        in_air=heard.landed == "in_air",
        failsafe=_failsafe(heard, t_ns),
        fence_breached=_fence_breached(heard, t_ns),
        sticks_moved=_sticks_moved(heard, t_ns, yield_to_sticks),
        ekf_ok=estimator is not None and estimator.ok,
        ekf_rejects=estimator is not None and max(estimator.position_ratio, estimator.velocity_ratio) > REJECTS_ABOVE,
        gps_glitch=estimator is not None and estimator.gps_glitch,
        gps_doubted=gps_doubted,
        battery_percent=None if heard.battery_remaining is None else 100.0 * heard.battery_remaining,
        altitude_amsl_m=None if heard.altitude_amsl_m is None else heard.altitude_amsl_m.value,
        height_takeoff_m=None if heard.height_takeoff_m is None else heard.height_takeoff_m.value,
        ground_speed_m_s=None if velocity is None else math.hypot(velocity[0], velocity[1]),
        home=None if heard.home is None else heard.home.position,
        position=heard.position if _fresh(heard.position_t_ns, t_ns, POSITION_GAP) else None,
    )


def _fresh(arrival_ns: int | None, t_ns: int, limit: MaxAge) -> bool:
    return arrival_ns is not None and t_ns - arrival_ns <= limit.ns


def _failsafe(heard: Telemetry, t_ns: int) -> bool | None:
    """One that is known acts whatever its age; that there is none is known by what was heard lately."""
    if heard.failsafes & STOPPING_FAILSAFES:
        return True
    known = heard.system_status in FLYING_STATES and _fresh(heard.sys_status_t_ns, t_ns, SYS_STATUS)
    return False if known else None


def _fence_breached(heard: Telemetry, t_ns: int) -> bool | None:
    return heard.fence_breached if heard.fence_breached or _fresh(heard.sys_status_t_ns, t_ns, SYS_STATUS) else None


def _sticks_moved(heard: Telemetry, t_ns: int, yield_to_sticks: bool) -> bool | None:
    """Sticks that rest need a receiver that works: the autopilot repeats the last values of one that is lost."""
    moved = heard.sticks_moved if _fresh(heard.sticks_t_ns, t_ns, RC_CHANNELS) else None
    if (moved or _fresh(heard.station_sticks_t_ns, t_ns, RC_CHANNELS)) and yield_to_sticks:
        return True
    return False if moved is not None and heard.rc_receiver_ok else None


def _heartbeat_age_s(state: VehicleState, t_ns: int, heard_after_ns: int | None) -> float | None:
    beat_ns = state.heartbeat_t_ns
    if beat_ns is None or (heard_after_ns is not None and beat_ns <= heard_after_ns):
        return None
    return (t_ns - beat_ns) * 1e-9
