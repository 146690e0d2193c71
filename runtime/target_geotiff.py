"""A GeoTIFF, whatever its projection and turn, as a north-up picture in metres (rasterio, extra ``geo``)."""

from __future__ import annotations

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
from rasterio.transform import from_origin
from rasterio.warp import calculate_default_transform, reproject, transform

from runtime.errors import ImageError
from runtime.values import GeoPoint, ImageRGB

_MAX_SIDE_PX = 4096  # a target larger than this is read coarser
_WGS84 = CRS.from_epsg(4326)


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
    column, row = dataset.width / 2, dataset.height / 2
    x, y = dataset.transform * (column, row)
    (longitude,), (latitude,) = transform(dataset.crs, _WGS84, [x], [y])
    centre = GeoPoint(float(latitude), float(longitude))
    # Azimuthal equidistant about the centre: metres, and up is true north (UTM's grid north is not).
    local = CRS.from_proj4(f"+proj=aeqd +lat_0={latitude:.9f} +lon_0={longitude:.9f} +datum=WGS84 +units=m")
    affine, width, height = calculate_default_transform(
        dataset.crs, local, dataset.width, dataset.height, *dataset.bounds
    )
    gsd_m = float(abs(affine.a)) * max(1.0, max(width, height) / _MAX_SIDE_PX)
    half_w = max(1, round(width * abs(affine.a) / gsd_m / 2))
    half_h = max(1, round(height * abs(affine.a) / gsd_m / 2))
    onto = from_origin(-half_w * gsd_m, half_h * gsd_m, gsd_m, gsd_m)
    image, seen = _warped(dataset, local, onto, (2 * half_h, 2 * half_w))
    image = _inscribed(image, seen)
    if min(image.shape[:2]) == 0:
        raise ImageError(f"target {path} has nothing at its centre (no data there).")
    return NorthUp(image, gsd_m, centre)


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
        if holes <= 0.002 * (bottom - top) * (right - left):  # a rim of half-seen pixels is no hole
            return np.ascontiguousarray(image[top:bottom, left:right])
    return image[:0, :0]
