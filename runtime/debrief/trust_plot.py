"""Sigma against error: whether the estimates were as good as they said."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import chdtri  # chi-squared

from runtime.debrief.sight_plot import SIGMA_COLOUR, STATE_COLOURS
from runtime.debrief.sightings import ONE_SIGMA, TWO_SIGMA, Sighting
from runtime.report.figures import decades
from runtime.values import TrackingState

_LEAST_M = 0.01  # of the logarithmic axes: nothing here is known better


def draw_trust(sightings: Sequence[Sighting]) -> Figure | None:
    """On the left each error over the sigma that was stated with it; on the right, for every size of ellipse, how many
    truths it should hold and how many it held. None where nothing can be judged."""
    judged = [one for one in sightings if one.tracking]
    if not judged:
        return None
    figure = Figure(figsize=(10.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _paint_scatter(left, judged)
    _paint_shares(right, judged)
    return figure


def _paint_scatter(axes: Axes, judged: Sequence[Sighting]) -> None:
    sigmas = np.maximum([one.sigma_m for one in judged], _LEAST_M)
    errors = np.maximum([one.error_m for one in judged], _LEAST_M)
    axes.plot(sigmas, errors, ".", ms=3, alpha=0.5, color=STATE_COLOURS[TrackingState.TRACKING.value])
    ends = np.array([sigmas.min() / 1.3, sigmas.max() * 1.3])
    for square, style, name in ((ONE_SIGMA, "-", "68 %"), (TWO_SIGMA, "--", "95 %")):
        axes.plot(ends, ends * math.sqrt(square), style, color=SIGMA_COLOUR, lw=1.0, label=f"{name} lie below")
    axes.set_xscale("log")
    axes.set_yscale("log")
    decades(axes.xaxis)
    decades(axes.yaxis)
    axes.set_xlabel("sigma that was stated [m an axis]")
    axes.set_ylabel("error [m]")
    axes.set_title("sigma against error", fontsize=10)
    axes.grid(alpha=0.25, which="both")
    axes.legend(fontsize=8, loc="upper left")


def _paint_shares(axes: Axes, judged: Sequence[Sighting]) -> None:
    """Where the curve runs above the diagonal the estimates were better than they said, below it worse."""
    promised = np.linspace(0.0, 0.99, 100)
    squares = np.array([one.square_sigmas for one in judged])
    held = [float(np.mean(squares <= limit)) for limit in chdtri(2, 1.0 - promised)]
    axes.plot([0, 1], [0, 1], ":", color="black", lw=1.0)
    axes.plot(promised, held, color=STATE_COLOURS[TrackingState.TRACKING.value], lw=1.6)
    axes.annotate("better than it said", (0.04, 0.93), xycoords="axes fraction", fontsize=8, color="#5b6776")
    axes.annotate("worse than it said", (0.62, 0.05), xycoords="axes fraction", fontsize=8, color="#5b6776")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("share of truths that an ellipse promises to hold")
    axes.set_ylabel("share that it held")
    axes.set_title(f"{len(judged)} estimates while tracking", fontsize=10)
    axes.grid(alpha=0.25)
