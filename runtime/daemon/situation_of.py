"""From the vehicle room's snapshot to what guidance needs to know."""

from __future__ import annotations

import math

from runtime.guidance.situation import Situation
from runtime.vehicle.telemetry.state import VehicleState

STOPPING_FAILSAFES = frozenset({"critical", "emergency", "terminated", "fence", "rc", "battery"})


def situation_of(
    state: VehicleState, t_ns: int, yield_to_sticks: bool = True, heard_after_ns: int | None = None
) -> Situation:
    """The `Situation` at ``t_ns``; what telemetry does not say is False or None, which never speaks for commanding.

    ``heard_after_ns``: a heartbeat that did not come later counts as unknown.
    """
    heard = state.telemetry
    velocity = heard.velocity_ned_m_s
    estimator = heard.estimator
    return Situation(
        connected=state.connected,
        heartbeat_age_s=_heartbeat_age_s(state, t_ns, heard_after_ns),
        single_autopilot=state.other_autopilot is None,
        single_companion=not state.companion_conflict,
        time_synced=state.time_synced,
        streams_ok=not state.streams_missing,
        mode=heard.mode or "",
        guided=heard.guided,
        armed=bool(heard.armed),
        in_air=heard.landed == "in_air",
        failsafe=bool(heard.failsafes & STOPPING_FAILSAFES),
        sticks_moved=yield_to_sticks and bool(heard.sticks_moved),
        ekf_ok=estimator is not None and estimator.ok and not estimator.gps_glitch,
        battery_percent=None if heard.battery_remaining is None else 100.0 * heard.battery_remaining,
        altitude_amsl_m=None if heard.altitude_amsl_m is None else heard.altitude_amsl_m.value,
        height_takeoff_m=None if heard.height_takeoff_m is None else heard.height_takeoff_m.value,
        ground_speed_m_s=None if velocity is None else math.hypot(velocity[0], velocity[1]),
        home=None if heard.home is None else heard.home.position,
    )


def _heartbeat_age_s(state: VehicleState, t_ns: int, heard_after_ns: int | None) -> float | None:
    beat_ns = state.heartbeat_t_ns
    if beat_ns is None or (heard_after_ns is not None and beat_ns <= heard_after_ns):
        return None
    return (t_ns - beat_ns) * 1e-9
