"""An autopilot that wants a stream: what idles before its guided mode is no command, what holds at the target lasts."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.guidance.reasons import Phase, Reason, State
from runtime.values import GeoPoint
from tests.runtime.guidance.flying import TARGET
from tests.runtime.guidance.test_authority import (
    ARRIVE,
    NEVER,
    STORIES,
    USUAL,
    WORDS,
    Story,
    _without_word,
    told,
    violations,
)


def idle_violations(story: Story) -> list[str]:
    """Every idle target of a story that had no business to flow, and why."""
    found = []
    for index, line in enumerate(story.lines):
        if line.decision is None or line.decision.idle is None:
            continue
        assert line.vehicle is not None
        idle, before = line.decision.idle, story.lines[:index]
        modes = [one.what for one in before if one.what.startswith(("mode", "first"))]
        facts = {
            "in the guided mode": bool(modes) and modes[-1].endswith("GUIDED"),
            "not at the present point": idle.position != line.vehicle.position,
            "not at the present height": idle.altitude_amsl_m != line.vehicle.altitude_amsl_m,
            "beside a target": line.decision.setpoint is not None,
            "to an autopilot that wants none": not line.vehicle.wants_stream,
        }
        found += [f"{index}: {what}" for what, holds in facts.items() if holds]
        found += [f"{index}: {what}" for what in _without_word(before, line.t_ns)]
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(STORIES, WORDS))
def test_nothing_idles_without_the_operators_word_in_any_story(events: list[str]) -> None:
    story = told(events, streamed=True)
    assert violations(story) == [] and idle_violations(story) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
def test_nothing_idles_in_a_vehicle_that_is_not_fit(events: list[str]) -> None:
    story = told([], streamed=True)
    for event in events:
        story.play(event)
        decision = story.lines[-1].decision
        assert decision is None or decision.idle is None or not story.flaws & NEVER


def test_the_present_point_idles_from_ready_to_the_pilots_switch() -> None:
    story = told([*USUAL, "tick"], streamed=True)
    idles = [line.decision.idle for line in story.lines if line.decision is not None]
    assert [idle is not None for idle in idles] == [False, True, False, False]
    targets = [line.decision.setpoint for line in story.lines if line.decision is not None]
    assert targets[2] is not None and targets[2].position != idles[1].position, "the way begins with the switch"


def test_an_autopilot_that_keeps_its_target_gets_no_stream() -> None:
    assert all(line.decision is None or line.decision.idle is None for line in told(USUAL).lines)


def test_a_switch_before_ready_ends_the_stream() -> None:
    story = told(["first GUIDED", "tick", "confirm", "engage", *["tick"] * 5], streamed=True)
    assert all(line.decision is None or line.decision.idle is None for line in story.lines)


def held(streamed: bool) -> list[tuple[State, Phase, GeoPoint | None]]:
    """What guidance says in the two minutes after an arrival that the live view confirms."""
    story = told([*USUAL, *ARRIVE, *["tick"] * 40], streamed=streamed)
    said = [line.decision for line in story.lines if line.decision is not None][-40:]
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
    story = told([*USUAL, *ARRIVE, "mode LOITER", *["tick"] * 10], streamed=True)
    last = [line.decision for line in story.lines if line.decision is not None][-10:]
    assert all(one.setpoint is None and one.idle is None and one.state is State.YIELDED for one in last)
    assert Reason.MODE_CHANGED in last[-1].reasons
