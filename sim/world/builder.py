"""What the zones build with: a collector of objects, and a block's own metric coordinates."""

import math
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

    def house(self, ne: Array, yaw_rad: float, length_m: float, width_m: float, wall_m: float, roof: str) -> None:
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
        return np.asarray(self.nes(np.array([[s_m, t_m]]))[0])

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


def blob(rng: np.random.Generator, centre: Array, radius_m: float) -> Array:
    """A round-ish irregular outline."""
    angle = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    wobble = 1 + sum(rng.uniform(0.05, 0.25) / k * np.sin(k * angle + rng.uniform(0, 6.3)) for k in (1, 2, 3, 5))
    squash = rng.uniform(0.6, 1.0)
    turn = rng.uniform(0, math.pi)
    along, across = radius_m * wobble * np.cos(angle), radius_m * squash * wobble * np.sin(angle)
    c, s = math.cos(turn), math.sin(turn)
    return np.asarray(centre + np.stack([c * along - s * across, s * along + c * across], axis=1))


def curve(plot: Plot, control: Array) -> Array:
    """A quadratic curve through the plot from three control points."""
    x = np.linspace(0, 1, 16)[:, None]
    return plot.nes((1 - x) ** 2 * control[0] + 2 * x * (1 - x) * control[1] + x**2 * control[2])
