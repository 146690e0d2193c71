"""The map and the plots of a report, drawn once and given as SVG (in the page) or PNG (beside it)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from runtime.geodesy import north_east_m
from runtime.values import GeoPoint, ImageRGB
from runtime.whole_file import write_whole

# A fixed salt and no date: the same flight gives the same bytes.
_SVG_STYLE: Any = {"svg.hashsalt": "homing", "svg.fonttype": "none"}
_PNG: Any = {"compress_level": 3}  # of zlib, whose own is 6: a map is an eighth larger, and sooner there


@dataclass(frozen=True, slots=True)
class Line:
    """A path over the ground, drawn through its points in order."""

    name: str
    points: tuple[GeoPoint, ...]
    colour: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """Points of one kind; ``marker`` is matplotlib's. ``labels``, where given, one for each point."""

    name: str
    points: tuple[GeoPoint, ...]
    colour: str
    marker: str = "o"
    size: float = 20.0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Background:
    """A north-up picture of the ground: its centre and side lengths."""

    image: ImageRGB
    centre: GeoPoint
    height_m: float
    width_m: float


def draw_map(
    origin: GeoPoint,
    lines: Sequence[Line],
    marks: Sequence[Marks],
    background: Background | None = None,
    title: str = "",
) -> Figure:
    """A north-up map in metres about ``origin``; later layers lie on top."""
    figure = Figure(figsize=(8.0, 8.6), layout="constrained")
    axes = figure.add_subplot()
    paint_map(axes, origin, lines, marks, background)
    figure.set_size_inches(8.0, _page_height(axes))
    axes.set_title(title)
    if lines or marks:
        figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)  # off the map: nothing is hidden
    return figure


def paint_map(
    axes: Axes, origin: GeoPoint, lines: Sequence[Line], marks: Sequence[Marks], background: Background | None = None
) -> None:
    """Draw a north-up map in metres about ``origin`` on ``axes``; later layers lie on top."""
    if background is not None:
        north, east = north_east_m(origin, background.centre)
        half_height, half_width = background.height_m / 2, background.width_m / 2
        extent = (east - half_width, east + half_width, north - half_height, north + half_height)
        axes.imshow(background.image, extent=extent, alpha=0.75)
    for line in lines:
        ground = _ground(origin, line.points)
        axes.plot(ground[:, 1], ground[:, 0], "--" if line.dashed else "-", color=line.colour, lw=1.6, label=line.name)
    for layer in marks:
        ground = _ground(origin, layer.points)
        outline: dict[str, Any] = {} if layer.marker in ("x", "+") else {"edgecolors": "black", "linewidths": 0.4}
        axes.scatter(
            ground[:, 1], ground[:, 0], s=layer.size, c=layer.colour, marker=layer.marker, label=layer.name, zorder=3,
            **outline,
        )  # fmt: skip
        for label, (north, east) in zip(layer.labels, ground, strict=False):
            axes.annotate(label, (east, north), xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set_aspect("equal")
    axes.set_xlabel("east [m]")
    axes.set_ylabel("north [m]")
    axes.grid(alpha=0.25)


def _page_height(axes: Axes) -> float:
    """Inches for a map eight wide: as much as its ground needs, with room for titles and legend."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    return float(np.clip(7.0 * (north - south) / (east - west) + 1.6, 3.6, 11.0))


def draw_series(title: str, unit: str, series: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> Figure:
    """Values over time in seconds; each series is (name, times, values)."""
    figure = Figure(figsize=(8.0, 2.6), layout="constrained")
    axes = figure.add_subplot()
    for name, times, values in series:
        axes.plot(times, values, ".-", ms=3, lw=0.8, label=name)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("time [s]")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25)
    if len(series) > 1:
        axes.legend(fontsize=8)
    return figure


def decades(axis: Axis) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 of each decade, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def svg_of(figure: Figure) -> str:
    """The figure as an ``<svg>`` element."""
    lay_out(figure)
    buffer = io.StringIO()
    with matplotlib.rc_context(_SVG_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def write_png(figure: Figure, path: Path) -> None:
    """The figure as a PNG file, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    lay_out(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None}, pil_kwargs=_PNG)
    write_whole(path, buffer.getvalue())


def lay_out(figure: Figure) -> None:
    """Place what is in the figure, once for all formats: with an engine left in it every `savefig` draws it once more
    for that alone."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def _ground(origin: GeoPoint, points: Sequence[GeoPoint]) -> np.ndarray:
    return np.array([north_east_m(origin, point) for point in points], dtype=np.float64).reshape(-1, 2)
