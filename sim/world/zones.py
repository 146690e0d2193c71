"""What fills a block between roads, apart from homes and parks: flats, shops, farmland, woods, orchards."""

import math

import numpy as np

from sim.world.builder import Builder, Plot, blob, curve
from sim.world.layout import Material


def flats(b: Builder, plot: Plot) -> None:
    """Apartment slabs standing free on lawns, a car park, paths and scattered trees."""
    rng = b.rng
    b.patch(Material.LAWN, plot.box(0, 0, plot.along_m, plot.across_m))
    park_depth = min(19.0, plot.across_m * 0.3)
    _car_park(b, plot, 3, 1.5, rng.uniform(0.5, 0.9) * plot.along_m, 1.5 + park_depth)
    t = park_depth + 12
    while t < plot.across_m - 10:
        s = rng.uniform(4, 14)
        while s < plot.along_m - 24:
            length = min(rng.uniform(18, 42), plot.along_m - s - 3)
            centre = plot.ne(s + length / 2, t)
            yaw = plot.yaw(s + length / 2, t) + rng.normal(0, 0.03)
            b.house(
                centre,
                yaw,
                length,
                rng.uniform(11, 14),
                rng.uniform(8, 15),
                str(rng.choice(["flat", "hip", "gable"])),
            )
            b.line(Material.PAVING, plot.nes(np.array([[s, t - 9.0], [s + length + 8, t - 9.0]])), 1.8)
            s += length + rng.uniform(9, 20)
        t += rng.uniform(28, 40)
    _scatter(b, plot, int(plot.along_m * plot.across_m / 260), 1.5, 4.5)


def _car_park(b: Builder, plot: Plot, s0: float, t0: float, s1: float, t1: float) -> None:
    b.patch(Material.ASPHALT, plot.box(s0, t0, s1, t1))
    yaw = plot.yaw((s0 + s1) / 2, t0) + math.pi / 2
    rows = [t0 + 2.6] if t1 - t0 < 15 else [t0 + 2.6, t1 - 2.6]
    if t1 - t0 > 33:
        rows += [(t0 + t1) / 2 - 2.5, (t0 + t1) / 2 + 2.5]
    for t in rows:
        for s in np.arange(s0 + 1.5, s1 - 2.5, 2.6):
            stall = np.array([[s, t - 2.4], [s, t + 2.4]])
            b.line(Material.PAINT, plot.nes(stall), 0.14)
            b.car(plot.ne(s + 1.3, t), yaw + b.rng.normal(0, 0.02))


def shops(b: Builder, plot: Plot) -> None:
    """One or two big flat halls and a large car park in front."""
    rng = b.rng
    b.patch(Material(rng.choice([Material.PAVING, Material.ASPHALT])), plot.box(0, 0, plot.along_m, plot.across_m))
    split = rng.uniform(0.4, 0.6) * plot.across_m
    if rng.random() < 0.5:
        _car_park(b, plot, 4, 3, plot.along_m - 4, split - 3)
        t0, t1 = split, plot.across_m - 5
    else:
        _car_park(b, plot, 4, plot.across_m - split + 3, plot.along_m - 4, plot.across_m - 3)
        t0, t1 = 5.0, plot.across_m - split
    s = rng.uniform(4, 10)
    while s < plot.along_m - 25:
        length = min(rng.uniform(25, 60), plot.along_m - s - 5)
        middle = (t0 + t1) / 2
        width = (t1 - t0) * rng.uniform(0.6, 0.9)
        b.house(
            plot.ne(s + length / 2, middle),
            plot.yaw(s + length / 2, middle),
            length,
            width,
            rng.uniform(5, 9),
            "flat",
        )
        s += length + rng.uniform(6, 16)
    for s in np.arange(3, plot.along_m, rng.uniform(8, 13)):
        b.tree(plot.ne(float(s), 1.5), rng.uniform(1.4, 2.6), conifer=False)


def farmland(b: Builder, plot: Plot) -> None:
    """One to four fields side by side with their own rows, borders with bushes, a track, wet hollows."""
    rng = b.rng
    count = int(rng.integers(1, 4)) if plot.along_m < 110 else int(rng.integers(2, 5))
    cuts = np.sort(rng.uniform(0.15, 0.85, count - 1)) * plot.along_m
    edges = [0.0, *cuts, plot.along_m]
    for s0, s1 in zip(edges, edges[1:], strict=False):
        rows = plot.yaw((s0 + s1) / 2, plot.across_m / 2) + (math.pi / 2 if rng.random() < 0.6 else 0.0)
        b.patch(Material.CROP, plot.box(s0 + 1, 1, s1 - 1, plot.across_m - 1), rows)
        if s1 < plot.along_m - 1:
            _border(b, plot, s1)
    for _ in range(int(rng.poisson(plot.along_m * plot.across_m / 4500))):
        at = plot.ne(rng.uniform(8, plot.along_m - 8), rng.uniform(8, plot.across_m - 8))
        kind = rng.random()
        if kind < 0.45:
            b.patch(Material.MEADOW, blob(rng, at, rng.uniform(4, 13)))
        if kind > 0.25:
            for _ in range(int(rng.integers(1, 8))):
                b.tree(at + rng.normal(0, 4, 2), rng.uniform(1.5, 4.5))
    if rng.random() < 0.6:
        s = np.sort(rng.uniform(0, plot.along_m, 2))
        track = np.array([[s[0], 0], [s.mean() + rng.normal(0, 8), plot.across_m / 2], [s[1], plot.across_m]])
        b.line(Material.GRAVEL, curve(plot, track), rng.uniform(2.2, 3.2))


def _border(b: Builder, plot: Plot, s: float) -> None:
    rng = b.rng
    points = plot.nes(np.array([[s, t] for t in np.linspace(0, plot.across_m, 8)]))
    b.line(Material(rng.choice([Material.MEADOW, Material.GRAVEL, Material.REED])), points, rng.uniform(1.5, 4))
    dense = rng.choice([0.0, 0.15, 0.6])
    for t in np.arange(2, plot.across_m, 4.0):
        if rng.random() < dense:
            b.tree(plot.ne(s + rng.normal(0, 0.8), float(t)), rng.uniform(1.2, 3.6))


def woods(b: Builder, plot: Plot) -> None:
    """A wood with clearings and a path; conifers or broadleaf by chance."""
    rng = b.rng
    b.patch(Material.FOREST_FLOOR, plot.box(0, 0, plot.along_m, plot.across_m))
    conifers = rng.choice([0.1, 0.5, 0.95])
    clearings = [
        (rng.uniform(0, plot.along_m), rng.uniform(0, plot.across_m), rng.uniform(8, 24))
        for _ in range(int(rng.integers(2, 5)))
    ]
    for s, t, r in clearings:
        b.patch(
            Material(rng.choice([Material.MEADOW, Material.SAND, Material.MEADOW])),
            blob(rng, plot.ne(s, t), r),
        )
    path = np.array([[rng.uniform(0, plot.along_m), t] for t in (0.0, plot.across_m / 2, plot.across_m)])
    b.line(Material.GRAVEL, curve(plot, path), rng.uniform(1.5, 3.0))
    for _ in range(int(plot.along_m * plot.across_m / 21)):
        s, t = rng.uniform(1, plot.along_m - 1), rng.uniform(1, plot.across_m - 1)
        if all((s - cs) ** 2 + (t - ct) ** 2 > r * r for cs, ct, r in clearings):
            b.tree(plot.ne(s, t), rng.uniform(1.8, 4.2), conifer=bool(rng.random() < conifers))


def orchard(b: Builder, plot: Plot) -> None:
    """Fruit trees in rows, or an allotment of many small beds."""
    rng = b.rng
    b.patch(Material.LAWN, plot.box(0, 0, plot.along_m, plot.across_m), plot.yaw(0, 0))
    if rng.random() < 0.5:
        row_step, step = rng.uniform(5, 8), rng.uniform(4, 6)
        for s in np.arange(4, plot.along_m - 3, row_step):
            for t in np.arange(4, plot.across_m - 3, step):
                if rng.random() < 0.88:
                    b.tree(
                        plot.ne(float(s), float(t)) + rng.normal(0, 0.3, 2),
                        rng.uniform(1.3, 2.3),
                        conifer=False,
                    )
        return
    for s in np.arange(3, plot.along_m - 12, 13.0):
        for t in np.arange(3, plot.across_m - 10, 16.0):
            material = Material(rng.choice([Material.BED, Material.LAWN, Material.SAND, Material.CROP]))
            b.patch(
                material,
                plot.box(float(s), float(t), float(s) + 11.5, float(t) + 14),
                plot.yaw(float(s), float(t)),
            )
            if rng.random() < 0.6:
                b.house(plot.ne(float(s) + 3, float(t) + 3), plot.yaw(float(s), float(t)), 4, 3, 2.2, "gable")
            if rng.random() < 0.5:
                b.tree(plot.ne(float(s) + 9, float(t) + 11), rng.uniform(1, 2.4))


def _scatter(b: Builder, plot: Plot, count: int, small_m: float, large_m: float) -> None:
    for _ in range(count):
        at = plot.ne(b.rng.uniform(1, plot.along_m - 1), b.rng.uniform(1, plot.across_m - 1))
        b.tree(at, b.rng.uniform(small_m, large_m))
