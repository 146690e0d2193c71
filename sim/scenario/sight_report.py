"""The page of a scenario by sight: its plots, its figures, and every command with its answer."""

from __future__ import annotations

from pathlib import Path

from runtime.debrief.commands import commands_of, refusals_of
from runtime.debrief.page import load_plots
from runtime.debrief.sight_plot import draw_sights
from runtime.debrief.trust_plot import draw_trust
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.report.figures import Background, Line, Marks, draw_map, write_png
from runtime.report.flight import FlightReport, Table, write_flight_report
from sim.scenario.histories import REMEMBERED
from sim.scenario.outcome import Recording
from sim.scenario.picture import write_picture
from sim.scenario.report import computers_of, flown_by, ground_of, legs_of, logs_of, pictures_of, spread_of
from sim.scenario.setup import Site
from sim.scenario.sight_outcome import SightOutcome

_TRACK_STEP = 25  # of 20 ms
_COLOURS = ("#ffeb3b", "#c2185b", "#6a1b9a", "#ef6c00", "#00838f", "#2e7d32")


def write_sight_report(path: Path, site: Site, outcome: SightOutcome, recording: Recording, wall_s: float) -> None:
    """Write the page and, beside it, the map, a plot of each flight, and one picture of the scenario.

    Raises:
        StorageError: a file cannot be written.
    """
    names = [sights.name for sights in outcome.sights]
    logs = {name: log for name, log in logs_of(recording).items() if name in names}
    ground, pictures = ground_of(site), pictures_of(site, recording)
    plots = tuple(draw_sights(sights, ground) for sights in outcome.sights)
    trust = draw_trust([one for sights in outcome.sights for one in sights.judged])
    load = tuple(plot for name, (log, *_) in logs.items() for plot in load_plots(log, name))
    report = FlightReport(
        title=f"Scenario {outcome.scenario}, seed {site.seed}",
        lead=outcome.summary() + ".",
        result="PASS" if outcome.passed else "FAIL",
        checks=outcome.checks(),
        facts=_facts(outcome, wall_s),
        map=draw_map(site.world.origin, _lines(site, recording), _marks(site, recording), ground, f"seed {site.seed}"),
        pictures=pictures,
        plots=(*plots, *(() if trust is None else (trust,)), *load),
        tables=(
            *(() if not outcome.forged else (_forgeries(outcome),)),
            legs_of(outcome),
            *(commands_of(name, recording.commands[name], log) for name, log in logs.items()),
            *refusals_of(logs),
            *computers_of(logs),
        ),
    )
    write_flight_report(path, report)
    for sights, plot in zip(outcome.sights, plots, strict=True):
        write_png(plot, path.with_name(f"{path.stem}_{sights.name}.png"))
    if recording.chosen is not None:
        _write_picture(path, site, outcome, recording, ground)


def _write_picture(
    path: Path, site: Site, outcome: SightOutcome, recording: Recording, ground: Background
) -> None:
    assert recording.chosen is not None
    picture = path.with_name(path.stem + "_picture.jpg")
    track, survey = recording.tracks[outcome.sights[-1].name], recording.tracks.get(REMEMBERED, ())
    shown = pictures_of(site, recording)
    write_picture(picture, site, track, recording.chosen.question, shown, ground, outcome.autopilot, survey)


def _facts(outcome: SightOutcome, wall_s: float) -> dict[str, str]:
    accuracy = outcome.accuracy
    error = accuracy.position_error_m
    facts = {
        "frames judged": str(accuracy.frames),
        "error of the camera's word while tracking": "never tracking"
        if error["median"] is None
        else f"median {error['median']:.2f} m, p95 {error['p95']:.2f} m, p99 {error['p99']:.2f} m, "
        f"worst {error['max']:.2f} m",
        "tracking": _percent(accuracy.tracking_share),
        "truth inside the ellipse of 68 % and of 95 %": f"{_percent(accuracy.inside_1sigma)}, "
        f"{_percent(accuracy.inside_2sigma)}",
        "wrong and sure of itself": _percent(accuracy.confidently_wrong_share),
        "live fixes": f"{len(outcome.fix_errors_m)} of {outcome.fix_attempts} looks, "
        f"{spread_of(outcome.fix_errors_m, 'm')}",
        "commands without authority": str(outcome.commands_without_authority),
        "false alarms of GPS": str(outcome.false_alarms),
        "hardness of the world": "not measured" if outcome.hardness is None else str(outcome.hardness),
        **flown_by(outcome, wall_s),
    }
    for name, seconds in (
        ("from the first frame to the first right estimate", outcome.first_fix_s),
        ("from a covered lens to the last estimate that was to be steered by", outcome.lost_after_s),
        ("from a free lens to the first right estimate", outcome.recovery_s),
    ):
        if seconds is not None:
            facts[name] = f"{seconds:.1f} s"
    if outcome.max_arrival_error_m is not None:
        arrival = outcome.arrival_error_m
        facts["arrival error after 5 s of hold"] = "never arrived" if arrival is None else f"{arrival:.1f} m"
    return facts


def _percent(share: float | None) -> str:
    return "nothing to judge" if share is None else f"{100 * share:.1f} %"


def _lines(site: Site, recording: Recording) -> list[Line]:
    lines = []
    for (name, track), colour in zip(recording.tracks.items(), _COLOURS, strict=False):
        points = tuple(offset(site.world.origin, *step.ground) for step in track[::_TRACK_STEP])
        lines.append(Line(name.replace("_", " "), points, colour))
    return lines


def _marks(site: Site, recording: Recording) -> list[Marks]:
    with History.open(site.history) as history:
        keyframes = tuple(keyframe.ground for keyframe in history.keyframes(crops=False))
    marks = [Marks("keyframes", keyframes, "#29b6f6", "o", 14.0)]
    if recording.chosen is not None:
        target = offset(site.world.origin, *recording.chosen.question.truth)
        marks.append(Marks("the target", (target,), "#c2185b", "*", 190.0))
    return marks


def _forgeries(outcome: SightOutcome) -> Table:
    rows = tuple(
        (name.replace("_", " "), *(("never", "") if alarm is None else (f"{alarm.s:.1f} s", f"{alarm.offset_m:.1f} m")))
        for name, alarm in outcome.forged.items()
    )
    return Table("Forged GPS", ("forgery", "noticed after", "then off by"), rows)
