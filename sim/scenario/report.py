"""The page of a scenario: what was flown, what was asked, what came of it, with the truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from runtime.debrief.commands import commands_of, refusals_of
from runtime.debrief.flown import Flown
from runtime.debrief.load import delays_of, delays_table
from runtime.debrief.page import load_plots
from runtime.debrief.set_up import set_up_of
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.report.figures import Background, Line, Marks, draw_map, draw_series
from runtime.report.flight import FlightReport, Picture, Table, write_flight_report
from runtime.values import GeoPoint
from sim.satellite import satellite_crop
from sim.scenario.aircraft import Truth
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.picture import write_picture
from sim.scenario.questions import Reply, read_picture
from sim.scenario.setup import Site

_TRACK_STEP = 25  # of 20 ms: twice a second is as fine as a map shows
_MAP_GSD_M = 1.0
_LEG_COLOURS = ("#c2185b", "#6a1b9a", "#ef6c00", "#00838f")


def write_report(path: Path, site: Site, outcome: Outcome, recording: Recording, wall_s: float) -> None:
    """Write the page and, beside it, the map and one picture of the flight.

    Raises:
        StorageError: a file cannot be written.
    """
    logs = logs_of(recording)
    ground, pictures = ground_of(site), pictures_of(site, recording)
    report = FlightReport(
        title=f"Scenario return, seed {site.seed}",
        lead=_lead(outcome),
        result="PASS" if outcome.passed else "FAIL",
        checks=outcome.checks(),
        facts=_facts(outcome, wall_s),
        map=_map(site, outcome, recording, ground),
        pictures=pictures,
        plots=_plots(logs.get("return", [])),
        tables=(
            _answers(outcome.replies),
            legs_of(outcome),
            *(commands_of(name, recording.commands[name], log) for name, log in logs.items()),
            *refusals_of(logs),
            *computers_of(logs),
        ),
    )
    write_flight_report(path, report)
    if recording.chosen is not None:
        picture, target = path.with_name(path.stem + "_picture.jpg"), recording.chosen.question
        write_picture(picture, site, recording.tracks["return"], target, pictures, ground, outcome.autopilot)


def _lead(outcome: Outcome) -> str:
    asked = len(outcome.replies)
    return (
        f"{asked} satellite crops were looked for in what the drone had just recorded; "
        f"{outcome.targets_accepted} places that were flown over and {outcome.outside_accepted} that never were "
        "were accepted."
    )


def _facts(outcome: Outcome, wall_s: float) -> dict[str, str]:
    errors = [reply.error_m for reply in outcome.replies if reply.error_m is not None]
    fixes = outcome.fix_errors_m
    facts = {
        "accepted places, error": spread_of(errors, "m"),
        "arrival error after 5 s of hold": "never arrived"
        if outcome.arrival_error_m is None
        else f"{outcome.arrival_error_m:.1f} m",
        "live fixes on the return": f"{len(fixes)} of {outcome.fix_attempts} looks, {spread_of(fixes, 'm')}",
        f"exposure to fix, {computer(outcome)}": spread_of(outcome.exposure_to_fix_ms, "ms"),
        "commands sent": ", ".join(f"{leg.name.replace('_', ' ')} {leg.commands}" for leg in outcome.legs),
        "commands without authority": str(outcome.commands_without_authority),
        "hardness of the world": "not measured" if outcome.hardness is None else str(outcome.hardness),
        **flown_by(outcome, wall_s),
    }
    return facts


def computer(outcome: Outcome) -> str:
    """Whose time it takes."""
    return "this computer" if outcome.real_time else "simulated computer"


def flown_by(outcome: Outcome, wall_s: float) -> dict[str, str]:
    """The facts of who flew, on which clock, and how far its own position was off where that was measured."""
    flown = "flown in real time, all in" if outcome.real_time else "simulated in"
    facts = {"autopilot": outcome.autopilot, "flight time": f"{outcome.simulated_s:.0f} s {flown} {wall_s:.0f} s"}
    for name, figures in (outcome.estimator or {}).items():
        if figures["median_m"] is not None:
            facts[f"autopilot's position while it was fed: {name.replace('_', ' ')}"] = (
                f"median {figures['median_m']:.2f} m, p95 {figures['p95_m']:.2f} m, worst {figures['max_m']:.2f} m "
                f"in {figures['seconds']:.0f} s"
            )
    return facts


def spread_of(values: list[float], unit: str) -> str:
    """Median, 95th percentile and worst in words."""
    if not values:
        return "none"
    median, p95, most = np.percentile(values, [50, 95, 100])
    return f"median {median:.1f} {unit}, p95 {p95:.1f} {unit}, worst {most:.1f} {unit}"


def ground_of(site: Site) -> Background:
    """The satellite image of the whole world."""
    image = satellite_crop(site.world, (0.0, 0.0), site.world.size_m, round(site.world.size_m / _MAP_GSD_M))
    return Background(image, site.world.origin, site.world.size_m, site.world.size_m)


def _map(site: Site, outcome: Outcome, recording: Recording, ground: Background) -> Any:
    origin = site.world.origin
    with History.open(site.history) as history:
        keyframes = tuple(keyframe.ground for keyframe in history.keyframes(crops=False))
    lines = [
        Line(name.replace("_", " "), _geo(origin, track), colour, dashed=name != "return")
        for (name, track), colour in zip(recording.tracks.items(), _LEG_COLOURS, strict=False)
    ]
    asked = {flown: [r for r in outcome.replies if r.question.flown is flown] for flown in (True, False)}
    marks = [Marks("keyframes", keyframes, "#29b6f6", "o", 14.0)]
    for name, replies, colour in (
        ("targets accepted", [r for r in asked[True] if r.accepted], "#2e7d32"),
        ("targets refused", [r for r in asked[True] if not r.accepted], "#f9a825"),
        ("never flown over, refused", [r for r in asked[False] if not r.accepted], "#9e9e9e"),
        ("never flown over, accepted", [r for r in asked[False] if r.accepted], "#d50000"),
    ):
        if replies:
            points = tuple(offset(origin, *reply.question.truth) for reply in replies)
            marks.append(Marks(name, points, colour, "s", 26.0))
    answers = tuple(offset(origin, *reply.place) for reply in outcome.replies if reply.place is not None)
    if answers:
        marks.append(Marks("answers", answers, "black", "+", 40.0))
    if recording.chosen is not None:
        marks.append(Marks("flown to", (offset(origin, *recording.chosen.question.truth),), "#c2185b", "*", 190.0))
    return draw_map(origin, lines, marks, ground, f"seed {site.seed}")


def _geo(origin: GeoPoint, track: list[Truth]) -> tuple[GeoPoint, ...]:
    return tuple(offset(origin, *step.ground) for step in track[::_TRACK_STEP])


def pictures_of(site: Site, recording: Recording) -> tuple[Picture, ...]:
    """The target, what it was recognised by, and what the camera saw on arrival; as far as it came."""
    chosen = recording.chosen
    if chosen is None:
        return ()
    pictures = [
        Picture("The target", "what the operator pointed at, on the satellite image", read_picture(chosen.question))
    ]
    candidates = chosen.answer.get("candidates") or []
    if candidates:
        with History.open(site.history) as history:
            keyframe = history.keyframe(int(candidates[0]["keyframe"]))
        caption = f"keyframe {keyframe.keyframe_id}, recorded during the survey"
        pictures.append(Picture("The matched keyframe", caption, keyframe.crop))
    if recording.arrival_view is not None:
        pictures.append(Picture("The arrival", "the camera after five seconds of hold", recording.arrival_view))
    return tuple(pictures)


def _plots(logs: list[Flown]) -> tuple[Any, ...]:
    load = tuple(plot for log in logs[:1] for plot in load_plots(log, "return"))
    looks = [(log.seconds(t_ns), record["difference"]) for log in logs for t_ns, record in log.records["fix"]]
    seen = [(at_s, difference["distance_m"]) for at_s, difference in looks if difference]
    if not seen:
        return load
    times, distances = zip(*seen, strict=True)
    plot = draw_series("live fix against the autopilot's position", "m", [("difference", times, distances)])
    return (plot, *load)


def logs_of(recording: Recording) -> dict[str, list[Flown]]:
    """What every flight's logs hold: one for each start of its daemon where that has its own."""
    return {name: [recording.log(path) for path in paths] for name, paths in recording.logs.items()}


def computers_of(logs: dict[str, list[Flown]]) -> list[Table]:
    """How long each flight's computer took, and with what it flew: the versions and the configuration of the first."""
    delays = [delays_table(delays_of(log[0]), name) for name, log in logs.items() if log]
    return [*delays, *(table for log in list(logs.values())[:1] for table in set_up_of(log[0]))]


def _answers(replies: list[Reply]) -> Table:
    rows = tuple(
        (
            reply.question.name,
            "accepted" if reply.accepted else "refused",
            "" if reply.error_m is None else f"{reply.error_m:.1f} m",
            "" if reply.answer.get("probability") is None else f"{reply.answer['probability']:.3f}",
            str(reply.answer.get("reason", reply.answer.get("error", ""))),
        )
        for reply in replies
    )
    return Table("Every question and its answer", ("question", "answer", "error", "probability", "reason"), rows)


def legs_of(outcome: Outcome) -> Table:
    """Every flight, and how it ended."""
    rows = tuple(
        (leg.name.replace("_", " "), "yes" if leg.obeyed else "NO", str(leg.commands_without_authority), leg.story)
        for leg in outcome.legs
    )
    return Table("The flights", ("flight", "as it must be", "commands without authority", "what happened"), rows)
