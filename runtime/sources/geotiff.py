"""A georeferenced raster, whatever its projection and turn, seen north-up in square metres (rasterio, extra ``geo``).

Nothing is read whole. A window is warped from the part of the file that it shows; a raster that is wanted several
times coarser than it is stored is first reduced, strip by strip, or read from its overviews. So memory is bounded by
what is asked for, not by the file.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from runtime.errors import GeoreferenceError, HomingError, ImageError
from runtime.values import GeoPoint, ImageRGB

_BLOCK_CACHE_BYTES = 64 << 20  # decoded blocks that GDAL keeps; its own default is a twentieth of the computer's memory
_WARP_MB = 64  # source and target of what is warped at a time
_STRIP_ROWS = 128  # of the reduced raster: a strip of a 60,000 pixels wide raster that is read 15 times coarser
_ROWS_AT_ONCE = 512  # of the warped raster: 8 MB of a 4096 pixels wide one
_WARPED_AS_IT_IS = 1.05  # times coarser: beyond, warping itself takes ten times as long as reducing first
_STRETCHED = (2.0, 98.0)  # percentiles of deeper data that become black and white, as viewers show it
_LEVELS_SIDE_PX = 512  # of the reduced picture that the percentiles are taken from


@dataclass(frozen=True, slots=True)
class Picture:
    """``image`` (H, W, 3) uint8 RGB, row 0 north; ``seen`` (H, W): where the raster has data."""

    image: ImageRGB
    seen: NDArray[np.bool_]


class NorthUpRaster:
    """An open raster in square pixels of ``gsd_m``, ``size_px`` (rows, columns), about ``middle``; `open_geotiff`
    makes one."""

    def __init__(self, warped: Any, middle: GeoPoint, gsd_m: float, levels: tuple[float, float]) -> None:
        self.middle = middle
        self.gsd_m = gsd_m
        self.size_px: tuple[int, int] = (warped.height, warped.width)
        self._warped = warped
        self._levels = levels

    @property
    def size_m(self) -> tuple[float, float]:
        """Extent (north, east) in metres."""
        return self.size_px[0] * self.gsd_m, self.size_px[1] * self.gsd_m

    def read(self, row: int = 0, column: int = 0, size_px: tuple[int, int] | None = None) -> Picture:
        """The part of ``size_px`` (rows, columns) from a row and column on; by default all. What lies outside of the
        raster is black, and not seen.

        Grey becomes RGB; data deeper than 8 bit is stretched between its 2nd and 98th percentile.
        """
        from rasterio.windows import Window

        rows, columns = size_px or self.size_px
        image, seen = np.zeros((rows, columns, 3), np.uint8), np.zeros((rows, columns), np.bool_)
        shown, alpha = list(_colours(self._warped)), self._warped.count
        left, right = max(0, -column), min(columns, self.size_px[1] - column)
        first, last = max(0, -row), min(rows, self.size_px[0] - row)
        for start in range(first, last if left < right else first, _ROWS_AT_ONCE):
            end = min(start + _ROWS_AT_ONCE, last)
            strip = Window(column + left, row + start, right - left, end - start)
            # Strip by strip, so that the blocks of the colours are still there when the alpha is asked for.
            colours = self._warped.read(shown, window=strip)
            image[start:end, left:right] = np.moveaxis(_eight_bit(colours, self._levels), 0, 2)
            seen[start:end, left:right] = self._warped.read(alpha, window=strip) > 0
        return Picture(image, seen)


@contextmanager
def open_geotiff(
    path: Path, finest_m: float = 0.0, largest_side_px: int | None = None, colour: bool = False
) -> Iterator[NorthUpRaster]:
    """A GeoTIFF of any projection and turn, north-up about its middle, in pixels about as large as its own.

    Args:
        finest_m: its pixels are made no smaller than this.
        largest_side_px: they are made so large that no side has more.
        colour: it must have red, green and blue.

    Raises:
        GeoreferenceError: it carries no georeference.
        ImageError: it is missing, cannot be read or lacks colours.
        HomingError: rasterio is not installed.
    """
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    except ImportError:
        raise HomingError("Reading a GeoTIFF needs rasterio; install it with `pip install homing[geo]`.") from None
    try:
        with ExitStack() as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            opened.enter_context(rasterio.Env(GDAL_CACHEMAX=_BLOCK_CACHE_BYTES, GDAL_TIFF_INTERNAL_MASK=True))
            dataset = opened.enter_context(rasterio.open(path))
            if dataset.crs is None or dataset.transform.is_identity:
                raise GeoreferenceError(f"{path}: carries no georeference; give a GeoTIFF that says where it lies.")
            dataset = _expanded(dataset, opened)
            if colour and len(set(_colours(dataset))) < 3:
                raise ImageError(f"{path}: has {dataset.count} band(s) where red, green and blue are needed.")
            yield _north_up(dataset, opened, finest_m, largest_side_px)
    except RasterioError as error:
        raise ImageError(f"{path}: cannot be read as a GeoTIFF ({error}).") from None


def _north_up(dataset: Any, opened: ExitStack, finest_m: float, largest_side_px: int | None) -> NorthUpRaster:
    from rasterio import Affine
    from rasterio.crs import CRS
    from rasterio.enums import ColorInterp, Resampling
    from rasterio.vrt import WarpedVRT
    from rasterio.warp import transform

    width, height = dataset.width, dataset.height
    (longitude,), (latitude,) = transform(dataset.crs, CRS.from_epsg(4326), *_xy(dataset, [(width / 2, height / 2)]))
    # Azimuthal equidistant about the middle: metres, and up is true north (UTM's grid north is not).
    local = CRS.from_proj4(f"+proj=aeqd +lat_0={latitude:.9f} +lon_0={longitude:.9f} +datum=WGS84 +units=m")
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    east, north = (np.array(axis) for axis in transform(dataset.crs, local, *_xy(dataset, corners)))
    area_m2 = abs(np.sum(east * np.roll(north, -1) - north * np.roll(east, -1))) / 2
    own_m = math.sqrt(area_m2 / (width * height))
    half_east, half_north = float(np.abs(east).max()), float(np.abs(north).max())
    coarsest_m = 2 * max(half_east, half_north) / largest_side_px if largest_side_px else 0.0
    gsd_m = max(own_m, finest_m, coarsest_m)
    columns, rows = max(1, round(half_east / gsd_m)), max(1, round(half_north / gsd_m))
    onto = Affine(gsd_m, 0.0, -columns * gsd_m, 0.0, -gsd_m, rows * gsd_m)
    levels = _levels(dataset)
    source = _reduced(dataset, gsd_m / own_m, opened)
    warped = WarpedVRT(
        source, crs=local, transform=onto, width=2 * columns, height=2 * rows, resampling=Resampling.bilinear,
        add_alpha=ColorInterp.alpha not in source.colorinterp, warp_mem_limit=_WARP_MB,
    )  # fmt: skip
    opened.enter_context(warped)
    return NorthUpRaster(warped, GeoPoint(float(latitude), float(longitude)), gsd_m, levels)


def _xy(dataset: Any, pixels: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Pixel corners (column, row) in the file's own coordinates."""
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    return [a * col + b * row + c for col, row in pixels], [d * col + e * row + f for col, row in pixels]


def _colours(dataset: Any) -> tuple[int, int, int]:
    """The bands that are shown as red, green and blue: the first three, or the first alone where there are fewer
    beside an alpha."""
    from rasterio.enums import ColorInterp

    count = dataset.count - (ColorInterp.alpha in dataset.colorinterp)
    return (1, 2, 3) if count >= 3 else (1, 1, 1)


def _expanded(dataset: Any, opened: ExitStack) -> Any:
    """A raster of palette numbers as one of the palette's colours; any other as it is."""
    import rasterio
    from rasterio.enums import ColorInterp

    if dataset.colorinterp[0] is not ColorInterp.palette:
        return dataset
    nodata = "" if dataset.nodata is None else f"<NODATA>{dataset.nodata}</NODATA>"
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{component}"><ColorInterp>{name}</ColorInterp><ComplexSource>'
        f'<SourceFilename relativeToVRT="0">{escape(dataset.name)}</SourceFilename><SourceBand>1</SourceBand>'
        f"<ColorTableComponent>{component}</ColorTableComponent>{nodata}</ComplexSource></VRTRasterBand>"
        for component, name in enumerate(("Red", "Green", "Blue", "Alpha"), start=1)
    )
    onto = ", ".join(repr(float(number)) for number in dataset.transform.to_gdal())
    where = f"<SRS>{escape(dataset.crs.to_wkt())}</SRS><GeoTransform>{onto}</GeoTransform>"
    size = f'rasterXSize="{dataset.width}" rasterYSize="{dataset.height}"'
    return opened.enter_context(rasterio.open(f"<VRTDataset {size}>{where}{bands}</VRTDataset>"))


def _reduced(dataset: Any, factor: float, opened: ExitStack) -> Any:
    """The raster in memory with pixels ``factor`` times as large, each the mean of what it covers, with its mask."""
    from rasterio import Affine
    from rasterio.enums import MaskFlags, Resampling
    from rasterio.io import MemoryFile
    from rasterio.windows import Window

    if factor < _WARPED_AS_IT_IS:
        return dataset
    rows, columns = max(1, round(dataset.height / factor)), max(1, round(dataset.width / factor))
    down, across = dataset.height / rows, dataset.width / columns
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    profile = {
        "driver": "GTiff", "height": rows, "width": columns, "dtype": dataset.dtypes[0], "crs": dataset.crs,
        "transform": Affine(a * across, b * down, c, d * across, e * down, f),
    }  # fmt: skip
    bands = sorted(set(_colours(dataset)))
    whole = all(MaskFlags.all_valid in flags for flags in dataset.mask_flag_enums)
    memory = opened.enter_context(MemoryFile())
    with memory.open(count=len(bands), **profile) as reduced:
        for row in range(0, rows, _STRIP_ROWS):
            count = min(_STRIP_ROWS, rows - row)
            strip, shape = Window(0, row * down, dataset.width, count * down), (len(bands), count, columns)
            onto = Window(0, row, columns, count)
            read = dataset.read(bands, window=strip, out_shape=shape, resampling=Resampling.average)
            reduced.write(read, window=onto)
            if not whole:
                reduced.write_mask(dataset.dataset_mask(window=strip, out_shape=shape[1:]), window=onto)
    return opened.enter_context(memory.open())


def _levels(dataset: Any) -> tuple[float, float]:
    """What becomes black and white; of 8-bit data nothing is changed."""
    if dataset.dtypes[0] == "uint8":
        return 0.0, 255.0
    shrink = max(1, max(dataset.shape) // _LEVELS_SIDE_PX)
    bands = sorted(set(_colours(dataset)))
    shape = (len(bands), max(1, dataset.height // shrink), max(1, dataset.width // shrink))
    values = dataset.read(bands, out_shape=shape, masked=True).compressed()
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, _STRETCHED) if len(values) else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-6))


def _eight_bit(bands: NDArray[Any], levels: tuple[float, float]) -> NDArray[np.uint8]:
    if bands.dtype == np.uint8:
        return bands
    low, high = levels
    stretched = np.nan_to_num((bands.astype(np.float32) - low) * (255.0 / (high - low)))
    return np.asarray(np.clip(stretched, 0, 255), np.uint8)
