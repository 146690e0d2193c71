"""The end of the way: holding, confirming by the live view, and giving the vehicle back."""

from __future__ import annotations

from dataclasses import replace

from runtime.geodesy import distance_m, north_east_m, offset
from runtime.guidance.arrival import Arrival, ArrivalRules
from runtime.guidance.reasons import Phase, Reason, State
from runtime.values import Decision, Fix, GeoPoint, Setpoint, circular
from sim.authority.pilot import TARGET, TICK_NS, Pilot


def fly(pilot: Pilot, seconds: float, speed_m_s: float = 8.0) -> list[Setpoint]:
    """The vehicle follows its targets like a bead on a wire and stands still when it is there."""
    sent: list[Setpoint] = []
    for _ in range(int(seconds * 20)):
        decision = pilot.tick()
        if decision.setpoint:
            sent.append(decision.setpoint)
            pilot.goal = decision.setpoint.position
        if pilot.goal is None:
            continue
        left = distance_m(pilot.here, pilot.goal)
        step = min(left, speed_m_s * 0.05)
        north, east = north_east_m(pilot.here, pilot.goal)
        if left > 1e-6:
            pilot.here = offset(pilot.here, north * step / left, east * step / left)
        pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=step * 20)
    return sent


def look(pilot: Pilot, where: GeoPoint) -> None:
    fix = Fix(pilot.t_ns, Decision.FIX, where, where, circular(2.0), 7, 40, 1, "")
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
    assert again.guidance.last.phase is Phase.CONFIRMED and again.guidance.last.state is State.YIELDED
    assert Reason.ARRIVAL_CONFIRMED in again.guidance.last.reasons
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
    assert pilot.guidance.last.state is State.YIELDED
    assert Reason.ARRIVAL_NOT_CONFIRMED in pilot.guidance.last.reasons
    assert fly(pilot, 10.0) == []


def test_a_look_from_before_the_arrival_does_not_confirm_it() -> None:
    """A fix takes its time: one that is told after the arrival may be of a frame from before."""
    rules = ArrivalRules()
    arrival = Arrival(TARGET, rules)
    arrival.moved(10 * TICK_NS, TARGET, 0.0, 1.0)
    for t_ns in (8 * TICK_NS, 9 * TICK_NS, 10 * TICK_NS):
        arrival.saw(Fix(t_ns, Decision.FIX, TARGET, TARGET, circular(2.0), 7, 40, 1, ""))
    arrival.moved(10 * TICK_NS + rules.hold_ns, TARGET, 0.0, 1.0)
    assert arrival.phase is Phase.HOLDING  # one look alone is in time, and two are needed
    arrival.saw(Fix(11 * TICK_NS, Decision.FIX, TARGET, TARGET, circular(2.0), 7, 40, 1, ""))
    arrival.moved(10 * TICK_NS + rules.hold_ns + TICK_NS, TARGET, 0.0, 1.0)
    assert arrival.phase is Phase.CONFIRMED


def test_disengage_holds_here_once() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    fly(pilot, 5.0)
    hold = pilot.release(Reason.OPERATOR_DISENGAGED)
    assert hold is not None and hold.position == pilot.here
    assert pilot.release(Reason.SHUT_DOWN) is None
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
    assert ready.release(Reason.SHUT_DOWN) is None
