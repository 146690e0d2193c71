"""The triangles of what stands on the ground, with a colour and a surface kind per object part."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sim.world.dates import Date
from sim.world.layout import Car, House, Layout, Tree
from sim.world.noise import tile
from sim.world.palette import BROADLEAF, CARS, CONIFER, FLAT_ROOFS, ROOFS, WALLS, in_season, jittered

Array = npt.NDArray[np.float32]

_CROWN_SHAPES = 8  # lumpy templates of each kind


class Surface(IntEnum):
    """What a triangle is made of: chooses its texture and its normals."""

    WALL = 0
    ROOF = 1
    FLAT_ROOF = 2
    CROWN = 3
    CAR = 4


@dataclass(frozen=True, slots=True)
class Mesh:
    """All triangles of a scene in NED, and the part each belongs to."""

    triangles: Array  # (F, 3, 3) float32 NED metres
    part: npt.NDArray[np.int32]  # (F,) index into the arrays below
    colour: Array  # (P, 3) float32 RGB 0..1
    surface: npt.NDArray[np.uint8]  # (P,) Surface
    centre: Array  # (P, 3) float32 NED: of a crown, for its rounded normals


class _Parts:
    """Gathers triangles part by part."""

    def __init__(self) -> None:
        self.triangles: list[Array] = []
        self.counts: list[int] = []
        self.colour: list[Array] = []
        self.surface: list[int] = []
        self.centre: list[Array] = []

    def add(self, triangles: Array, colour: Array, surface: Surface, centre: npt.ArrayLike = (0, 0, 0)) -> None:
        self.triangles.append(np.asarray(triangles, np.float32))
        self.counts.append(len(triangles))
        self.colour.append(np.asarray(colour, np.float32))
        self.surface.append(int(surface))
        self.centre.append(np.asarray(centre, np.float32))

    def mesh(self) -> Mesh:
        if not self.triangles:  # Embree wants at least one triangle: one far below the ground
            self.add(np.array([[[0, 0, 9e3], [1, 0, 9e3], [0, 1, 9e3]]]), np.zeros(3, np.float32), Surface.WALL)
        return Mesh(
            np.concatenate(self.triangles),
            np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts),
            np.array(self.colour, np.float32),
            np.array(self.surface, np.uint8),
            np.array(self.centre, np.float32),
        )


def build(layout: Layout, date: Date) -> Mesh:
    """The mesh of a layout on a date; colours partly re-drawn from the date's seed."""
    rng = np.random.default_rng([date.seed, 2])
    parts = _Parts()
    for house in layout.houses:
        _house(parts, house, rng)
    for car in layout.cars:
        _car(parts, car, rng)
    _crowns(parts, layout.trees, date, rng)
    return parts.mesh()


def _quad(a: Array, b: Array, c: Array, d: Array) -> Array:
    return np.array([[a, b, c], [a, c, d]], np.float32)


def _placed(points: Array, north_m: float, east_m: float, yaw_rad: float) -> Array:
    """(..., 3) object coordinates (along, across, up) to NED."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    along, across, up = points[..., 0], points[..., 1], points[..., 2]
    return np.stack([north_m + c * along - s * across, east_m + s * along + c * across, -up], axis=-1)


def _box(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> tuple[Array, Array]:
    """Sides (8, 3, 3) and top (2, 3, 3) of a box in object coordinates."""
    low = np.array([[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]], np.float32)
    high = low + np.array([0, 0, z1 - z0], np.float32)
    sides = [_quad(low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]) for i in range(4)]
    return np.concatenate(sides), _quad(*high)


def _house(parts: _Parts, h: House, rng: np.random.Generator) -> None:
    flat = h.roof == "flat"
    palette = FLAT_ROOFS if flat else ROOFS
    roof_colour = jittered(rng, palette[h.tint % len(palette)], 0.16, 0.04)
    wall_colour = jittered(rng, WALLS[h.tint // 7 % len(WALLS)], 0.08)
    sides, top = _box(-h.length_m / 2, h.length_m / 2, -h.width_m / 2, h.width_m / 2, 0, h.wall_m)

    def add(triangles: Array, colour: Array, surface: Surface) -> None:
        parts.add(_placed(triangles, h.north_m, h.east_m, h.yaw_rad), colour, surface)

    add(sides, wall_colour, Surface.WALL)
    if flat:
        add(top, roof_colour, Surface.FLAT_ROOF)
        for triangles in _roof_units(h):
            add(triangles, jittered(rng, (0.6, 0.6, 0.6), 0.15), Surface.FLAT_ROOF)
        return
    for slope in _slopes(h):
        add(slope, roof_colour * np.float32(rng.uniform(0.95, 1.05)), Surface.ROOF)
    if h.length_m > 7:
        chimney_sides, chimney_top = _box(-0.4, 0.4, 0.6, 1.4, h.wall_m, h.wall_m + h.rise_m + 0.7)
        add(np.concatenate([chimney_sides, chimney_top]), wall_colour * np.float32(0.8), Surface.WALL)


def _roof_units(h: House) -> list[Array]:
    """Parapet and machinery on a flat roof; where they stand belongs to the house, not to the date."""
    rng = np.random.default_rng([h.key, 9])
    x, y, z = h.length_m / 2, h.width_m / 2, h.wall_m
    out = []
    for x0, x1, y0, y1 in (
        (-x, x, -y, -y + 0.35),
        (-x, x, y - 0.35, y),
        (-x, -x + 0.35, -y, y),
        (x - 0.35, x, -y, y),
    ):
        out.append(np.concatenate(_box(x0, x1, y0, y1, z, z + 0.5)))
    for _ in range(int(h.length_m * h.width_m / 130)):
        cx, cy = rng.uniform(-0.8, 0.8) * (x - 2), rng.uniform(-0.8, 0.8) * (y - 2)
        sx, sy, sz = rng.uniform(0.5, 2.2), rng.uniform(0.5, 1.6), rng.uniform(0.5, 1.8)
        out.append(np.concatenate(_box(cx - sx, cx + sx, cy - sy, cy + sy, z, z + sz)))
    return out


def _slopes(h: House) -> list[Array]:
    """The sloping faces of a roof with eaves, in object coordinates."""
    over = 0.45 if h.length_m > 5 else 0.2
    x, y = h.length_m / 2 + over, h.width_m / 2 + over
    eave = h.wall_m - over * h.rise_m / (h.width_m / 2)
    ridge = h.wall_m + h.rise_m
    corners = [np.array(p, np.float32) for p in ((-x, -y, eave), (x, -y, eave), (x, y, eave), (-x, y, eave))]
    if h.roof == "shed":
        high = h.wall_m + h.rise_m * 0.7
        a, b, c, d = corners
        c, d = np.array([x, y, high], np.float32), np.array([-x, y, high], np.float32)
        back = _quad(np.array([-x, y, 0], np.float32), np.array([x, y, 0], np.float32), c, d)
        return [_quad(a, b, c, d), back]
    inset = min(y, x * 0.7) if h.roof == "hip" else 0.0
    e, f = np.array([-x + inset, 0, ridge], np.float32), np.array([x - inset, 0, ridge], np.float32)
    a, b, c, d = corners
    ends = [np.array([[d, a, e]], np.float32), np.array([[b, c, f]], np.float32)]
    return [_quad(a, b, f, e), _quad(c, d, e, f), *ends]


def _car(parts: _Parts, car: Car, rng: np.random.Generator) -> None:
    x, y = car.length_m / 2, car.width_m / 2
    colour = jittered(rng, CARS[int(rng.integers(len(CARS)))], 0.1)
    body = np.concatenate(_box(-x, x, -y, y, 0.25, 0.9))
    glass_sides, cabin_top = _box(-x * 0.55, x * 0.3, -y * 0.85, y * 0.85, 0.9, 1.45)
    for triangles, tone in ((body, colour), (glass_sides, np.array([0.1, 0.11, 0.12])), (cabin_top, colour)):
        parts.add(_placed(triangles, car.north_m, car.east_m, car.yaw_rad), tone, Surface.CAR)


def _crowns(parts: _Parts, trees: Sequence[Tree], date: Date, rng: np.random.Generator) -> None:
    round_shapes = [_lump(rng, conifer=False) for _ in range(_CROWN_SHAPES)]
    cones = [_lump(rng, conifer=True) for _ in range(_CROWN_SHAPES)]
    cone_colour, round_colour = in_season(CONIFER, date.season), in_season(BROADLEAF, date.season)
    for tree in trees:
        shape = (cones if tree.conifer else round_shapes)[int(rng.integers(_CROWN_SHAPES))]
        radius = tree.radius_m * date.crown_scale * rng.uniform(0.92, 1.08)
        height = tree.height_m * (0.5 + 0.5 * date.crown_scale)
        low = height * 0.12
        half = (height - low) / 2
        centre = np.array([tree.north_m, tree.east_m, -(low + half)], np.float32)
        turn = rng.uniform(0, 2 * math.pi)
        c, s = math.cos(turn) * radius, math.sin(turn) * radius
        matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, half]], np.float32)
        base = cone_colour if tree.conifer else round_colour
        parts.add(shape @ matrix.T + centre, jittered(rng, base, 0.12, 0.03), Surface.CROWN, centre)


def _lump(rng: np.random.Generator, conifer: bool) -> Array:
    """A unit crown, (F, 3, 3) with z down: a sphere or a cone, dented at random."""
    import trimesh  # a fifth of all that a scenario imports, and a world that was lit before needs none of it

    sphere = trimesh.creation.icosphere(1, 1.0)
    v = np.asarray(sphere.vertices, np.float64)
    dents = tile(rng, 64, 1.0)
    i = (np.arctan2(v[:, 1], v[:, 0]) / (2 * math.pi) * 63).astype(int) % 64
    j = ((v[:, 2] + 1) * 15).astype(int) % 64
    v = v * (1 + 0.09 * dents[i, j])[:, None]
    if conifer:
        width = np.clip((v[:, 2] + 1.05) / 1.6, 0.06, 1.0)  # z down: pointed at the top
        v[:, :2] *= width[:, None]
    faces = np.asarray(sphere.faces)
    seen = v[faces][:, :, 2].min(axis=1) < 0.45  # the underside is never seen from above
    return np.asarray(v[faces][seen], np.float32)
