"""What a calibrated lens leaves over: where in the picture, in which direction, and how much."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from runtime.calibration.intrinsics import Intrinsics

_MOST_ARROWS = 1500
_ARROW_PX = 40.0  # of the picture, for an error as large as 95 of 100 are


def draw_calibration(lens: Intrinsics) -> Figure:
    """Residuals as arrows over the picture, enlarged; beside them how many pixels the views are off."""
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    over, beside = figure.subplots(1, 2, width_ratios=(2, 1))
    shown = lens.residuals[:: max(1, len(lens.residuals) // _MOST_ARROWS)]
    sizes = np.hypot(shown[:, 2], shown[:, 3])
    enlarged = _ARROW_PX / max(float(np.percentile(sizes, 95)), 1e-6)
    over.quiver(shown[:, 0], shown[:, 1], shown[:, 2], shown[:, 3], sizes, cmap="viridis",
                angles="xy", scale_units="xy", scale=1.0 / enlarged, width=0.002)  # fmt: skip
    over.plot([lens.cx_px], [lens.cy_px], "+", color="#c0392b", ms=14, mew=2, label="centre of the lens")
    over.set_xlim(0, lens.width_px)
    over.set_ylim(lens.height_px, 0)
    over.set_aspect("equal")
    over.set_title(f"residuals, {enlarged:.0f} times enlarged; corners in {lens.cover:.0%} of the picture", fontsize=10)
    over.set_xlabel("column [px]")
    over.set_ylabel("row [px]")
    over.legend(fontsize=8, loc="upper right")
    beside.bar(range(1, len(lens.errors_px) + 1), sorted(lens.errors_px), color="#5b8fd9")
    beside.axhline(lens.predicted_px, color="#c0392b", lw=1.2, label=f"views kept back: {lens.predicted_px:.2f} px")
    beside.set_title("error of each view", fontsize=10)
    beside.xaxis.get_major_locator().set_params(integer=True)
    beside.set_xlabel("view, the best first")
    beside.set_ylabel("RMS [px]")
    beside.legend(fontsize=8)
    return figure
