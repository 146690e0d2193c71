"""The flight to a target that was pointed at: the operator asks, confirms and engages, the pilot grants, it flies."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

from sim.scenario.aircraft import Flight
from sim.scenario.course import Course
from sim.scenario.crew import until
from sim.scenario.outcome import Ended, Leg, Outcome, Recording
from sim.scenario.questions import Question, ask_where
from sim.scenario.setup import Site

_LOG = logging.getLogger(__name__)
ARRIVE_WEIGHT = 1.5  # what it takes of a scenario's time, roughly
_LEG_LIMIT_S, _READY_LIMIT_S = 300.0, 30.0
_HOLD_S = 5.0
_GIVEN_UP_S = 10  # without being engaged: nobody will grant it again


def arrive(
    site: Site, flight: Flight, question: Question, outcome: Outcome, recording: Recording, course: Course,
    before_grant: Callable[[], None] = lambda: None,
) -> Ended:  # fmt: skip
    """Fly to the target, hold for five seconds, measure, and wait for the live view's word."""
    if not engage(site, flight, question, before_grant):
        return Ended(False, f"never READY: {status_of(flight)['reasons']}")
    whole_m = math.dist(flight.truth_now().ground, question.truth)

    def share() -> float:
        return 1.0 - math.dist(flight.truth_now().ground, question.truth) / max(whole_m, 1.0)

    if not wait_for_phase(
        flight, ("holding", "confirmed", "not_confirmed"), _LEG_LIMIT_S, lambda: course.at(share())
    ):
        return Ended(False, f"never arrived: {status_of(flight)['reasons']}")
    flight.fly(_HOLD_S)
    outcome.arrival_error_m = round(math.dist(flight.truth_now().ground, question.truth), 3)
    recording.arrival_view = flight.view()
    wait_for_phase(flight, ("confirmed", "not_confirmed"), 40.0)
    outcome.arrival_confirmed = status_of(flight)["phase"] == "confirmed"
    flight.fly(2.0)
    story = f"arrived {outcome.arrival_error_m:.1f} m from the target, {status_of(flight)['phase'].replace('_', ' ')}"
    return Ended(len(flight.referee.commands) > 0, story)


def engage(
    site: Site, flight: Flight, question: Question, before_grant: Callable[[], None] = lambda: None
) -> bool:
    """The operator asks, confirms and engages; the pilot grants GUIDED once the daemon says it is ready.

    ``before_grant`` happens when it is READY for the first time; it has to be READY again after that.
    """
    if not flight.run(until(lambda: flight.armed), _READY_LIMIT_S):
        return False
    flight.fly(3.0)
    answer: dict[str, Any] = ask_where(flight, question, site.world.origin).answer
    confirmed = flight.ask({"command": "confirm", "target_id": answer.get("target_id")})
    engaged_ns = flight.t_ns
    flight.referee.operator_consented(engaged_ns)
    engaged = flight.ask({"command": "engage"})
    if "error" in confirmed or "error" in engaged:
        _LOG.error("%s %s", confirmed.get("error", ""), engaged.get("error", ""))
        return False
    happened = False
    for _ in range(int(_READY_LIMIT_S)):
        ready = status_of(flight)["state"] == "ready"
        if ready and not happened:
            happened = True
            before_grant()
            ready = status_of(flight)["state"] == "ready"
        if ready:
            flight.referee.operator_engaged(engaged_ns)
            flight.pilot_set_mode("GUIDED")
            return True
        flight.fly(1.0)
    return False


def status_of(flight: Flight) -> dict[str, Any]:
    """What the daemon says of itself."""
    return flight.ask({"command": "status"})


def wait_for_phase(
    flight: Flight, phases: tuple[str, ...], max_s: float, each_second: Callable[[], None] = lambda: None
) -> bool:
    """Lets time pass until the flight to the target is in one of these phases; False if it is not after ``max_s``,
    or if the daemon has given the vehicle back."""
    without = 0
    for _ in range(int(max_s)):
        each_second()
        status = status_of(flight)
        if status["phase"] in phases:
            return True
        without = 0 if status["state"] == "engaged" else without + 1
        if without > _GIVEN_UP_S:
            return False
        flight.fly(1.0)
    return False


def leg_of(name: str, flight: Flight, ended: Ended) -> Leg:
    """How a flight ended, with what the referee counted; once its run is closed, for a daemon has last words."""
    referee = flight.referee
    return Leg(name, len(referee.commands), referee.without_authority, ended.obeyed, ended.story)
