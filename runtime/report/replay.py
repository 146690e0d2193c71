"""The report of a replayed flight: the estimates of the flight and of the replay, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runtime.geodesy import distance_m
from runtime.report.figures import Line, Marks, draw_map
from runtime.report.flight import FlightReport, write_flight_report
from runtime.values import GeoPoint

_FLIGHT, _REPLAY, _TRUTH = "#5b8fd9", "#1a7f4b", "#8a8a8a"


@dataclass(frozen=True, slots=True)
class Believed:
    """One estimate: seconds since the log began, its place, and its sigma; None where it was lost."""

    seconds: float
    place: GeoPoint | None
    sigma_m: float | None


Track = Sequence[Believed]


def write_replay_report(
    path: Path,
    lead: str,
    facts: dict[str, str],
    tracks: tuple[Track, Track],
    source: str,
    truth: Sequence[GeoPoint],
) -> None:
    """Write the page to ``path`` and its map beside it as ``<stem>_map.png``.

    ``tracks``: the estimates of flight and replay. ``truth``: where the aircraft was, as ``source`` says.

    Raises:
        StorageError: a file cannot be written.
    """
    report = FlightReport(
        title="Homing: a flight replayed",
        lead=lead,
        result=None,
        checks={},
        facts=facts,
        map=_map(tracks, source, truth),
        plots=(_apart(tracks), _sigmas(tracks)),
    )
    write_flight_report(path, report)


def _map(tracks: tuple[Track, Track], source: str, truth: Sequence[GeoPoint]) -> Figure:
    logged, replayed = (tuple(one.place for one in track if one.place is not None) for track in tracks)
    lines = [Line(source, tuple(truth), _TRUTH, dashed=True)] if len(truth) > 1 else []
    marks = [Marks("flight", logged, _FLIGHT, "o", 26.0), Marks("replay", replayed, _REPLAY, "x", 26.0)]
    anchors = [*truth, *logged, *replayed]
    origin = anchors[0] if anchors else GeoPoint(0.0, 0.0)
    return draw_map(origin, lines, [layer for layer in marks if layer.points], title="estimates")


def _apart(tracks: tuple[Track, Track]) -> Figure:
    """Between the two estimates of one instant, over time."""
    logged, replayed = ({one.seconds: one.place for one in track} for track in tracks)
    both = sorted(logged.keys() & replayed.keys())
    pairs = [(at, logged[at], replayed[at]) for at in both]
    apart = [(at, distance_m(a, b)) for at, a, b in pairs if a is not None and b is not None]
    figure, axes = _axes("replay from flight")
    if apart:
        axes.plot(*zip(*apart, strict=True), ".-", ms=3, lw=0.8, color=_REPLAY)
        axes.set_ylim(0.0, max(1.0, 1.3 * float(np.max([metres for _, metres in apart]))))
    return figure


def _sigmas(tracks: tuple[Track, Track]) -> Figure:
    figure, axes = _axes("sigma")
    for track, colour, name in zip(tracks, (_FLIGHT, _REPLAY), ("flight", "replay"), strict=True):
        known = [(one.seconds, one.sigma_m) for one in track if one.sigma_m is not None]
        if known:
            axes.plot(*zip(*known, strict=True), ".-", ms=3, lw=0.8, color=colour, label=name)
    if axes.lines:
        axes.legend(fontsize=8)
    return figure


def _axes(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.0, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("time [s]")
    axes.set_ylabel("m")
    axes.grid(alpha=0.25)
    return figure, axes
