"""Whether the computer kept up: delays from exposure to answer, rates, drops and pauses over a flight's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from runtime.debrief.flown import Flown
from runtime.debrief.sightings import spread
from runtime.report.figures import decades
from runtime.report.flight import Table

_MOTION, _FIX, _PAUSE = "exposure to motion", "exposure to fix", "between two decisions"
_JOBS = {"odometry": "motion, computing", "fix": "fix, computing", "record": "keyframe, computing",
         "locate": "target, computing"}  # fmt: skip
_COLOURS = {_MOTION: "#1a7f4b", _FIX: "#5b8fd9", _PAUSE: "#8a8a8a"}
_PAUSED_MS = 100.0  # a decision is due every 50: a longer pause is worth a dot
_BINS = 120
_LEAST_BIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds by what took them, each with the seconds of the flight at which it ended."""

    at_s: dict[str, NDArray[np.float64]]
    ms: dict[str, NDArray[np.float64]]

    def figures_ms(self) -> dict[str, dict[str, float | None]]:
        """Median, percentiles and the longest of each; what never happened is left out."""
        return {name: spread(values.tolist()) for name, values in self.ms.items() if values.size}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many frames came, were dropped before the daemon took them, had no pose, and were followed and tried; how
    many fixes there were."""

    frames: int
    dropped: int
    without_pose: int
    followed: int
    tried: int
    fixes: int
    keyframes: int
    failed_jobs: int


def delays_of(flown: Flown) -> Delays:
    """Everything that was waited for in a flight."""
    found: dict[str, list[tuple[int, float]]] = {}
    vision, fixes = flown.records.get("vision", []), flown.records.get("fix", [])
    found[_MOTION] = [(t_ns, t_ns - record["believed_t_ns"]) for t_ns, record in vision]
    found[_FIX] = [(t_ns, t_ns - record["exposed_t_ns"]) for t_ns, record in fixes]
    for t_ns, record in flown.records.get("job", []):
        kind = str(record["kind"])
        found.setdefault(_JOBS.get(kind, kind), []).append((t_ns, record["elapsed_ns"]))
    found[_PAUSE] = list(zip(flown.ticks_ns[1:], np.diff(flown.ticks_ns).tolist(), strict=True))
    pairs = {name: np.array(taken, np.float64).reshape(-1, 2) for name, taken in found.items()}
    return Delays(
        {name: flown.seconds(taken[:, 0]) for name, taken in pairs.items()},
        {name: taken[:, 1] * 1e-6 for name, taken in pairs.items()},
    )


def counts_of(flown: Flown) -> Counts:
    """How many of everything."""
    frames, fixes = flown.records.get("frame", []), flown.records.get("fix", [])
    return Counts(
        frames=len(frames),
        dropped=sum(int(record["dropped"]) for _, record in frames),
        without_pose=max(0, len(frames) - len(flown.records.get("pose", []))),
        followed=len(flown.records.get("odometry", [])),
        tried=len(fixes),
        fixes=sum(record["aircraft"] is not None for _, record in fixes),
        keyframes=sum(record["keyframe"] is not None for _, record in flown.records.get("record", [])),
        failed_jobs=sum(bool(record["failed"]) for _, record in flown.records.get("job", [])),
    )


def delays_table(delays: Delays, name: str = "") -> Table:
    """Each delay by its percentiles."""
    rows = tuple(
        (what, str(delays.ms[what].size), *(f"{value:.1f} ms" for value in figures.values() if value is not None))
        for what, figures in delays.figures_ms().items()
    )
    heads = ("what", "times", "median", "95 % within", "99 % within", "longest")
    return Table("Delays" + (f": {name.replace('_', ' ')}" if name else ""), heads, rows)


def draw_delays(delays: Delays, name: str = "") -> Figure:
    """Delays from exposure over time, and every pause between two decisions that was too long."""
    figure, axes = _axes("delays" + (f", {name.replace('_', ' ')}" if name else ""), "ms")
    for what in (_MOTION, _FIX):
        if delays.ms[what].size:
            axes.plot(delays.at_s[what], delays.ms[what], ".", ms=2.5, color=_COLOURS[what], label=what)
    paused = delays.ms[_PAUSE] > _PAUSED_MS
    if paused.any():
        axes.plot(delays.at_s[_PAUSE][paused], delays.ms[_PAUSE][paused], "x", ms=5, color=_COLOURS[_PAUSE],
                  label=f"{_PAUSE}, above {_PAUSED_MS:.0f} ms")  # fmt: skip
    if axes.lines:
        axes.set_yscale("log")
        decades(axes.yaxis)
        axes.set_xlim(left=0.0)
        _legend(axes)
    return figure


def draw_rates(flown: Flown, name: str = "") -> Figure:
    """Frames, motions and fixes a second, and as bars the frames that were dropped."""
    figure, axes = _axes("rates and drops" + (f", {name.replace('_', ' ')}" if name else ""), "a second")
    width_s = max(_LEAST_BIN_S, flown.duration_s / _BINS)
    edges = np.arange(0.0, flown.duration_s + width_s, width_s)
    frames = flown.records.get("frame", [])
    fixed = [t_ns for t_ns, record in flown.records.get("fix", []) if record["aircraft"] is not None]
    for what, stamps, colour in (
        ("frames", [t_ns for t_ns, _ in frames], "#8a8a8a"),
        ("motions", [t_ns for t_ns, _ in flown.records.get("odometry", [])], "#1a7f4b"),
        ("fixes", fixed, "#5b8fd9"),
    ):
        if stamps and len(edges) > 1:
            _stairs(axes, flown, stamps, edges, what, colour)
    dropped = [(flown.seconds(t_ns), record["dropped"]) for t_ns, record in frames if record["dropped"]]
    if dropped and len(edges) > 1:
        at_s, lost = zip(*dropped, strict=True)
        bars, _ = np.histogram(at_s, edges, weights=np.array(lost, np.float64))
        axes.bar(edges[:-1], bars / width_s, width_s, align="edge", color="#c0392b", alpha=0.6, label="frames dropped")
    if axes.get_legend_handles_labels()[0]:
        axes.set_ylim(bottom=0.0)
        axes.set_xlim(left=0.0)
        _legend(axes)
    return figure


def _stairs(
    axes: Axes, flown: Flown, stamps: Sequence[int], edges: NDArray[np.float64], what: str, colour: str
) -> None:
    counts, _ = np.histogram(flown.seconds(np.array(stamps, np.float64)), edges)
    axes.stairs(counts / (edges[1] - edges[0]), edges, color=colour, label=what, lw=1.2)


def _legend(axes: Axes) -> None:
    axes.legend(fontsize=7, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _axes(title: str, unit: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10.0, 2.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("time [s]")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25)
    return figure, axes
