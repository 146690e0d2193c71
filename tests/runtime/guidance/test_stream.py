"""An autopilot that wants a stream: what idles before its guided mode is no command, what holds at the target lasts."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from runtime.guidance.reasons import Phase, Reason, State
from runtime.values import GeoPoint
from sim.authority.happenings import HAPPENINGS, Happening
from sim.authority.outcomes import brought_to, switched
from sim.authority.pilot import TARGET, Pilot
from tests.runtime.guidance.referee import Referee
from tests.runtime.guidance.test_authority import LONG, Stories

ARRIVES = next(one for one in HAPPENINGS if one.words == "arrives, and the live view agrees")


class StreamedStories(Stories):
    """The same stories with an autopilot that wants a stream."""

    streamed = True


def test_nothing_idles_without_the_operators_word_in_any_story() -> None:
    run_state_machine_as_test(StreamedStories, settings=settings(LONG, max_examples=25))  # type: ignore[no-untyped-call]


def test_nothing_idles_without_right_whatever_happens() -> None:
    idled = 0
    for happening in HAPPENINGS:
        for state in (State.MONITOR, State.READY, State.ENGAGED):
            pilot = brought_to(state, happening.by_sight, streamed=True)
            switched(pilot, happening, "GUIDED", again=True)
            assert Referee().hear_all(pilot.story) == [], (happening.group, happening.words, state)
            idled += sum(line.idle is not None for line in pilot.story)
    assert idled > 100


def test_the_referee_knows_an_idle_target_that_has_no_right() -> None:
    """READY's idle stream, told to a vehicle that is not fit, or without the operator's word."""
    story = brought_to(State.READY, streamed=True).story
    assert Referee().hear_all(story) == [] and story[-1].idle is not None
    for left_out in ("engage", "confirm"):
        assert Referee().hear_all([line for line in story if line.what != left_out])


def test_the_present_point_idles_from_ready_to_the_pilots_switch() -> None:
    pilot = Pilot(streamed=True)
    pilot.to(State.ENGAGED)
    pilot.tick()
    lines = [line for line in pilot.story if line.what == "tick"]
    assert [line.idle is not None for line in lines] == [False, True, False, False]
    (idle, target) = lines[1].idle, lines[2].setpoint
    assert idle is not None and target is not None
    assert target.position != idle.position, "the way begins with the switch"


def test_an_autopilot_that_keeps_its_target_gets_no_stream() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    assert all(line.idle is None for line in pilot.story)


def test_a_switch_before_ready_ends_the_stream() -> None:
    pilot = Pilot(streamed=True)
    pilot.mode("GUIDED", first=True)
    pilot.tick()
    pilot.confirm(TARGET)
    pilot.engage()
    assert all(decision.idle is None for decision in pilot.ticks(5))


def arrived(streamed: bool) -> Pilot:
    pilot = Pilot(streamed=streamed)
    pilot.to(State.ENGAGED)
    ARRIVES.begin(pilot)
    return pilot


def held(streamed: bool) -> list[tuple[State, Phase, GeoPoint | None]]:
    """What guidance says in the two seconds after an arrival that the live view confirmed."""
    said = arrived(streamed).ticks(40)
    return [(one.state, one.phase, None if one.setpoint is None else one.setpoint.position) for one in said]


def test_the_hold_at_the_target_is_streamed_until_the_pilot_takes_the_vehicle() -> None:
    said = held(streamed=True)
    assert {(state, phase) for state, phase, _ in said} == {(State.ENGAGED, Phase.CONFIRMED)}
    points = [point for _, _, point in said]
    assert {point for point in points if point is not None} == {TARGET}
    gaps = [index for index, point in enumerate(points) if point is not None]
    assert max(b - a for a, b in zip(gaps, gaps[1:], strict=False)) * 0.05 <= 0.5, "or OFFBOARD would be lost"


def test_where_the_autopilot_holds_by_itself_nothing_follows_the_arrival() -> None:
    assert {(state, point) for state, _, point in held(streamed=False)} == {(State.YIELDED, None)}


def test_leaving_the_guided_mode_ends_the_streamed_hold() -> None:
    pilot = arrived(streamed=True)
    pilot.mode("LOITER")
    last = pilot.ticks(10)
    assert all(one.setpoint is None and one.idle is None and one.state is State.YIELDED for one in last)
    assert Reason.MODE_CHANGED in last[-1].reasons


@pytest.mark.parametrize("happening", [one for one in HAPPENINGS if one.vehicle], ids=lambda one: one.words)
def test_nothing_idles_in_a_vehicle_that_is_not_fit(happening: Happening) -> None:
    pilot = brought_to(State.READY, happening.by_sight, streamed=True)
    happening.begin(pilot)
    decision = pilot.tick()
    age_s = pilot.vehicle.heartbeat_age_s  # an older heartbeat does not say that the switch has not come
    assert (decision.idle is not None) == (decision.state is State.READY and age_s is not None and age_s <= 1.5)
