"""Scenario ``spoofed``: somebody forges the satellite signals while the drone flies by them to a target.

A PASS, in words: each forgery, dragged away at 0.5, 1, 2 and 5 m/s or a single step, is noticed by sight before the
receiver is 20 m off the truth (a step: before it is taken for true); none is noticed that is not there; nothing is
commanded on a position that has been found to be a lie, and nothing without authority; and the camera's own word was
never wrong and sure of itself.
"""

from __future__ import annotations

import math

import numpy as np

from runtime.debrief.sightings import Moment
from sim.scenario.aircraft import Flight, Launcher
from sim.scenario.by_sight import CAMERA_NS, SIGHT_LIMIT_S, choose, judge, sees, upwind_of_middle, wait_until
from sim.scenario.conditions import Conditions
from sim.scenario.course import Course, Done, Say
from sim.scenario.denied import remember
from sim.scenario.engagement import engage, leg_of, status_of
from sim.scenario.outcome import Ended, Recording
from sim.scenario.questions import Question, write_questions
from sim.scenario.setup import RunOptions, Site
from sim.scenario.sight_outcome import STEP, SightOutcome
from sim.scenario.spoof_alarm import SpoofAlarm, spoof_alarm
from sim.scenario.survey import SURVEY_WEIGHT

RATES_M_S = (0.5, 1.0, 2.0, 5.0)
STEP_M = 60.0
_UNDER_WAY_S = 3.0  # of flight by GPS before it lies
_NOTICED_LIMIT_S, _NOTICED_LIMIT_M = 90.0, 60.0
_WATCHED_S = 6.0  # afterwards, for a command that must not come
_HEARD_NS = 300_000_000  # until an alarm has stopped what was on its way
_EACH_WEIGHT = 1.0
_MET = Conditions(fed=True)


def fly_spoofed(
    site: Site,
    say: Say,
    launcher: Launcher = RunOptions(),  # noqa: B008
    done: Done = lambda share: None,
) -> tuple[SightOutcome, Recording]:
    """One flight for each drag and one for the step, over one history."""
    outcome, recording = SightOutcome(scenario="spoofed", max_arrival_error_m=None), Recording({})
    names = {f"drag_{rate:g}_m_s": rate for rate in RATES_M_S} | {STEP: 0.0}
    course = Course(done, SURVEY_WEIGHT + _EACH_WEIGHT * len(names))
    with course.stage(SURVEY_WEIGHT):
        remember(Conditions(), site, say, launcher, course, outcome, recording)
    questions = write_questions(site.world, site.plan, site.out / "targets")
    for name, rate in names.items():
        say(f"fly by GPS that is forged: {name.replace('_', ' ')}")
        with course.stage(_EACH_WEIGHT):
            fly_forged(site, launcher, questions, name, rate, outcome, recording)
    return outcome, recording


def fly_forged(
    site: Site, launcher: Launcher, questions: list[Question], name: str, rate_m_s: float, outcome: SightOutcome,
    recording: Recording,
) -> None:  # fmt: skip
    """One flight to a target by GPS, which begins to lie on the way: dragged at ``rate_m_s``, or by a step where 0."""
    start = upwind_of_middle(site, (0.0, 0.0), 0.0)
    run = launcher.meeting(_MET).launch(site, name, record=False, airborne=start)
    flight, moments = run.flight, [Moment(run.flight.t_ns, "with GPS")]
    begun_ns = flight.t_ns
    try:
        flight.expose_every(CAMERA_NS)
        wait_until(flight, sees, SIGHT_LIMIT_S)
        reply = choose(site.world.origin, flight, questions)
        engaged = reply is not None and engage(site, flight, reply.question)
        flight.fly(_UNDER_WAY_S)
        moments.append(Moment(flight.t_ns, "forged"))
        begun_ns = flight.t_ns
        _forge(flight, site.seed, rate_m_s)
        _until_noticed(flight)
        flight.fly(_WATCHED_S)
    finally:
        run.close()
    sights = judge(site, run, name, outcome, recording, moments, moments[0].t_ns)
    alarms = [one.t_ns for one in sights.moments if one.what == "GPS doubted"]
    assert sights.truth is not None
    alarm = spoof_alarm(alarms, sights.received, sights.truth, begun_ns)
    outcome.forged[name] = alarm
    outcome.false_alarms += sum(t_ns < begun_ns for t_ns in alarms)
    late = _commands_after(flight, alarms[0]) if alarms else 0
    outcome.commands_after_alarm += late
    outcome.legs.append(leg_of(name, flight, Ended(engaged and late == 0, _story(alarm, late, engaged))))


def _forge(flight: Flight, seed: int, rate_m_s: float) -> None:
    direction = float(np.random.default_rng([seed, 61, int(10 * rate_m_s)]).uniform(-math.pi, math.pi))
    north, east = math.cos(direction), math.sin(direction)
    if rate_m_s:
        flight.drag_gps(rate_m_s * north, rate_m_s * east)
    else:
        flight.step_gps(STEP_M * north, STEP_M * east)


def _until_noticed(flight: Flight) -> None:
    for _ in range(int(_NOTICED_LIMIT_S)):
        flight.fly(1.0)
        gone_too_far = math.hypot(*flight.gps_offset_ne_m) > _NOTICED_LIMIT_M + 1.0
        if status_of(flight)["navigation"]["alarm"] is not None or gone_too_far:
            return


def _commands_after(flight: Flight, alarm_ns: int) -> int:
    return sum(command.t_ns > alarm_ns + _HEARD_NS for command in flight.referee.commands)


def _story(alarm: SpoofAlarm | None, late: int, engaged: bool) -> str:
    if not engaged:
        return "never engaged"
    noticed = "not noticed" if alarm is None else f"noticed after {alarm.s:.1f} s, {alarm.offset_m:.1f} m off"
    return f"{noticed}; {late} commands afterwards"
