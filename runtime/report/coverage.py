"""The ground that a history remembers, as a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from runtime.geodesy import north_east_m
from runtime.history.covered import CoveredCells
from runtime.values import GeoPoint

_BOUNDS = (0.5, 1.5, 2.5, 4.5, 9.5, 1e9)
_COLOURS = ("#dce9f7", "#a9cce8", "#6aa7d6", "#2f77b4", "#0f4c81")
_NAMES = ("1", "2", "3 to 4", "5 to 9", "10 and more")


def draw_coverage(cells: CoveredCells, area: Sequence[GeoPoint] = (), title: str = "") -> Figure:
    """How many keyframes show each piece of ground, north up, in metres; ``area``: the operator's polygon."""
    rows, columns = cells.counts.shape
    height_m, width_m = rows * cells.cell_m, columns * cells.cell_m
    figure = Figure(figsize=(8.0, float(np.clip(7.0 * height_m / width_m + 1.4, 3.6, 11.0))), layout="constrained")
    axes = figure.add_subplot()
    shown = np.ma.masked_equal(cells.counts, 0)
    colours = ListedColormap(list(_COLOURS))
    extent = (0.0, width_m, 0.0, height_m)
    image = axes.imshow(shown, cmap=colours, norm=BoundaryNorm(_BOUNDS, colours.N), extent=extent,
                        interpolation="nearest")  # fmt: skip
    if area:
        ring = np.array([north_east_m(cells.south_west, corner) for corner in (*area, area[0])])
        axes.plot(ring[:, 1], ring[:, 0], color="#c0392b", lw=1.6, label="the operator's polygon")
        axes.legend(fontsize=8, loc="upper right")
    axes.set_aspect("equal")
    axes.set_xlabel("east [m]")
    axes.set_ylabel("north [m]")
    axes.set_title(title, fontsize=10)
    bar = figure.colorbar(image, ax=axes, ticks=[1, 2, 3.5, 7, 5e8], shrink=0.7)
    bar.set_ticklabels(_NAMES)
    bar.set_label("keyframes that show it")
    return figure
