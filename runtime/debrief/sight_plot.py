"""The plot of a flight: true track, estimate with ellipses and GPS on the ground; errors, sigma and state over time.

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

from runtime.debrief.sightings import ONE_SIGMA, TWO_SIGMA, Sighting, Sights
from runtime.debrief.truth import Truth
from runtime.geodesy import distance_m, north_east_m
from runtime.report.figures import Background, Line, Marks, paint_map
from runtime.values import GeoPoint, TrackingState

STATE_COLOURS = {
    TrackingState.TRACKING.value: "#2e7d32",
    TrackingState.SEARCHING.value: "#f9a825",
    TrackingState.LOST.value: "#c62828",
}
TRUE_COLOUR, GPS_COLOUR, SIGMA_COLOUR = "black", "#1565c0", "#6a1b9a"
_ELLIPSE_EVERY_NS = 4_000_000_000
_SHOWN_EVERY_NS = 400_000_000  # of a track: as fine as a map shows
_MARGIN_M = 40.0
_MOST_SHOWN_M = 60.0  # of an error: what is lost is off the plot
_MOST_OF_GPS_M = 25.0  # a forged receiver goes on; the alarm has to come before 20 m


def draw_sights(sights: Sights, ground: Background | None = None) -> Figure:
    """One flight: the ground on the left; on the right, over time, error, sigma, what GPS was off, and the state."""
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    figure.suptitle(f"{sights.name.replace('_', ' ')}: where the camera saw the aircraft", fontsize=11)
    grid = figure.add_gridspec(1, 2, width_ratios=(1.0, 1.15))
    left, right = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    _paint_ground(left.subplots(), sights, ground)
    errors, state = right.subplots(2, 1, sharex=True, height_ratios=(5.0, 0.7))
    paint_errors(errors, sights)
    paint_state(state, sights)
    paint_moments((errors, state), sights)
    return figure


def true_points(truth: Truth | None, from_ns: int) -> tuple[GeoPoint, ...]:
    """The true track from an instant on, as fine as a map shows."""
    return () if truth is None else _thinned(truth.stamps_ns, truth.points, from_ns)


def received_points(sights: Sights) -> tuple[GeoPoint, ...]:
    """Where the receiver put the vehicle while it had a fix, as fine as a map shows."""
    fixed = [one for one in sights.received if one.has_fix]
    return _thinned([one.t_ns for one in fixed], [one.place for one in fixed], sights.judged_from_ns)


def seen_marks(sights: Sights) -> list[Marks]:
    """Where the camera put the vehicle, by how sure it was."""
    marks = []
    for state, colour in STATE_COLOURS.items():
        places = tuple(one.place for one in sights.judged if one.state == state and one.place is not None)
        if places and state != TrackingState.LOST.value:
            marks.append(Marks(f"estimate, {state}", places, colour, ".", 8.0))
    return marks


def paint_ellipses(axes: Axes, sights: Sights, origin: GeoPoint) -> None:
    """The ellipses of 95 % about estimates some seconds apart, on a map in metres about ``origin``."""
    kept: list[Sighting] = []
    for one in sights.judged:
        steered = one.state == TrackingState.TRACKING.value and one.place is not None
        if steered and (not kept or one.t_ns - kept[-1].t_ns >= _ELLIPSE_EVERY_NS):
            kept.append(one)
            axes.add_patch(_ellipse(one, origin))
    axes.plot([], [], "-", color=SIGMA_COLOUR, lw=0.8, label="95 % ellipse")


def paint_errors(axes: Axes, sights: Sights) -> None:
    """Errors of the estimates to be steered by, with the radii of their ellipses, and what the receiver was off."""
    begun_ns = sights.judged_from_ns
    steered = [one for one in sights.judged if one.state == TrackingState.TRACKING.value and one.place is not None]
    judged = [one for one in steered if one.tracking]
    errors = np.array([one.error_m for one in judged])
    if judged:
        axes.plot(_seconds([one.t_ns for one in judged], begun_ns), errors, ".", ms=3,
                  color=STATE_COLOURS[TrackingState.TRACKING.value], label="error of the estimate")  # fmt: skip
    times, sigmas = _seconds([one.t_ns for one in steered], begun_ns), np.array([one.sigma_m for one in steered])
    times, sigmas = _with_holes(times, sigmas)
    for square, style, name in ((ONE_SIGMA, "-", "68 %"), (TWO_SIGMA, "--", "95 %")):
        if steered:
            axes.plot(times, sigmas * math.sqrt(square), style, color=SIGMA_COLOUR, lw=0.9, label=f"radius of {name}")
    radii = sigmas[np.isfinite(sigmas)] * math.sqrt(TWO_SIGMA)
    usual_m = 1.3 * float(np.percentile(radii, 95)) if radii.size else 0.0
    shown_m = max(1.3 * float(np.max(errors, initial=3.0)), usual_m, 8.0)
    off = _receiver_off(sights)
    if off:
        axes.plot(*zip(*off, strict=True), "-", color=GPS_COLOUR, lw=1.0, label="GPS off by")
        shown_m = max(shown_m, min(1.1 * max(metres for _, metres in off), _MOST_OF_GPS_M))
    axes.set_ylim(0.0, min(shown_m, _MOST_SHOWN_M))
    axes.set_ylabel("m")
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)


def paint_state(axes: Axes, sights: Sights) -> None:
    """The state over time, as a strip."""
    for state, colour in STATE_COLOURS.items():
        times = _seconds([one.t_ns for one in sights.judged if one.state == state], sights.judged_from_ns)
        axes.plot(times, np.zeros(len(times)), "|", ms=16, color=colour, label=state)
    axes.set_yticks([])
    axes.set_xlabel("time [s]")
    axes.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 0.98), frameon=False)


def paint_moments(all_axes: Sequence[Axes], sights: Sights) -> None:
    """What happened, as lines over all of ``all_axes``, with its name in the first."""
    for moment in sights.moments:
        after_s = (moment.t_ns - sights.judged_from_ns) * 1e-9
        if after_s < 0.0:
            continue
        for axes in all_axes:
            axes.axvline(after_s, color="black", lw=0.7, ls=":")
        all_axes[0].annotate(moment.what, (after_s, 0.99), xycoords=("data", "axes fraction"), rotation=90, va="top",
                             ha="right", fontsize=7)  # fmt: skip


def _paint_ground(axes: Axes, sights: Sights, ground: Background | None) -> None:
    true, received = true_points(sights.truth, sights.judged_from_ns), received_points(sights)
    places = [*true, *(one.place for one in sights.judged if one.place is not None)]
    origin = ground.centre if ground is not None else next(iter(places), GeoPoint(0.0, 0.0))
    lines = [
        Line(name, points, colour)
        for name, points, colour in (("true track", true, TRUE_COLOUR), ("GPS", received, GPS_COLOUR))
        if points
    ]
    paint_map(axes, origin, lines, seen_marks(sights), ground)
    paint_ellipses(axes, sights, origin)
    if true:
        around = np.array([north_east_m(origin, point) for point in true])
        (south, west), (north, east) = around.min(axis=0) - _MARGIN_M, around.max(axis=0) + _MARGIN_M
        axes.set_xlim(west, east)
        axes.set_ylim(south, north)
    axes.legend(fontsize=7, loc="best")


def _ellipse(one: Sighting, origin: GeoPoint) -> Ellipse:
    assert one.place is not None
    variances, axes = np.linalg.eigh(np.array(one.covariance_m2))
    small, large = (2.0 * math.sqrt(TWO_SIGMA * max(variance, 0.0)) for variance in variances)
    north, east = axes[:, 1]
    turn_deg = math.degrees(math.atan2(north, east))
    middle = north_east_m(origin, one.place)
    return Ellipse((middle[1], middle[0]), large, small, angle=turn_deg, fill=False, color=SIGMA_COLOUR, lw=0.8)


def _receiver_off(sights: Sights) -> list[tuple[float, float]]:
    """(seconds, metres) of the receiver's reports from a truth that is not its own."""
    if sights.truth is None:
        return []
    reports = [one for one in sights.received if one.has_fix and one.t_ns >= sights.judged_from_ns]
    there = [(one, sights.truth.at(one.t_ns)) for one in reports]
    off = [((one.t_ns - sights.judged_from_ns) * 1e-9, distance_m(true, one.place)) for one, true in there if true]
    return off if any(metres > 0.0 for _, metres in off) else []


def _seconds(stamps_ns: Sequence[int], begun_ns: int) -> np.ndarray:
    return (np.array(stamps_ns, np.float64) - begun_ns) * 1e-9


def _with_holes(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line that is not drawn over the seconds in which nothing was to be steered by."""
    breaks = np.flatnonzero(np.diff(times) > _HOLE_S) + 1
    return np.insert(times, breaks, np.nan), np.insert(values, breaks, np.nan)


_HOLE_S = 2.0


def _thinned(stamps_ns: Sequence[int], points: Sequence[GeoPoint], from_ns: int) -> tuple[GeoPoint, ...]:
    kept, last_ns = [], from_ns - _SHOWN_EVERY_NS
    for t_ns, point in zip(stamps_ns, points, strict=True):
        if t_ns >= from_ns and t_ns - last_ns >= _SHOWN_EVERY_NS:
            kept.append(point)
            last_ns = t_ns
    return tuple(kept)
