"""Scenario ``return``: survey, ask, fly to a place that was pointed at, and the ways in which it must be stopped."""

from __future__ import annotations

from sim.scenario.aircraft import Flight, Launcher
from sim.scenario.course import Course, Done, Say
from sim.scenario.engagement import ARRIVE_WEIGHT, arrive, leg_of
from sim.scenario.interference import INTERFERENCES, INTERRUPTED_WEIGHT, fly_interrupted
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.questions import Reply, ask_where, write_questions
from sim.scenario.setup import RunOptions, Site
from sim.scenario.survey import SURVEY_PERIOD_NS, SURVEY_WEIGHT, fly_survey
from sim.scenario.truth import first_command_ns, note

RETURN_PERIOD_NS = 500_000_000  # between frames
_ASK_WEIGHT = 2.0  # what it takes of a scenario's time, roughly


def fly_return(
    site: Site,
    say: Say,
    launcher: Launcher = RunOptions(),  # noqa: B008
    done: Done = lambda share: None,
    survey_period_ns: int = SURVEY_PERIOD_NS,
    return_period_ns: int = RETURN_PERIOD_NS,
) -> tuple[Outcome, Recording]:
    """The whole scenario; `say` is told what begins, `done` how much of the whole is behind; the survey has a frame
    every ``survey_period_ns``, the flight to the target every ``return_period_ns``."""
    outcome, recording = Outcome(), Recording({})
    course = Course(done, SURVEY_WEIGHT + _ASK_WEIGHT + ARRIVE_WEIGHT + INTERRUPTED_WEIGHT * len(INTERFERENCES))
    run, ended = launcher.launch(site, "return", record=True), None
    try:
        with course.stage(SURVEY_WEIGHT):
            fly_survey(site, run.flight, say, course, period_ns=survey_period_ns)
        with course.stage(_ASK_WEIGHT):
            outcome.replies = _ask_all(site, run.flight, say, course)
        run.flight.expose_every(return_period_ns)
        chosen = next((reply for reply in outcome.replies if reply.accepted and reply.question.flown), None)
        recording.chosen = chosen
        if chosen is not None:
            say(f"fly to {chosen.question.name}")
            with course.stage(ARRIVE_WEIGHT):
                ended = arrive(site, run.flight, chosen.question, outcome, recording, course)
    finally:
        run.close()
    if ended is not None:
        outcome.legs.append(leg_of("return", run.flight, ended))
    note(site, run, "return", outcome, recording, first_command_ns(run.flight))
    if chosen is not None:
        fly_interrupted(site, say, launcher, chosen.question, outcome, recording, course)
    return outcome, recording


def _ask_all(site: Site, flight: Flight, say: Say, course: Course) -> list[Reply]:
    questions = write_questions(site.world, site.plan, site.out / "targets")
    say(f"locate {len(site.plan.targets)} targets and {len(site.plan.outside)} places never flown over")
    flight.expose_every(10 * SURVEY_PERIOD_NS)  # hovering shows nothing new
    replies: list[Reply] = []
    for question in questions:
        course.at(len(replies) / len(questions))
        replies.append(ask_where(flight, question, site.world.origin))
    return replies
