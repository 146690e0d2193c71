"""The state machine: who may start it, what stops it, and what it sends in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.errors import CommandingError
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.guidance.arrival import Arrival, ArrivalRules
from runtime.guidance.carrot import stopping_distance_m
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.limits import Area
from runtime.guidance.reasons import Phase, Reason, State
from runtime.values import Decision, Fix, GeoPoint, Setpoint
from tests.runtime.guidance.flying import AMSL_OF_TAKEOFF_M, GOOD, HOME, START, TARGET, TICK_NS, Pilot, limits


@pytest.mark.parametrize("state", [state for state in State if state is not State.DISABLED])
def test_every_state_is_reached_the_usual_way(state: State) -> None:
    assert Pilot().to(state).state is state


def test_disabled_without_limits_and_nothing_enables_it() -> None:
    pilot = Pilot(disabled=True)
    pilot.mode("LOITER", first=True)
    pilot.guidance.confirm(TARGET)
    with pytest.raises(CommandingError, match="disabled"):
        pilot.guidance.engage()
    pilot.tick()
    pilot.mode("GUIDED")
    decision = pilot.tick()
    assert decision.state is State.DISABLED and decision.setpoint is None
    assert decision.reasons == (Reason.COMMANDING_DISABLED,)


def test_engage_needs_a_confirmed_target() -> None:
    pilot = Pilot()
    pilot.guidance.propose()
    with pytest.raises(CommandingError, match="no target is confirmed"):
        pilot.guidance.engage()
    assert Reason.TARGET_NOT_CONFIRMED in pilot.tick().reasons


def test_all_reasons_are_named_at_once() -> None:
    pilot = Pilot()
    pilot.mode("LOITER", first=True)
    pilot.vehicle = replace(pilot.vehicle, armed=False, in_air=False, battery_percent=10.0, ekf_ok=False)
    pilot.here = offset(HOME, 0.0, 600.0)
    assert set(pilot.tick().reasons) == {
        Reason.NO_TARGET,
        Reason.NOT_ENGAGED,
        Reason.AUTHORITY_NOT_GRANTED,
        Reason.MODE_NOT_GUIDED,
        Reason.DISARMED,
        Reason.NOT_IN_AIR,
        Reason.BATTERY_RESERVE,
        Reason.EKF_NOT_OK,
        Reason.OUTSIDE_AREA,
        Reason.TOO_FAR,
    }


def test_being_in_guided_already_grants_nothing() -> None:
    pilot = Pilot()
    pilot.mode("GUIDED", first=True)
    pilot.tick()
    pilot.guidance.confirm(TARGET)
    pilot.guidance.engage()
    for decision in pilot.ticks(100):
        assert decision.setpoint is None
        assert decision.state is State.MONITOR
        assert set(decision.reasons) == {Reason.AUTHORITY_NOT_GRANTED, Reason.ALREADY_GUIDED}


def test_a_transition_long_after_the_last_ready_grants_nothing() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.t_ns += 1_500_000_000  # nothing was decided meanwhile
    pilot.mode("GUIDED")
    assert pilot.tick().setpoint is None
    assert not pilot.guidance.granted


def test_first_mode_after_a_lost_link_is_no_transition() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.guidance.latch(Reason.LINK_LOST)
    pilot.guidance.engage()
    pilot.tick()
    pilot.mode("GUIDED")
    assert all(decision.setpoint is None for decision in pilot.ticks(20))


@pytest.mark.parametrize(
    "cause",
    [Reason.FOREIGN_TARGET, Reason.REBOOTED, Reason.LINK_LOST, Reason.SECOND_AUTOPILOT, Reason.SECOND_COMPANION],
)
def test_another_will_latches_until_consent_and_a_fresh_transition(cause: Reason) -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.guidance.latch(cause)
    decision = pilot.tick()
    assert decision.state is State.YIELDED and cause in decision.reasons
    pilot.mode("LOITER")
    pilot.tick()
    pilot.mode("GUIDED")  # a fresh transition, but nobody engaged again
    assert all(decision.setpoint is None for decision in pilot.ticks(40))
    pilot.mode("LOITER")
    pilot.guidance.engage()
    assert pilot.tick().state is State.READY
    pilot.mode("GUIDED")
    assert pilot.tick().setpoint is not None


def test_pilot_takes_over_and_nothing_follows() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.mode("ALT_HOLD")
    decisions = pilot.ticks(40)
    assert all(decision.setpoint is None for decision in decisions)
    assert decisions[0].state is State.YIELDED and Reason.MODE_CHANGED in decisions[0].reasons


def test_another_target_needs_another_consent() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.guidance.confirm(offset(TARGET, 30.0, 0.0))
    assert Reason.NOT_ENGAGED in pilot.tick().reasons
    pilot.mode("GUIDED")
    assert pilot.tick().setpoint is None


def test_no_other_target_while_under_way() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    with pytest.raises(CommandingError, match="under way"):
        pilot.guidance.confirm(offset(TARGET, 30.0, 0.0))


def test_setpoints_lead_straight_to_the_target_within_the_two_bounds() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=6.0)
    setpoint = pilot.tick().setpoint
    assert setpoint is not None
    settings = GuidanceSettings()
    ahead = distance_m(START, setpoint.position)
    assert 1.5 * stopping_distance_m(8.0, settings.deceleration_m_s2) <= ahead <= 5.0 * 8.0
    north, east = north_east_m(START, setpoint.position)
    to_target = north_east_m(START, TARGET)
    assert abs(north * to_target[1] - east * to_target[0]) / distance_m(START, TARGET) < 0.01  # off the line, m
    assert setpoint.altitude_amsl_m == pytest.approx(AMSL_OF_TAKEOFF_M + 60.0)
    assert 0 < setpoint.expires_t_ns - setpoint.t_ns <= 2_000_000_000


@pytest.mark.parametrize("speed_m_s", [0.0, 3.0, 8.0, 12.0, 20.0, 30.0])
def test_a_target_is_never_more_than_five_seconds_ahead(speed_m_s: float) -> None:
    """Blown along by a gale, 1.5 stopping distances no longer fit: then the five seconds count."""
    far = offset(HOME, 250.0, 300.0)
    pilot = Pilot()
    pilot.mode("LOITER", first=True)
    pilot.here = offset(HOME, -200.0, -300.0)
    pilot.guidance.confirm(far)
    pilot.guidance.engage()
    pilot.tick()
    pilot.mode("GUIDED")
    pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=speed_m_s)
    setpoint = pilot.tick().setpoint
    assert setpoint is not None
    ahead, pace = distance_m(pilot.here, setpoint.position), max(speed_m_s, 8.0)
    assert ahead <= 5.0 * pace + 0.01
    assert ahead >= min(1.5 * pace**2 / (2 * 2.5), 5.0 * pace) - 0.01


@pytest.mark.parametrize(("height_m", "held_m"), [(28.0, 30.0), (92.0, 90.0), (60.0, 60.0)])
def test_a_gust_at_the_moment_of_engagement_sends_nothing_past_floor_or_ceiling(
    height_m: float, held_m: float
) -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    altitude_m = AMSL_OF_TAKEOFF_M + height_m
    pilot.vehicle = replace(pilot.vehicle, height_takeoff_m=height_m, altitude_amsl_m=altitude_m)
    setpoint = pilot.tick().setpoint
    assert setpoint is not None and setpoint.altitude_amsl_m == pytest.approx(AMSL_OF_TAKEOFF_M + held_m)


def test_setpoints_come_at_their_interval() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    decisions = pilot.ticks(100)  # 5 s
    sent = [decision.t_ns for decision in decisions if decision.setpoint]
    assert 5 * 2 <= len(sent) <= 5 * 5
    assert all(decision.reasons == (Reason.NOT_DUE,) for decision in decisions if not decision.setpoint)


def test_the_height_of_engagement_is_held_whatever_happens_to_it_later() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.vehicle = replace(pilot.vehicle, altitude_amsl_m=AMSL_OF_TAKEOFF_M + 55.0, height_takeoff_m=55.0)
    sent = [decision.setpoint for decision in pilot.ticks(20) if decision.setpoint]
    assert sent and all(setpoint.altitude_amsl_m == AMSL_OF_TAKEOFF_M + 60.0 for setpoint in sent)


def fly(pilot: Pilot, seconds: float, speed_m_s: float = 8.0) -> list[Setpoint]:
    """The vehicle follows its targets like a bead on a wire and stands still when it is there."""
    sent: list[Setpoint] = []
    for _ in range(int(seconds * 20)):
        decision = pilot.tick()
        if decision.setpoint:
            sent.append(decision.setpoint)
        if not sent:
            continue
        left = distance_m(pilot.here, sent[-1].position)
        step = min(left, speed_m_s * 0.05)
        north, east = north_east_m(pilot.here, sent[-1].position)
        if left > 1e-6:
            pilot.here = offset(pilot.here, north * step / left, east * step / left)
        pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=step * 20)
    return sent


def look(pilot: Pilot, where: GeoPoint) -> None:
    fix = Fix(pilot.t_ns, Decision.FIX, where, where, 2.0, 7, 40, 1, "")
    pilot.guidance.saw(fix)


def test_arrival_holds_once_and_is_confirmed_by_the_live_view_after_five_seconds() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    sent = fly(pilot, 70.0)
    assert sent[-1].reason == "hold: arrived" and sent[-1].position == TARGET
    assert [setpoint.reason for setpoint in sent].count("hold: arrived") == 1
    assert pilot.guidance.last.phase is Phase.NOT_CONFIRMED  # nothing was seen for longer than the patience
    again = Pilot()
    again.to(State.READY)
    again.mode("GUIDED")
    while again.guidance.last.phase is not Phase.HOLDING:
        fly(again, 0.05)
    assert distance_m(again.here, TARGET) <= 3.0
    fly(again, 4.5)
    look(again, offset(TARGET, 4.0, 0.0))
    look(again, offset(TARGET, 0.0, 5.0))
    assert again.guidance.last.phase is Phase.HOLDING
    fly(again, 1.0)
    assert again.guidance.last.phase is Phase.CONFIRMED
    assert again.guidance.last.reasons == (Reason.ARRIVAL_CONFIRMED,)
    assert fly(again, 30.0) == []


def test_a_view_of_elsewhere_does_not_confirm() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    look(pilot, TARGET)  # seen before the arrival: counts for nothing
    look(pilot, TARGET)
    while pilot.guidance.last.phase is not Phase.HOLDING:
        fly(pilot, 0.05)
    for _ in range(3):
        look(pilot, offset(TARGET, 40.0, 0.0))
    fly(pilot, 25.0)
    assert pilot.guidance.last.phase is Phase.NOT_CONFIRMED
    assert pilot.guidance.last.reasons == (Reason.ARRIVAL_NOT_CONFIRMED,)
    assert fly(pilot, 10.0) == []


def test_a_look_from_before_the_arrival_does_not_confirm_it() -> None:
    """A fix takes its time: one that is told after the arrival may be of a frame from before."""
    rules = ArrivalRules()
    arrival = Arrival(TARGET, rules)
    arrival.moved(10 * TICK_NS, TARGET, 0.0)
    for t_ns in (8 * TICK_NS, 9 * TICK_NS, 10 * TICK_NS):
        arrival.saw(Fix(t_ns, Decision.FIX, TARGET, TARGET, 2.0, 7, 40, 1, ""))
    arrival.moved(10 * TICK_NS + rules.hold_ns, TARGET, 0.0)
    assert arrival.phase is Phase.HOLDING  # one look alone is in time, and two are needed
    arrival.saw(Fix(11 * TICK_NS, Decision.FIX, TARGET, TARGET, 2.0, 7, 40, 1, ""))
    arrival.moved(10 * TICK_NS + rules.hold_ns + TICK_NS, TARGET, 0.0)
    assert arrival.phase is Phase.CONFIRMED


def test_disengage_holds_here_once() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    fly(pilot, 5.0)
    hold = pilot.guidance.release(pilot.t_ns, pilot.vehicle, pilot.estimate, Reason.OPERATOR_DISENGAGED)
    assert hold is not None and hold.position == pilot.here
    assert pilot.guidance.release(pilot.t_ns, pilot.vehicle, pilot.estimate, Reason.SHUT_DOWN) is None
    assert all(decision.setpoint is None for decision in pilot.ticks(40))
    assert Reason.OPERATOR_DISENGAGED in pilot.guidance.last.reasons


def test_release_is_silent_when_the_vehicle_is_not_ours() -> None:
    for change in ({"guided": False}, {"armed": False}, {"failsafe": True}, {"connected": False}):
        pilot = Pilot()
        pilot.to(State.ENGAGED)
        vehicle = replace(pilot.vehicle, **change)
        assert pilot.guidance.release(pilot.t_ns, vehicle, pilot.estimate, Reason.SHUT_DOWN) is None
    ready = Pilot()
    ready.to(State.READY)
    assert ready.guidance.release(ready.t_ns, ready.vehicle, ready.estimate, Reason.SHUT_DOWN) is None


SILENT: list[tuple[dict[str, Any], Reason]] = [
    ({"connected": False}, Reason.NO_VEHICLE),
    ({"single_autopilot": False}, Reason.SECOND_AUTOPILOT),
    ({"single_companion": False}, Reason.SECOND_COMPANION),
    ({"armed": False}, Reason.DISARMED),
    ({"in_air": False}, Reason.NOT_IN_AIR),
    ({"failsafe": True}, Reason.FAILSAFE),
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


@pytest.mark.parametrize(("change", "reason"), SILENT + HELD)
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
    pilot.guidance.engage()
    decision = pilot.tick()
    assert decision.state is State.MONITOR and reason in decision.reasons


def test_a_way_that_leaves_a_concave_area_is_refused() -> None:
    u_shape = [(-400, -400), (-400, 400), (400, 400), (400, 100), (-200, 100), (-200, -100), (400, -100), (400, -400)]
    area = Area([offset(HOME, north, east) for north, east in u_shape])
    pilot = Pilot(operator_limits=limits(area=area, max_distance_m=1000.0))
    pilot.mode("LOITER", first=True)
    pilot.here = offset(HOME, 300.0, -250.0)
    pilot.guidance.confirm(offset(HOME, 300.0, 250.0))
    pilot.guidance.engage()
    assert Reason.PATH_LEAVES_AREA in pilot.tick().reasons


@pytest.mark.parametrize(
    ("age_ns", "changes", "reason"),
    [(1_200_000_000, {}, Reason.ESTIMATE_STALE), (0, {"trusted": False}, Reason.ESTIMATE_UNTRUSTED)],
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
