"""What the simulator alone knows of a flight, held against what its log says: the true track and the fixes."""

from __future__ import annotations

import math

import numpy as np

from runtime.debrief.flown import Flown
from runtime.geodesy import north_east_m
from runtime.values import GeoPoint
from sim.scenario.aircraft import Flight, Run, Truth
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.setup import Site


def note(
    site: Site, run: Run, name: str, outcome: Outcome, recording: Recording, fixes_from_ns: int | None = None
) -> None:
    """Keep the true track, the logs and the commands; judge the fixes from ``fixes_from_ns`` on, None: none of them."""
    note_track(name, run.flight.track, outcome, recording)
    recording.logs[name], recording.commands[name] = run.log_paths, run.flight.referee.commands
    if fixes_from_ns is not None:
        _judge_fixes(site, run, outcome, recording.log(run.log_path), fixes_from_ns)


def note_track(name: str, track: list[Truth], outcome: Outcome, recording: Recording) -> None:
    """Keep the true track, and count its seconds."""
    recording.tracks[name] = track
    outcome.simulated_s += (track[-1].t_ns - track[0].t_ns) * 1e-9 if track else 0.0


def _judge_fixes(site: Site, run: Run, outcome: Outcome, flown: Flown, from_ns: int) -> None:
    track = run.flight.track
    stamps = np.array([step.t_ns for step in track])
    for t_ns, record in flown.records["fix"]:
        if record["exposed_t_ns"] < from_ns:
            continue
        outcome.fix_attempts += 1
        outcome.exposure_to_fix_ms.append((t_ns - record["exposed_t_ns"]) / 1e6)
        if record["aircraft"] is not None:
            place = GeoPoint(record["aircraft"]["latitude_deg"], record["aircraft"]["longitude_deg"])
            # Steps are 20 ms apart, so the one after the exposure is at most 16 cm of flight away.
            there = track[min(int(np.searchsorted(stamps, record["exposed_t_ns"])), len(track) - 1)].ground
            outcome.fix_errors_m.append(math.dist(north_east_m(site.world.origin, place), there))


def first_command_ns(flight: Flight) -> int | None:
    """When the daemon commanded first; None where it never did."""
    return flight.referee.commands[0].t_ns if flight.referee.commands else None
