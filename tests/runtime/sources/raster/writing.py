"""Rasters as other programs write them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

from runtime.sources.raster.north_up import open_raster
from runtime.sources.raster.picture import Picture
from tests.runtime.record.fakes import ground_texture

EPSG, EAST, NORTH = 32632, 500_000.0, 5_205_000.0  # on the zone's middle: grid north is true north


def write(
    path: Path, bands: NDArray[Any], gsd_m: float = 0.5, *, interpretation: Any = None, crs: Any = f"EPSG:{EPSG}",
    affine: Any = None, driver: str = "GTiff", **more: Any,
) -> Path:  # fmt: skip
    """(B, H, W) as a raster, by default a GeoTIFF in UTM."""
    affine = affine or rasterio.Affine(gsd_m, 0.0, EAST, 0.0, -gsd_m, NORTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rasterio's own, of the affine library and of what has no place
        with rasterio.open(
            path, "w", driver=driver, count=len(bands), height=bands.shape[1], width=bands.shape[2], dtype=bands.dtype,
            crs=crs, transform=affine, **more,
        ) as file:  # fmt: skip
            if interpretation is not None:
                file.colorinterp = interpretation  # before the pixels: afterwards a TIFF takes no alpha any more
            file.write(bands)
    return path


def colours(side_px: int = 300, seed: int = 3) -> NDArray[np.uint8]:
    """(3, S, S) of smooth colours."""
    return np.ascontiguousarray(np.moveaxis(cv2.GaussianBlur(ground_texture(side_px, seed), (0, 0), 2.0), 2, 0))


def read(path: Path, **options: Any) -> Picture:
    """All of a raster, north-up."""
    with open_raster(path, **options) as raster:
        return raster.read()


def same(path: Path, twin: Path, within: float = 1.0, **options: Any) -> None:
    """Two rasters show the same picture, where they have data."""
    one, other = read(path, **options), read(twin, **options)
    np.testing.assert_array_equal(one.seen, other.seen)
    assert np.abs(one.image.astype(int) - other.image)[other.seen].mean() < within
    assert other.seen.mean() > 0.3 and other.image[other.seen].std() > 10
