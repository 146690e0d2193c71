"""Scenarios without GPS: it is cut in flight or was never there, and the drone goes where it was told by sight alone.

A PASS, in words: the vehicle is within 5 m of the place that was pointed at (10 m where all it knows is a satellite
map) and recognises it; nothing was commanded without authority; the camera's word was never wrong and sure of itself;
GPS was not accused while it was honest. Where it begins with nothing, it knows where it is within 10 s of the first
frame; after having been carried away under a covered lens it had given up its place within 3 s, and has found the new
one 15 s after the lens is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from runtime.debrief.sightings import Moment, first_right_s
from sim.scenario.aircraft import Flight, Launcher
from sim.scenario.by_sight import (
    CAMERA_NS,
    FED_LIMIT_S,
    SIGHT_LIMIT_S,
    choose,
    judge,
    sees,
    takes_what_it_is_fed,
    trusted_ns,
    upwind_of_middle,
    wait_until,
)
from sim.scenario.conditions import LITTLE_LIGHT, Conditions, Hills
from sim.scenario.course import Course, Done, Say
from sim.scenario.engagement import ARRIVE_WEIGHT, arrive, leg_of, status_of
from sim.scenario.histories import cut_map, fly_history
from sim.scenario.outcome import Ended, Recording
from sim.scenario.plan import Point
from sim.scenario.questions import Question, write_questions
from sim.scenario.setup import RunOptions, Site
from sim.scenario.sight_outcome import MAX_ARRIVAL_BY_MAP_M, SightOutcome, lost_after_s
from sim.scenario.survey import SURVEY_WEIGHT, fly_survey

_AFTER_CUT_S = 5.0  # of hovering without GPS before the pilot grants anything
_COVERED_S, _CARRIED_S, _CARRIED_M = 20.0, 12.0, 150.0
_FOUND_AGAIN_S = 60.0
_SURVEY_PERIOD_NS = 1_500_000_000  # 12 m of flight: every second frame is a keyframe, as every third is at 1 s
_HISTORY_WEIGHT, _FIND_WEIGHT = SURVEY_WEIGHT, 0.7
_DRIFT_S = 10.0  # for so long the wind has a drone that knows nothing yet


@dataclass(frozen=True, slots=True)
class Denied:
    """A scenario whose main flight begins in the air without any GPS, over ground that was seen before.

    ``before``: the conditions of the flight that recorded the history; None: there is a satellite map alone.
    """

    name: str
    before: Conditions | None = Conditions()  # noqa: RUF009
    now: Conditions = Conditions(receiver=False, fed=True)  # noqa: RUF009
    kidnapped: bool = False


FROM_START = Denied("denied-from-start")
BY_MAP = Denied("denied-map", before=None)
KIDNAPPED = Denied("kidnapped", kidnapped=True)
WIND = Denied("wind", now=Conditions(receiver=False, fed=True, wind_m_s=9.0, gust_m_s=2.0))
DUSK = Denied("dusk", now=Conditions(receiver=False, fed=True, date="dusk", faults=LITTLE_LIGHT))
SEASONS = Denied("seasons", before=Conditions(date="satellite"))
ALTITUDE = Denied("altitude", before=Conditions(height_m=65.0))
_AHEAD = Conditions(camera_pitch_deg=-45.0)
RELIEF, RELIEF_UNKNOWN = (
    Denied(name, Conditions(hills=hills), Conditions(receiver=False, fed=True, hills=hills))
    for name, hills in (("relief", Hills.KNOWN), ("relief-unknown", Hills.UNKNOWN))
)
OBLIQUE = Denied("oblique", before=_AHEAD, now=replace(_AHEAD, receiver=False, fed=True))


def fly_denied(
    site: Site,
    say: Say,
    launcher: Launcher = RunOptions(conditions=Conditions(fed=True)),  # noqa: B008
    done: Done = lambda share: None,
) -> tuple[SightOutcome, Recording]:
    """``denied``: a survey with GPS, which is cut at the far side; the way to the target is flown by sight."""
    outcome, recording = SightOutcome(scenario="denied"), Recording({})
    course = Course(done, SURVEY_WEIGHT + _FIND_WEIGHT + ARRIVE_WEIGHT)
    moments: list[Moment] = []
    run = launcher.launch(site, "denied", record=True)
    flight = run.flight
    try:
        with course.stage(SURVEY_WEIGHT):
            fly_survey(site, flight, say, course, period_ns=_SURVEY_PERIOD_NS)
        questions = write_questions(site.world, site.plan, site.out / "targets")
        with course.stage(_FIND_WEIGHT):
            say("hover at the far side until the camera knows the place")
            flight.expose_every(CAMERA_NS)
            wait_until(flight, sees, SIGHT_LIMIT_S)

        def cut() -> None:
            say("cut GPS")
            moments.append(Moment(flight.t_ns, "GPS cut"))
            flight.cut_gps()
            flight.fly(_AFTER_CUT_S)

        ended = _fly_to_target(site, flight, questions, say, outcome, recording, course, cut, moments)
    finally:
        run.close()
    outcome.legs.append(leg_of(outcome.scenario, flight, ended))
    cut_ns = next((one.t_ns for one in moments if one.what == "GPS cut"), flight.t_ns)
    sights = judge(site, run, "denied", outcome, recording, moments, cut_ns)
    outcome.false_alarms += sum(one.what == "GPS doubted" for one in sights.moments)
    return outcome, recording


def fly_without_gps(
    scenario: Denied,
    site: Site,
    say: Say,
    launcher: Launcher = RunOptions(),  # noqa: B008
    done: Done = lambda share: None,
) -> tuple[SightOutcome, Recording]:
    """A scenario that has no GPS from the beginning; a history that is there already is not recorded again."""
    outcome = SightOutcome(scenario=scenario.name, asked_first_fix=True, kidnapped=scenario.kidnapped)
    if scenario.before is None:
        outcome.max_arrival_error_m = MAX_ARRIVAL_BY_MAP_M
    recording = Recording({})
    course = Course(done, _HISTORY_WEIGHT + _FIND_WEIGHT * (1 + 2 * scenario.kidnapped) + ARRIVE_WEIGHT)
    with course.stage(_HISTORY_WEIGHT):
        remember(scenario.before, site, say, launcher, course, outcome, recording)
    questions = write_questions(site.world, site.plan, site.out / "targets")
    start = upwind_of_middle(site, scenario.now.wind_ne_m_s(site.seed_of(scenario.name)), _DRIFT_S)
    run = launcher.meeting(scenario.now).launch(site, scenario.name, record=False, airborne=start)
    flight, moments = run.flight, [Moment(run.flight.t_ns, "without GPS")]
    begun_ns = flight.t_ns
    try:
        with course.stage(_FIND_WEIGHT):
            say("in the air without GPS: find out where that is")
            flight.expose_every(CAMERA_NS)
            flight.station.watch_estimator()
            wait_until(flight, sees, SIGHT_LIMIT_S)
            _hold(flight)
        if scenario.kidnapped:
            with course.stage(2 * _FIND_WEIGHT):
                _kidnap(site, flight, say, moments)
        ended = _fly_to_target(site, flight, questions, say, outcome, recording, course, lambda: None, moments)
    finally:
        run.close()
    outcome.legs.append(leg_of(outcome.scenario, flight, ended))
    sights = judge(site, run, scenario.name, outcome, recording, moments, begun_ns)
    outcome.first_fix_s = first_right_s(sights.sightings, begun_ns)
    if scenario.kidnapped:
        covered, free = (next(one.t_ns for one in moments if one.what == what) for what in ("covered", "lens free"))
        outcome.lost_after_s = lost_after_s(trusted_ns(run.log_path), covered, free)
        outcome.recovery_s = first_right_s(sights.sightings, free)
    outcome.false_alarms += sum(one.what == "GPS doubted" for one in sights.moments)
    return outcome, recording


def remember(
    before: Conditions | None, site: Site, say: Say, launcher: Launcher, course: Course, outcome: SightOutcome,
    recording: Recording,
) -> None:  # fmt: skip
    """Sees to it that there is a history: recorded under the conditions ``before``, or cut from the map."""
    if site.history.exists():
        say("the history was recorded before")
    elif before is None:
        cut_map(site, say, course)
    else:
        fly_history(site, say, launcher, before, course, outcome, recording)


def _hold(flight: Flight) -> None:
    """The pilot lets the autopilot hold the place as soon as it can: it needs a position for that."""
    if wait_until(flight, takes_what_it_is_fed, FED_LIMIT_S):
        flight.pilot_set_mode("LOITER")
        flight.fly(2.0)


def _kidnap(site: Site, flight: Flight, say: Say, moments: list[Moment]) -> None:
    """The lens is covered, the pilot takes over by hand, and the drone is elsewhere when it sees again."""
    say("cover the lens, and carry the drone away")
    here, place = flight.truth_now().ground, _elsewhere(site, flight.truth_now().ground)
    moments.append(Moment(flight.t_ns, "covered"))
    flight.pilot_set_mode("ALT_HOLD")
    flight.cover_camera(True)
    flight.carry_to(place, _CARRIED_S)
    flight.fly(_COVERED_S - _CARRIED_S)
    flight.cover_camera(False)
    moments.append(Moment(flight.t_ns, "lens free"))
    say(f"find out again: carried {math.dist(here, flight.truth_now().ground):.0f} m")
    wait_until(flight, sees, _FOUND_AGAIN_S)
    _hold(flight)


def _elsewhere(site: Site, here: Point) -> Point:
    """Over the survey too, as far away as it allows and no farther than it is carried."""
    area = site.plan.survey
    corners = [(north, east) for north in (area.south_m + 30, area.north_m - 30)
               for east in (area.west_m + 30, area.east_m - 30)]  # fmt: skip
    far = max(corners, key=lambda corner: math.dist(corner, here))
    share = min(1.0, _CARRIED_M / max(math.dist(far, here), 1.0))
    return here[0] + share * (far[0] - here[0]), here[1] + share * (far[1] - here[1])


def _fly_to_target(
    site: Site, flight: Flight, questions: list[Question], say: Say, outcome: SightOutcome, recording: Recording,
    course: Course, before_grant: Callable[[], None], moments: list[Moment],
) -> Ended:  # fmt: skip
    reply = choose(site.world.origin, flight, questions)
    recording.chosen = reply
    if reply is None:
        return Ended(False, "no target was recognised")
    outcome.replies.append(reply)
    say(f"fly to {reply.question.name}")

    def granted() -> None:
        before_grant()
        moments.append(Moment(flight.t_ns, "granted"))

    with course.stage(ARRIVE_WEIGHT):
        ended = arrive(site, flight, reply.question, outcome, recording, course, granted)
    moments.append(Moment(flight.t_ns, str(status_of(flight)["phase"]).replace("_", " ")))
    return ended
