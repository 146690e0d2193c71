"""A real map as a world: its picture is the flat ground, woods and houses are raised where it shows them."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from runtime.errors import ImageError
from runtime.record.map_plan import COARSEST_M
from runtime.sources.raster.north_up import open_raster
from runtime.values import GeoPoint
from sim.world.dates import Date, at_date, make_date
from sim.world.ground import GSD_M, GroundRaster
from sim.world.layout import House, Layout, Tree
from sim.world.meshes import build
from sim.world.noise import repeated, spread, tile
from sim.world.world import Scene, registration

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_MAX_SIDE_PX = 6000  # a larger map is read more coarsely
_TREE_SPACING_M = 5.5  # between the trees raised on wooded ground
_FORGOTTEN_M = 0.45  # the map's own texture finer than this is not seen at the other date
_STRIP = 256


class GeoTiffWorld:
    """A map's picture as ground, centred on the map; the same interface as `World`.

    On the satellite date the ground is the map itself; on the flight date its colours are re-drawn by material,
    its sharpness differs, and shadows of the raised trees and houses fall another way.
    """

    def __init__(self, seed: int, origin: GeoPoint, image: Image, gsd_m: float) -> None:
        self.seed = seed
        self.origin = origin
        self.size_m = min(image.shape[0], image.shape[1]) * gsd_m
        self._image = image
        self._gsd_m = gsd_m
        self._scenes: dict[str, Scene] = {}

    @classmethod
    def open(cls, path: Path | str, seed: int = 0) -> GeoTiffWorld:
        """Read a georeferenced RGB raster.

        Raises:
            GeoreferenceError: the file says not where it lies.
            ImageError: the file cannot be read, has no colours, or is too coarse or too wide to be flown over.
        """
        with open_raster(Path(path), GSD_M * 0.8, _MAX_SIDE_PX, colour=True) as raster:
            if raster.gsd_m > COARSEST_M:
                raise ImageError(
                    f"{path}: has {raster.own_gsd_m:.3g} m per pixel over {max(raster.size_m) / 1000:.3g} km, and a "
                    f"world has {COARSEST_M:g} m or less over at most {COARSEST_M * _MAX_SIDE_PX / 1000:g} km; give a "
                    "finer map, or a part of it."
                )
            return cls(seed, raster.middle, raster.read().image, raster.gsd_m)

    @property
    def extent_m(self) -> tuple[float, float]:
        """(north to south, west to east) size of the map."""
        return self._image.shape[0] * self._gsd_m, self._image.shape[1] * self._gsd_m

    @cached_property
    def registration_ne_m(self) -> tuple[float, float]:
        """How far the satellite image is displaced; see `World.registration_ne_m`."""
        return registration(self.seed)

    @cached_property
    def recipe(self) -> str:
        """All that the world follows from: its numbers, and a digest of the map's picture."""
        picture = hashlib.sha256(self._image.tobytes()).hexdigest()
        return f"map {picture}, {self._image.shape}, {self._gsd_m!r} m per pixel at {self.origin}, seed {self.seed}"

    def scene(self, date: str) -> Scene:
        """The map on a date, "satellite", "flight" or "dusk"; made once and kept."""
        if date not in self._scenes:
            day = make_date(self.seed, date)
            layout = at_date(self._layout, self.seed, day)
            if date == "satellite":  # the map is a photograph already: its own leaning things and shadows are in it
                day = dataclasses.replace(day, tilt_north=0.0, tilt_east=0.0)
                layout = dataclasses.replace(layout, houses=(), trees=())
                image = self._image
            else:
                image = _redrawn(self._image, self._classes, self._gsd_m, day)
            north, east = self.extent_m
            ground = GroundRaster(image, north / 2, -east / 2, self._gsd_m)
            self._scenes[date] = Scene(day, layout, build(layout, day), ground)
        return self._scenes[date]

    @cached_property
    def _classes(self) -> npt.NDArray[np.uint8]:
        return classify(self._image, self._gsd_m)

    @cached_property
    def _layout(self) -> Layout:
        rng = np.random.default_rng([self.seed, 1])
        north, east = self.extent_m
        trees = _trees(self._classes == WOOD, self._gsd_m, (north / 2, -east / 2), rng)
        houses = _houses(self._classes == BUILT, self._gsd_m, (north / 2, -east / 2), rng, len(trees))
        return Layout(max(north, east) / 2, (), houses, trees, ())


OPEN, WOOD, BARE, BUILT = 0, 1, 2, 3  # what a texel of the map is taken for


def classify(image: Image, gsd_m: float) -> npt.NDArray[np.uint8]:
    """Material by colour: dark green is wood, bright and small is built, grey or brown is bare, the rest open green."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.2 / gsd_m).astype(np.float32)
    light, green = soft.mean(axis=2), soft[..., 1] - (soft[..., 0] + soft[..., 2]) / 2
    usual = float(np.median(light))
    classes = np.zeros(image.shape[:2], np.uint8)
    classes[green < 2.0] = BARE
    classes[_cleaned(light < 0.62 * usual, 3.0 / gsd_m)] = WOOD
    classes[_cleaned(light > min(235.0, 1.75 * usual), 1.5 / gsd_m)] = BUILT
    return classes


def _cleaned(mask: Mask, radius_px: float) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(radius_px)) + 1,) * 2)
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)) > 0


def _trees(wood: Mask, gsd_m: float, corner_ne_m: tuple[float, float], rng: np.random.Generator) -> tuple[Tree, ...]:
    """Trees on a jittered grid wherever the map shows wood."""
    step = _TREE_SPACING_M / gsd_m
    rows, columns = np.arange(step / 2, wood.shape[0], step), np.arange(step / 2, wood.shape[1], step)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    grid = grid + rng.uniform(-0.4, 0.4, grid.shape) * step
    index = np.clip(grid.astype(int), 0, np.array(wood.shape) - 1)
    places = grid[wood[index[:, 0], index[:, 1]]]
    trees = []
    for key, (row, column) in enumerate(places):
        radius, conifer = rng.uniform(1.8, 3.6), bool(rng.random() < 0.5)
        height = radius * (rng.uniform(2.8, 3.8) if conifer else rng.uniform(1.9, 2.5))
        north, east = corner_ne_m[0] - row * gsd_m, corner_ne_m[1] + column * gsd_m
        trees.append(Tree(key, float(north), float(east), radius, height, conifer))
    return tuple(trees)


def _houses(
    built: Mask, gsd_m: float, corner_ne_m: tuple[float, float], rng: np.random.Generator, first_key: int
) -> tuple[House, ...]:
    """A house on every bright spot of a building's size and shape."""
    outlines, _ = cv2.findContours(built.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    houses: list[House] = []
    for outline in outlines:
        (x, y), (a, b), angle_deg = cv2.minAreaRect(outline)
        long_m, short_m = max(a, b) * gsd_m, min(a, b) * gsd_m
        filled = cv2.contourArea(outline) / max(a * b, 1.0)
        if not (5 < short_m < 25 and long_m < 50 and filled > 0.6):
            continue
        yaw = math.radians(angle_deg) + (math.pi / 2 if a >= b else 0.0)  # image angle is from east, clockwise
        north, east = corner_ne_m[0] - y * gsd_m, corner_ne_m[1] + x * gsd_m
        tint = int(rng.integers(1000))
        key = first_key + len(houses)
        houses.append(House(key, north, east, yaw, long_m, short_m, 3.5, 0.3 * short_m, "gable", tint))
    return tuple(houses)


def _redrawn(image: Image, classes: npt.NDArray[np.uint8], gsd_m: float, date: Date) -> Image:
    """The map at another date: each material's colour moved, large patches and fine detail its own."""
    rng = np.random.default_rng([date.seed, 1])
    side = max(image.shape[:2])
    coarse = spread(rng, side, 48, 1.0, longest=16)[: image.shape[0], : image.shape[1]]
    detail, mottle = tile(rng, 1024, 0.5), tile(rng, 1024, 0.9, 3.0)
    moved = np.exp(rng.normal(0, 0.13, (4, 1)) + rng.normal(0, 0.06, (4, 3))).astype(np.float32)
    low = cv2.GaussianBlur(image, (0, 0), _FORGOTTEN_M / gsd_m)
    tone = cv2.GaussianBlur(moved[classes], (0, 0), 0.8 / gsd_m)
    out = np.empty_like(image)
    for row0 in range(0, image.shape[0], _STRIP):
        strip = slice(row0, min(row0 + _STRIP, image.shape[0]))
        rows, columns = low[strip].shape[:2]
        noise = 1 + 0.06 * coarse[strip] + 0.05 * repeated(mottle, row0, rows, columns)
        noise += 0.05 * repeated(detail, row0, rows, columns)
        out[strip] = np.clip(low[strip] * tone[strip] * noise[..., None], 0, 255)
    return out
