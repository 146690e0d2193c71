"""A plane: given its target once, circling there, with the circle inside every limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from runtime.geodesy import offset
from runtime.guidance.guidance import Guidance
from runtime.guidance.limits import Area, Limits
from runtime.guidance.reasons import Phase, Reason, State
from runtime.guidance.situation import Situation
from runtime.values import GeoPoint
from sim.authority.happenings import HAPPENINGS
from sim.authority.outcomes import brought_to, switched
from sim.authority.pilot import HOME, START, TARGET, Pilot, limits, square
from tests.runtime.guidance.referee import CIRCLE_M, Referee
from tests.runtime.guidance.test_authority import LONG, Stories


def flying(guidance: type[Guidance] = Guidance) -> Pilot:
    """At cruise, 200 m from its target and more."""
    pilot = Pilot(guidance=guidance, circling=True)
    pilot.to(State.ENGAGED)
    return pilot


def sent(pilot: Pilot) -> list[tuple[str, GeoPoint]]:
    return [(line.setpoint.reason, line.setpoint.position) for line in pilot.story if line.setpoint is not None]


class CirclingStories(Stories):
    circling = True


def test_no_target_without_authority_in_any_story_of_a_plane() -> None:
    run_state_machine_as_test(CirclingStories, settings=settings(LONG, max_examples=15))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("state", [State.READY, State.ENGAGED])
def test_nothing_that_happens_to_a_plane_sends_what_must_not_be(state: State) -> None:
    flown = 0
    for happening in HAPPENINGS:
        pilot, referee = brought_to(state, happening.by_sight, circling=True), Referee()
        switched(pilot, happening, "GUIDED", again=True)
        assert referee.hear_all(pilot.story) == [], (happening.group, happening.words)
        flown += referee.flown
    assert flown > 30


def test_it_is_given_the_target_itself_once() -> None:
    pilot = flying()
    pilot.seconds(5.0)
    assert sent(pilot) == [("en route", TARGET)]
    assert pilot.guidance.last.reasons == (Reason.NOT_DUE,)


@pytest.mark.parametrize(("late_s", "flies"), [(0.5, True), (4.0, False)])
def test_it_is_sent_nowhere_before_it_says_that_guided_began_where_it_is(late_s: float, flies: bool) -> None:
    """A fence may have switched it, to lead it back: then it flies to somewhere else, and nobody granted anything."""
    pilot = Pilot(circling=True)
    pilot.to(State.READY)
    pilot.vehicle = replace(pilot.vehicle, entered_here=False)
    pilot.mode("GUIDED")
    pilot.seconds(late_s)
    assert sent(pilot) == [] and Reason.ENTRY_UNKNOWN in pilot.story[-1].reasons or not flies
    pilot.vehicle = replace(pilot.vehicle, entered_here=True)
    pilot.tick()
    assert sent(pilot) == ([("en route", TARGET)] if flies else [])
    assert Referee().hear_all(pilot.story) == []


def test_a_target_that_the_autopilot_does_not_report_is_sent_again_each_second() -> None:
    pilot = flying()
    for _ in range(60):  # three seconds
        pilot.taken = False
        pilot.tick()
    assert len(sent(pilot)) == 4 and set(sent(pilot)) == {("en route", TARGET)}
    pilot.taken = True
    pilot.seconds(3.0)
    assert len(sent(pilot)) == 4


@pytest.mark.parametrize(("away_m", "there"), [(CIRCLE_M + 1.0, False), (CIRCLE_M - 1.0, True), (60.0, True)])
def test_it_is_there_once_it_is_on_its_circle_at_whatever_speed(away_m: float, there: bool) -> None:
    pilot = flying()
    pilot.here = offset(TARGET, -away_m, 0.0)
    pilot.tick()
    assert (pilot.guidance.last.phase is Phase.HOLDING) is there
    assert sent(pilot) == [("en route", TARGET)], "it circles there already"


@pytest.mark.parametrize(("seen_m", "phase"), [(96.0, Phase.CONFIRMED), (200.0, Phase.NOT_CONFIRMED)])
def test_fixes_on_the_circle_confirm_it(seen_m: float, phase: Phase) -> None:
    pilot = flying()
    for second in range(25):
        pilot.here = offset(TARGET, *((-96.0, 0.0) if second % 2 else (0.0, -96.0)))
        pilot.tick()
        pilot.sees(offset(TARGET, -seen_m, 0.0))
        pilot.seconds(1.0)
    assert pilot.guidance.last.phase is phase and pilot.guidance.last.state is State.YIELDED
    assert len(sent(pilot)) == 1


def test_a_target_whose_circle_leaves_the_area_is_not_flown_to() -> None:
    """320 m from the middle of the area, 2 m of them for the sigma of the position."""
    for north_m, reason in ((317.0, None), (319.0, Reason.TARGET_OUTSIDE_AREA)):
        pilot = Pilot(operator_limits=limits(max_distance_m=900.0), circling=True)
        pilot.mode("LOITER", first=True)
        pilot.confirm(offset(HOME, north_m, 0.0))
        pilot.engage()
        found = set(pilot.tick().reasons) - {Reason.MODE_NOT_GUIDED, Reason.AUTHORITY_NOT_GRANTED}
        assert found == (set() if reason is None else {reason})


def test_it_is_told_to_circle_where_it_is_when_a_flight_ends() -> None:
    pilot = flying()
    pilot.vehicle = replace(pilot.vehicle, battery_percent=10.0)
    pilot.tick()
    assert sent(pilot)[-1] == ("hold: battery_reserve", START)
    at_the_border = flying()
    at_the_border.here = offset(HOME, -400.0, 0.0)  # the circle would reach 80 m over it
    at_the_border.tick()
    assert Reason.OUTSIDE_AREA in at_the_border.guidance.last.reasons and len(sent(at_the_border)) == 1


def test_guidance_that_forgets_the_circle_is_caught() -> None:
    class Forgetful(Guidance):
        def _limits_of(self, vehicle: Situation, limits: Limits) -> Limits:
            return limits

    pilot = flying(Forgetful)
    pilot.here = offset(HOME, -400.0, 0.0)
    pilot.tick()
    pilot.release(Reason.OPERATOR_DISENGAGED)
    assert Referee().hear_all(pilot.story)


def test_an_area_is_inset_from_its_border_and_from_what_is_excluded() -> None:
    hole = [offset(HOME, north, east) for north, east in ((-50, -50), (-50, 50), (50, 50), (50, -50))]
    area = Area(square(), [hole]).inset(120.0)
    for north_m in range(-500, 501, 7):
        inside = 170.0 <= abs(north_m) <= 380.0
        assert area.contains(offset(HOME, float(north_m), 0.0)) is inside, north_m
    ways = [((-300.0, 0.0), (-300.0, 200.0)), ((-300.0, 0.0), (300.0, 0.0))]
    assert [area.contains_path(offset(HOME, *a), offset(HOME, *b)) for a, b in ways] == [True, False]


def test_an_area_that_is_too_small_for_the_circle_holds_nothing() -> None:
    area = Area(square(200.0)).inset(120.0)
    assert not area.contains(HOME) and not area.contains_path(HOME, offset(HOME, 1.0, 0.0))
    assert not area.contains(HOME, ((4.0, 0.0), (0.0, 4.0)))
