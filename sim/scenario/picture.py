"""One picture of a scenario, for people who will not read its page: what was asked, what was found, the way there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runtime.errors import StorageError
from runtime.geodesy import north_east_m, offset
from runtime.history.history import History
from runtime.report.figures import Background, Line, Marks, lay_out, paint_map
from runtime.report.flight import Picture
from runtime.values import GeoPoint
from sim.scenario.aircraft import Truth
from sim.scenario.questions import Question
from sim.scenario.setup import Site

_SIZE_IN, _DPI, _JPEG_QUALITY = (11.0, 6.2), 100, 82
_MARGIN_M = 45.0  # of ground shown around what was flown
_NEAR_M = 5.0  # of the far side, where the survey ends and the way to the target begins
_STEP = 25  # of 20 ms: twice a second is as fine as a map shows


def write_picture(
    path: Path, site: Site, track: Sequence[Truth], target: Question, pictures: Sequence[Picture], ground: Background,
    autopilot: str, survey: Sequence[Truth] = (),
) -> None:  # fmt: skip
    """Write a JPEG: ``pictures`` in a column, and beside it the map of the flight along ``track`` to ``target``.

    ``survey``: the track of the flight that recorded the ground, where that was another one.

    Raises:
        StorageError: it cannot be written.
    """
    origin = site.world.origin
    lines = [line for line in _legs(site, track, survey) if line.points]
    with History.open(site.history) as history:
        keyframes = tuple(keyframe.ground for keyframe in history.keyframes(crops=False))
    marks = [
        Marks("keyframes", keyframes, "#29b6f6", "o", 14.0),
        Marks("the target", (offset(origin, *target.truth),), "#c2185b", "*", 190.0),
    ]
    figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=(1.0, 3.2))
    left, right = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    for axes, picture in zip(left.subplots(len(pictures), 1, squeeze=False).flat, pictures, strict=True):
        axes.imshow(picture.image)
        axes.set_title(picture.title, fontsize=10)
        axes.set_axis_off()
    axes = right.subplots()
    paint_map(axes, origin, lines, marks, ground)
    _look_at(axes, origin, lines)
    axes.set_title(f"a simulated flight of the {autopilot}, seed {site.seed}", fontsize=11)
    right.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    lay_out(figure)
    try:
        figure.savefig(path, format="jpg", pil_kwargs={"quality": _JPEG_QUALITY, "optimize": True})
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error


def _legs(site: Site, track: Sequence[Truth], survey: Sequence[Truth]) -> tuple[Line, Line]:
    """The survey, and the way to the target: in one flight, from where the vehicle last was at the far side."""
    if not survey:
        far = [index for index, step in enumerate(track) if math.dist(step.ground, site.plan.far_side) < _NEAR_M]
        turned = far[-1] if far else 0
        survey, track = track[: turned + 1], track[turned:]
    points = [tuple(offset(site.world.origin, *step.ground) for step in leg[::_STEP]) for leg in (survey, track)]
    return Line("survey with GPS", points[0], "#ffeb3b"), Line("the way to the target", points[1], "#c2185b")


def _look_at(axes: Axes, origin: GeoPoint, lines: Sequence[Line]) -> None:
    """Show the ground around the lines alone."""
    flown = np.array([north_east_m(origin, point) for line in lines for point in line.points])
    (south, west), (north, east) = flown.min(axis=0) - _MARGIN_M, flown.max(axis=0) + _MARGIN_M
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
