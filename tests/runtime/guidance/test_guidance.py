"""The state machine: who may start it, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.errors import CommandingError
from runtime.geodesy import offset
from runtime.guidance.reasons import Reason, State
from sim.authority.pilot import HOME, TARGET, Pilot


@pytest.mark.parametrize("state", [state for state in State if state is not State.DISABLED])
def test_every_state_is_reached_the_usual_way(state: State) -> None:
    assert Pilot().to(state).state is state


def test_disabled_without_limits_and_nothing_enables_it() -> None:
    pilot = Pilot(disabled=True)
    pilot.mode("LOITER", first=True)
    pilot.guidance.confirm(TARGET)
    with pytest.raises(CommandingError, match="disabled"):
        pilot.engage()
    pilot.tick()
    pilot.mode("GUIDED")
    decision = pilot.tick()
    assert decision.state is State.DISABLED and decision.setpoint is None
    assert decision.reasons == (Reason.COMMANDING_DISABLED,)


def test_engage_needs_a_confirmed_target() -> None:
    pilot = Pilot()
    pilot.guidance.propose()
    with pytest.raises(CommandingError, match="no target is confirmed"):
        pilot.engage()
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
    pilot.engage()
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
    pilot.guidance.confirm(TARGET)
    pilot.engage()
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
    with pytest.raises(CommandingError, match="no target is confirmed"):
        pilot.engage()
    pilot.guidance.confirm(TARGET)
    pilot.engage()
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
