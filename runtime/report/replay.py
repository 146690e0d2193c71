"""Plots of a replayed flight: how far the estimates of the flight and of the replay lie apart, and their sigmas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runtime.geodesy import distance_m
from runtime.values import GeoPoint

_FLIGHT, _REPLAY = "#5b8fd9", "#1a7f4b"


@dataclass(frozen=True, slots=True)
class Believed:
    """One estimate: seconds since the log began, its place, and its sigma; None where it was lost."""

    seconds: float
    place: GeoPoint | None
    sigma_m: float | None


Track = Sequence[Believed]


def draw_apart(tracks: tuple[Track, Track]) -> Figure:
    """How far the two estimates of one instant, of flight and replay, lie apart over time."""
    logged, replayed = ({one.seconds: one.place for one in track} for track in tracks)
    both = sorted(logged.keys() & replayed.keys())
    pairs = [(at, logged[at], replayed[at]) for at in both]
    apart = [(at, distance_m(a, b)) for at, a, b in pairs if a is not None and b is not None]
    figure, axes = _axes("replay from flight")
    if apart:
        axes.plot(*zip(*apart, strict=True), ".-", ms=3, lw=0.8, color=_REPLAY)
        axes.set_ylim(0.0, max(1.0, 1.3 * float(np.max([metres for _, metres in apart]))))
    return figure


def draw_both_sigmas(tracks: tuple[Track, Track]) -> Figure:
    """The sigmas of flight and replay over time."""
    figure, axes = _axes("sigma")
    for track, colour, name in zip(tracks, (_FLIGHT, _REPLAY), ("flight", "replay"), strict=True):
        known = [(one.seconds, one.sigma_m) for one in track if one.sigma_m is not None]
        if known:
            axes.plot(*zip(*known, strict=True), ".-", ms=3, lw=0.8, color=colour, label=name)
    if axes.lines:
        axes.legend(fontsize=8)
    return figure


def _axes(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10.0, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("time [s]")
    axes.set_ylabel("m")
    axes.grid(alpha=0.25)
    return figure, axes
