"""`homing replay`: a logged flight through the daemon again, compared with what it did in the air."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.cli.output import emit, progress, say, warn
from runtime.config.config import Config, load_config
from runtime.debrief.flown import Flown
from runtime.debrief.truth import Truth, truth_of
from runtime.errors import UsageError
from runtime.replay.changes import Comparison
from runtime.replay.comparison import compare
from runtime.replay.outcome import Outcome, flown_again
from runtime.replay.recording import Recording
from runtime.replay.replay import Replayed, config_of, replay
from runtime.replay.words import cautions, facts, lead
from runtime.values import GeoPoint

_CHANGED = 3  # exit status where the replay is not the flight again

_Versions = dict[str, tuple[str | None, str | None]]


def replay_command(
    log: Annotated[Path, typer.Argument(help='The flight log, an .mcap written with [log] frames = "all" or "exact".')],
    config: Annotated[Path | None, typer.Option(help="Another configuration than the flight's own.")] = None,
    history: Annotated[Path | None, typer.Option(help="Where the flight's history lies; else where it lay.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Another bundle than the configuration's.")] = None,
    tolerance_m: Annotated[float, typer.Option(min=0.0, help="Changes up to this are none; 0: to the byte.")] = 2.0,
    report: Annotated[Path | None, typer.Option(help="The page of the flight as it was replayed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Put a logged flight through the daemon again and compare; exit status 3 where something changed."""
    if not math.isfinite(tolerance_m):
        raise UsageError("--tolerance-m is a number of metres.")
    recording = Recording.open(log)
    settings = _with_bundle(config_of(recording) if config is None else load_config(config), bundle)
    replayed = _replayed(recording, settings, history)
    logged = recording.followed.until(replayed.end_t_ns)
    flown = Flown.open(log)
    truth = truth_of(flown)
    comparison = compare(logged, replayed.outcome, truth, recording.first_t_ns, tolerance_m)
    changed_versions = _changed_versions(recording.start.versions, replayed.versions)
    said = facts(comparison, changed_versions)
    for caution in cautions(recording, replayed):
        warn(caution)
    if as_json:
        emit(_record(recording, replayed, comparison, changed_versions))
    else:
        lines = [f"  {what}: {value}" for what, value in said.items()]
        say("\n".join([lead(recording, replayed, comparison), *lines]))
    if report is not None:
        _write_report(report, lead(recording, replayed, comparison), said, recording, logged, replayed, flown, truth)
    if comparison.changed:
        raise typer.Exit(_CHANGED)


def _with_bundle(config: Config, bundle: Path | None) -> Config:
    if bundle is None:
        return config
    return config.model_copy(update={"bundle": config.bundle.model_copy(update={"path": bundle})})


def _replayed(recording: Recording, config: Config, history: Path | None) -> Replayed:
    seconds = (recording.last_t_ns - recording.first_t_ns) // 1_000_000_000
    done_s = 0
    with progress("replaying seconds", max(1, seconds)) as steps:

        def step(t_ns: int) -> None:
            nonlocal done_s
            while done_s < min(seconds, (t_ns - recording.first_t_ns) // 1_000_000_000):
                done_s += 1
                steps.step()

        return replay(recording, config, history=history, step=step)


def _changed_versions(then: dict[str, str], now: dict[str, str]) -> _Versions:
    names = sorted(then.keys() | now.keys())
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}


def _record(
    recording: Recording, replayed: Replayed, comparison: Comparison, changed_versions: _Versions
) -> dict[str, Any]:
    """The line of ``--json``."""
    return {
        "log": str(recording.path),
        "replayed_s": (replayed.end_t_ns - recording.first_t_ns) * 1e-9,
        "finished": replayed.finished,
        "frames": replayed.frames,
        "lost_frames": replayed.lost_frames,
        "lost_records": recording.lost_records,
        "history_keyframes": replayed.past.keyframes,
        "history_left_out": replayed.past.left_out,
        "cautions": cautions(recording, replayed),
        "versions": changed_versions,
        **asdict(comparison),
    }


def _write_report(
    path: Path, first: str, said: dict[str, str], recording: Recording, logged: Outcome, replayed: Replayed,
    flown: Flown, truth: Truth | None,
) -> None:  # fmt: skip
    """The page of the flight as it was replayed."""
    from runtime.debrief.judged import Judged  # matplotlib takes half a second to load
    from runtime.debrief.page import write_debrief
    from runtime.report.replay import Believed, draw_apart, draw_both_sigmas

    def track(outcome: Outcome) -> list[Believed]:
        return [
            Believed(
                (t_ns - recording.first_t_ns) * 1e-9,
                None if record["position"] is None else GeoPoint(**record["position"]),
                record["sigma_m"],
            )
            for t_ns, record in outcome.records["estimate"]
        ]

    tracks = track(logged), track(replayed.outcome)
    judged = Judged.of(flown_again(flown, replayed.outcome), truth)
    plots = draw_apart(tracks), draw_both_sigmas(tracks)
    write_debrief(path, judged, "Homing: a flight replayed", first, said, plots)
    warn(f"The report is {path}.")
