"""The road grammar: a square cut again and again by roads, then bent and turned as a whole."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Point = npt.NDArray[np.float64]  # (2,) or (N, 2)

MAIN_WIDTH_M = 8.5
STREET_WIDTH_M = 6.0
LANE_WIDTH_M = 3.4


@dataclass(frozen=True, slots=True)
class Bend:
    """From the plan (u, v) where everything is straight to north and east: a turn and slow waves."""

    yaw_rad: float
    waves: npt.NDArray[np.float64]  # (K, 6): amplitude n, e; wave vector u, v; phase n, e

    def __call__(self, uv: Point) -> Point:
        """Map (N, 2) plan coordinates to (N, 2) north, east in metres."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        out = uv @ np.array([[c, s], [-s, c]])
        for wave in self.waves:
            angle = uv[:, :1] * wave[2] + uv[:, 1:] * wave[3]
            out += wave[:2] * np.sin(angle + wave[4:])
        return np.asarray(out)


@dataclass(frozen=True, slots=True)
class Road:
    """A road in plan coordinates, from a to b."""

    a: tuple[float, float]
    b: tuple[float, float]
    width_m: float


@dataclass(frozen=True, slots=True)
class Block:
    """A quadrilateral between roads, corners (4, 2) in the plan, in order around it."""

    corners: npt.NDArray[np.float64]

    def at(self, st: Point) -> Point:
        """Bilinear: (N, 2) in 0..1 along and across the block to plan coordinates."""
        s, t = st[:, :1], st[:, 1:]
        a, b, c, d = self.corners
        return np.asarray((1 - s) * (1 - t) * a + s * (1 - t) * b + s * t * c + (1 - s) * t * d)

    def sides_m(self) -> tuple[float, float]:
        """Mean length along s and along t."""
        a, b, c, d = self.corners
        along = (np.linalg.norm(b - a) + np.linalg.norm(c - d)) / 2
        across = (np.linalg.norm(d - a) + np.linalg.norm(c - b)) / 2
        return float(along), float(across)


def make_bend(rng: np.random.Generator) -> Bend:
    """A random turn and three waves of 350 to 800 m, gentle enough that the map never folds."""
    waves = []
    for _ in range(3):
        length, direction = rng.uniform(350, 800), rng.uniform(0, 2 * math.pi)
        k = 2 * math.pi / length
        amplitude = rng.uniform(0.1, 0.2, 2) / k
        waves.append([*amplitude, k * math.cos(direction), k * math.sin(direction), *rng.uniform(0, 6.3, 2)])
    return Bend(float(rng.uniform(0, 2 * math.pi)), np.array(waves))


def cut(rng: np.random.Generator, half_m: float) -> tuple[list[Block], list[Road]]:
    """Cut the plan square of the given half side into blocks of roughly 70 to 170 m with roads between."""
    h = half_m
    blocks: list[Block] = []
    roads: list[Road] = []
    open_quads = [(np.array([[-h, -h], [h, -h], [h, h], [-h, h]], np.float64), 0)]
    while open_quads:
        corners, depth = open_quads.pop()
        block = Block(corners)
        along, across = block.sides_m()
        if max(along, across) < rng.uniform(95, 185):
            blocks.append(block)
            continue
        if along < across:  # always cut the longer side: turn the corners by one
            corners = np.roll(corners, -1, axis=0)
        middle = rng.uniform(0.35, 0.65)
        f1, f2 = np.clip(middle + rng.uniform(-0.07, 0.07, 2), 0.25, 0.75)
        a, b, c, d = corners
        p, q = a + f1 * (b - a), d + f2 * (c - d)
        open_quads += [(np.array([a, p, q, d]), depth + 1), (np.array([p, b, c, q]), depth + 1)]
        roads.append(Road((p[0], p[1]), (q[0], q[1]), _width(rng, depth)))
    return blocks, roads


def _width(rng: np.random.Generator, depth: int) -> float:
    if depth < 4:
        return MAIN_WIDTH_M
    return STREET_WIDTH_M if rng.random() < 0.7 else LANE_WIDTH_M


def polyline(bend: Bend, road: Road, step_m: float = 8.0) -> Point:
    """The road as (N, 2) north, east points about `step_m` apart."""
    a, b = np.array(road.a), np.array(road.b)
    n = max(2, int(np.linalg.norm(b - a) / step_m) + 1)
    return bend(a + np.linspace(0, 1, n)[:, None] * (b - a))
