"""The ways in which a flight to a target must be stopped, each flown from the far side and judged on the wire."""

from __future__ import annotations

from collections.abc import Callable

from runtime.geodesy import offset
from sim.scenario.aircraft import Flight, Launcher
from sim.scenario.course import Course, Say, unseen
from sim.scenario.engagement import engage, leg_of, status_of
from sim.scenario.outcome import Ended, Outcome, Recording
from sim.scenario.plan import HEIGHT_M
from sim.scenario.questions import Question
from sim.scenario.setup import Site
from sim.scenario.truth import note

INTERRUPTED_WEIGHT = 0.3  # what each takes of a scenario's time, roughly
_PERIOD_NS = 2_000_000_000  # between frames
_UNDER_WAY_S = 6.0  # of commanded flight before somebody interferes
_WATCHED_S = 8.0  # afterwards, for a command that must not come


def fly_interrupted(
    site: Site, say: Say, launcher: Launcher, question: Question, outcome: Outcome, recording: Recording,
    course: Course | None = None,
) -> None:  # fmt: skip
    """The further runs: from the far side towards a place of the recorded history, each stopped on the way."""
    for name, interfere in INTERFERENCES.items():
        say(f"again, and the {name.replace('_', ' ')}")
        with (course or unseen()).stage(INTERRUPTED_WEIGHT):
            _interrupted(site, launcher, question, name, interfere, outcome, recording)


def _interrupted(
    site: Site, launcher: Launcher, question: Question, name: str,
    interfere: Callable[[Flight, Site], int], outcome: Outcome, recording: Recording,
) -> None:  # fmt: skip
    """The same flight from the far side, stopped on the way."""
    run = launcher.launch(site, name, record=False, airborne=site.plan.far_side)
    flight = run.flight
    flight.expose_every(_PERIOD_NS)
    try:
        if not engage(site, flight, question):
            ended = Ended(False, f"never READY: {status_of(flight)['reasons']}")
        else:
            flight.fly(_UNDER_WAY_S)
            before = len(flight.referee.commands)
            late = interfere(flight, site)
            story = f"{before} commands before, {late} after"
            ended = Ended(before > 0 and late == 0, story)
    finally:
        run.close()
    outcome.legs.append(leg_of(name, flight, ended))
    note(site, run, name, outcome, recording)


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
    flight.referee.operator_consented(flight.t_ns)
    for request in ({"command": "target", **place}, {"command": "confirm"}, {"command": "engage"}):
        flight.ask(request)
    return late + _commands_during(flight, _WATCHED_S / 2)


INTERFERENCES: dict[str, Callable[[Flight, Site], int]] = {
    "pilot_takes_over": _pilot_takes_over,
    "ground_station_goes_elsewhere": _ground_station_goes_elsewhere,
    "daemon_restarts": _daemon_restarts,
}


def _commands_during(flight: Flight, seconds: float) -> int:
    """Unauthorised commands in the next seconds."""
    before = flight.referee.without_authority
    flight.fly(seconds)
    return flight.referee.without_authority - before
