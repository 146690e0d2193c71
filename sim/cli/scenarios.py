"""The scenarios as commands: flown, told, and judged; status 3 is no PASS."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from runtime.cli.output import emit, open_on_a_desk, say, share_done, warn
from runtime.errors import StorageError, UsageError

if TYPE_CHECKING:
    from runtime.flightlog.keeper import KeptFrames
    from sim.scenario.hangar import Hangar

BUILTIN = "builtin"
_GARBAGE = 50_000, 20, 20  # objects, and rounds: the track grows by one every 20 ms, and next to nothing is in circles


@dataclass(frozen=True, slots=True)
class Flying:
    """Who flies: the built-in autopilot, or a real one that is connected to, or launched."""

    autopilot: str = BUILTIN
    connect: tuple[str, ...] = ()
    launch: Path | None = None
    realtime: bool = False

    def hangar(self, folder: Path) -> Hangar:
        """What provides it.

        Raises:
            UsageError: these options do not go together.
        """
        if self.autopilot == BUILTIN:
            from sim.scenario.hangar import BuiltIn

            if self.connect or self.launch is not None:
                raise UsageError("--connect and --launch are for --autopilot ardupilot or px4.")
            return BuiltIn(self.realtime)
        from sim.sitl.hangar import Asked, SitlHangar

        return SitlHangar(Asked(self.autopilot, self.connect, self.launch), folder / "sitl")


@dataclass(frozen=True, slots=True)
class FlightOptions:
    """What every scenario is asked for on the command line."""

    world: str
    seed: int
    out: Path
    measure: bool
    browser: bool
    json: bool
    small: bool = False
    whole_frames: bool = False
    history: Path | None = None
    fresh: bool = False
    flying: Flying = field(default_factory=Flying)


_WORLD = typer.Option("procedural", help="`procedural`, or a GeoTIFF to fly over.")
_SEED = typer.Option(1, min=0, help="The world, the errors and the questions all follow from it.")
_OUT = typer.Option(None, help="Folder for the report, the history and the logs; out/ and the scenario's name.")
_AUTOPILOT = typer.Option(
    BUILTIN, help="Who flies: `builtin`, or `ardupilot`, `px4` or `px4-hold` (guided in Hold) in their own simulator "
    "(SITL)."
)  # fmt: skip
_CONNECT = typer.Option(
    [], help="Where that SITL is: the companion's line, and once more for the pilot's; its first instance by default."
)
_LAUNCH = typer.Option(None, exists=True, dir_okay=False, help="The binary of that SITL, which is started and ended.")
_REALTIME = typer.Option(False, help="At the pace of a clock, with the vehicle on UDP 14550 to watch; a SITL always.")
_SMALL = typer.Option(False, help="A third of the survey and of the questions.")
_MEASURE = typer.Option(False, help="Measure how hard the world is, also where that is on record.")
_BROWSER = typer.Option(True, help="Open the report at the end, on a terminal with a display.")
_JSON = typer.Option(False, "--json", help="One JSON object on stdout.")
_WHOLE = typer.Option(False, help="Logs keep every frame, for `homing replay`: 0.4 MB each.")
_HISTORY = typer.Option(
    None, exists=True, dir_okay=False, help="A history recorded before in the same world, instead of a flight for one."
)
_FRESH = typer.Option(False, help="Fly the survey anew, also where it was flown before and kept.")
Command = Callable[..., None]


def _with_survey(name: str, sentence: str) -> Command:
    """The command of a scenario that begins with its own survey."""

    def command(
        world: str = _WORLD, seed: int = _SEED, out: Path | None = _OUT, autopilot: str = _AUTOPILOT,
        connect: list[str] = _CONNECT, launch: Path | None = _LAUNCH, realtime: bool = _REALTIME, small: bool = _SMALL,
        measure: bool = _MEASURE, whole_frames: bool = _WHOLE, browser: bool = _BROWSER, json: bool = _JSON,
    ) -> None:  # fmt: skip
        folder, flying = out or Path("out") / name, Flying(autopilot, tuple(connect), launch, realtime)
        _fly(name, FlightOptions(world, seed, folder, measure, browser, json, small, whole_frames, None, False, flying))

    command.__doc__ = sentence
    return command


def _over_history(name: str, sentence: str) -> Command:
    """The command of a scenario that may take a history recorded before."""

    def command(
        world: str = _WORLD, seed: int = _SEED, out: Path | None = _OUT, autopilot: str = _AUTOPILOT,
        connect: list[str] = _CONNECT, launch: Path | None = _LAUNCH, realtime: bool = _REALTIME, small: bool = _SMALL,
        measure: bool = _MEASURE, whole_frames: bool = _WHOLE, browser: bool = _BROWSER,
        history: Path | None = _HISTORY, fresh: bool = _FRESH, json: bool = _JSON,
    ) -> None:  # fmt: skip
        folder, flying = out or Path("out") / name, Flying(autopilot, tuple(connect), launch, realtime)
        shown = measure, browser, json
        _fly(name, FlightOptions(world, seed, folder, *shown, small, whole_frames, history, fresh, flying))

    command.__doc__ = sentence
    return command


_SURVEYED = (
    ("return", "Survey, locate, fly to a place pointed at on a satellite image, be interrupted; PASS or FAIL."),
    ("denied", "Survey with GPS, which is cut at the far side; fly to a place pointed at by the camera alone; PASS or "
     "FAIL."),
)  # fmt: skip
_REMEMBERED = (
    ("denied-from-start", "No GPS from boot, over ground of an earlier flight: find the place, fly to another."),
    ("denied-map", "No GPS and no flight to remember: by a satellite map of another date alone."),
    ("spoofed", "Forged GPS drags the drone away, at 0.5, 1, 2 and 5 m/s and in one step: is it noticed in time?"),
    ("kidnapped", "Carried away under a covered lens, without GPS: does it know, and find out where it is?"),
    ("wind", "No GPS from boot, in a strong and gusty wind."),
    ("dusk", "No GPS from boot, an hour before night, by a history of the day."),
    ("seasons", "No GPS from boot, by a history of another season."),
    ("altitude", "No GPS from boot, by a history that was recorded at another height."),
    ("oblique", "No GPS from boot, by a camera that looks 45 degrees ahead, as it did when the history was recorded."),
    ("relief", "No GPS from boot, over hills of 100 m whose elevation model is aboard."),
    ("relief-unknown", "No GPS from boot, over hills of 100 m that are taken for level ground."),
)
COMMANDS: dict[str, Command] = {
    **{name: _with_survey(name, sentence) for name, sentence in _SURVEYED},
    **{name: _over_history(name, sentence) for name, sentence in _REMEMBERED},
}


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
        result, summary = fly_scenario(name, options, folder, begun, stage, lambda share: bar(share, doing))
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


def fly_scenario(
    name: str, options: FlightOptions, folder: Path, begun_s: float, stage: Callable[[str], None],
    done: Callable[[float], None],
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """The scenario's JSON object and its summary; the report is written."""
    import cv2

    from sim.scenario.catalogue import CATALOGUE
    from sim.scenario.histories import take_history
    from sim.scenario.kept_survey import KeptSurveys
    from sim.scenario.setup import Site
    from sim.world_cache import WorldCache

    with options.flying.hangar(folder) as hangar:
        ground, hardness = hangar.world(options.world, options.seed, options.small, stage, options.measure)
        stage("prepare the world on both dates, or read it where it was prepared before")
        surveys = KeptSurveys.default(options.fresh)
        site = Site.prepare(ground, options.seed, folder, options.small, WorldCache.default(), surveys)
        if options.history is not None:
            take_history(site, options.history)
        gc.collect()
        gc.freeze()  # what is loaded stays: to look through it again and again takes a second of a scenario
        gc.set_threshold(*_GARBAGE)
        cv2.setNumThreads(1)  # the camera, the fixes and the odometry have a thread each
        scenario = CATALOGUE[name]
        frames: KeptFrames = "exact" if options.whole_frames else "pictures"
        with hangar.launcher(site, frames, stage) as launcher:
            outcome, recording = scenario.fly(site, stage, launcher, done)
        outcome.hardness, outcome.autopilot = hardness, hangar.autopilot
        outcome.estimator = hangar.estimator(recording)
    stage("write the report")
    report = folder / "report.html"
    wall_s = time.monotonic() - begun_s
    scenario.write_report(report, site, outcome, recording, wall_s)
    return outcome.as_json(wall_s, report), outcome.summary()


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
