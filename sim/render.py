"""Views of a scene: what a perspective camera or a satellite sees, with sun and shadows."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from runtime.camera_model import CameraModel
from runtime.machine import usable_cores
from sim.raster import shading, terrain
from sim.raster.lens import Lens, lens_of
from sim.raster.solids import Solids, solids_of
from sim.raster.sunlight import Sunlight, sunlight_of
from sim.raster.visible import seen_by_lens, seen_from_above
from sim.world.dates import Date, Sensor
from sim.world.ground import GroundRaster
from sim.world.meshes import Mesh
from sim.world.noise import tile
from sim.world.relief import Relief
from sim.world.world import AnyWorld, Scene, World
from sim.world_cache import Arrays, WorldCache

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
Index = npt.NDArray[np.int32]

_STRIP = 256  # rows of a large picture made at a time
_LENS_STRIP = 80  # of a camera's: a sixth of 480, so that two threads end within a millisecond of each other
_SKY = (190, 205, 220)  # its light, where 255 is white
_FINE_TEXEL_M = 0.08  # of the fine noise that the ground raster is too coarse for
_ABOVE_GROUND_M = 0.02  # what shades the ground stands higher


@dataclass(frozen=True, slots=True)
class LitScene:
    """What a renderer needs of a scene: what stands on the ground, and the ground with sun and shadows on it."""

    date: Date
    mesh: Mesh
    ground: GroundRaster


class _Standing(NamedTuple):
    """What stands on the ground, and the light that it leaves itself."""

    solids: Solids
    sunlight: Sunlight

    @classmethod
    def of(cls, mesh: Mesh, date: Date) -> _Standing:
        solids = solids_of(mesh)
        return cls(solids, sunlight_of(solids, date.to_sun))


class Renderer:
    """Renders one scene; unless it is lit already, building it bakes sun and shadow into the ground.

    ``relief``: what a lens sees is lifted by it; a map, and light and shadow, are those of flat ground.
    """

    def __init__(self, scene: Scene | LitScene, relief: Relief | None = None) -> None:
        date = scene.date
        self._relief = relief or Relief.flat()
        self._flat = _Standing.of(scene.mesh, date)
        self._lifted = self._flat if self._relief.is_flat else _Standing.of(self._relief.lifted(scene.mesh), date)
        rng = np.random.default_rng([date.seed, 5])
        self._fine = terrain.as_fine(tile(rng, 1024, 0.4))
        leaf = tile(rng, shading.LEAF_SIDE, 0.7, 2.0).ravel()
        self._look = shading.Look(date.to_sun / -date.to_sun[2], leaf)
        self._response = _response(date.sensor)
        self._aside = ThreadPoolExecutor(1)  # compiled code runs beside Python: a frame is made on two cores
        self.scene = scene if isinstance(scene, LitScene) else LitScene(date, scene.mesh, self._lit(scene.ground))

    def perspective(self, camera: CameraModel, ned_from_camera: npt.ArrayLike, position_ned_m: npt.ArrayLike) -> Image:
        """The camera's view through its lens: (height_px, width_px, 3) uint8 RGB.

        ned_from_camera is (3, 3); position_ned_m (3,) from the world's origin, z negative above ground.
        """
        lens = lens_of(camera)
        turn, eye = np.asarray(ned_from_camera, np.float64), np.asarray(position_ned_m, np.float64)
        turn32, eye32 = np.ascontiguousarray(turn, np.float32), eye.astype(np.float32)
        out = np.empty((*lens.x.shape, 3), np.uint8)

        def ground(rows: slice) -> None:
            self._ground_seen_by_lens(turn32, eye32, lens, rows, out[rows])

        strips = [(rows, self._aside.submit(ground, rows)) for rows in _strips(len(out), _LENS_STRIP)]
        nearness, face = np.empty(lens.x.shape, np.float32), np.empty(lens.x.shape, np.int32)
        seen_by_lens(self._lifted.solids, lens, np.ascontiguousarray(turn), eye, nearness, face)
        pixels = shading.pixels_showing(face)
        for rows, strip in reversed(strips):
            if strip.cancel():  # nobody has begun it yet
                ground(rows)
            else:
                strip.result()

        def put(some: Index) -> None:
            points, rays = np.empty((3, len(some)), np.float32), np.empty((3, len(some)), np.float32)
            shading.points_seen_by_lens(
                some, lens.x.ravel(), lens.y.ravel(), nearness.ravel(), turn32, eye32, points, rays
            )
            self._shade(self._lifted, some, face, points, rays, out)

        others = self._aside.submit(put, pixels[len(pixels) // 2 :])
        put(pixels[: len(pixels) // 2])
        others.result()
        return out

    def _ground_seen_by_lens(self, turn: Array, eye: Array, lens: Lens, rows: slice, out: Image) -> None:
        """Fill these rows of a picture with the ground, or the sky over it."""
        raster, xs, ys = self.scene.ground, lens.x[rows].ravel(), lens.y[rows].ravel()
        column, row, fine_column, fine_row = maps = np.empty((4, *out.shape[:2]), np.float32)
        terrain.ground_behind(
            turn, eye, xs, ys, raster.north_m, raster.west_m, raster.gsd_m, _FINE_TEXEL_M, len(self._fine),
            self._relief.heights_m, self._relief.step_m, 0 if self._relief.is_flat else terrain.ROUNDS,
            *maps.reshape(4, -1),
        )  # fmt: skip
        fine = cv2.remap(self._fine, fine_column, fine_row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        self._ground(column, row, np.asarray(fine, np.uint8), out)
        if not _all_fall(turn, lens):
            sky = np.empty((1, 3), np.uint8)
            level = np.array([_SKY], np.uint8), np.full(1, terrain.FINE_ZERO, np.uint8)
            terrain.respond_to_ground(*level, *self._response, sky)
            terrain.put_sky(turn, xs, ys, sky[0], out.reshape(-1, 3))

    def _ground(self, column: Array, row: Array, fine: Image, out: Image) -> None:
        lit = cv2.remap(self.scene.ground.image, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        terrain.respond_to_ground(
            np.asarray(lit, np.uint8).reshape(-1, 3), fine.ravel(), *self._response, out.reshape(-1, 3)
        )

    def _shade(
        self, standing: _Standing, pixels: Index, face: Index, points: Array, rays: Array, out: Image
    ) -> None:
        faces = face.ravel()[pixels]
        shading.shade_objects(
            pixels, faces, points, rays, *standing, self._look, self._response, out
        )

    def orthographic(self, centre_ne_m: tuple[float, float], side_m: float, gsd_m: float) -> Image:
        """North-up parallel view of a square: (S, S, 3) uint8 RGB with S = round(side_m / gsd_m).

        The date's tilt leans what stands up; the ground itself is where it belongs.
        """
        size = round(side_m / gsd_m)
        step = side_m / size
        north, west = centre_ne_m[0] + side_m / 2, centre_ne_m[1] - side_m / 2
        out = np.empty((size, size, 3), np.uint8)
        _by_strips(size, lambda row0, rows: self._strip(north - row0 * step, west, step, out[row0 : row0 + rows]))
        return out

    def _strip(self, north_m: float, west_m: float, step_m: float, out: Image) -> None:
        rows, columns = out.shape[:2]
        lean = self.scene.date.tilt_north, self.scene.date.tilt_east
        down, face = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.int32)
        seen_from_above(self._flat.solids, north_m, west_m, step_m, *lean, down, face)
        raster = self.scene.ground
        east = west_m + (np.arange(columns) + 0.5) * step_m
        north = north_m - (np.arange(rows) + 0.5) * step_m
        column = np.broadcast_to(((east - raster.west_m) / raster.gsd_m - 0.5).astype(np.float32), face.shape)
        row = np.broadcast_to(((raster.north_m - north) / raster.gsd_m - 0.5).astype(np.float32)[:, None], face.shape)
        fine = np.full(face.shape, terrain.FINE_ZERO, np.uint8)  # finer than a satellite sees
        self._ground(np.ascontiguousarray(column), np.ascontiguousarray(row), fine, out)
        pixels = shading.pixels_showing(face)
        points, rays = np.empty((3, len(pixels)), np.float32), np.empty((3, len(pixels)), np.float32)
        shading.points_seen_from_above(pixels, columns, north_m, west_m, step_m, *lean, down.ravel(), points, rays)
        self._shade(self._flat, pixels, face, points, rays, out)

    def _lit(self, raster: GroundRaster) -> GroundRaster:
        """The ground raster times the light on it."""
        shade: Image = np.empty(raster.image.shape[:2], np.uint8)
        _by_strips(len(shade), lambda row0, rows: self._shadows(raster, row0, shade[row0 : row0 + rows]))
        shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 0.8), np.uint8)  # penumbra
        out = np.empty_like(raster.image)

        def light(row0: int, rows: int) -> None:
            strip = slice(row0, row0 + rows)
            dark = shade[strip, :, None].astype(np.float32) / 255
            out[strip] = np.clip(raster.image[strip] * (1 - dark * (1 - np.array(shading.SHADE, np.float32))), 0, 255)

        _by_strips(len(shade), light)
        return replace(raster, image=out)

    def _shadows(self, raster: GroundRaster, row0: int, out: Image) -> None:
        """Rows of the ground raster, 255 where a ray towards the sun is stopped."""
        sun = self._flat.sunlight.beams
        down, face = np.empty(out.shape, np.float32), np.empty(out.shape, np.int32)
        # A beam to a point at that height meets flat ground a little beside it.
        north_m = raster.north_m - row0 * raster.gsd_m + _ABOVE_GROUND_M * sun.lean_north
        west_m = raster.west_m + _ABOVE_GROUND_M * sun.lean_east
        seen_from_above(self._flat.solids, north_m, west_m, raster.gsd_m, sun.lean_north, sun.lean_east, down, face)
        out[:] = (down < -_ABOVE_GROUND_M) * np.uint8(255)


def _all_fall(turn: Array, lens: Lens) -> bool:
    """Whether every ray surely ends on the ground."""
    reach_x, reach_y = max(lens.most_x[-1], -lens.least_x[0]), max(lens.most_y[-1], -lens.least_y[0])
    least = turn[2, 2] - (abs(turn[2, 0]) * float(reach_x) + abs(turn[2, 1]) * float(reach_y))
    return bool(least > terrain.HORIZON)


def _by_strips(rows: int, work: Callable[[int, int], None]) -> None:
    """Do `work(row0, rows)` on each strip of a picture, on all cores."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(lambda strip: work(strip.start, strip.stop - strip.start), _strips(rows, _STRIP)))


def _strips(rows: int, height: int) -> list[slice]:
    """So many rows in strips of a height, the last perhaps lower."""
    return [slice(row0, min(row0 + height, rows)) for row0 in range(0, rows, height)]


_kept: weakref.WeakKeyDictionary[AnyWorld, dict[str, Renderer]] = weakref.WeakKeyDictionary()


def renderer_of(world: AnyWorld, date: str, cache: WorldCache | None = None) -> Renderer:
    """The renderer of a world on a date: lit once and kept while the world lives, in the cache for longer."""
    renderers = _kept.setdefault(world, {})
    if date not in renderers:
        renderers[date] = Renderer(world.scene(date) if cache is None else lit_scene(world, date, cache))
    return renderers[date]


def lit_scene(world: AnyWorld, date: str, cache: WorldCache) -> Scene | LitScene:
    """The lit scene of a world that follows from numbers alone, out of the cache; of any other, its scene."""
    if not isinstance(world, World) or world.recipe is None:
        return world.scene(date)

    def make() -> Arrays:
        scene = Renderer(world.scene(date)).scene
        ground, mesh = scene.ground, scene.mesh
        corner = np.array([ground.north_m, ground.west_m, ground.gsd_m])
        return {"image": ground.image, "corner": corner, **{f.name: getattr(mesh, f.name) for f in fields(Mesh)}}

    kept = cache.arrays(f"lit scene, {date}, {world.recipe}", make)
    ground = GroundRaster(kept["image"], *(float(value) for value in kept["corner"]))
    return LitScene(world.date(date), Mesh(**{f.name: kept[f.name] for f in fields(Mesh)}), ground)


def _response(sensor: Sensor) -> shading.Response:
    luma = np.array([0.30, 0.59, 0.11])
    saturation = sensor.saturation * np.eye(3) + (1 - sensor.saturation) * luma[None, :]
    matrix = saturation * np.array(sensor.gain)[:, None]
    level = np.linspace(0, 1, 256)[:, None]
    toned = (level**sensor.gamma - 0.42) * sensor.contrast + 0.42
    hazed = toned * (1 - sensor.haze) + sensor.haze * np.array(sensor.haze_colour)
    return shading.Response(matrix.astype(np.float32), np.clip(hazed * 255, 0, 255).astype(np.uint8))
