"""The report of a followed flight: where it was believed to be, beside what its telemetry said, and how sure it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from runtime.report.figures import Line, Marks, draw_map
from runtime.report.flight import FlightReport, write_flight_report
from runtime.values import Estimate, Fix, GeoPoint, Position, TrackingState

_COLOURS = {TrackingState.TRACKING: "#1a7f4b", TrackingState.SEARCHING: "#e0a030", TrackingState.LOST: "#c0392b"}


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One frame of a followed flight: seconds since the first, what was believed, fixed and said, and how many metres
    the estimate lies from what was said (None where either is unknown)."""

    seconds: float
    estimate: Estimate
    fix: Fix | None
    said: Position | None
    error_m: float | None


def write_track_report(
    path: Path, lead: str, facts: dict[str, str], rows: Sequence[TrackRow], history: Sequence[GeoPoint]
) -> None:
    """Write the page to ``path`` and its map beside it as ``<stem>_map.png``; ``history``: the keyframes' grounds,
    ``facts``: figures by their names.

    Raises:
        StorageError: a file cannot be written.
    """
    report = FlightReport(
        title="Homing: a flight followed by its camera",
        lead=lead,
        result=None,
        checks={},
        facts=facts,
        map=_map(rows, history),
        plots=(_errors(rows), _states(rows)),
    )
    write_flight_report(path, report)


def _map(rows: Sequence[TrackRow], history: Sequence[GeoPoint]) -> Figure:
    said = tuple(row.said.point for row in rows if row.said is not None)
    fixes = tuple(row.fix.aircraft for row in rows if row.fix is not None and row.fix.aircraft is not None)
    marks = [Marks("keyframes", tuple(history), "#c9d6e8", ".", 16.0), Marks("fixes", fixes, "#7b4fb5", "x", 30.0)]
    marks += [Marks(state.value, _believed(rows, state), _COLOURS[state], "o", 26.0) for state in TrackingState]
    lines = [Line("tags or telemetry", said, "#5b8fd9", dashed=True)] if len(said) > 1 else []
    anchors = [*said, *history, *fixes]
    origin = anchors[0] if anchors else GeoPoint(0.0, 0.0)
    return draw_map(origin, lines, [layer for layer in marks if layer.points], title="track and estimate")


def _believed(rows: Sequence[TrackRow], state: TrackingState) -> tuple[GeoPoint, ...]:
    estimates = [row.estimate for row in rows if row.estimate.state is state]
    return tuple(one.position for one in estimates if one.position is not None)


def _errors(rows: Sequence[TrackRow]) -> Figure:
    """Errors over time on twice the sigma that was given."""
    figure = Figure(figsize=(8.0, 2.8), layout="constrained")
    axes = figure.add_subplot()
    known = [row for row in rows if row.estimate.position is not None]
    seconds = [row.seconds for row in known]
    doubled = [2.0 * row.estimate.sigma_m for row in known]
    axes.fill_between(seconds, doubled, color="#1a7f4b", alpha=0.15, label="2 sigma")
    off = [(row.seconds, row.error_m) for row in known if row.error_m is not None]
    if off:
        axes.plot(*zip(*off, strict=True), ".-", ms=3, lw=0.8, color="#1a7f4b", label="estimate from tags")
        axes.set_ylim(0.0, max(1.0, 1.3 * float(np.percentile([error for _, error in off], 98))))
    axes.set_title("error and its sigma", fontsize=10)
    axes.set_xlabel("time [s]")
    axes.set_ylabel("m")
    axes.grid(alpha=0.25)
    if known:
        axes.legend(fontsize=8)
    return figure


def _states(rows: Sequence[TrackRow]) -> Figure:
    """The state over time, as a strip."""
    figure = Figure(figsize=(8.0, 1.3), layout="constrained")
    axes = figure.add_subplot()
    for state in TrackingState:
        seconds = [row.seconds for row in rows if row.estimate.state is state]
        axes.scatter(seconds, [0.0] * len(seconds), marker="|", s=200.0, color=_COLOURS[state], label=state.value)
    axes.set_yticks([])
    axes.set_xlabel("time [s]")
    axes.legend(fontsize=8, ncols=3, loc="upper right")
    return figure
