"""The slow and obvious renderer: a ray of Embree's per pixel, and one towards the sun from each point that it meets."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from runtime.camera_model import CameraModel
from sim.world.dates import Sensor
from sim.world.meshes import Surface
from sim.world.noise import lookup, tile
from sim.world.world import Scene

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]

SHADE = np.array([0.36, 0.39, 0.44], np.float32)  # light in full shade, as a share of that in the sun; bluish
_STRIP = 256  # rows traced at a time where the picture is large
_ABOVE_M = 400.0  # orthographic rays start this high: above everything
_DETAIL_TEXEL_M = 0.08  # of the fine noise that the ground raster is too coarse for
_DETAIL = 0.06  # its deviation, as a share of brightness


class TracedRenderer:
    """What `sim.render.Renderer` is measured by."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        mesh = scene.mesh
        self._embree = EmbreeScene()
        self._mesh = TriangleMesh(self._embree, mesh.triangles)
        self._normals = _unit(
            np.cross(mesh.triangles[:, 1] - mesh.triangles[:, 0], mesh.triangles[:, 2] - mesh.triangles[:, 0])
        )
        rng = np.random.default_rng([scene.date.seed, 5])
        self._fine = tile(rng, 1024, 0.4)
        self._leaf = tile(rng, 512, 0.7, 2.0)
        self._matrix, self._table = _response(scene.date.sensor)
        self.lit = self._bake()

    def perspective(self, camera: CameraModel, ned_from_camera: npt.ArrayLike, position_ned_m: npt.ArrayLike) -> Image:
        """The camera's view through its lens: (height_px, width_px, 3) uint8 RGB.

        ned_from_camera is (3, 3); position_ned_m (3,) from the world's origin, z negative above ground.
        """
        rotation = np.asarray(ned_from_camera, np.float32)
        directions = _rays(camera) @ rotation.T
        origins = np.broadcast_to(np.asarray(position_ned_m, np.float32), directions.shape)
        return self._respond(self._trace(origins, directions, (camera.height_px, camera.width_px), fine=True))

    def orthographic(self, centre_ne_m: tuple[float, float], side_m: float, gsd_m: float) -> Image:
        """North-up parallel view of a square: (S, S, 3) uint8 RGB with S = round(side_m / gsd_m).

        The date's tilt leans what stands up; the ground itself is where it belongs.
        """
        size = round(side_m / gsd_m)
        steps = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(side_m / size)
        north = np.float32(centre_ne_m[0] + side_m / 2) - steps
        east = np.float32(centre_ne_m[1] - side_m / 2) + steps
        down = np.array([self.scene.date.tilt_north, self.scene.date.tilt_east, 1.0], np.float32)
        out = np.empty((size, size, 3), np.uint8)
        for row0 in range(0, size, _STRIP):
            strip = north[row0 : row0 + _STRIP]
            ground = np.zeros((len(strip), size, 3), np.float32)
            ground[..., 0], ground[..., 1] = strip[:, None], east[None, :]
            origins = ground.reshape(-1, 3) - down * np.float32(_ABOVE_M)
            directions = np.broadcast_to(down, origins.shape)
            out[row0 : row0 + _STRIP] = self._respond(self._trace(origins, directions, ground.shape[:2], fine=False))
        return out

    def _trace(self, origins: Array, directions: Array, shape: tuple[int, int], fine: bool) -> Array:
        """Light reaching the lens along each ray: (H, W, 3) float32, 255 is white."""
        origins, directions = np.ascontiguousarray(origins), np.ascontiguousarray(directions)
        hit = self._embree.run(origins, directions, output=1)
        light = self._ground_light(origins, directions, shape, fine).reshape(-1, 3)
        seen = np.flatnonzero((hit["primID"] >= 0) & (hit["geomID"] >= 0))
        if len(seen):
            points = origins[seen] + directions[seen] * hit["tfar"][seen, None]
            light[seen] = self._object_light(points, directions[seen], hit["primID"][seen])
        return light.reshape(*shape, 3)

    def _ground_light(self, origins: Array, directions: Array, shape: tuple[int, int], fine: bool) -> Array:
        reach = -origins[:, 2] / np.maximum(directions[:, 2], np.float32(1e-3))
        north = (origins[:, 0] + directions[:, 0] * reach).reshape(shape)
        east = (origins[:, 1] + directions[:, 1] * reach).reshape(shape)
        raster = self.scene.ground
        column = (east - np.float32(raster.west_m)) / np.float32(raster.gsd_m) - np.float32(0.5)
        row = (np.float32(raster.north_m) - north) / np.float32(raster.gsd_m) - np.float32(0.5)
        light = cv2.remap(self.lit, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).astype(
            np.float32
        )
        if fine:
            light *= 1 + np.float32(_DETAIL) * lookup(self._fine, north, east, _DETAIL_TEXEL_M)[..., None]
        sky = (directions[:, 2] <= 1e-3).reshape(shape)
        if sky.any():
            light[sky] = np.array([190, 205, 220], np.float32)
        return np.asarray(light, np.float32)

    def _object_light(self, points: Array, directions: Array, face: npt.NDArray[np.int32]) -> Array:
        mesh, sun = self.scene.mesh, self.scene.date.to_sun
        part = mesh.part[face]
        surface = mesh.surface[part]
        normal = self._normals[face]
        normal *= -np.sign(np.einsum("ij,ij->i", normal, directions))[:, None]  # towards the eye
        lifted = points + normal * np.float32(0.03)
        crown = surface == Surface.CROWN
        self._ruffle(normal, points, crown, mesh.centre[part])
        facing = np.clip(normal @ sun, 0, None) / np.float32(-sun[2])
        lit = self._embree.run(lifted, np.broadcast_to(sun, points.shape).copy(), query="OCCLUDED") < 0
        direct = np.minimum(facing, np.float32(1.3)) * lit
        light = SHADE + (1 - SHADE) * direct[:, None]
        grain = 255 * self._grain(points, surface, crown)
        return np.asarray(mesh.colour[part] * light * grain[:, None], np.float32)

    def _ruffle(self, normal: Array, points: Array, crown: npt.NDArray[np.bool_], centre: Array) -> None:
        """Replace, in place, the facets' normals of crowns by rounded ones with leaf-sized disorder."""
        p = points[crown]
        rounded = _unit(p - centre[crown])
        for axis in range(3):
            rounded[:, axis] += np.float32(0.32) * self._at(self._leaf, p, 0.22, axis)
        normal[crown] = _unit(rounded)

    def _grain(self, points: Array, surface: npt.NDArray[np.uint8], crown: npt.NDArray[np.bool_]) -> Array:
        amplitude = np.array([0.04, 0.07, 0.05, 0.20, 0.02], np.float32)[surface]  # by Surface
        broad = np.array([0.03, 0.08, 0.09, 0.16, 0.0], np.float32)[surface]
        noise = amplitude * self._at(self._leaf, points, 0.15, 1) + broad * self._at(self._leaf, points, 1.1, 2)
        return np.asarray(np.clip(1 + noise - 0.05 * crown, 0.3, 1.7), np.float32)

    def _at(self, lattice: Array, points: Array, texel_m: float, shift: int) -> Array:
        """Nearest lattice value at each point, heights mixed in so that vertical faces are textured too."""
        scale = np.float32(1 / texel_m)
        i = (points[:, 0] + points[:, 2] * np.float32(0.7)) * scale
        j = (points[:, 1] - points[:, 2] * np.float32(0.6)) * scale
        mask = lattice.shape[0] - 1
        row, column = (i.astype(np.int32) + 131 * shift) & mask, (j.astype(np.int32) + 57 * shift) & mask
        return np.asarray(lattice[row, column], np.float32)

    def _bake(self) -> Image:
        """The ground raster times the light on it."""
        raster = self.scene.ground
        shade: Image = np.empty(raster.image.shape[:2], np.uint8)
        for row0 in range(0, shade.shape[0], _STRIP):
            shade[row0 : row0 + _STRIP] = self._shadows(row0, min(_STRIP, shade.shape[0] - row0))
        shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 0.8), np.uint8)  # penumbra
        out = np.empty_like(raster.image)
        for row0 in range(0, shade.shape[0], _STRIP):
            strip = slice(row0, row0 + _STRIP)
            dark = shade[strip, :, None].astype(np.float32) / 255
            out[strip] = np.clip(raster.image[strip] * (1 - dark * (1 - SHADE)), 0, 255)
        return out

    def _shadows(self, row0: int, rows: int) -> Image:
        """Rows of the ground raster, 255 where a ray towards the sun is stopped."""
        raster, sun = self.scene.ground, self.scene.date.to_sun
        width = raster.image.shape[1]
        north = raster.north_m - (np.arange(row0, row0 + rows) + 0.5) * raster.gsd_m
        east = raster.west_m + (np.arange(width) + 0.5) * raster.gsd_m
        grid = np.meshgrid(north, east, indexing="ij")
        above = np.full((rows, width), -0.02)  # a hair above the ground
        flat = np.stack([*grid, above], axis=-1).reshape(-1, 3).astype(np.float32)
        stopped = self._embree.run(flat, np.broadcast_to(sun, flat.shape).copy(), query="OCCLUDED") >= 0
        return np.asarray(stopped.reshape(rows, width) * np.uint8(255), np.uint8)

    def _respond(self, light: Array) -> Image:
        mixed = cv2.transform(light, self._matrix)
        return np.asarray(cv2.LUT(np.clip(mixed, 0, 255).astype(np.uint8), self._table), np.uint8)


def _unit(v: Array) -> Array:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9), np.float32)


@lru_cache(maxsize=8)
def _rays(camera: CameraModel) -> Array:
    """(H * W, 3) float32 directions in the camera frame, z = 1, through the centre of every pixel."""
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    pixels = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    flat = cv2.undistortPoints(pixels, camera.matrix, np.array(camera.distortion, np.float64)).reshape(-1, 2)
    return np.hstack([flat, np.ones((len(flat), 1))]).astype(np.float32)


def _response(sensor: Sensor) -> tuple[Array, Image]:
    """A (3, 3) colour matrix (white balance, saturation) and a (1, 256, 3) table (tone curve, haze)."""
    luma = np.array([0.30, 0.59, 0.11])
    saturation = sensor.saturation * np.eye(3) + (1 - sensor.saturation) * luma[None, :]
    matrix = saturation * np.array(sensor.gain)[:, None]
    level = np.linspace(0, 1, 256)[:, None]
    toned = (level**sensor.gamma - 0.42) * sensor.contrast + 0.42
    hazed = toned * (1 - sensor.haze) + sensor.haze * np.array(sensor.haze_colour)
    return matrix.astype(np.float32), np.clip(hazed * 255, 0, 255).astype(np.uint8)[None]
