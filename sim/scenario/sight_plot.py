"""The plot of a flight by sight: true track, estimate with ellipses and GPS on the ground; errors and state over time.

An ellipse holds 95 % of what a Gaussian of the stated covariance would; the bands over time are the radii of the
ellipses that hold 68 and 95 %, for an error of no known direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from runtime.report.figures import Background
from runtime.values import TrackingState
from sim.scenario.accuracy import ONE_SIGMA, TWO_SIGMA, Sighting
from sim.scenario.aircraft import Truth
from sim.scenario.sight_outcome import Sights

_COLOURS = {
    TrackingState.TRACKING.value: "#2e7d32",
    TrackingState.SEARCHING.value: "#f9a825",
    TrackingState.LOST.value: "#c62828",
}
_ELLIPSE_EVERY_NS = 4_000_000_000
_TRACK_STEP = 25  # of 20 ms
_MARGIN_M = 40.0
_MOST_SHOWN_M = 60.0  # of an error: what is lost is off the plot
_MOST_OF_GPS_M = 25.0  # a forged receiver goes on; the alarm has to come before 20 m


def draw_sights(sights: Sights, track: Sequence[Truth], ground: Background | None) -> Figure:
    """One flight: the ground on the left; on the right, over time, error, sigma, what GPS was off, and the state."""
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    figure.suptitle(f"{sights.name.replace('_', ' ')}: where the camera saw the aircraft", fontsize=11)
    grid = figure.add_gridspec(1, 2, width_ratios=(1.0, 1.15))
    left, right = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    begun_ns = sights.judged_from_ns
    shown = [step for step in track if step.t_ns >= begun_ns]
    _paint_ground(left.subplots(), sights, shown, ground)
    errors, state = right.subplots(2, 1, sharex=True, height_ratios=(5.0, 0.7))
    _paint_errors(errors, sights, shown, begun_ns)
    _paint_state(state, sights.judged, begun_ns)
    for moment in sights.moments:
        after_s = (moment.t_ns - begun_ns) * 1e-9
        if after_s < 0.0:
            continue
        for axes in (errors, state):
            axes.axvline(after_s, color="black", lw=0.7, ls=":")
        errors.annotate(moment.what, (after_s, 0.99), xycoords=("data", "axes fraction"), rotation=90, va="top",
                        ha="right", fontsize=7)  # fmt: skip
    return figure


def _paint_ground(axes: Axes, sights: Sights, track: Sequence[Truth], ground: Background | None) -> None:
    if ground is not None:
        half_n, half_e = ground.height_m / 2, ground.width_m / 2
        axes.imshow(ground.image, extent=(-half_e, half_e, -half_n, half_n), alpha=0.55)
    true = np.array([step.ground for step in track[::_TRACK_STEP]]).reshape(-1, 2)
    axes.plot(true[:, 1], true[:, 0], "-", color="black", lw=1.6, label="true track")
    received = np.array([one.place for one in sights.received if one.has_fix and one.t_ns >= sights.judged_from_ns])
    if received.size:
        axes.plot(received[:, 1], received[:, 0], "-", color="#1565c0", lw=1.0, label="GPS")
    for state, colour in _COLOURS.items():
        places = [one.place for one in sights.judged if one.state == state and one.place is not None]
        if places and state != TrackingState.LOST.value:
            seen = np.array(places)
            axes.plot(seen[:, 1], seen[:, 0], ".", ms=2.5, color=colour, label=f"estimate, {state}")
    for one in _every(sights.judged, _ELLIPSE_EVERY_NS):
        axes.add_patch(_ellipse(one))
    axes.plot([], [], "-", color="#6a1b9a", lw=0.8, label="95 % ellipse")
    if len(true):
        (south, west), (north, east) = true.min(axis=0) - _MARGIN_M, true.max(axis=0) + _MARGIN_M
        axes.set_xlim(west, east)
        axes.set_ylim(south, north)
    axes.set_aspect("equal")
    axes.set_xlabel("east [m]")
    axes.set_ylabel("north [m]")
    axes.legend(fontsize=7, loc="best")


def _every(sightings: Sequence[Sighting], period_ns: int) -> list[Sighting]:
    kept: list[Sighting] = []
    for one in sightings:
        if one.tracking and (not kept or one.t_ns - kept[-1].t_ns >= period_ns):
            kept.append(one)
    return kept


def _ellipse(one: Sighting) -> Ellipse:
    assert one.place is not None
    variances, axes = np.linalg.eigh(np.array(one.covariance_m2))
    small, large = (2.0 * math.sqrt(TWO_SIGMA * max(variance, 0.0)) for variance in variances)
    north, east = axes[:, 1]
    turn_deg = math.degrees(math.atan2(north, east))
    return Ellipse((one.place[1], one.place[0]), large, small, angle=turn_deg, fill=False, color="#6a1b9a", lw=0.8)


def _paint_errors(axes: Axes, sights: Sights, track: Sequence[Truth], begun_ns: int) -> None:
    tracking = [one for one in sights.judged if one.tracking]
    times = np.array([(one.t_ns - begun_ns) * 1e-9 for one in tracking])
    errors = np.array([one.error_m for one in tracking])
    sigmas = np.array([math.sqrt(max(0.0, float(np.trace(np.array(one.covariance_m2))) / 2)) for one in tracking])
    if len(times):
        axes.plot(times, errors, ".", ms=3, color=_COLOURS[TrackingState.TRACKING.value], label="error of the estimate")
        for square, style, name in ((ONE_SIGMA, "-", "68 %"), (TWO_SIGMA, "--", "95 %")):
            axes.plot(times, sigmas * math.sqrt(square), style, color="#6a1b9a", lw=0.9, label=f"radius of {name}")
    shown_m = max(1.3 * float(np.max(errors, initial=3.0)), 8.0)
    stamps = np.array([step.t_ns for step in track], np.float64)
    grounds = np.array([step.ground for step in track]).reshape(-1, 2)
    reports = [one for one in sights.received if one.has_fix and one.t_ns >= begun_ns]
    if reports and len(stamps):
        off = [math.hypot(*(one.place[axis] - np.interp(one.t_ns, stamps, grounds[:, axis]) for axis in (0, 1)))
               for one in reports]  # fmt: skip
        times = np.array([(one.t_ns - begun_ns) * 1e-9 for one in reports])
        axes.plot(times, off, "-", color="#1565c0", lw=1.0, label="GPS off by")
        shown_m = max(shown_m, min(1.1 * max(off), _MOST_OF_GPS_M))
    axes.set_ylim(0.0, min(shown_m, _MOST_SHOWN_M))
    axes.set_ylabel("m")
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)


def _paint_state(axes: Axes, sightings: Sequence[Sighting], begun_ns: int) -> None:
    for state, colour in _COLOURS.items():
        times = [(one.t_ns - begun_ns) * 1e-9 for one in sightings if one.state == state]
        axes.plot(times, np.zeros(len(times)), "|", ms=16, color=colour, label=state)
    axes.set_yticks([])
    axes.set_xlabel("time [s]")
    axes.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 0.98), frameon=False)
