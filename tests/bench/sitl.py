"""The scenario ``return`` with ArduCopter's own simulator in the place of ours.

    python -m tests.bench.sitl --endpoint tcp:127.0.0.1:5760 [--station tcp:127.0.0.1:5762] [--seed N] --out DIR

An ArduCopter SITL that runs already, at its own speed of 1, on the ground; its two ports are its SERIAL0 and SERIAL1.
The world of the seed is put where it stands, so that any start place will do. Homing runs as a process of its own.
Prints how each flight ended, what was commanded, and why nothing was; exit status 0 is a PASS, as for `homing-sim`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runtime.errors import HomingError
from runtime.flightlog.flightlog import read_flightlog
from runtime.geodesy import offset
from sim.cli import fresh_folder
from sim.scenario.course import Say
from sim.scenario.outcome import Outcome
from sim.scenario.plan import make_plan
from sim.scenario.report import refused_s, write_report
from sim.scenario.return_home import fly_return
from sim.scenario.setup import Site, side_ne_m
from sim.world.world import World
from sim.world_choice import Judged, accepted
from tests.bench.sitl_flight import Airfield
from tests.bench.sitl_links import Home, Pilot, Wires

_FIRST_WORD_S = 60.0
_WORTH_TELLING_S = 1.0
_BATTERY_MAH = 20_000.0  # its own 3,300 are down to the reserve after six minutes


def heard_home(pilot: Pilot) -> Home:
    """Where the vehicle stands; and a battery for all flights of the scenario."""
    end_s = time.monotonic() + _FIRST_WORD_S
    while pilot.home is None or "BATT_CAPACITY" not in pilot.parameters:
        if time.monotonic() > end_s:
            raise SystemExit("nothing tells where the vehicle really is; is this ArduPilot's own simulator?")
        pilot.ask_for_truth()
        pilot.set_parameter("BATT_CAPACITY", _BATTERY_MAH)
        time.sleep(1.0)
    return pilot.home


def world_at(home: Home, seed: int, small: bool, tell: Say) -> Judged:
    """The world of a seed that `homing-sim` would fly in, with the plan's launch point where the vehicle stands."""
    north, east = make_plan(seed, side_ne_m(World.generate(seed)), small).home
    origin = offset(home.position, -north, -east)
    return accepted(lambda dates: World.generate(seed, origin=origin, dates=dates), tell)


def print_tables(outcome: Outcome, out: Path) -> None:
    """Every flight, and what kept its daemon from commanding."""
    flights = Table("flight", "as it must be", "commands", "without authority", "what happened", title="flights")
    for leg in outcome.legs:
        obeyed = "yes" if leg.obeyed else "NO"
        flights.add_row(leg.name, obeyed, str(leg.commands), str(leg.commands_without_authority), leg.story)
    refusals = Table("flight", "daemon", "state: reason", "seconds", title="why nothing was commanded")
    for leg in outcome.legs:
        for number, path in enumerate(sorted((out / leg.name / "logs").glob("*.mcap")), start=1):
            for reason, seconds in refused_s(list(read_flightlog(path))).most_common():
                if seconds >= _WORTH_TELLING_S:
                    refusals.add_row(leg.name, str(number), reason, f"{seconds:.1f}")
    console = Console(width=160)
    console.print(flights)
    console.print(refusals)


def main(words: Sequence[str] | None = None) -> int:
    """Fly and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="tcp:127.0.0.1:5760", help="the autopilot's port for the companion")
    parser.add_argument("--station", default="tcp:127.0.0.1:5762", help="its port for pilot and ground station")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a third of the survey and of the questions")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    begun_s = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the daemon is ended too

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun_s:5.0f} s] {text}", flush=True)

    out = fresh_folder(options.out)
    wires = Wires(options.endpoint, options.station)
    try:
        world, hardness = world_at(heard_home(wires.pilot), options.seed, options.small, tell)
        site = Site.prepare(world, options.seed, out, options.small)
        with Airfield(wires, site) as airfield:
            outcome, recording = fly_return(site, tell, airfield)
        outcome.hardness = hardness
    finally:
        wires.close()
    wall_s = time.monotonic() - begun_s
    print_tables(outcome, out)
    write_report(out / "report.html", site, outcome, recording, wall_s)
    for name, passed in outcome.checks().items():
        print(f"  {'ok ' if passed else 'NOT'} {name.replace('_', ' ')}")
    print(outcome.as_json(wall_s, out / "report.html"))
    return 0 if outcome.passed else 3


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HomingError as error:
        raise SystemExit(str(error)) from None
