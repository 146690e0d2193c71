"""Parks and the green middle of large blocks."""

import numpy as np

from sim.world.builder import Builder, Plot, blob, curve
from sim.world.layout import Material


def park(b: Builder, plot: Plot, t0: float = 0.0, t1: float | None = None) -> None:
    """Meadow and lawns with winding paths, groups of trees, sometimes a pond or a pitch."""
    rng = b.rng
    t1 = plot.across_m if t1 is None else t1
    b.patch(Material.MEADOW, plot.box(0, t0, plot.along_m, t1))
    for _ in range(int(rng.integers(1, 4))):
        at = plot.ne(rng.uniform(0, plot.along_m), rng.uniform(t0, t1))
        b.patch(
            Material(rng.choice([Material.LAWN, Material.REED, Material.SAND])),
            blob(rng, at, rng.uniform(6, 18)),
        )
    for _ in range(int(rng.integers(1, 4))):
        control = np.stack([rng.uniform(0, plot.along_m, 3), np.array([t0, (t0 + t1) / 2, t1])], axis=1)
        b.line(
            Material(rng.choice([Material.GRAVEL, Material.PAVING])),
            curve(plot, control),
            rng.uniform(1.4, 2.8),
        )
    if min(plot.along_m, t1 - t0) > 55 and rng.random() < 0.5:
        centre = plot.ne(plot.along_m * rng.uniform(0.3, 0.7), (t0 + t1) / 2)
        outline = blob(rng, centre, min(plot.along_m, t1 - t0) * rng.uniform(0.2, 0.33))
        b.patch(Material.REED, centre + (outline - centre) * 1.12)
        b.patch(Material.WATER, outline)
    elif min(plot.along_m, t1 - t0) > 45:
        _pitch(b, plot, plot.along_m / 2, (t0 + t1) / 2)
    for _ in range(int(plot.along_m * (t1 - t0) / 700)):
        middle = plot.ne(rng.uniform(2, plot.along_m - 2), rng.uniform(t0, t1))
        for _ in range(int(rng.integers(1, 6))):
            b.tree(middle + rng.normal(0, 5, 2), rng.uniform(1.6, 4.8))


def _pitch(b: Builder, plot: Plot, s: float, t: float) -> None:
    half_s, half_t = 26.0, 17.0
    b.patch(
        Material(b.rng.choice([Material.LAWN, Material.SAND])),
        plot.box(s - half_s, t - half_t, s + half_s, t + half_t),
        plot.yaw(s, t),
    )
    rim = plot.box(s - half_s + 1, t - half_t + 1, s + half_s - 1, t + half_t - 1)
    b.line(Material.PAINT, np.vstack([rim, rim[:1]]), 0.2)
    b.line(Material.PAINT, plot.nes(np.array([[s, t - half_t + 1], [s, t + half_t - 1]])), 0.2)
