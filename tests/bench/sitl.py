"""The scenarios ``return``, ``denied`` and ``denied-from-start`` with ArduCopter's own simulator in the place of ours.

    python -m tests.bench.sitl [SCENARIO ...] [--endpoint tcp:127.0.0.1:5760] [--station tcp:127.0.0.1:5762] \\
        [--seed N] --out DIR

An ArduCopter SITL that runs already, at its own speed of 1, on the ground; its two ports are its SERIAL0 and SERIAL1.
The world of the seed is put where it stands, so that any start place will do. Homing runs as a process of its own.
The vehicle is set up to be fed and rebooted once for it; GPS is cut in its own simulator. Prints how each flight ended,
what was commanded, why nothing was, and, without GPS, how far the EKF was from the truth while the camera fed it; exit
status 0 is a PASS, as for `homing-sim`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runtime.errors import HomingError
from runtime.flightlog.flightlog import read_flightlog
from runtime.geodesy import offset
from sim.cli import fresh_folder
from sim.scenario.catalogue import CATALOGUE
from sim.scenario.conditions import FALLBACK
from sim.scenario.course import Say
from sim.scenario.outcome import Outcome
from sim.scenario.plan import make_plan
from sim.scenario.report import refused_s
from sim.scenario.setup import Site, side_ne_m
from sim.world.world import World
from sim.world_choice import Judged, accepted
from tests.bench.sitl_belief import Belief, fed_in, figures_of
from tests.bench.sitl_flight import Airfield
from tests.bench.sitl_links import Home, Pilot, Wires

_FIRST_WORD_S = 60.0
_WORTH_TELLING_S = 1.0
_REBOOT_S = 5.0
_SET_UP = {
    "BATT_CAPACITY": 20_000.0,  # its own 3,300 are down to the reserve after six minutes
    **FALLBACK,
    "EK3_SRC2_POSZ": 1.0,
    "EK3_SRC2_VELZ": 0.0,  # the camera measures no climb
    "VISO_DELAY_MS": 140.0,  # from exposure to sending: a camera's 60 ms, and odometry
    "VISO_VEL_M_NSE": 0.5,  # its own 0.1 m/s rejects a camera's velocities
}
_TAKEN_AT_BOOT = "VISO_TYPE"


def heard_home(pilot: Pilot) -> Home:
    """Where the vehicle stands, set up for all flights of the scenario; it is rebooted where that needs a reboot."""
    _until_set(pilot, {})
    set_up_before = pilot.parameters.get(_TAKEN_AT_BOOT) == _SET_UP[_TAKEN_AT_BOOT]
    _until_set(pilot, _SET_UP)
    if not set_up_before:
        pilot.reboot()
        time.sleep(_REBOOT_S)
        _until_set(pilot, _SET_UP)
    assert pilot.home is not None
    return pilot.home


def _until_set(pilot: Pilot, parameters: Mapping[str, float]) -> None:
    """Waits until the simulator tells the truth and the autopilot has these parameters."""
    end_s = time.monotonic() + _FIRST_WORD_S
    pilot.parameters.clear()
    while True:
        pilot.ask_for_truth()
        pilot.read_parameter(_TAKEN_AT_BOOT)
        for name, value in parameters.items():
            pilot.set_parameter(name, value)
        time.sleep(1.0)
        told = {name: pilot.parameters.get(name) for name in parameters}
        if pilot.home is not None and _TAKEN_AT_BOOT in pilot.parameters and told == dict(parameters):
            return
        if time.monotonic() > end_s:
            raise SystemExit(f"no ArduPilot simulator answers here as one does; it said {told}")


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


_SCENARIOS = ("return", "denied", "denied-from-start")


def main(words: Sequence[str] | None = None) -> int:
    """Fly and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", help=f"{', '.join(_SCENARIOS)}; one after the other in one world")
    parser.add_argument("--endpoint", default="tcp:127.0.0.1:5760", help="the autopilot's port for the companion")
    parser.add_argument("--station", default="tcp:127.0.0.1:5762", help="its port for pilot and ground station")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a third of the survey and of the questions")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    unknown = sorted(set(options.scenarios) - set(_SCENARIOS))
    if unknown:
        parser.error(f"no scenario of this bench: {', '.join(unknown)}")
    begun_s = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the daemon is ended too

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun_s:5.0f} s] {text}", flush=True)

    out = fresh_folder(options.out)
    wires = Wires(options.endpoint, options.station)
    passed = True
    try:
        world, hardness = world_at(heard_home(wires.pilot), options.seed, options.small, tell)
        site = Site.prepare(world, options.seed, out, options.small)
        with Airfield(wires, site) as airfield:
            for name in options.scenarios or ["return"]:
                outcome, recording = CATALOGUE[name].fly(site, tell, airfield, lambda share: None)
                outcome.hardness = hardness
                wall_s = time.monotonic() - begun_s
                CATALOGUE[name].write_report(out / f"{name}.html", site, outcome, recording, wall_s)
                show(name, outcome, out, wires.pilot.beliefs, wall_s)
                passed = passed and outcome.passed
    finally:
        wires.close()
    return 0 if passed else 3


def show(name: str, outcome: Outcome, out: Path, beliefs: Sequence[Belief], wall_s: float) -> None:
    """How a scenario ended, for people and as JSON; without GPS, also what became of the autopilot's own belief."""
    print_tables(outcome, out)
    for check, holds in outcome.checks().items():
        print(f"  {'ok ' if holds else 'NOT'} {check.replace('_', ' ')}")
    answer = outcome.as_json(wall_s, out / f"{name}.html")
    if name != "return":
        answer["ekf"] = asdict(figures_of(beliefs, *fed_in(out / "logs" / f"{name}.mcap")))
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HomingError as error:
        raise SystemExit(str(error)) from None
