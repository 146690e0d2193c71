"""The scenarios of `homing-sim` by name: how each is flown, and how its page is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sim.scenario import denied, spoofed
from sim.scenario.aircraft import Launcher
from sim.scenario.conditions import Conditions
from sim.scenario.course import Done, Say
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.report import write_report
from sim.scenario.return_home import fly_return
from sim.scenario.setup import Site
from sim.scenario.sight_report import write_sight_report

Fly = Callable[[Site, Say, Launcher, Done], tuple[Any, Recording]]
Write = Callable[[Path, Site, Any, Recording, float], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario; ``fly`` gives the kind of `Outcome` that ``write_report`` takes."""

    fly: Fly
    write_report: Write


def _denied(site: Site, say: Say, launcher: Launcher, done: Done) -> tuple[Outcome, Recording]:
    return denied.fly_denied(site, say, launcher.meeting(Conditions(fed=True)), done)


CATALOGUE: dict[str, Entry] = {
    "return": Entry(fly_return, write_report),
    "denied": Entry(_denied, write_sight_report),
    "spoofed": Entry(spoofed.fly_spoofed, write_sight_report),
    **{
        scenario.name: Entry(partial(denied.fly_without_gps, scenario), write_sight_report)
        for scenario in (
            denied.FROM_START, denied.BY_MAP, denied.KIDNAPPED, denied.WIND, denied.DUSK, denied.SEASONS,
            denied.ALTITUDE, denied.OBLIQUE, denied.RELIEF, denied.RELIEF_UNKNOWN,
        )
    },
}  # fmt: skip
