"""What ends a confirmed target, the consent to it and a running flight: the table of `runtime.guidance.authority`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from runtime.errors import CommandingError
from runtime.geodesy import offset
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.reasons import Reason, State
from sim.authority.pilot import TARGET, Pilot

SECOND_NS = 1_000_000_000


def disarmed(pilot: Pilot) -> None:
    good = pilot.vehicle
    pilot.vehicle = replace(good, armed=False)
    pilot.tick()
    pilot.vehicle = good


def landed(pilot: Pilot) -> None:
    good = pilot.vehicle
    pilot.vehicle = replace(good, in_air=False)
    pilot.tick()
    pilot.vehicle = good


def silent(pilot: Pilot) -> None:
    good = pilot.vehicle
    pilot.vehicle = replace(good, connected=False, armed=False)
    pilot.tick()
    pilot.vehicle = good


def told_of(cause: Reason) -> Callable[[Pilot], None]:
    """As the daemon tells it, event by event."""
    return lambda pilot: pilot.guidance.latch(cause)


def disengaged(pilot: Pilot) -> None:
    pilot.release(Reason.OPERATOR_DISENGAGED)


ENDS_ALL = [
    (disengaged, Reason.OPERATOR_DISENGAGED),
    (disarmed, Reason.WAS_DISARMED),
    (landed, Reason.LANDED),
    (silent, Reason.LINK_LOST),
    *((told_of(cause), cause) for cause in (Reason.WAS_DISARMED, Reason.LANDED, Reason.LINK_LOST, Reason.REBOOTED)),
]
ENDS_CONSENT = [
    *((told_of(cause), cause) for cause in (Reason.FOREIGN_TARGET, Reason.SECOND_AUTOPILOT, Reason.SECOND_COMPANION)),
]


def confirmed() -> Pilot:
    """A target is confirmed, nobody has engaged."""
    pilot = Pilot()
    pilot.to(State.MONITOR)
    pilot.guidance.confirm(TARGET)
    pilot.tick()
    return pilot


def nothing_is_left(pilot: Pilot) -> None:
    """Neither the next transition nor another `engage` makes it fly."""
    assert pilot.guidance.target is None and pilot.guidance.consent_left_ns(pilot.t_ns) is None
    pilot.mode("LOITER")
    assert pilot.tick().state in (State.MONITOR, State.YIELDED)
    with pytest.raises(CommandingError, match="no target is confirmed"):
        pilot.engage()
    pilot.mode("GUIDED")
    assert not any(decision.setpoint for decision in pilot.ticks(20))


@pytest.mark.parametrize(("end", "cause"), ENDS_ALL)
def test_the_end_of_the_vehicles_flight_ends_a_confirmation(end: Callable[[Pilot], None], cause: Reason) -> None:
    pilot = confirmed()
    end(pilot)
    assert cause in pilot.tick().reasons
    nothing_is_left(pilot)


@pytest.mark.parametrize(("end", "cause"), ENDS_CONSENT)
def test_another_will_leaves_a_target_that_nobody_engaged_for(end: Callable[[Pilot], None], cause: Reason) -> None:
    pilot = confirmed()
    end(pilot)
    assert pilot.guidance.target == TARGET and cause not in pilot.tick().reasons


@pytest.mark.parametrize("state", [State.READY, State.ENGAGED])
@pytest.mark.parametrize(("end", "cause"), ENDS_ALL + ENDS_CONSENT)
def test_consent_and_flight_end_with_their_confirmation(
    end: Callable[[Pilot], None], cause: Reason, state: State
) -> None:
    pilot = Pilot()
    pilot.to(state)
    end(pilot)
    told = pilot.tick().reasons
    assert cause in told or (state is State.ENGAGED and end in (disarmed, landed, silent))
    nothing_is_left(pilot)


def test_consent_ends_by_itself_and_says_how_long_it_lasts() -> None:
    pilot = Pilot(settings=GuidanceSettings(consent_ns=30 * SECOND_NS))
    pilot.to(State.READY)
    assert pilot.guidance.last.consent_left_ns == 30 * SECOND_NS - (pilot.guidance.last.t_ns - pilot.t_ns) - 50_000_000
    engaged_ns = pilot.t_ns - 50_000_000
    while pilot.guidance.last.state is State.READY:
        left_ns = pilot.guidance.last.consent_left_ns
        assert left_ns is not None and left_ns == engaged_ns + 30 * SECOND_NS - pilot.t_ns
        pilot.tick()
    assert pilot.t_ns - engaged_ns == 30 * SECOND_NS
    assert Reason.CONSENT_EXPIRED in pilot.guidance.last.reasons and pilot.guidance.last.consent_left_ns is None
    nothing_is_left(pilot)


def test_a_transition_in_the_very_last_moment_grants_and_one_just_after_it_does_not() -> None:
    for late_ns, flies in ((-1, True), (0, False)):
        pilot = Pilot(settings=GuidanceSettings(consent_ns=30 * SECOND_NS))
        pilot.to(State.READY)
        until_ns = pilot.t_ns - 50_000_000 + 30 * SECOND_NS
        while pilot.t_ns < until_ns - 50_000_000:
            pilot.tick()
        pilot.t_ns = until_ns + late_ns
        pilot.mode("GUIDED")  # between two ticks: only the transition itself can tell
        assert (pilot.tick().setpoint is not None) == flies


def test_a_flight_that_was_granted_in_time_is_not_ended_by_the_time_limit() -> None:
    pilot = Pilot(settings=GuidanceSettings(consent_ns=10 * SECOND_NS))
    pilot.to(State.ENGAGED)
    decisions = pilot.ticks(15 * 20)
    assert all(decision.state is State.ENGAGED and decision.consent_left_ns is None for decision in decisions)
    assert any(decision.setpoint for decision in decisions[-20:])


def test_engaging_again_lasts_from_then_on() -> None:
    pilot = Pilot(settings=GuidanceSettings(consent_ns=30 * SECOND_NS))
    pilot.to(State.READY)
    pilot.ticks(20 * 20)
    pilot.engage()
    pilot.ticks(20 * 20)
    assert pilot.guidance.last.state is State.READY


def test_consent_on_the_ground_lasts_through_the_take_off() -> None:
    """Being on the ground ends nothing, coming down does: who engages before he takes off means this flight."""
    pilot = Pilot()
    air = pilot.vehicle
    pilot.vehicle = replace(air, armed=False, in_air=False)
    pilot.mode("LOITER", first=True)
    pilot.tick()
    pilot.guidance.confirm(TARGET)
    pilot.engage()
    pilot.ticks(20)
    pilot.vehicle = replace(air, in_air=False)
    pilot.ticks(20)
    pilot.vehicle = air
    assert pilot.tick().state is State.READY


def test_a_vehicle_that_answers_for_the_first_time_ends_nothing() -> None:
    pilot = Pilot()
    pilot.guidance.confirm(TARGET)
    pilot.engage()
    pilot.tick()
    pilot.mode("LOITER", first=True)
    assert pilot.tick().state is State.READY


def test_the_same_target_again_keeps_the_consent_and_another_ends_it() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.guidance.confirm(TARGET)
    assert pilot.tick().state is State.READY
    pilot.guidance.confirm(offset(TARGET, 30.0, 0.0))
    assert Reason.NOT_ENGAGED in pilot.tick().reasons
    pilot.engage()
    assert pilot.tick().state is State.READY
