"""The pieces that flights by sight share: waiting for the camera's word, for the autopilot to take it, for a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.debrief.sightings import Moment, Sights, sightings_of
from runtime.debrief.truth import alarms_ns
from runtime.flightlog.flightlog import read_flightlog
from runtime.values import GeoPoint
from sim.scenario.aircraft import Flight, Run
from sim.scenario.engagement import status_of
from sim.scenario.outcome import Recording
from sim.scenario.plan import Point
from sim.scenario.questions import Question, Reply, ask_where
from sim.scenario.setup import Site
from sim.scenario.sight_outcome import SightOutcome
from sim.scenario.spoof_alarm import true_track
from sim.scenario.truth import note

CAMERA_NS = 200_000_000  # between frames: what two cores render and follow, and often enough to be fed from
SIGHT_LIMIT_S, FED_LIMIT_S = 60.0, 30.0
_MOST_ASKED = 8  # targets, until one is recognised


def sees(flight: Flight) -> bool:
    """Whether the camera's word is to be steered by now."""
    navigation: dict[str, Any] = status_of(flight).get("navigation", {})
    return bool(navigation.get("vision", {}).get("trusted"))


def wait_until(flight: Flight, condition: Any, max_s: float) -> bool:
    """Lets time pass until a condition of the flight holds; False if it does not within ``max_s``."""
    for _ in range(int(max_s)):
        if condition(flight):
            return True
        flight.fly(1.0)
    return bool(condition(flight))


def takes_what_it_is_fed(flight: Flight) -> bool:
    """Whether the autopilot's estimator has a position, by its own flags; the ground station watches them."""
    return flight.station.has_position


def choose(origin: GeoPoint, flight: Flight, questions: Sequence[Question]) -> Reply | None:
    """The first target that is recognised, of those worth a flight the farthest first, then of the nearer ones; None
    where none is. An operator whose picture is not recognised points at another place; a refusal is no failure."""
    here = flight.truth_now().ground
    flown = sorted((one for one in questions if one.flown), key=lambda one: -math.dist(one.truth, here))
    for question in flown[:_MOST_ASKED]:
        reply = ask_where(flight, question, origin)
        if reply.accepted:
            return reply
    return None


def upwind_of_middle(site: Site, wind_ne_m_s: Point, seconds: float) -> Point:
    """A place over the survey from which the wind carries a drone that cannot hold itself over the survey's middle."""
    area = site.plan.survey
    middle = (area.south_m + area.north_m) / 2, (area.west_m + area.east_m) / 2
    inset = 20.0
    north = middle[0] - wind_ne_m_s[0] * seconds
    east = middle[1] - wind_ne_m_s[1] * seconds
    return (
        min(max(north, area.south_m + inset), area.north_m - inset),
        min(max(east, area.west_m + inset), area.east_m - inset),
    )


def judge(
    site: Site, run: Run, name: str, outcome: SightOutcome, recording: Recording, moments: list[Moment], from_ns: int
) -> Sights:
    """Reads a closed flight's log: what the camera and the receiver said, and every alarm."""
    note(site, run, name, outcome, recording, from_ns)
    flown, truth = recording.log(run.log_path), true_track(run.flight.track, site.world.origin)
    seen = sightings_of(flown.records["vision"], truth)
    sights = Sights(name, seen, flown.wire.received, moments, from_ns, truth)
    sights.moments += [Moment(t_ns, "GPS doubted") for t_ns in alarms_ns(flown.records["navigation"])]
    outcome.sights.append(sights)
    return sights


def trusted_ns(log: Path) -> list[int]:
    """When the estimate that would be flown was to be steered by."""
    return [t_ns for _, t_ns, record in read_flightlog(log, ("estimate",)) if record["trusted"]]
