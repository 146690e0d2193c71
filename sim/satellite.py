"""The satellite image of a world: the satellite date seen from above, as blurred and noisy as such an image is."""

from __future__ import annotations

import logging
import math
import weakref
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from runtime.errors import StorageError
from runtime.geodesy import offset
from sim.render import renderer_of
from sim.world.world import AnyWorld, Scene, World
from sim.world_cache import Arrays, WorldCache

Image = npt.NDArray[np.uint8]
log = logging.getLogger(__name__)

NATIVE_GSD_M = 0.3  # of the image that crops are cut from
_BLUR_M = 0.26  # the optics' point spread, one sigma
_NOISE = 2.2  # sensor noise, grey levels, one sigma


class SatelliteImage:
    """Renders rectangles of the satellite image; `pixel p shows the ground at p + registration`."""

    def __init__(self, world: AnyWorld) -> None:
        self._scene = world.scene("satellite")
        self._shift = world.registration_ne_m
        self._renderer = renderer_of(world, "satellite")

    def render(self, centre_ne_m: tuple[float, float], side_m: float, gsd_m: float = NATIVE_GSD_M) -> Image:
        """North-up square about a point as the image's georeference has it: (S, S, 3) uint8 RGB."""
        shifted = (centre_ne_m[0] + self._shift[0], centre_ne_m[1] + self._shift[1])
        finer = max(1, math.ceil(gsd_m / NATIVE_GSD_M))  # coarse images average over the pixel
        image = self._renderer.orthographic(shifted, side_m, gsd_m / finer)
        return _through_optics(image, gsd_m / finer, finer, self._scene)


def _through_optics(image: Image, gsd_m: float, shrink: int, scene: Scene) -> Image:
    rng = np.random.default_rng([scene.date.seed, 7])
    blurred = cv2.GaussianBlur(image, (0, 0), max(0.3, _BLUR_M / gsd_m))
    if shrink > 1:
        size = (round(image.shape[1] / shrink), round(image.shape[0] / shrink))
        blurred = cv2.resize(blurred, size, interpolation=cv2.INTER_AREA)
    noise = rng.normal(0, _NOISE, (512, 512, 1)).astype(np.float32)
    rows, columns = blurred.shape[:2]
    noise = np.tile(noise, (rows // 512 + 1, columns // 512 + 1, 1))[:rows, :columns]
    return np.asarray(np.clip(blurred + noise + 0.5, 0, 255), np.uint8)


_whole: weakref.WeakKeyDictionary[AnyWorld, Image] = weakref.WeakKeyDictionary()


def satellite_crop(world: AnyWorld, centre_ne_m: tuple[float, float], side_m: float, size_px: int) -> Image:
    """A north-up crop of the world's satellite image: (size_px, size_px, 3) uint8 RGB.

    The whole image is rendered once per world and kept while the world lives; crops are cut from it.
    """
    return cut(whole_image(world), _whole_side_m(world) / 2, centre_ne_m, side_m, size_px)


def whole_image(world: AnyWorld, cache: WorldCache | None = None) -> Image:
    """The world's satellite image about its origin, a little larger than the world; kept in the cache if there is one.
    """
    if world not in _whole:
        recipe = world.recipe if isinstance(world, World) else None

        def make() -> Arrays:
            return {"image": SatelliteImage(world).render((0.0, 0.0), _whole_side_m(world))}

        made = make() if cache is None or recipe is None else cache.arrays(f"satellite image, {recipe}", make)
        _whole[world] = made["image"]
    return _whole[world]


def cut(whole: Image, half_m: float, centre_ne_m: tuple[float, float], side_m: float, size_px: int) -> Image:
    """A north-up crop of a square image centred on the origin and reaching half_m to each side."""
    gsd = 2 * half_m / whole.shape[0]
    step = side_m / size_px
    finer = max(1, round(step / gsd))  # sample at the image's own scale, then average
    scale = step / finer / gsd
    matrix = np.array(
        [
            [scale, 0, (centre_ne_m[1] - side_m / 2 + half_m) / gsd + 0.5 * scale - 0.5],
            [0, scale, (half_m - centre_ne_m[0] - side_m / 2) / gsd + 0.5 * scale - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(whole, matrix, (size_px * finer,) * 2, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    if finer > 1:
        crop = cv2.resize(crop, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def _whole_side_m(world: AnyWorld) -> float:
    return 10 * math.ceil((world.size_m + 100.0) / 10)  # crops at the edge reach beyond it


def write_geotiff(world: AnyWorld, path: Path, gsd_m: float = NATIVE_GSD_M, side_m: float | None = None) -> None:
    """Write the satellite image about the world's origin as a GeoTIFF in WGS-84.

    Raises:
        StorageError: the file cannot be written.
    """
    import rasterio  # a scenario that flies over a procedural world writes none
    from affine import Affine

    side = side_m if side_m is not None else world.size_m
    image = SatelliteImage(world).render((0.0, 0.0), side, gsd_m)
    south_west, north_east = offset(world.origin, -side / 2, -side / 2), offset(world.origin, side / 2, side / 2)
    west, north = south_west.longitude_deg, north_east.latitude_deg
    step_e = (north_east.longitude_deg - west) / image.shape[1]
    step_n = (north - south_west.latitude_deg) / image.shape[0]
    transform = Affine(step_e, 0.0, west, 0.0, -step_n, north)
    profile = dict(driver="GTiff", width=image.shape[1], height=image.shape[0], count=3, dtype="uint8", crs="EPSG:4326")
    try:
        with rasterio.open(path, "w", transform=transform, compress="deflate", photometric="RGB", **profile) as file:
            file.write(np.moveaxis(image, 2, 0))
    except (OSError, rasterio.errors.RasterioError) as error:
        raise StorageError(f"the satellite image {path} cannot be written: {error}.") from error
