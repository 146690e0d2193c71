"""What the simulator alone knows of a flight, held against what its log says: the true track and the fixes."""

from __future__ import annotations

import math

import numpy as np

from runtime.flightlog.flightlog import read_flightlog
from runtime.geodesy import north_east_m
from runtime.values import GeoPoint
from sim.scenario.aircraft import Flight, Run
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.setup import Site


def note(site: Site, run: Run, name: str, outcome: Outcome, recording: Recording) -> None:
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
