"""Detached houses, each on its own parcel."""

import math
from collections.abc import Callable

import numpy as np

from sim.world.builder import Builder, Plot, blob
from sim.world.layout import Material
from sim.world.parks import park


def homes(b: Builder, plot: Plot) -> None:
    """Detached houses in two rows back to back, each on its own parcel with drive, lawn, sheds and trees."""
    rows = [(0.0, 1.0)]
    depth = plot.across_m
    if depth > 48:
        rows.append((depth, -1.0))
    for front, inward in rows:
        s = b.rng.uniform(1, 4)
        reach = min(depth / len(rows), 45.0)
        while s < plot.along_m - 15:
            frontage = b.rng.uniform(17, 31)
            if s + frontage > plot.along_m:
                break
            if b.rng.random() < 0.93:
                _parcel(b, plot, s, s + frontage, front, inward, reach)
            else:
                _grove(b, plot, s, min(front, front + inward * reach), frontage, reach)
            s += frontage
    if depth > 100:
        park(b, plot, 48.0, depth - 48.0)


def _parcel(b: Builder, plot: Plot, s0: float, s1: float, front: float, inward: float, reach: float) -> None:
    rng = b.rng

    def across(t_m: float) -> float:
        return front + inward * t_m

    lawn = plot.box(s0 + 0.4, across(0.5), s1 - 0.4, across(reach - 0.4))
    b.patch(Material.LAWN if rng.random() < 0.8 else Material.MEADOW, lawn, plot.yaw(s0, front))
    length, width = rng.uniform(9, 16), rng.uniform(7, 10.5)
    length = min(length, s1 - s0 - 4.5)
    setback = rng.uniform(5, 12) + width / 2
    s_house = rng.uniform(s0 + length / 2 + 1, s1 - length / 2 - 1)
    yaw = plot.yaw(s_house, across(setback)) + rng.normal(0, 0.05) + (math.pi / 2 if rng.random() < 0.3 else 0)
    centre = plot.ne(s_house, across(setback))
    roof = rng.choice(["gable", "hip", "flat", "shed"], p=[0.58, 0.24, 0.1, 0.08])
    b.house(centre, yaw, length, width, rng.uniform(2.8, 5.5), str(roof))
    if rng.random() < 0.35:  # a wing makes an L
        side = rng.choice([-1, 1]) * (length / 2 - width * 0.35)
        c, s = math.cos(yaw), math.sin(yaw)
        wing = centre + np.array([c * side - s * inward * 5, s * side + c * inward * 5])
        b.house(wing, yaw + math.pi / 2, width * 0.95, width * 0.65, rng.uniform(2.6, 3.2), str(roof))
    _drive(b, plot, s0, s1, across, setback)
    _yard(b, plot, s0, s1, across, setback + width / 2, reach)


def _drive(b: Builder, plot: Plot, s0: float, s1: float, across: Callable[[float], float], setback: float) -> None:
    """The drive from the street along one side of the house, with its car, garage and terrace."""
    rng = b.rng
    s = s0 + 2.2 if rng.random() < 0.5 else s1 - 2.2
    material = Material(rng.choice([Material.GRAVEL, Material.ASPHALT, Material.PAVING]))
    end = setback + rng.uniform(-2, 6)
    drive = np.array([[s, across(-3)], [s, across(end)]])
    b.line(material, plot.nes(drive), rng.uniform(2.6, 4.2))
    b.car(plot.ne(s, across(end * 0.45)), plot.yaw(s, across(end)) + math.pi / 2)
    if rng.random() < 0.55:
        yaw = plot.yaw(s, across(end)) + math.pi / 2
        b.house(plot.ne(s, across(end + 3)), yaw, 6.0, 3.6, 2.5, "flat" if rng.random() < 0.5 else "gable")
    if rng.random() < 0.6:
        middle = (s0 + s1) / 2
        t0 = setback + 4
        b.patch(Material.PAVING, plot.box(middle - 3, across(t0), middle + 3, across(t0 + rng.uniform(3, 5))))


def _yard(
    b: Builder, plot: Plot, s0: float, s1: float, across: Callable[[float], float], t0: float, reach: float
) -> None:
    """Behind the house: shed, beds, trees, and hedges along the sides."""
    rng = b.rng
    if reach - t0 > 8 and rng.random() < 0.6:
        s = s0 + 3 if rng.random() < 0.5 else s1 - 3
        b.house(plot.ne(s, across(reach - 3)), plot.yaw(s, across(reach)), rng.uniform(3, 5), 2.8, 2.2, "gable")
    for _ in range(int(rng.poisson(0.8))):
        s, t = rng.uniform(s0 + 2, s1 - 2), rng.uniform(min(t0, reach - 2), reach)
        b.patch(Material.BED, blob(rng, plot.ne(s, across(t)), rng.uniform(1.2, 3.2)))
    for _ in range(int(rng.poisson(4.0))):
        front = rng.random() < 0.3
        t = rng.uniform(0.5, 4) if front else rng.uniform(min(t0 + 1, reach - 1), reach)
        b.tree(plot.ne(rng.uniform(s0 + 1, s1 - 1), across(t)), rng.uniform(1.2, 4.2))
    if rng.random() < 0.5:
        for t in np.arange(1.0, reach, 1.5):
            b.tree(plot.ne(s0 + rng.normal(0, 0.15), across(t)), rng.uniform(0.8, 1.2), bush=True)


def _grove(b: Builder, plot: Plot, s0: float, t0: float, along: float, across: float) -> None:
    b.patch(Material.FOREST_FLOOR, plot.box(s0, t0, s0 + along, t0 + across))
    for _ in range(int(along * across / 28)):
        b.tree(
            plot.ne(s0 + b.rng.uniform(1, along - 1), t0 + b.rng.uniform(1, across - 1)),
            b.rng.uniform(1.8, 4.5),
        )
