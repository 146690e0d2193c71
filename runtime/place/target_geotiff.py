"""A GeoTIFF, whatever its projection and turn, as a north-up picture in metres (rasterio, extra ``geo``)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.transform import Affine
from rasterio.warp import reproject, transform

from runtime.errors import ImageError
from runtime.values import GeoPoint, ImageRGB

_MAX_SIDE_PX = 4096  # a target larger than this is read coarser


@dataclass(frozen=True, slots=True)
class NorthUp:
    """``image`` (H, W, 3) uint8 RGB, row 0 north; square pixels of ``gsd_m``; ``centre`` at its middle."""

    image: ImageRGB
    gsd_m: float
    centre: GeoPoint


def read_geotiff(path: Path) -> NorthUp | None:
    """The picture, or None where the file has no georeference and is only a picture.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                if dataset.crs is None or dataset.transform.is_identity:
                    return None
                return _north_up(dataset, path)
    except (RasterioIOError, RasterioError) as error:
        raise ImageError(f"target {path} cannot be read as a GeoTIFF ({error}).") from error


def _north_up(dataset: Any, path: Path) -> NorthUp:
    width, height = dataset.width, dataset.height
    (longitude,), (latitude,) = transform(dataset.crs, _wgs84(), *_xy(dataset, [(width / 2, height / 2)]))
    # Azimuthal equidistant about the centre: metres, and up is true north (UTM's grid north is not).
    local = CRS.from_proj4(f"+proj=aeqd +lat_0={latitude:.9f} +lon_0={longitude:.9f} +datum=WGS84 +units=m")
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    east, north = (np.array(axis) for axis in transform(dataset.crs, local, *_xy(dataset, corners)))
    area_m2 = abs(np.sum(east * np.roll(north, -1) - north * np.roll(east, -1))) / 2
    half_east, half_north = float(np.abs(east).max()), float(np.abs(north).max())
    gsd_m = max(math.sqrt(area_m2 / (width * height)), 2 * max(half_east, half_north) / _MAX_SIDE_PX)
    columns, rows = max(1, round(half_east / gsd_m)), max(1, round(half_north / gsd_m))
    onto = Affine(gsd_m, 0.0, -columns * gsd_m, 0.0, -gsd_m, rows * gsd_m)
    image, seen = _warped(dataset, local, onto, (2 * rows, 2 * columns))
    image = _inscribed(image, seen)
    if min(image.shape[:2]) == 0:
        raise ImageError(f"target {path} has nothing at its centre (no data there).")
    return NorthUp(image, gsd_m, GeoPoint(float(latitude), float(longitude)))


def _xy(dataset: Any, pixels: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Pixel corners (column, row) in the file's own coordinates."""
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    return [a * col + b * row + c for col, row in pixels], [d * col + e * row + f for col, row in pixels]


def _wgs84() -> CRS:
    return CRS.from_epsg(4326)


def _warped(
    dataset: Any, crs: Any, onto: Any, shape: tuple[int, int]
) -> tuple[ImageRGB, NDArray[np.bool_]]:
    bands = [1, 2, 3] if dataset.count >= 3 else [1, 1, 1]
    source = _eight_bit(dataset.read(bands), dataset.dataset_mask())
    warped = np.zeros((4, *shape), np.uint8)
    reproject(
        np.concatenate([source, dataset.dataset_mask()[None]]), warped,
        src_transform=dataset.transform, src_crs=dataset.crs, dst_transform=onto, dst_crs=crs,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    return np.ascontiguousarray(warped[:3].transpose(1, 2, 0)), warped[3] > 127


def _eight_bit(bands: NDArray[Any], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Deeper data stretched between its 2nd and 98th percentile, as viewers show it."""
    if bands.dtype == np.uint8:
        return bands
    valid = bands[:, mask > 0].astype(np.float64)
    low, high = np.percentile(valid, [2, 98]) if valid.size else (0.0, 1.0)
    stretched = (bands.astype(np.float64) - low) / max(high - low, 1e-9) * 255
    return np.asarray(np.clip(np.nan_to_num(stretched), 0, 255), dtype=np.uint8)


def _inscribed(image: ImageRGB, seen: NDArray[np.bool_]) -> ImageRGB:
    """The largest centred part, in the picture's proportions, without holes at the turned corners."""
    height, width = seen.shape
    missing = np.pad((~seen).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    for share in np.linspace(1.0, 0.0, 101):
        top, left = (int(round(side * (1 - share) / 2)) for side in (height, width))
        bottom, right = height - top, width - left
        holes = missing[bottom, right] - missing[top, right] - missing[bottom, left] + missing[top, left]
        if holes <= 0.002 * (bottom - top) * (right - left):  # specks without data are no corner
            return np.ascontiguousarray(image[top:bottom, left:right])
    return image[:0, :0]
