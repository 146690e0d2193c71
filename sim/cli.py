"""`homing-sim`: whole flights in simulation, and a simulated drone for `homing run` to fly."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from runtime.cli.entry import enter
from runtime.cli.output import emit, open_on_a_desk, progress, say, share_done, warn
from runtime.errors import StorageError, UsageError

if TYPE_CHECKING:
    from runtime.flightlog.keeper import KeptFrames
    from sim.hardness import HardnessReport
    from sim.world.world import AnyWorld
    from sim.world_choice import Judge

app = typer.Typer(
    name="homing-sim",
    help="A world, a camera and an autopilot: the main job in simulation, and a drone for `homing run`.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
PROCEDURAL = "procedural"


@dataclass(frozen=True, slots=True)
class FlightOptions:
    """What every scenario is asked for on the command line."""

    world: str
    seed: int
    out: Path
    realtime: bool
    measure: bool
    browser: bool
    json: bool
    whole_frames: bool = False
    history: Path | None = None


_WORLD = typer.Option(PROCEDURAL, help="`procedural`, or a GeoTIFF to fly over.")
_SEED = typer.Option(1, min=0, help="The world, the errors and the questions all follow from it.")
_OUT = typer.Option(None, help="Folder for the report, the history and the logs; out/ and the scenario's name.")
_REALTIME = typer.Option(False, help="At the pace of a clock, with the vehicle on UDP 14550 to watch.")
_MEASURE = typer.Option(False, help="Measure how hard the world is, also where that is on record.")
_BROWSER = typer.Option(True, help="Open the report at the end, on a terminal with a display.")
_JSON = typer.Option(False, "--json", help="One JSON object on stdout.")
_WHOLE = typer.Option(False, help="Logs keep every frame, for `homing replay`: 0.4 MB each.")
_HISTORY = typer.Option(
    None, exists=True, dir_okay=False, help="A history recorded before in the same world, instead of a flight for one."
)


@app.command("return")
def return_(
    world: str = _WORLD, seed: int = _SEED, out: Path | None = _OUT, realtime: bool = _REALTIME,
    measure: bool = _MEASURE, whole_frames: bool = _WHOLE, browser: bool = _BROWSER, json: bool = _JSON,
) -> None:  # fmt: skip
    """Survey, locate, fly to a place pointed at on a satellite image, be interrupted; PASS or FAIL."""
    folder = out or Path("out/return")
    _fly("return", FlightOptions(world, seed, folder, realtime, measure, browser, json, whole_frames))


@app.command("denied")
def denied(
    world: str = _WORLD, seed: int = _SEED, out: Path | None = _OUT, realtime: bool = _REALTIME,
    measure: bool = _MEASURE, whole_frames: bool = _WHOLE, browser: bool = _BROWSER, json: bool = _JSON,
) -> None:  # fmt: skip
    """Survey with GPS, which is cut at the far side; fly to a place pointed at by the camera alone; PASS or FAIL."""
    folder = out or Path("out/denied")
    _fly("denied", FlightOptions(world, seed, folder, realtime, measure, browser, json, whole_frames))


def _by_sight(name: str, sentence: str) -> None:
    """A command for a scenario that may take a history recorded before."""

    def command(
        world: str = _WORLD, seed: int = _SEED, out: Path | None = _OUT, realtime: bool = _REALTIME,
        measure: bool = _MEASURE, whole_frames: bool = _WHOLE, browser: bool = _BROWSER,
        history: Path | None = _HISTORY, json: bool = _JSON,
    ) -> None:  # fmt: skip
        folder = out or Path("out") / name
        _fly(name, FlightOptions(world, seed, folder, realtime, measure, browser, json, whole_frames, history))

    command.__doc__ = sentence
    app.command(name)(command)


for _name, _sentence in (
    ("denied-from-start", "No GPS from boot, over ground of an earlier flight: find the place, fly to another."),
    ("denied-map", "No GPS and no flight to remember: by a satellite map of another date alone."),
    ("spoofed", "Forged GPS drags the drone away, at 0.5, 1, 2 and 5 m/s and in one step: is it noticed in time?"),
    ("kidnapped", "Carried away under a covered lens, without GPS: does it know, and find out where it is?"),
    ("wind", "No GPS from boot, in a strong and gusty wind."),
    ("dusk", "No GPS from boot, an hour before night, by a history of the day."),
    ("seasons", "No GPS from boot, by a history of another season."),
    ("altitude", "No GPS from boot, by a history that was recorded at another height."),
):
    _by_sight(_name, _sentence)


def _fly(name: str, options: FlightOptions) -> None:
    """Flies a scenario, prints how it went, and ends with status 3 where that is no PASS."""
    begun = time.monotonic()
    folder = fresh_folder(options.out)
    tell = warn if options.json else say
    doing = ""

    def stage(text: str) -> None:
        nonlocal doing
        doing = text
        tell(f"[{time.monotonic() - begun:5.0f} s] {text}")

    with share_done() as bar:
        result, summary = _flown(name, options, folder, begun, stage, lambda share: bar(share, doing))
    if options.json:
        emit(result)
    else:
        for check, passed in result["checks"].items():
            say(f"  {'ok ' if passed else 'NOT'} {check.replace('_', ' ')}")
        say(f"{result['result']}: {summary}")
        say(f"report: {Path(result['report']).resolve().as_uri()}")
        if options.browser:
            open_on_a_desk(Path(result["report"]))
    if result["result"] != "PASS":
        raise typer.Exit(3)


def _flown(
    name: str, options: FlightOptions, folder: Path, begun_s: float, stage: Callable[[str], None],
    done: Callable[[float], None],
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """The scenario's JSON object and its summary; the report is written."""
    from sim.scenario.catalogue import CATALOGUE
    from sim.scenario.histories import take_history
    from sim.scenario.pace import pace_of
    from sim.scenario.setup import RunOptions, Site
    from sim.world_cache import WorldCache

    ground, hardness = judged_world(options.world, options.seed, stage, measure=options.measure)
    stage("prepare the world on both dates, or read it where it was prepared before")
    site = Site.prepare(ground, options.seed, folder, cache=WorldCache.default())
    if options.history is not None:
        take_history(site, options.history)
    gc.collect()
    gc.freeze()  # what is loaded stays: to look through it again and again takes a second of a scenario
    scenario = CATALOGUE[name]
    frames: KeptFrames = "exact" if options.whole_frames else "pictures"
    with pace_of(options.realtime, stage) as pace:
        outcome, recording = scenario.fly(site, stage, RunOptions(pace=pace, frames=frames), done)
    outcome.hardness = hardness
    stage("write the report")
    report = folder / "report.html"
    wall_s = time.monotonic() - begun_s
    scenario.write_report(report, site, outcome, recording, wall_s)
    return outcome.as_json(wall_s, report), outcome.summary()


@app.command("hardness")
def hardness_(
    world: str = typer.Option(PROCEDURAL, help="`procedural`, or a GeoTIFF."),
    seed: int = typer.Option(1, min=0, help="The world follows from it."),
    json: bool = typer.Option(False, "--json", help="One JSON object per pair of dates on stdout."),
) -> None:
    """How hard a world is to known methods; a procedural one is seen on other dates until it is accepted."""
    from rich.console import Console

    from sim.hardness import table
    from sim.world_choice import tried

    rows = []
    for _, report in tried(lambda dates: open_world(world, seed, dates)):
        rows.append((f"{world} {seed}", report))
        if json:
            emit({"world": world, "seed": seed, **report.as_json()})
        else:
            warn(f"dates {report.dates}: {report}")
        if world != PROCEDURAL:  # a real map is as it is
            break
    if not json:
        Console(width=120).print(table(rows))
    if not report.accepted:
        raise typer.Exit(3)


@app.command()
def university(
    places: int = typer.Option(..., min=0, help="Places to train on; none makes a test alone."),
    seed: int = typer.Option(1, min=0, help="The worlds follow from it; the test's are others."),
    out: Path = typer.Option(..., help="Folder to make, in University-1652's layout."),
    test_places: int | None = typer.Option(
        None, min=0, help="Places in the test's gallery; half of the others by default."
    ),
    views: str = typer.Option("spiral", help="`spiral` as University-1652 has them, or `rectified` as Homing flies."),
    drone_views: int = typer.Option(0, min=0, help="Of each place; 54 on the spiral, 2 rectified by default."),
    world_m: float = typer.Option(900.0, min=150.0, help="Side of each world."),
    size_px: int = typer.Option(256, min=64, max=1024, help="Side of each picture."),
    per_world: int | None = typer.Option(None, min=1, help="Most places of one world; all that fit by default."),
) -> None:
    """A synthetic University-1652 from procedural worlds: two dates a place, and a test with things never seen."""
    from sim.university import SPIRAL, SPIRAL_VIEWS, Plan, make_university

    count = drone_views or (SPIRAL_VIEWS if views == SPIRAL else 2)
    asked = max(1, places // 2) if test_places is None else test_places
    plan = Plan(places, asked, seed, views, count, world_m, size_px, per_world)
    make_university(plan, out, say)
    say(f"{out}: train on it with homing-train, measure on it with homing-evaluate")


@app.command()
def acceptance(
    pair: list[str] = typer.Option(
        ["drone", "map", "tiles"],
        help="What is searched: `drone` histories by satellite pictures, a `map`'s tiles by drone frames, or its "
        "`tiles` by another satellite's pictures.",
    ),
    bundle: Path | None = typer.Option(None, help="The bundle; without one, the default's figures are printed."),
    write: bool = typer.Option(False, "--write", help="Put the tables into the bundle; sign it afterwards."),
    out: Path = typer.Option(
        Path("out/acceptance"),
        help="Folder that keeps surveys and answers, so that an interrupted run goes on; remove it when worlds change.",
    ),
) -> None:
    """The thresholds of `homing locate` and `fix`: what a bundle accepts on simulated surveys and maps; 40 minutes."""
    from rich.console import Console

    from runtime.bundle import Bundle, write_acceptance
    from sim.acceptance.answers import PAIRS
    from sim.acceptance.fitting import fit_acceptance as run

    for name in pair:
        if name not in PAIRS:
            raise UsageError(f"there is no pair {name}; there are {', '.join(PAIRS)}.")
    if write and bundle is None:
        raise UsageError("--write needs the --bundle that it writes into.")
    loaded = Bundle.load(bundle)
    for name in pair:
        done = run(name, loaded, out, progress)
        Console(width=120).print(done.acceptance)
        say("\n".join(done.honesty))
        if write and bundle is not None:
            write_acceptance(bundle, PAIRS[name].query, PAIRS[name].gallery, done.table)
            say(f"{name}: written into {bundle}")


@app.command()
def serve(
    world: str = typer.Option(PROCEDURAL, help="`procedural`, or a GeoTIFF to fly over."),
    seed: int = typer.Option(1, min=0, help="The world and the errors follow from it."),
    out: Path = typer.Option(Path("out/serve"), help="Folder for the satellite image and an example configuration."),
    mavlink: str = typer.Option("tcpin:127.0.0.1:5760", help="Where the companion connects."),
    station: str = typer.Option("udpout:127.0.0.1:14550", help="Where a ground station listens."),
    camera_port: int = typer.Option(0, help="Of the motion JPEG stream; 0 takes a free one."),
    fps: float = typer.Option(
        4.0, min=0.1, max=30.0, help="Frames a second; what the machine cannot render is left out."
    ),
    airborne_m: float = typer.Option(0.0, min=0.0, help="Begin hovering at this height instead of on the ground."),
    json: bool = typer.Option(False, "--json", help="The endpoints as one JSON object on stdout."),
) -> None:
    """A simulated drone in real time: MAVLink and a camera stream, until interrupted; hardness is not measured."""
    from sim.serve import ServeOptions, run_server

    options = ServeOptions(out, (mavlink, station), camera_port, fps, airborne_m)
    run_server(open_world(world, seed), seed, options, emit if json else _say_endpoints)


def _say_endpoints(endpoints: dict[str, object]) -> None:
    for name, value in endpoints.items():
        say(f"{name}: {value}")


def judged_world(
    name: str, seed: int, tell: Callable[[str], None], judge: Judge | None = None, measure: bool = False
) -> tuple[AnyWorld, HardnessReport | None]:
    """The world of ``--world`` that is flown, and its hardness: a real map is as it is, any other is accepted.

    A procedural world on record is taken as it was accepted; any other is measured, a real map only if asked for.

    Raises:
        HardnessError: no pair of dates makes the world acceptable.
    """
    from sim.hardness import hardness
    from sim.world_choice import accepted, recorded

    if name == PROCEDURAL:
        on_record = None if measure or judge is not None else recorded(seed)
        if on_record is None:
            if judge is None:
                tell("measure how hard the world is, which is not on record: half a minute")
            return accepted(lambda dates: open_world(name, seed, dates), tell, judge or hardness)
        tell(f"hardness on record, dates {on_record.dates}: {on_record}")
        return open_world(name, seed, on_record.dates), on_record
    world = open_world(name, seed)
    if not measure and judge is None:
        tell("hardness of the map: not measured; --measure does it")
        return world, None
    report = (judge or hardness)(world)
    tell(f"hardness: {report}")
    return world, report


def open_world(name: str, seed: int, dates: int = 0) -> AnyWorld:
    """The world of ``--world``, a procedural one on its pair of dates of that number."""
    if name == PROCEDURAL:
        from sim.world.world import World

        return World.generate(seed, dates=dates)
    from sim.world.geotiff import GeoTiffWorld

    return GeoTiffWorld.open(Path(name), seed)


def fresh_folder(out: Path) -> Path:
    """The output folder without an earlier run's history and logs; nothing else in it is touched.

    Raises:
        StorageError: it cannot be made or cleared.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in [*out.glob("history.db*"), *out.glob("logs/*"), *out.glob("targets/*.png")]:
            old.unlink()
    except OSError as error:
        raise StorageError(f"folder {out} cannot be used: {error.strerror}; give another with --out.") from error
    return out


def main() -> NoReturn:
    """The console script; without a command it is `return`, with whatever options follow."""
    words = sys.argv[1:]
    if not words or (words[0].startswith("-") and words[0] != "--help"):
        sys.argv.insert(1, "return")
    enter(app)


if __name__ == "__main__":
    main()
