"""What fills a block between roads: homes, flats, shops, farmland, woods, parks."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sim.world.layout import Car, House, Line, Material, Outline, Patch, Tree
from sim.world.streets import Bend, Block

Array = npt.NDArray[np.float64]


@dataclass(slots=True)
class Builder:
    """Collects the objects of one world while blocks are filled; hands out keys."""

    rng: np.random.Generator
    bend: Bend
    ground: list[Patch | Line] = field(default_factory=list)
    details: list[Patch | Line] = field(default_factory=list)  # painted over the roads
    houses: list[House] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    cars: list[Car] = field(default_factory=list)
    _next_key: int = 0

    def key(self) -> int:
        """A number that no other object of this world has."""
        self._next_key += 1
        return self._next_key

    def patch(self, material: Material, outline: Array, row_yaw_rad: float = 0.0) -> None:
        self.ground.append(Patch(self.key(), material, _tuples(outline), row_yaw_rad))

    def line(self, material: Material, points: Array, width_m: float, over_roads: bool = False) -> None:
        target = self.details if over_roads else self.ground
        target.append(Line(self.key(), material, _tuples(points), width_m))

    def tree(self, ne: Array, radius_m: float, conifer: bool | None = None, bush: bool = False) -> None:
        if conifer is None:
            conifer = bool(self.rng.random() < 0.3)
        height = radius_m * (self.rng.uniform(0.9, 1.2) if bush else self.rng.uniform(1.9, 2.6))
        if conifer and not bush:
            radius_m, height = radius_m * 0.75, radius_m * self.rng.uniform(3.0, 4.2)
        self.trees.append(Tree(self.key(), float(ne[0]), float(ne[1]), radius_m, height, conifer and not bush))

    def car(self, ne: Array, yaw_rad: float) -> None:
        length = 4.4 + self.rng.normal(0, 0.25)
        tint = int(self.rng.integers(0, 1000))
        self.cars.append(Car(self.key(), float(ne[0]), float(ne[1]), yaw_rad, length, 1.85, tint))

    def house(
        self, ne: Array, yaw_rad: float, length_m: float, width_m: float, wall_m: float, roof: str
    ) -> None:
        rise = 0.0 if roof == "flat" else width_m * self.rng.uniform(0.22, 0.42)
        tint = int(self.rng.integers(0, 1000))
        self.houses.append(
            House(self.key(), float(ne[0]), float(ne[1]), yaw_rad, length_m, width_m, wall_m, rise, roof, tint)
        )


@dataclass(frozen=True, slots=True)
class Plot:
    """A block in metric coordinates: s along 0..along_m, t across 0..across_m, bent onto the ground."""

    block: Block
    bend: Bend
    along_m: float
    across_m: float

    def ne(self, s_m: float, t_m: float) -> Array:
        """(2,) north, east."""
        return self.nes(np.array([[s_m, t_m]]))[0]

    def nes(self, st_m: Array) -> Array:
        """(N, 2) metric block coordinates to (N, 2) north, east."""
        scale = np.array([self.along_m, self.across_m])
        return self.bend(self.block.at(st_m / scale))

    def yaw(self, s_m: float, t_m: float) -> float:
        """Direction of growing s on the ground, radians from north."""
        d = self.ne(s_m + 1.0, t_m) - self.ne(s_m - 1.0, t_m)
        return math.atan2(d[1], d[0])

    def box(self, s0: float, t0: float, s1: float, t1: float) -> Array:
        """Outline of a metric rectangle, sampled so that it follows the bend."""
        corners = np.array([[s0, t0], [s1, t0], [s1, t1], [s0, t1], [s0, t0]])
        sides = [a + np.linspace(0, 1, 7)[:-1, None] * (b - a) for a, b in zip(corners, corners[1:], strict=False)]
        return self.nes(np.vstack(sides))


def _tuples(points: Array) -> Outline:
    return tuple((float(n), float(e)) for n, e in points)


def _blob(rng: np.random.Generator, centre: Array, radius_m: float) -> Array:
    """A round-ish irregular outline."""
    angle = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    wobble = 1 + sum(rng.uniform(0.05, 0.25) / k * np.sin(k * angle + rng.uniform(0, 6.3)) for k in (1, 2, 3, 5))
    squash = rng.uniform(0.6, 1.0)
    turn = rng.uniform(0, math.pi)
    along, across = radius_m * wobble * np.cos(angle), radius_m * squash * wobble * np.sin(angle)
    c, s = math.cos(turn), math.sin(turn)
    return np.asarray(centre + np.stack([c * along - s * across, s * along + c * across], axis=1))


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
        b.patch(Material.BED, _blob(rng, plot.ne(s, across(t)), rng.uniform(1.2, 3.2)))
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
        b.tree(plot.ne(s0 + b.rng.uniform(1, along - 1), t0 + b.rng.uniform(1, across - 1)), b.rng.uniform(1.8, 4.5))


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
            b.house(centre, yaw, length, rng.uniform(11, 14), rng.uniform(8, 15), str(rng.choice(["flat", "hip", "gable"])))
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
        b.house(plot.ne(s + length / 2, middle), plot.yaw(s + length / 2, middle), length, width, rng.uniform(5, 9), "flat")
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
            b.patch(Material.MEADOW, _blob(rng, at, rng.uniform(4, 13)))
        if kind > 0.25:
            for _ in range(int(rng.integers(1, 8))):
                b.tree(at + rng.normal(0, 4, 2), rng.uniform(1.5, 4.5))
    if rng.random() < 0.6:
        s = np.sort(rng.uniform(0, plot.along_m, 2))
        track = np.array([[s[0], 0], [s.mean() + rng.normal(0, 8), plot.across_m / 2], [s[1], plot.across_m]])
        b.line(Material.GRAVEL, _smooth(plot, track), rng.uniform(2.2, 3.2))


def _smooth(plot: Plot, control: Array) -> Array:
    """A quadratic curve through the plot from three control points."""
    x = np.linspace(0, 1, 16)[:, None]
    return plot.nes((1 - x) ** 2 * control[0] + 2 * x * (1 - x) * control[1] + x**2 * control[2])


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
        b.patch(Material(rng.choice([Material.MEADOW, Material.SAND, Material.MEADOW])), _blob(rng, plot.ne(s, t), r))
    path = np.array([[rng.uniform(0, plot.along_m), t] for t in (0.0, plot.across_m / 2, plot.across_m)])
    b.line(Material.GRAVEL, _smooth(plot, path), rng.uniform(1.5, 3.0))
    for _ in range(int(plot.along_m * plot.across_m / 21)):
        s, t = rng.uniform(1, plot.along_m - 1), rng.uniform(1, plot.across_m - 1)
        if all((s - cs) ** 2 + (t - ct) ** 2 > r * r for cs, ct, r in clearings):
            b.tree(plot.ne(s, t), rng.uniform(1.8, 4.2), conifer=bool(rng.random() < conifers))


def park(b: Builder, plot: Plot, t0: float = 0.0, t1: float | None = None) -> None:
    """Meadow and lawns with winding paths, groups of trees, sometimes a pond or a pitch."""
    rng = b.rng
    t1 = plot.across_m if t1 is None else t1
    b.patch(Material.MEADOW, plot.box(0, t0, plot.along_m, t1))
    for _ in range(int(rng.integers(1, 4))):
        at = plot.ne(rng.uniform(0, plot.along_m), rng.uniform(t0, t1))
        b.patch(Material(rng.choice([Material.LAWN, Material.REED, Material.SAND])), _blob(rng, at, rng.uniform(6, 18)))
    for _ in range(int(rng.integers(1, 4))):
        control = np.stack([rng.uniform(0, plot.along_m, 3), np.array([t0, (t0 + t1) / 2, t1])], axis=1)
        b.line(Material(rng.choice([Material.GRAVEL, Material.PAVING])), _smooth(plot, control), rng.uniform(1.4, 2.8))
    if min(plot.along_m, t1 - t0) > 55 and rng.random() < 0.5:
        centre = plot.ne(plot.along_m * rng.uniform(0.3, 0.7), (t0 + t1) / 2)
        outline = _blob(rng, centre, min(plot.along_m, t1 - t0) * rng.uniform(0.2, 0.33))
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
    b.patch(Material(b.rng.choice([Material.LAWN, Material.SAND])), plot.box(s - half_s, t - half_t, s + half_s, t + half_t), plot.yaw(s, t))
    rim = plot.box(s - half_s + 1, t - half_t + 1, s + half_s - 1, t + half_t - 1)
    b.line(Material.PAINT, np.vstack([rim, rim[:1]]), 0.2)
    b.line(Material.PAINT, plot.nes(np.array([[s, t - half_t + 1], [s, t + half_t - 1]])), 0.2)


def orchard(b: Builder, plot: Plot) -> None:
    """Fruit trees in rows, or an allotment of many small beds."""
    rng = b.rng
    b.patch(Material.LAWN, plot.box(0, 0, plot.along_m, plot.across_m), plot.yaw(0, 0))
    if rng.random() < 0.5:
        row_step, step = rng.uniform(5, 8), rng.uniform(4, 6)
        for s in np.arange(4, plot.along_m - 3, row_step):
            for t in np.arange(4, plot.across_m - 3, step):
                if rng.random() < 0.88:
                    b.tree(plot.ne(float(s), float(t)) + rng.normal(0, 0.3, 2), rng.uniform(1.3, 2.3), conifer=False)
        return
    for s in np.arange(3, plot.along_m - 12, 13.0):
        for t in np.arange(3, plot.across_m - 10, 16.0):
            material = Material(rng.choice([Material.BED, Material.LAWN, Material.SAND, Material.CROP]))
            b.patch(material, plot.box(float(s), float(t), float(s) + 11.5, float(t) + 14), plot.yaw(float(s), float(t)))
            if rng.random() < 0.6:
                b.house(plot.ne(float(s) + 3, float(t) + 3), plot.yaw(float(s), float(t)), 4, 3, 2.2, "gable")
            if rng.random() < 0.5:
                b.tree(plot.ne(float(s) + 9, float(t) + 11), rng.uniform(1, 2.4))


def _scatter(b: Builder, plot: Plot, count: int, small_m: float, large_m: float) -> None:
    for _ in range(count):
        at = plot.ne(b.rng.uniform(1, plot.along_m - 1), b.rng.uniform(1, plot.across_m - 1))
        b.tree(at, b.rng.uniform(small_m, large_m))
