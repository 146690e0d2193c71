"""Scenario ``return``: survey, ask, fly to a place that was pointed at, and the ways in which it must be stopped."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from runtime.flightlog.flightlog import read_flightlog
from runtime.geodesy import north_east_m, offset
from runtime.values import GeoPoint, ImageRGB
from sim.scenario.aircraft import Flight, Run, Truth
from sim.scenario.course import Course, Done, unseen
from sim.scenario.crew import take_off_and_survey, until
from sim.scenario.outcome import Leg, Outcome
from sim.scenario.plan import HEIGHT_M, Point
from sim.scenario.questions import Question, Reply, ask_where, write_questions
from sim.scenario.setup import CRUISE_M_S, RunOptions, Site

_LOG = logging.getLogger(__name__)
_SURVEY_PERIOD_NS, _RETURN_PERIOD_NS = 1_000_000_000, 500_000_000  # between frames
_SURVEY_LIMIT_S, _LEG_LIMIT_S, _READY_LIMIT_S = 1500.0, 300.0, 30.0
_UNDER_WAY_S = 6.0  # of commanded flight before somebody interferes
_WATCHED_S = 8.0  # afterwards, for a command that must not come
_HOLD_S = 5.0
_READY_S = 75.0  # from boot until the survey's height is reached
# What each part takes of a scenario's time, roughly: for the time that is left to be shown.
_SURVEY_WEIGHT, _ASK_WEIGHT, _ARRIVE_WEIGHT, _INTERRUPTED_WEIGHT = 6.0, 2.0, 1.5, 0.3

Report = Callable[[str], None]


class Launcher(Protocol):
    """Who provides the vehicle of each run."""

    def launch(self, site: Site, name: str, record: bool, airborne: Point | None = None) -> Run:
        """A flight called ``name``; ``airborne``: it begins there, hovering, instead of on the ground."""


@dataclass(slots=True)
class Recording:
    """What the report shows of a scenario beyond its outcome."""

    tracks: dict[str, list[Truth]]
    arrival_view: ImageRGB | None = None
    chosen: Reply | None = None


def fly_return(
    site: Site,
    say: Report,
    launcher: Launcher = RunOptions(),  # noqa: B008
    done: Done = lambda share: None,
) -> tuple[Outcome, Recording]:
    """The whole scenario; `say` is told what begins, `done` how much of the whole is behind."""
    outcome, recording = Outcome(), Recording({})
    course = Course(done, _SURVEY_WEIGHT + _ASK_WEIGHT + _ARRIVE_WEIGHT + _INTERRUPTED_WEIGHT * len(_INTERFERENCES))
    run = launcher.launch(site, "return", record=True)
    try:
        with course.stage(_SURVEY_WEIGHT):
            _survey(site, run.flight, say, course)
        with course.stage(_ASK_WEIGHT):
            outcome.replies = _ask_all(site, run.flight, say, course)
        chosen = next((reply for reply in outcome.replies if reply.accepted and reply.question.flown), None)
        recording.chosen = chosen
        if chosen is not None:
            say(f"fly to {chosen.question.name}")
            with course.stage(_ARRIVE_WEIGHT):
                outcome.legs.append(_arrive(site, run.flight, chosen.question, outcome, recording, course))
    finally:
        run.close()
    _note(site, run, "return", outcome, recording)
    if chosen is not None:
        fly_interrupted(site, say, launcher, chosen.question, outcome, recording, course)
    return outcome, recording


def fly_interrupted(
    site: Site, say: Report, launcher: Launcher, question: Question, outcome: Outcome, recording: Recording,
    course: Course | None = None,
) -> None:  # fmt: skip
    """The further runs: from the far side towards a place of the recorded history, each stopped on the way."""
    for name, interfere in _INTERFERENCES.items():
        say(f"again, and the {name.replace('_', ' ')}")
        with (course or unseen()).stage(_INTERRUPTED_WEIGHT):
            _interrupted(site, launcher, question, name, interfere, outcome, recording)


def _survey(site: Site, flight: Flight, say: Report, course: Course) -> None:
    say("take off, survey with GPS while recording, fly on to the far side")
    flight.expose_every(_SURVEY_PERIOD_NS)
    plan = site.plan
    script = take_off_and_survey(
        flight.station, site.world.origin, plan.survey_path, plan.far_side, HEIGHT_M, CRUISE_M_S
    )  # fmt: skip
    begun_ns, expected_s = flight.t_ns, _READY_S + plan.length_m / CRUISE_M_S
    followed = course.followed(script, lambda: (flight.t_ns - begun_ns) * 1e-9 / expected_s)
    if not flight.run(followed, _SURVEY_LIMIT_S):
        raise RuntimeError(f"the survey was not flown within {_SURVEY_LIMIT_S:g} s: {flight.station.texts[-3:]}")
    flight.pilot_set_mode("LOITER")
    flight.fly(3.0)


def _ask_all(site: Site, flight: Flight, say: Report, course: Course) -> list[Reply]:
    questions = write_questions(site.world, site.plan, site.out / "targets")
    say(f"locate {len(site.plan.targets)} targets and {len(site.plan.outside)} places never flown over")
    flight.expose_every(10 * _SURVEY_PERIOD_NS)  # hovering shows nothing new
    replies: list[Reply] = []
    for question in questions:
        course.at(len(replies) / len(questions))
        replies.append(ask_where(flight, question, site.world.origin))
    flight.expose_every(_RETURN_PERIOD_NS)
    return replies


def _arrive(
    site: Site, flight: Flight, question: Question, outcome: Outcome, recording: Recording, course: Course
) -> Leg:
    """Fly to the target, hold for five seconds, measure, and wait for the live view's word."""
    if not _engage(site, flight, question):
        return _leg("return", flight, False, f"never READY: {_status(flight)['reasons']}")
    whole_m = math.dist(flight.truth_now().ground, question.truth)

    def share() -> float:
        return 1.0 - math.dist(flight.truth_now().ground, question.truth) / max(whole_m, 1.0)

    if not _wait_for_phase(
        flight, ("holding", "confirmed", "not_confirmed"), _LEG_LIMIT_S, lambda: course.at(share())
    ):
        return _leg("return", flight, False, f"never arrived: {_status(flight)['reasons']}")
    flight.fly(_HOLD_S)
    outcome.arrival_error_m = round(math.dist(flight.truth_now().ground, question.truth), 3)
    recording.arrival_view = flight.view()
    _wait_for_phase(flight, ("confirmed", "not_confirmed"), 40.0)
    outcome.arrival_confirmed = _status(flight)["phase"] == "confirmed"
    flight.fly(2.0)
    story = f"arrived {outcome.arrival_error_m:.1f} m from the target, {_status(flight)['phase'].replace('_', ' ')}"
    return _leg("return", flight, len(flight.referee.commands) > 0, story)


def _interrupted(
    site: Site, launcher: Launcher, question: Question, name: str,
    interfere: Callable[[Flight, Site], int], outcome: Outcome, recording: Recording,
) -> None:  # fmt: skip
    """The same flight from the far side, stopped on the way."""
    run = launcher.launch(site, name, record=False, airborne=site.plan.far_side)
    flight = run.flight
    flight.expose_every(2 * _SURVEY_PERIOD_NS)
    try:
        if not _engage(site, flight, question):
            leg = _leg(name, flight, False, f"never READY: {_status(flight)['reasons']}")
        else:
            flight.fly(_UNDER_WAY_S)
            before = len(flight.referee.commands)
            late = interfere(flight, site)
            story = f"{before} commands before, {late} after"
            leg = _leg(name, flight, before > 0 and late == 0, story)
        outcome.legs.append(leg)
    finally:
        run.close()
    _note(site, run, name, outcome, recording)


def _pilot_takes_over(flight: Flight, site: Site) -> int:
    """LOITER, and after a while back to GUIDED: that the operator engaged once is not for ever."""
    flight.pilot_set_mode("LOITER")
    return _commands_during(flight, _WATCHED_S / 2) + _commands_after_regrant(flight)


def _commands_after_regrant(flight: Flight) -> int:
    flight.pilot_set_mode("GUIDED")
    return _commands_during(flight, _WATCHED_S / 2)


def _ground_station_goes_elsewhere(flight: Flight, site: Site) -> int:
    elsewhere = offset(site.world.origin, 0.0, site.plan.far_side[1])
    flight.referee.foreign_target(elsewhere, flight.t_ns)
    flight.station.go_to(elsewhere, HEIGHT_M)
    return _commands_during(flight, _WATCHED_S)


def _daemon_restarts(flight: Flight, site: Site) -> int:
    """The new daemon meets a vehicle that is in GUIDED already; an operator who engages again changes nothing."""
    flight.restart_daemon()
    late = _commands_during(flight, _WATCHED_S / 2)
    place = {"latitude_deg": site.world.origin.latitude_deg, "longitude_deg": site.world.origin.longitude_deg}
    for request in ({"command": "target", **place}, {"command": "confirm"}, {"command": "engage"}):
        flight.ask(request)
    return late + _commands_during(flight, _WATCHED_S / 2)


_INTERFERENCES: dict[str, Callable[[Flight, Site], int]] = {
    "pilot_takes_over": _pilot_takes_over,
    "ground_station_goes_elsewhere": _ground_station_goes_elsewhere,
    "daemon_restarts": _daemon_restarts,
}


def _commands_during(flight: Flight, seconds: float) -> int:
    """Unauthorised commands in the next seconds."""
    before = flight.referee.without_authority
    flight.fly(seconds)
    return flight.referee.without_authority - before


def _engage(site: Site, flight: Flight, question: Question) -> bool:
    """The operator asks, confirms and engages; the pilot grants GUIDED once the daemon says it is ready."""
    if not flight.run(until(lambda: flight.armed), _READY_LIMIT_S):
        return False
    flight.fly(3.0)
    answer: dict[str, Any] = ask_where(flight, question, site.world.origin).answer
    confirmed = flight.ask({"command": "confirm", "target_id": answer.get("target_id")})
    engaged_ns = flight.t_ns
    engaged = flight.ask({"command": "engage"})
    if "error" in confirmed or "error" in engaged:
        _LOG.error("%s %s", confirmed.get("error", ""), engaged.get("error", ""))
        return False
    for _ in range(int(_READY_LIMIT_S)):
        if _status(flight)["state"] == "ready":
            flight.referee.operator_engaged(engaged_ns)
            flight.pilot_set_mode("GUIDED")
            return True
        flight.fly(1.0)
    return False


def _status(flight: Flight) -> dict[str, Any]:
    return flight.ask({"command": "status"})


def _wait_for_phase(
    flight: Flight, phases: tuple[str, ...], max_s: float, each_second: Callable[[], None] = lambda: None
) -> bool:
    for _ in range(int(max_s)):
        each_second()
        if _status(flight)["phase"] in phases:
            return True
        flight.fly(1.0)
    return False


def _leg(name: str, flight: Flight, obeyed: bool, story: str) -> Leg:
    referee = flight.referee
    return Leg(name, len(referee.commands), referee.without_authority, obeyed, story)


def _note(site: Site, run: Run, name: str, outcome: Outcome, recording: Recording) -> None:
    """Keep the true track, and judge the fixes of the flight log against it."""
    flight = run.flight
    recording.tracks[name] = flight.track
    outcome.simulated_s += (flight.track[-1].t_ns - flight.track[0].t_ns) * 1e-9 if flight.track else 0.0
    if name == "return":
        _judge_fixes(site, run, outcome)


def _judge_fixes(site: Site, run: Run, outcome: Outcome) -> None:
    track = run.flight.track
    stamps = np.array([step.t_ns for step in track])
    granted = _first_command_ns(run.flight)
    for _, t_ns, record in read_flightlog(run.log_path, ("fix",)):
        if granted is None or record["exposed_t_ns"] < granted:
            continue
        outcome.fix_attempts += 1
        outcome.exposure_to_fix_ms.append((t_ns - record["exposed_t_ns"]) / 1e6)
        if record["aircraft"] is not None:
            place = GeoPoint(record["aircraft"]["latitude_deg"], record["aircraft"]["longitude_deg"])
            # Steps are 20 ms apart, so the one after the exposure is at most 16 cm of flight away.
            there = track[min(int(np.searchsorted(stamps, record["exposed_t_ns"])), len(track) - 1)].ground
            outcome.fix_errors_m.append(math.dist(north_east_m(site.world.origin, place), there))


def _first_command_ns(flight: Flight) -> int | None:
    return flight.referee.commands[0].t_ns if flight.referee.commands else None
