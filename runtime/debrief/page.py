"""The page of a flight: one for what was flown, simulated or replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from runtime.debrief.commands import commands_of, refusals_of
from runtime.debrief.flown import Flown
from runtime.debrief.judged import Judged
from runtime.debrief.load import delays_of, delays_table, draw_delays, draw_rates
from runtime.debrief.pictures import pictures_of
from runtime.debrief.set_up import set_up_of
from runtime.debrief.sight_plot import (
    GPS_COLOUR,
    TRUE_COLOUR,
    paint_ellipses,
    paint_errors,
    paint_moments,
    paint_state,
    received_points,
    seen_marks,
    true_points,
)
from runtime.debrief.story import story_of
from runtime.debrief.trust_plot import draw_trust
from runtime.geodesy import north_east_m
from runtime.report.figures import Line, Marks, paint_map
from runtime.report.flight import FlightReport, Table, write_flight_report
from runtime.values import GeoPoint

_MAP_INCHES = 9.0
_MARGIN = 0.08  # of the ground that a map shows, beyond what was flown


def write_debrief(
    path: Path, judged: Judged, title: str = "Homing: a flight", lead: str = "",
    facts: Mapping[str, str] = {}, plots: Sequence[Figure] = (),  # noqa: B006 (never written to)
) -> None:  # fmt: skip
    """Write the page to ``path`` and its map beside it as ``<stem>_map.png``.

    ``lead``, ``facts`` and ``plots`` are of what the page is about besides the flight, and come first.

    Raises:
        StorageError: a file cannot be written.
    """
    flown, sights = judged.flown, judged.sights
    trust = draw_trust(sights.judged)
    report = FlightReport(
        title=title,
        lead=f"{lead} {judged.lead()}".strip(),
        result=None,
        checks={},
        facts={**facts, **judged.facts()},
        map=_map(judged),
        pictures=pictures_of(flown, sights.moments),
        pictures_title="What the camera saw",
        plots=(*plots, _errors(judged), *(() if trust is None else (trust,)), *load_plots(flown)),
        tables=(commands_of("", flown.wire.commands, [flown]), *tables_of(flown)),
    )
    write_flight_report(path, report)


def load_plots(flown: Flown, name: str = "") -> tuple[Figure, ...]:
    """Delays, rates and drops over a flight's time."""
    return draw_delays(delays_of(flown), name), draw_rates(flown, name)


def tables_of(flown: Flown, name: str = "") -> tuple[Table, ...]:
    """What is told of a flight beside its commands: why there were no more, what happened, delays and the set-up."""
    delays = delays_table(delays_of(flown), name)
    return (*refusals_of({name: [flown]}), story_of(flown, name), delays, *set_up_of(flown, name))


def _map(judged: Judged) -> Figure:
    sights, begun_ns = judged.sights, judged.flown.first_t_ns
    true, received = true_points(judged.truth, begun_ns), received_points(sights)
    lines = []
    if judged.truth is not None and len(true) > 1:
        lines.append(Line(f"{judged.truth.source}", true, TRUE_COLOUR))
    elif judged.track():
        lines.append(Line("autopilot's position", tuple(judged.track()), "#8a8a8a"))
    if len(received) > 1 and (judged.truth is None or judged.truth.source != "gps receiver"):
        lines.append(Line("GPS", received, GPS_COLOUR, dashed=True))
    marks = [*seen_marks(sights), *_places(judged.flown)]
    drawn = [*(line.points for line in lines), *(layer.points for layer in marks)]
    points = [point for some in drawn for point in some]
    origin = points[0] if points else GeoPoint(0.0, 0.0)
    around = np.array([north_east_m(origin, point) for point in points]).reshape(-1, 2)
    height_m, width_m = np.ptp(around, axis=0) if len(around) else (1.0, 1.0)
    inches = float(np.clip(_MAP_INCHES * height_m / max(width_m, 1.0) + 1.2, 3.5, 9.0))
    figure = Figure(figsize=(_MAP_INCHES + 1.0, inches), layout="constrained")
    axes = figure.add_subplot()
    paint_map(axes, origin, lines, marks)
    axes.margins(_MARGIN)
    if any(one.place is not None for one in sights.judged):
        paint_ellipses(axes, sights, origin)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def _places(flown: Flown) -> list[Marks]:
    """Where fixes put the aircraft, where it was sent, and what the operator confirmed."""
    fixes = [record["aircraft"] for _, record in flown.records.get("fix", []) if record["aircraft"] is not None]
    sent = [record for _, record in flown.records.get("setpoint", []) if record["sent"]]
    confirmed = {r["request"].get("target_id") for _, r in flown.records.get("control", [])
                 if r["request"].get("command") == "confirm" and "error" not in r["answer"]}  # fmt: skip
    targets = [r["answer"].get("place") for _, r in flown.records.get("control", [])
               if r["request"].get("command") == "target" and r["answer"].get("target_id") in confirmed]  # fmt: skip
    layers = [
        Marks("fixes", _points(fixes), "#7b4fb5", "x", 12.0),
        Marks("position targets", _points(sent), "#e0a030", "+", 14.0),
        Marks("confirmed target", _points([one for one in targets if one]), "#c2185b", "*", 160.0),
    ]
    return [layer for layer in layers if layer.points]


def _points(places: Sequence[Mapping[str, float]]) -> tuple[GeoPoint, ...]:
    return tuple(GeoPoint(one["latitude_deg"], one["longitude_deg"]) for one in places)


def _errors(judged: Judged) -> Figure:
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    errors, state = figure.subplots(2, 1, sharex=True, height_ratios=(5.0, 0.8))
    paint_errors(errors, judged.sights)
    paint_state(state, judged.sights)
    paint_moments((errors, state), judged.sights)
    state.set_xlim(0.0, max(judged.flown.duration_s, 1.0))
    return figure
