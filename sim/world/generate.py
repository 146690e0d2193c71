"""A whole layout from a seed: roads, filled blocks, a stream, and nothing growing through anything else."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from sim.world import zones
from sim.world.builder import Builder, Plot
from sim.world.homes import homes
from sim.world.layout import House, Layout, Line, Material, Outline, Patch
from sim.world.parks import park
from sim.world.streets import LANE_WIDTH_M, Block, Road, cut, make_bend, polyline

Array = npt.NDArray[np.float64]

MARGIN_M = 120.0  # laid out beyond the asked square, so that views at its edge see on
VERGE_M = 2.2  # between the road's edge and what fills the block
_CELL_M = 1.0  # of the raster that says what is taken


def generate(seed: int, size_m: float) -> Layout:
    """The layout of a world of size_m a side; the same seed and size give the same layout."""
    rng = np.random.default_rng([seed, 1])
    half_m = size_m / 2 + MARGIN_M
    builder = Builder(rng, make_bend(rng))
    blocks, roads = cut(rng, half_m * 1.5)
    centre = rng.uniform(-0.5, 0.5, 2) * size_m
    for block in blocks:
        _fill(builder, block, centre, half_m)
    lines = [polyline(builder.bend, road) for road in roads]
    _stream(builder, half_m)
    _pave(builder, roads, lines)
    return _cleared(builder, half_m)


def _fill(b: Builder, block: Block, centre: Array, half_m: float) -> None:
    """Choose a zone by distance from the village and by chance, and fill the block with it."""
    middle = b.bend(block.at(np.array([[0.5, 0.5]])))[0]
    if np.abs(middle).max() > half_m + 100:
        return
    inset = _inset(block)
    along, across = inset.sides_m()
    plot = Plot(inset, b.bend, along, across)
    zone = _choose(b.rng, float(np.linalg.norm(middle - centre)) / half_m)
    zone(b, plot)


def _inset(block: Block) -> Block:
    along, across = block.sides_m()
    margin = 4.0 + VERGE_M
    s, t = margin / along, margin / across
    return Block(block.at(np.array([[s, t], [1 - s, t], [1 - s, 1 - t], [s, 1 - t]])))


def _choose(rng: np.random.Generator, remoteness: float) -> Callable[[Builder, Plot], None]:
    kinds = (homes, zones.flats, zones.shops, zones.farmland, zones.woods, park, zones.orchard)
    near = np.array([0.50, 0.17, 0.10, 0.02, 0.05, 0.11, 0.05])
    far = np.array([0.38, 0.04, 0.05, 0.23, 0.12, 0.10, 0.08])
    share = near + (far - near) * min(1.0, remoteness)
    return kinds[int(rng.choice(len(kinds), p=share / share.sum()))]


def _stream(b: Builder, half_m: float) -> None:
    """A stream across the whole world, in three worlds out of four."""
    if b.rng.random() > 0.75:
        return
    angle, along = b.rng.uniform(0, math.pi), np.linspace(-1.5 * half_m, 1.5 * half_m, 160)
    sway = sum(b.rng.uniform(8, 30) * np.sin(along / b.rng.uniform(40, 140) + b.rng.uniform(0, 6.3)) for _ in range(3))
    offset = b.rng.uniform(-0.5, 0.5) * half_m + sway
    c, s = math.cos(angle), math.sin(angle)
    points = np.stack([c * along - s * offset, s * along + c * offset], axis=1)
    width = b.rng.uniform(4, 11)
    b.line(Material.REED, points, width + 5)
    b.line(Material.WATER, points, width)


def _pave(b: Builder, roads: list[Road], lines: list[Array]) -> None:
    """Verges, surfaces, markings and traffic, in paint order."""
    for road, points in zip(roads, lines, strict=True):
        b.line(Material.LAWN, points, road.width_m + 2 * VERGE_M)
    for road, points in zip(roads, lines, strict=True):
        if road.width_m > LANE_WIDTH_M and b.rng.random() < 0.6:
            b.line(Material.PAVING, _beside(points, road.width_m / 2 + 1.0), 1.6)
    for road, points in zip(roads, lines, strict=True):
        lane = road.width_m <= LANE_WIDTH_M
        b.line(Material.GRAVEL if lane else Material.ASPHALT, points, road.width_m, over_roads=True)
    for road, points in zip(roads, lines, strict=True):
        if road.width_m > 7:
            for i in range(0, len(points) - 1, 2):
                dash = points[i : i + 2] if b.rng.random() < 0.95 else points[i : i + 1].repeat(2, axis=0)
                b.line(Material.PAINT, dash, 0.16, over_roads=True)
        _traffic(b, road, points)
        _avenue(b, road, points)


def _beside(points: Array, offset_m: float) -> Array:
    d = np.gradient(points, axis=0)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    return points + offset_m * np.stack([-d[:, 1], d[:, 0]], axis=1)


def _traffic(b: Builder, road: Road, points: Array) -> None:
    if road.width_m <= LANE_WIDTH_M:
        return
    kerb = _beside(points, road.width_m / 2 - 1.1)
    for i in range(1, len(points) - 1):
        if b.rng.random() < 0.14:
            d = points[i + 1] - points[i - 1]
            b.car(kerb[i], math.atan2(d[1], d[0]))


def _avenue(b: Builder, road: Road, points: Array) -> None:
    """Street trees along one side of some roads."""
    if b.rng.random() > 0.3:
        return
    offset = (road.width_m / 2 + VERGE_M) * b.rng.choice([-1, 1])
    for at in _beside(points, offset)[:: int(b.rng.integers(1, 3))]:
        if b.rng.random() < 0.85:
            b.tree(at, b.rng.uniform(1.5, 3.2), conifer=False)


def _cleared(b: Builder, half_m: float) -> Layout:
    """Drop what lies outside, houses and parked cars on roads or in water, and trees on anything hard."""
    barred = _Raster(half_m)  # roads and water: no building, no parked car
    barred.draw(b.details)
    wet = _Raster(half_m)
    wet.draw([item for item in b.ground if item.material is Material.WATER])
    barred.cells |= wet.cells
    houses = tuple(h for h in b.houses if barred.holds(h))
    hard = _Raster(half_m)
    hard.draw([i for i in b.ground if i.material in (Material.ASPHALT, Material.GRAVEL)])
    hard.cells |= barred.cells
    for h in houses:
        hard.stamp(h)
    trees = tuple(t for t in b.trees if hard.free(t.north_m, t.east_m, min(1.5, t.radius_m * 0.5)))
    cars = tuple(c for c in b.cars if wet.free(c.north_m, c.east_m, 1.0))
    return Layout(half_m, (*b.ground, *b.details), houses, trees, cars)


class _Raster:
    """What is taken, in cells of a metre: row 0 north."""

    def __init__(self, half_m: float) -> None:
        side = int(2 * half_m / _CELL_M)
        self.half_m = half_m
        self.cells: npt.NDArray[np.uint8] = np.zeros((side, side), np.uint8)

    def free(self, north_m: float, east_m: float, reach_m: float) -> bool:
        """Whether nothing taken lies within reach, and the place lies inside the world."""
        if max(abs(north_m), abs(east_m)) > self.half_m - 1:
            return False
        r = max(0, int(reach_m / _CELL_M))
        i, j = int((self.half_m - north_m) / _CELL_M), int((east_m + self.half_m) / _CELL_M)
        return not self.cells[max(0, i - r) : i + r + 1, max(0, j - r) : j + r + 1].any()

    def holds(self, h: House) -> bool:
        """Whether nothing taken lies under a building, and it lies inside the world."""
        a, w = (g.ravel() for g in np.meshgrid(np.linspace(-0.5, 0.5, 7), np.linspace(-0.5, 0.5, 7)))
        along, across = a * h.length_m, w * h.width_m
        c, s = math.cos(h.yaw_rad), math.sin(h.yaw_rad)
        north, east = h.north_m + c * along - s * across, h.east_m + s * along + c * across
        if max(np.abs(north).max(), np.abs(east).max()) > self.half_m - 1:
            return False
        i = ((self.half_m - north) / _CELL_M).astype(int)
        return not self.cells[i, ((east + self.half_m) / _CELL_M).astype(int)].any()

    def draw(self, items: Sequence[Patch | Line]) -> None:
        for item in items:
            if isinstance(item, Line):
                cv2.polylines(self.cells, [self._at(item.points)], False, (1,), max(1, round(item.width_m)))
            else:
                cv2.fillPoly(self.cells, [self._at(item.outline)], (1,))

    def stamp(self, h: House) -> None:
        c, s = math.cos(h.yaw_rad), math.sin(h.yaw_rad)
        corners = [(a * h.length_m / 2, w * h.width_m / 2) for a, w in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        outline = tuple((h.north_m + c * a - s * w, h.east_m + s * a + c * w) for a, w in corners)
        cv2.fillPoly(self.cells, [self._at(outline)], (1,))

    def _at(self, points: Outline) -> npt.NDArray[np.int32]:
        ne = np.array(points)
        xy = np.stack([ne[:, 1] + self.half_m, self.half_m - ne[:, 0]], axis=1)
        return (xy / _CELL_M).astype(np.int32)
