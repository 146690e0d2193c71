"""Every condition that prevents READY, and what each does in flight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.geodesy import offset
from runtime.guidance.limits import Area
from runtime.guidance.reasons import WAIVABLE, Reason, State
from runtime.guidance.situation import Situation
from runtime.values import GeoPoint, TrackingState
from sim.authority.pilot import GOOD, HOME, Pilot, limits

SILENT: list[tuple[dict[str, Any], Reason]] = [
    ({"connected": False}, Reason.NO_VEHICLE),
    ({"hovers": False}, Reason.VEHICLE_KIND),
    ({"single_autopilot": False}, Reason.SECOND_AUTOPILOT),
    ({"single_companion": False}, Reason.SECOND_COMPANION),
    ({"armed": False}, Reason.DISARMED),
    ({"in_air": False}, Reason.NOT_IN_AIR),
    ({"failsafe": True}, Reason.FAILSAFE),
    ({"fence_breached": True}, Reason.FENCE_BREACHED),
    ({"sticks_moved": True}, Reason.STICKS_MOVED),
    ({"guided": False}, Reason.MODE_NOT_GUIDED),
]
HELD: list[tuple[dict[str, Any], Reason]] = [
    ({"ekf_ok": False}, Reason.EKF_NOT_OK),
    ({"battery_percent": None}, Reason.BATTERY_UNKNOWN),
    ({"battery_percent": 29.9}, Reason.BATTERY_RESERVE),
    ({"height_takeoff_m": None}, Reason.HEIGHT_UNKNOWN),
    ({"altitude_amsl_m": None}, Reason.HEIGHT_UNKNOWN),
    ({"height_takeoff_m": 26.0}, Reason.BELOW_FLOOR),
    ({"height_takeoff_m": 94.0}, Reason.ABOVE_CEILING),
    ({"ground_speed_m_s": None}, Reason.SPEED_UNKNOWN),
    ({"home": None}, Reason.HOME_UNKNOWN),
]

PASSING: list[tuple[dict[str, Any], Reason]] = [
    ({"failsafe": None}, Reason.FAILSAFE_UNKNOWN),
    ({"fence_breached": None}, Reason.FENCE_UNKNOWN),
    ({"ekf_rejects": True}, Reason.EKF_VARIANCE),
    ({"sticks_moved": None}, Reason.RC_UNKNOWN),
]


@pytest.mark.parametrize(("change", "reason"), SILENT + HELD)
def test_a_condition_that_fails_in_flight_ends_it(change: dict[str, Any], reason: Reason) -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    before = pilot.vehicle
    pilot.vehicle = replace(before, **change)
    decision = pilot.tick()
    assert decision.state is State.YIELDED and reason in decision.reasons
    if (change, reason) in SILENT:
        assert decision.setpoint is None
    else:
        assert decision.setpoint is not None and decision.setpoint.position == pilot.here
    pilot.vehicle = before  # all is well again, and yet nothing leaves
    assert all(later.setpoint is None for later in pilot.ticks(40))


@pytest.mark.parametrize(("change", "reason"), SILENT + HELD + PASSING)
def test_a_condition_that_fails_prevents_ready(change: dict[str, Any], reason: Reason) -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.vehicle = replace(pilot.vehicle, **change)
    decision = pilot.tick()
    assert reason in decision.reasons
    assert (decision.state is State.READY) == (reason is Reason.MODE_NOT_GUIDED)


@pytest.mark.parametrize(
    ("here", "reason"),
    [(offset(HOME, 0.0, 501.0), Reason.OUTSIDE_AREA), (offset(HOME, 451.0, 0.0), Reason.TOO_FAR)],
)
def test_an_aircraft_outside_the_limits_gets_no_target_at_all(here: GeoPoint, reason: Reason) -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.here = here
    decision = pilot.tick()
    assert decision.state is State.YIELDED and reason in decision.reasons and decision.setpoint is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [(offset(HOME, 0.0, 501.0), Reason.TARGET_OUTSIDE_AREA), (offset(HOME, 451.0, 0.0), Reason.TARGET_TOO_FAR)],
)
def test_a_target_outside_the_limits_is_never_ready(target: GeoPoint, reason: Reason) -> None:
    pilot = Pilot()
    pilot.mode("LOITER", first=True)
    pilot.guidance.confirm(target)
    pilot.engage()
    decision = pilot.tick()
    assert decision.state is State.MONITOR and reason in decision.reasons


def test_a_way_that_leaves_a_concave_area_is_refused() -> None:
    u_shape = [(-400, -400), (-400, 400), (400, 400), (400, 100), (-200, 100), (-200, -100), (400, -100), (400, -400)]
    area = Area([offset(HOME, north, east) for north, east in u_shape])
    pilot = Pilot(operator_limits=limits(area=area, max_distance_m=1000.0))
    pilot.mode("LOITER", first=True)
    pilot.here = offset(HOME, 300.0, -250.0)
    pilot.guidance.confirm(offset(HOME, 300.0, 250.0))
    pilot.engage()
    assert Reason.PATH_LEAVES_AREA in pilot.tick().reasons


@pytest.mark.parametrize(
    ("age_ns", "changes", "reason"),
    [(1_200_000_000, {}, Reason.ESTIMATE_STALE), (0, {"state": TrackingState.LOST}, Reason.ESTIMATE_UNTRUSTED)],
)
def test_a_passing_reason_is_waited_out_in_silence(age_ns: int, changes: dict[str, Any], reason: Reason) -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.estimate_age_ns, pilot.estimate_changes = age_ns, changes
    for decision in pilot.ticks(30):  # 1.5 s
        assert decision.state is State.ENGAGED and decision.setpoint is None and decision.reasons == (reason,)
    pilot.estimate_age_ns, pilot.estimate_changes = 0, {}
    assert any(decision.setpoint for decision in pilot.ticks(10))
    pilot.estimate_age_ns, pilot.estimate_changes = age_ns, changes
    decisions = pilot.ticks(60)  # 3 s: too long
    assert decisions[-1].state is State.YIELDED
    assert all(decision.setpoint is None for decision in decisions)


@pytest.mark.parametrize(("change", "reason"), PASSING)
def test_what_may_come_and_go_in_flight_is_waited_out_in_silence(change: dict[str, Any], reason: Reason) -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    good, pilot.vehicle = pilot.vehicle, replace(pilot.vehicle, **change)
    for decision in pilot.ticks(30):
        assert decision.state is State.ENGAGED and decision.setpoint is None and decision.reasons == (reason,)
    pilot.vehicle = good
    assert any(decision.setpoint for decision in pilot.ticks(10))
    pilot.vehicle = replace(good, **change)
    decisions = pilot.ticks(60)
    holds = [decision.setpoint for decision in decisions if decision.setpoint is not None]
    assert decisions[-1].state is State.YIELDED
    assert [hold.reason for hold in holds] == (["hold: ekf_variance"] if reason is Reason.EKF_VARIANCE else [])


def test_the_operator_may_waive_what_is_unknown_and_never_what_is_bad() -> None:
    for name, reason in WAIVABLE.items():
        (change,) = [change for change, unknown in PASSING if unknown is reason]
        pilot = Pilot(operator_limits=limits(waived=frozenset({reason})))
        pilot.vehicle = replace(GOOD, **change)
        pilot.to(State.ENGAGED)
        decision = pilot.guidance.last
        assert decision.setpoint is not None and decision.waived == (reason,), name
        pilot.vehicle = replace(pilot.vehicle, **{field: True for field in change})
        assert pilot.tick().setpoint is None and pilot.guidance.last.state is State.YIELDED
    assert "failsafe" not in WAIVABLE


def test_nothing_known_speaks_for_commanding() -> None:
    """A situation of which nothing was heard fails every condition that telemetry answers."""
    pilot = Pilot()
    pilot.mode("LOITER", first=True)
    pilot.guidance.confirm(offset(HOME, 100.0, 0.0))
    pilot.engage()
    pilot.vehicle = replace(Situation(), connected=True, guided=True)
    assert set(pilot.tick().reasons) == {
        Reason.VEHICLE_KIND, Reason.SECOND_AUTOPILOT, Reason.SECOND_COMPANION,
        Reason.DISARMED, Reason.NOT_IN_AIR, Reason.FAILSAFE_UNKNOWN,
        Reason.FENCE_UNKNOWN, Reason.RC_UNKNOWN, Reason.TIME_NOT_SYNCED, Reason.STREAM_MISSING, Reason.EKF_NOT_OK,
        Reason.SPEED_UNKNOWN, Reason.HOME_UNKNOWN, Reason.BATTERY_UNKNOWN, Reason.HEIGHT_UNKNOWN,
        Reason.ALREADY_GUIDED, Reason.AUTHORITY_NOT_GRANTED,
    }  # fmt: skip


def test_no_position_at_all_ends_it_without_a_hold() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.estimate_changes = {"position": None}
    decision = pilot.tick()
    assert decision.state is State.YIELDED and decision.setpoint is None
    assert Reason.NO_ESTIMATE in decision.reasons


def test_the_good_situation_is_good() -> None:
    assert set(Pilot().to(State.READY).reasons) == {Reason.AUTHORITY_NOT_GRANTED, Reason.MODE_NOT_GUIDED}
    assert GOOD.connected
