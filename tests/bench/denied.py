"""Flights without an honest GPS, over seeds: ``python -m tests.bench.denied [--seeds 1-10] [--jobs N] [--out DIR]``.

Every scenario of `homing-sim` by sight on procedural towns, and ``denied`` and ``denied-from-start`` over ``turku``,
fields and trees; each flight a process of its own, ``--jobs`` at a time. What ``denied`` recorded is what the others of
its seed remember, where they need no other day or height. Prints one table of the figures, one of what each stage is
worth on the same frames, and draws one plot. A run that was interrupted goes on: what has a ``result.json`` is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from runtime.flightlog.flightlog import read_flightlog
from runtime.machine import usable_cores
from sim.scenario.sight_outcome import STEP
from tests.bench.stages import STAGES, stage_errors_m

TURKU = Path(__file__).resolve().parents[3] / "shared" / "data" / "maps" / "turku.tif"
TOWN, FIELDS = "town", "turku"
SCENARIOS = (
    "denied", "denied-from-start", "denied-map", "spoofed", "kidnapped", "wind", "dusk", "seasons", "altitude",
    "oblique", "relief", "relief-unknown",
)  # fmt: skip
OVER_FIELDS = ("denied", "denied-from-start")
REMEMBERS_DENIED = {"denied-from-start", "spoofed", "kidnapped", "wind", "dusk"}  # the rest have a history of their own
_LIMIT_S = 7200.0  # of one flight, on a machine that does other things too
_BEYOND_M = 30.0  # of the plot


@dataclass(frozen=True, slots=True)
class Flight:
    """One run of `homing-sim`."""

    ground: str
    seed: int
    scenario: str

    def folder(self, out: Path) -> Path:
        """Where it writes."""
        return out / self.ground / str(self.seed) / self.scenario

    def result(self, out: Path) -> Path:
        """Its JSON object."""
        return self.folder(out) / "result.json"

    def history(self, out: Path) -> Path:
        """What it remembered."""
        return self.folder(out) / "history.db"


def flights_of(seeds: Sequence[int], scenarios: Sequence[str], grounds: Sequence[str]) -> list[Flight]:
    """All that are asked for; those that others remember come first."""
    flown_over = {TOWN: (SCENARIOS, seeds), FIELDS: (OVER_FIELDS, seeds[:1])}
    return [
        Flight(ground, seed, scenario)
        for ground in grounds
        for scenario in flown_over[ground][0]
        if scenario in scenarios
        for seed in flown_over[ground][1]
    ]


def fly(flight: Flight, out: Path, threads: int) -> dict[str, Any] | None:
    """One flight, unless it was flown before; None where it ended in an error, which stands beside it."""
    done = flight.result(out)
    if done.exists():
        return dict(json.loads(done.read_text()))
    folder = flight.folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sim", flight.scenario, "--seed", str(flight.seed), "--out", str(folder),
               "--no-browser", "--json"]  # fmt: skip
    if flight.ground == FIELDS:
        command += ["--world", str(TURKU)]
    remembered = Flight(flight.ground, flight.seed, "denied").history(out)
    if flight.scenario in REMEMBERS_DENIED and remembered.exists():
        command += ["--history", str(remembered)]
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")}
    with (folder / "said.txt").open("w") as said:
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=said, text=True, env={**os.environ, **limits}, timeout=_LIMIT_S
        )
    if ended.returncode not in (0, 3):
        print(f"{flight}: ended with status {ended.returncode}; see {folder / 'said.txt'}", file=sys.stderr, flush=True)
        return None
    result: dict[str, Any] = json.loads(ended.stdout)
    result["stages"] = {stage: list(errors) for stage, errors in stages_of(flight, out).items()}
    done.write_text(json.dumps(result))
    failed = [name for name, passed in result["checks"].items() if not passed]
    print(f"{flight}: {result['result']} {' '.join(failed)}", file=sys.stderr, flush=True)
    return result


def stages_of(flight: Flight, out: Path) -> dict[str, list[float]]:
    """The errors of every stage over the frames that count, of all logs of a flight by sight."""
    errors: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for log in sorted((flight.folder(out) / "logs").glob("*.mcap")):
        if log.stem == "survey":
            continue
        for stage, of_log in stage_errors_m(log, flight.history(out), _counts_from_ns(log)).items():
            errors[stage] += [round(error, 3) for error in of_log]
    return errors


def _counts_from_ns(log: Path) -> int:
    """GPS was lost then; a flight that never had it counts from the beginning."""
    for _, t_ns, record in read_flightlog(log, ("navigation",)):
        if record["gps"] == "lost":
            return int(t_ns)
    return 0


def flown(flights: Sequence[Flight], out: Path, jobs: int) -> Iterator[tuple[Flight, dict[str, Any]]]:
    """Every flight with its result: first those that others remember, then all the rest."""
    threads = max(1, usable_cores() // jobs)
    with ThreadPoolExecutor(jobs) as pool:
        for stage in ([f for f in flights if f.scenario == "denied"], [f for f in flights if f.scenario != "denied"]):
            for flight, result in zip(stage, pool.map(lambda one: fly(one, out, threads), stage), strict=True):
                if result is not None:
                    yield flight, result


Results = list[tuple[Flight, dict[str, Any]]]
HEADS = (
    "ground", "scenario", "PASS", "arrival median/worst (m)", "by sight median/p95/p99 (m)", "tracking",
    "in 68 % / 95 %", "first fix p95 (s)", "recovery p95 (s)", "confidently wrong", "alarm worst (s) at (m)",
    "false alarms",
)  # fmt: skip


def figures(results: Results) -> Table:
    """One line for each scenario over a kind of ground."""
    table = Table(*HEADS, title="without an honest GPS")
    for (ground, scenario), group in _grouped(results).items():
        passed = sum(result["result"] == "PASS" for result in group)
        table.add_row(
            ground, scenario, f"{passed} of {len(group)}",
            _of([result["arrival_error_m"] for result in group], (50, 100)),
            _of([error for result in group for error in result["stages"][STAGES[3]]], (50, 95, 99)),
            _weighted(group, "tracking_share"),
            f"{_weighted(group, 'inside_1sigma')} / {_weighted(group, 'inside_2sigma')}",
            _of([result["first_fix_s"] for result in group], (95,)),
            _of([result["recovery_s"] for result in group], (95,)),
            _weighted(group, "confidently_wrong_share", 4), _alarms(group),
            str(sum(result["false_alarms"] for result in group)),
        )  # fmt: skip
    return table


def stages(results: Results) -> Table:
    """What each stage is worth: median and 95th percentile of its error over the same frames."""
    table = Table("ground", "scenario", "frames", *(f"{stage} (m)" for stage in STAGES),
                  title="error by stage: median / p95 over the frames that count")  # fmt: skip
    for (ground, scenario), group in _grouped(results).items():
        errors = {stage: [error for result in group for error in result["stages"][stage]] for stage in STAGES}
        frames = max(len(of_stage) for of_stage in errors.values())
        cells = (f"{_of(of_stage, (50, 95))} ({len(of_stage)})" for of_stage in errors.values())
        table.add_row(ground, scenario, str(frames), *cells)
    return table


def plot(results: Results, path: Path) -> None:
    """How many of the frames are how well known: one panel for each ground, one line for each stage."""
    grounds = sorted({flight.ground for flight, _ in results})
    figure = Figure(figsize=(6.0 * max(1, len(grounds)), 4.4), layout="constrained")
    for axes, ground in zip(np.atleast_1d(figure.subplots(1, max(1, len(grounds)))), grounds, strict=False):
        for stage in STAGES:
            errors = np.sort([error for flight, result in results if flight.ground == ground
                              for error in result["stages"][stage]])  # fmt: skip
            if len(errors):
                axes.plot(errors, np.arange(1, len(errors) + 1) / len(errors), lw=1.4, label=f"{stage} ({len(errors)})")
        axes.set_xlim(0.0, _BEYOND_M)
        axes.set_ylim(0.0, 1.0)
        axes.set_title(f"{ground}: flights without an honest GPS", fontsize=10)
        axes.set_xlabel("error [m]")
        axes.set_ylabel("share of frames that have a position")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


def _alarms(group: Sequence[dict[str, Any]]) -> str:
    """Of the drags, the alarm that came at the largest offset; and how many forgeries were never noticed."""
    said = [(name, alarm) for result in group for name, alarm in result["spoof_alarms"].items()]
    drags = [alarm for name, alarm in said if alarm is not None and name != STEP]
    if not said:
        return ""
    worst = max(drags, key=lambda alarm: float(alarm["offset_m"]), default=None)
    missed = sum(alarm is None for _, alarm in said)
    at = "never" if worst is None else f"{worst['s']:.1f} at {worst['offset_m']:.1f}"
    return f"{at}, {missed} of {len(said)} missed"


def _grouped(results: Results) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for flight, result in results:
        groups.setdefault((flight.ground, flight.scenario), []).append(result)
    return groups


def _of(values: Sequence[float | None], percentiles: Sequence[int]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    return "/".join(f"{np.percentile(known, at):.1f}" for at in percentiles)


def _weighted(group: Sequence[dict[str, Any]], key: str, digits: int = 2) -> str:
    """The share over all frames of all flights."""
    known = [(result[key], result["frames"]) for result in group if result[key] is not None and result["frames"]]
    if not known:
        return ""
    return f"{sum(share * frames for share, frames in known) / sum(frames for _, frames in known):.{digits}f}"


def seeds_of(text: str) -> list[int]:
    """``1-10``, or numbers with commas between."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(one) for one in text.split(",")]


def main() -> int:
    """Fly, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-10", help="a range, or numbers with commas between")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="names with commas between")
    parser.add_argument("--grounds", default=f"{TOWN},{FIELDS}", help="names with commas between")
    parser.add_argument("--jobs", type=int, default=max(1, usable_cores() // 2), help="flights at a time")
    parser.add_argument("--out", type=Path, default=Path("out/denied-seeds"))
    arguments = parser.parse_args()
    wanted = arguments.scenarios.split(",")
    if unknown := sorted(set(wanted) - set(SCENARIOS)):
        parser.error(f"there is no scenario {unknown[0]}; there are {', '.join(SCENARIOS)}")
    grounds = [ground for ground in (TOWN, FIELDS) if ground in arguments.grounds.split(",")]
    if FIELDS in grounds and not TURKU.exists():
        print(f"{TURKU} is not there: fields and trees are left out.", file=sys.stderr)
        grounds.remove(FIELDS)
    flights = flights_of(seeds_of(arguments.seeds), wanted, grounds)
    results = list(flown(flights, arguments.out, arguments.jobs))
    console = Console(width=220)
    console.print(figures(results))
    console.print(stages(results))
    plot(results, arguments.out / "denied.png")
    print(f"{len(results)} of {len(flights)} flights; plot: {arguments.out / 'denied.png'}")
    return 0 if len(results) == len(flights) else 1


if __name__ == "__main__":
    sys.exit(main())
