"""Flying on the camera's word: what it rests on, how long it coasts, and where the autopilot is by its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.geodesy import offset
from runtime.guidance.arrival import Arrival, ArrivalRules
from runtime.guidance.reasons import Phase, Reason, State
from runtime.values import PositionSource, TrackingState
from sim.authority.pilot import TARGET, TICK_NS, Pilot
from tests.runtime.guidance.test_arrival import fly, look

SECOND_NS = 1_000_000_000


def engaged(source: PositionSource) -> Pilot:
    pilot = Pilot()
    pilot.source = source
    pilot.to(State.ENGAGED)
    assert pilot.guidance.last.setpoint is not None
    return pilot


def test_a_flight_on_the_receivers_word_yields_when_the_camera_contradicts_it() -> None:
    pilot = engaged(PositionSource.AUTOPILOT)
    pilot.vehicle = replace(pilot.vehicle, gps_doubted=True)
    decision = pilot.tick()
    assert decision.state is State.YIELDED and decision.reasons == (Reason.GPS_DOUBTED,)
    assert decision.setpoint is not None and decision.setpoint.position == pilot.here
    assert not any(later.setpoint for later in pilot.ticks(60))


def test_a_vehicle_that_is_led_astray_is_stopped_though_nobody_knows_where() -> None:
    pilot = engaged(PositionSource.AUTOPILOT)
    pilot.vehicle = replace(pilot.vehicle, gps_doubted=True)
    pilot.estimate_changes = {"state": TrackingState.LOST, "reason": "GPS is doubted"}
    decision = pilot.tick()
    assert decision.state is State.YIELDED
    assert set(decision.reasons) == {Reason.GPS_DOUBTED, Reason.ESTIMATE_UNTRUSTED}
    assert decision.setpoint is not None and decision.setpoint.position == pilot.here


def test_it_yields_too_when_the_camera_takes_over_and_stops_in_the_autopilots_own_frame() -> None:
    """The autopilot still steers by a receiver that lies by 60 m: the camera's place, sent as a target, would move it
    by as much."""
    for doubted, reason in ((True, Reason.GPS_DOUBTED), (False, Reason.SOURCE_CHANGED)):
        pilot = engaged(PositionSource.AUTOPILOT)
        lie = offset(pilot.here, 60.0, 0.0)
        pilot.source = PositionSource.VISION
        pilot.vehicle = replace(pilot.vehicle, gps_doubted=doubted, position=lie)
        decision = pilot.tick()
        assert decision.state is State.YIELDED
        assert set(decision.reasons) == {reason, Reason.AUTOPILOT_ELSEWHERE}
        assert decision.setpoint is not None and decision.setpoint.position == lie
        assert not any(later.setpoint for later in pilot.ticks(60))


def test_a_flight_on_the_cameras_word_goes_on_whatever_the_receiver_does() -> None:
    pilot = engaged(PositionSource.VISION)
    pilot.vehicle = replace(pilot.vehicle, gps_doubted=True, gps_glitch=True)
    decisions = pilot.ticks(20)
    assert all(decision.state is State.ENGAGED for decision in decisions)
    assert any(decision.setpoint for decision in decisions)


def test_nobody_is_made_ready_on_a_receiver_that_is_doubted() -> None:
    for change, reason in (("gps_doubted", Reason.GPS_DOUBTED), ("gps_glitch", Reason.EKF_NOT_OK)):
        pilot = Pilot()
        pilot.to(State.READY)
        pilot.vehicle = replace(pilot.vehicle, **{change: True})
        decision = pilot.tick()
        assert decision.state is State.MONITOR and reason in decision.reasons
        pilot.source = PositionSource.VISION
        assert pilot.tick().state is State.READY


def test_a_grant_on_one_source_is_none_for_another() -> None:
    """The camera takes over between READY and the pilot's switch."""
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    pilot.source = PositionSource.VISION
    decision = pilot.tick()
    assert decision.state is State.YIELDED and Reason.SOURCE_CHANGED in decision.reasons and decision.setpoint is None


def test_the_speed_is_the_cameras_own_and_never_the_echo() -> None:
    pilot = Pilot()
    pilot.source = PositionSource.VISION
    pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=None)  # the autopilot's is not asked for
    assert pilot.to(State.READY).state is State.READY
    pilot.estimate_changes = {"velocity_ned_m_s": None}
    pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=3.0)
    assert Reason.SPEED_UNKNOWN in pilot.tick().reasons


def test_an_autopilot_that_is_elsewhere_gets_no_targets() -> None:
    pilot = engaged(PositionSource.VISION)
    pilot.vehicle = replace(pilot.vehicle, position=offset(pilot.here, 0.0, 9.0))
    assert any(decision.setpoint for decision in pilot.ticks(10))
    pilot.vehicle = replace(pilot.vehicle, position=offset(pilot.here, 0.0, 11.0))
    for decision in pilot.ticks(41):  # 2 s
        assert decision.setpoint is None and decision.reasons == (Reason.AUTOPILOT_ELSEWHERE,)
    decision = pilot.tick()
    assert decision.state is State.YIELDED and decision.setpoint is not None
    assert decision.setpoint.position == pilot.vehicle.position


def test_an_autopilot_whose_position_is_unknown_is_not_flown_by_sight() -> None:
    pilot = Pilot()
    pilot.source = PositionSource.VISION
    pilot.to(State.READY)
    decision = pilot.guidance.decide(pilot.t_ns + TICK_NS, pilot.vehicle, pilot.estimate)
    assert pilot.vehicle.position is None and Reason.AUTOPILOT_ELSEWHERE in decision.reasons


def test_a_flight_ends_with_a_hold_while_the_position_is_still_known() -> None:
    pilot = engaged(PositionSource.VISION)
    pilot.estimate_changes = {"coast_left_s": 5.0}
    assert pilot.tick().state is State.ENGAGED
    pilot.estimate_changes = {"coast_left_s": 4.9}
    decision = pilot.tick()
    assert decision.state is State.YIELDED and decision.reasons == (Reason.COASTING_TOO_LONG,)
    assert decision.setpoint is not None and decision.setpoint.position == pilot.here


# The mode is news only while it is new


@pytest.mark.parametrize("source", [PositionSource.AUTOPILOT, PositionSource.VISION])
def test_one_lost_heartbeat_pauses_a_flight_and_more_end_it_in_silence(source: PositionSource) -> None:
    pilot = engaged(source)
    fresh = pilot.vehicle
    for age_s in (1.55, 1.95):
        pilot.vehicle = replace(fresh, heartbeat_age_s=age_s)
        decision = pilot.tick()
        assert decision.state is State.ENGAGED and decision.reasons == (Reason.MODE_STALE,)
    pilot.vehicle = fresh
    assert any(decision.setpoint for decision in pilot.ticks(7))
    pilot.vehicle = replace(fresh, heartbeat_age_s=1.6)
    decisions = pilot.ticks(45)
    assert decisions[-1].state is State.YIELDED and not any(decision.setpoint for decision in decisions)


def test_a_heartbeat_that_was_lost_before_the_switch_does_not_cost_the_grant() -> None:
    """The next one shows the guided mode, and is news itself."""
    pilot = Pilot()
    pilot.to(State.READY)
    fresh = pilot.vehicle
    pilot.vehicle = replace(fresh, heartbeat_age_s=1.9)
    assert pilot.tick().state is State.READY
    pilot.vehicle = fresh
    pilot.mode("GUIDED")
    assert pilot.tick().setpoint is not None


# Arrival by what is known


def test_a_radius_below_sigma_is_not_arrived_in_by_luck() -> None:
    rules = ArrivalRules(radius_m=3.0)
    arrival = Arrival(TARGET, rules)
    arrival.moved(0, TARGET, 0.0, 3.1)
    assert arrival.phase is Phase.EN_ROUTE and arrival.uncertain
    arrival.moved(SECOND_NS, TARGET, 0.0, 2.9)
    assert arrival.phase is Phase.HOLDING and not arrival.uncertain


def test_who_stands_at_the_target_and_does_not_get_to_know_it_ends_not_confirmed() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.estimate_changes = {"covariance_m2": ((4.0, 0.0), (0.0, 36.0))}
    pilot.tick()
    pilot.mode("GUIDED")
    pilot.here = offset(TARGET, -5.0, 0.0)
    sent = fly(pilot, 10.0)
    assert sent[-1].position == TARGET and sent[-1].reason == "en route"  # it is kept there
    assert {Reason.ARRIVAL_UNCERTAIN} <= {reason for decision in pilot.ticks(6) for reason in decision.reasons}
    look(pilot, TARGET)
    sent = fly(pilot, 12.0)
    assert pilot.guidance.last.phase is Phase.NOT_CONFIRMED and pilot.guidance.last.state is State.YIELDED
    assert sent[-1].reason == "hold: not confirmed" and sent[-1].position == TARGET
    assert not any(decision.setpoint for decision in pilot.ticks(60))


def test_passing_by_the_target_is_not_standing_at_it() -> None:
    rules = ArrivalRules(radius_m=1.0)
    arrival = Arrival(TARGET, rules)
    limit_ns = rules.hold_ns + rules.confirm_timeout_ns
    arrival.moved(0, offset(TARGET, 5.0, 0.0), 0.0, 2.0)
    arrival.moved(limit_ns - SECOND_NS, offset(TARGET, 5.0, 0.0), 2.0, 2.0)  # on its way again
    arrival.moved(limit_ns, offset(TARGET, 5.0, 0.0), 0.0, 2.0)
    assert arrival.phase is Phase.EN_ROUTE
    arrival.moved(2 * limit_ns, offset(TARGET, 5.0, 0.0), 0.0, 2.0)
    assert arrival.phase is Phase.NOT_CONFIRMED
