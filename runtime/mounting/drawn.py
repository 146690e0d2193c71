"""What a calibrated mount leaves over: the turns of log and pictures, and how well each delay would fit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from runtime.mounting.adjustment import Adjusted

_AXES = (("north", "#2f77b4"), ("east", "#d98b2b"), ("down", "#3f9b5f"))


def draw_mount(adjusted: Adjusted) -> Figure:
    """Above, by how much the nose turned from picture to picture by the log and by the pictures, and what is left over;
    below, the misfit of every delay that was tried."""
    figure = Figure(figsize=(10.0, 8.0), layout="constrained")
    turned, left, delays = figure.subplots(3, 1)
    t_s = adjusted.stamps_s - adjusted.stamps_s[0]
    by_log = np.degrees(adjusted.turned_rad[:, 2])
    turned.plot(t_s, by_log, "o", ms=3, color="#888888", label="by the log")
    turned.plot(t_s, by_log + np.degrees(adjusted.left_over_rad[:, 2]), "+", color="#c0392b", label="by the pictures")
    turned.set_ylabel("turn of the nose [deg]")
    turned.legend(fontsize=8)
    for axis, (name, colour) in enumerate(_AXES):
        over_deg = np.degrees(adjusted.left_over_rad[:, axis])
        left.plot(t_s, over_deg, ".", color=colour, label=f"{name}: {np.std(over_deg):.2f} deg")
    left.set_ylabel("left over [deg]")
    left.set_xlabel("time [s]")
    left.legend(fontsize=8, ncols=3)
    delays.plot(adjusted.delays_s * 1e3, adjusted.costs, "-o", ms=3, color="#5b8fd9")
    delays.axvline(adjusted.delay_s * 1e3, color="#c0392b", lw=1.2, label=f"{adjusted.delay_s * 1e3:.0f} ms")
    delays.set_xlabel("delay from exposure to stamp [ms]")
    delays.set_ylabel("misfit")
    delays.legend(fontsize=8)
    return figure
