"""An elevation model in any raster that rasterio opens, read about a flight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import GeoreferenceError, HomingError, ImageError
from runtime.geodesy import north_east_m, offset
from runtime.sources.raster.quiet import reading
from runtime.terrain import Datum, Terrain
from runtime.values import GeoPoint

Array = NDArray[np.float64]

REACH_M = 600.0  # beyond the outermost place: what a camera 60 degrees off straight down sees from 300 m
_MOST_NODES = 801  # along a side of what is kept: 2.5 MB
_LEAST_STEP_M = 5.0  # finer ground is houses and trees, which lean instead of carrying the camera
_MOST_READ_PX = 4096  # along a side of what is read; a finer model is read coarser
_FOOT_M = {"ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "us survey foot": 1200.0 / 3937.0, "us-ft": 1200.0 / 3937.0}


def read_terrain(path: Path, places: Sequence[GeoPoint], datum: Datum = Datum.ORTHOMETRIC) -> Terrain:
    """The ground's heights about some places, or all of them where none is given, from the first band of a raster in
    any coordinate system.

    Raises:
        ImageError: the file is missing, or no raster that can be read.
        GeoreferenceError: nothing says where it lies, or it does not reach to any of the places.
        HomingError: rasterio is not installed.
    """
    try:
        import rasterio
    except ImportError:
        raise HomingError("An elevation model needs rasterio; install it with `pip install homing[geo]`.") from None
    if not path.is_file():
        raise ImageError(f"{path}: no such file.")
    with reading(path), rasterio.open(path) as dataset:
        if dataset.crs is None or dataset.transform.is_identity:
            raise GeoreferenceError(f"{path}: does not say where its heights lie; give a GeoTIFF that does.")
        places = places or _corners(dataset)
        nodes, centre, step_m = _nodes(places)
        heights = _at(dataset, nodes)
    side = math.isqrt(len(nodes))
    terrain = Terrain(centre, step_m, heights.reshape(side, side).astype(np.float32), datum)
    if not any(terrain.height_m(place) is not None for place in places):
        raise GeoreferenceError(f"{path}: has no heights where this flight was; give the model of that ground.")
    return terrain


def _corners(dataset: Any) -> list[GeoPoint]:
    """Two opposite ones of what a raster shows, and the middle."""
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    return [GeoPoint(south, west), GeoPoint((south + north) / 2, (west + east) / 2), GeoPoint(north, east)]


def _nodes(places: Sequence[GeoPoint]) -> tuple[NDArray[np.float64], GeoPoint, float]:
    """(N * N, 2) latitudes and longitudes of a north-up square about the places, its centre, and its step in metres."""
    around = np.array([north_east_m(places[0], place) for place in places])
    low, high = around.min(axis=0), around.max(axis=0)
    centre = offset(places[0], *(float(one) for one in (low + high) / 2))
    half_m = float((high - low).max()) / 2 + REACH_M
    count = min(_MOST_NODES, 2 * math.ceil(half_m / _LEAST_STEP_M) + 1)
    steps = np.linspace(-half_m, half_m, count)
    corner = offset(centre, half_m, half_m)
    per_m = (corner.latitude_deg - centre.latitude_deg) / half_m, (corner.longitude_deg - centre.longitude_deg) / half_m
    latitude = centre.latitude_deg - steps * per_m[0]
    longitude = centre.longitude_deg + steps * per_m[1]
    grid = np.stack(np.meshgrid(latitude, longitude, indexing="ij"), axis=-1).reshape(-1, 2)
    return grid, centre, 2 * half_m / (count - 1)


def _at(dataset: Any, nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) heights in metres at (N, 2) latitudes and longitudes, bilinear; NaN where there are none."""
    from rasterio.warp import transform
    from rasterio.windows import Window

    x, y = transform("EPSG:4326", dataset.crs, nodes[:, 1].tolist(), nodes[:, 0].tolist())
    a, b, c, d, e, f = tuple(~dataset.transform)[:6]
    columns, rows = a * np.array(x) + b * np.array(y) + c, d * np.array(x) + e * np.array(y) + f
    inside = (columns >= 0) & (columns <= dataset.width) & (rows >= 0) & (rows <= dataset.height)
    found = np.full(len(nodes), np.nan)
    if not inside.any():
        return found
    left, top = math.floor(columns[inside].min()) - 1, math.floor(rows[inside].min()) - 1
    left, top = max(left, 0), max(top, 0)
    wide = min(math.ceil(columns[inside].max()) + 2, dataset.width) - left
    high = min(math.ceil(rows[inside].max()) + 2, dataset.height) - top
    shape = min(high, _MOST_READ_PX), min(wide, _MOST_READ_PX)
    band = dataset.read(1, window=Window(left, top, wide, high), out_shape=shape, masked=True).astype(np.float64)
    values = band.filled(np.nan) * dataset.scales[0] + dataset.offsets[0]
    values *= _FOOT_M.get((dataset.units[0] or "").strip().lower(), 1.0)
    across, down = (columns[inside] - left) * shape[1] / wide - 0.5, (rows[inside] - top) * shape[0] / high - 0.5
    found[inside] = _bilinear(values, down, across)
    return found


def _bilinear(values: Array, down: Array, across: Array) -> Array:
    """(N,) values between (H, W) pixel centres; beyond the outermost those of the edge."""
    down, across = np.clip(down, 0, values.shape[0] - 1), np.clip(across, 0, values.shape[1] - 1)
    top = np.minimum(down.astype(int), max(values.shape[0] - 2, 0))
    left = np.minimum(across.astype(int), max(values.shape[1] - 2, 0))
    below, right = np.minimum(top + 1, values.shape[0] - 1), np.minimum(left + 1, values.shape[1] - 1)
    v, u = down - top, across - left
    upper = values[top, left] * (1 - u) + values[top, right] * u
    lower = values[below, left] * (1 - u) + values[below, right] * u
    return np.asarray(upper * (1 - v) + lower * v)
