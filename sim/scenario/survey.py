"""The survey of a scenario: take off, fly the lines with GPS while the daemon records, go on to the far side."""

from __future__ import annotations

from sim.scenario.aircraft import Flight, NotFlownError
from sim.scenario.course import Course, Say
from sim.scenario.crew import take_off_and_survey
from sim.scenario.plan import HEIGHT_M
from sim.scenario.setup import CRUISE_M_S, Site

SURVEY_WEIGHT = 6.0  # what it takes of a scenario's time, roughly: for the time that is left to be shown
SURVEY_PERIOD_NS = 1_000_000_000  # between frames
_SURVEY_LIMIT_S = 1500.0
_READY_S = 75.0  # from boot until the survey's height is reached


def fly_survey(
    site: Site,
    flight: Flight,
    say: Say,
    course: Course,
    height_m: float = HEIGHT_M,
    period_ns: int = SURVEY_PERIOD_NS,
) -> None:
    """At ``height_m`` above the ground, with a frame every ``period_ns``; ends in LOITER at the far side.

    Raises:
        NotFlownError: the vehicle does not fly it; the message has its last words.
    """
    say("take off, survey with GPS while recording, fly on to the far side")
    flight.expose_every(period_ns)
    plan = site.plan
    script = take_off_and_survey(
        flight.station, site.world.origin, plan.survey_path, plan.far_side, height_m, CRUISE_M_S
    )  # fmt: skip
    begun_ns, expected_s = flight.t_ns, _READY_S + plan.length_m / CRUISE_M_S
    followed = course.followed(script, lambda: (flight.t_ns - begun_ns) * 1e-9 / expected_s)
    if not flight.run(followed, _SURVEY_LIMIT_S):
        raise NotFlownError(f"the survey was not flown within {_SURVEY_LIMIT_S:g} s: {flight.station.texts[-3:]}")
    flight.pilot_set_mode("LOITER")
    flight.fly(3.0)
