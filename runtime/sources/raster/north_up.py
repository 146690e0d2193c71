"""A georeferenced raster, whatever its projection and turn, seen north-up in square metres (rasterio, extra ``geo``).

Nothing is read whole: a window is made of the part of the file that it shows, at the scale that it is wanted in. So
memory is bounded by what is asked for, not by the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageError
from runtime.sources.raster.bands import Model
from runtime.sources.raster.files import Opened, opened
from runtime.sources.raster.level import RGBA, Level
from runtime.sources.raster.picture import Picture, plain
from runtime.sources.raster.place import Place, place_of
from runtime.sources.raster.quiet import reading
from runtime.values import GeoPoint

_PATCH_PX = (512, 2048)  # rows and columns made at a time: 17 MB where they are sampled twice as finely
_NODE_PX = 64  # between the pixels whose place is computed; a projection is straight from one to the next
_AS_IT_IS = 1.05  # times coarser than the level; beyond, each pixel is the mean of two by two samples


class NorthUpRaster:
    """An open raster in square pixels of ``gsd_m``, ``size_px`` (rows, columns), about ``middle``; `open_raster`
    makes one. ``own_gsd_m``: of the file's own pixels."""

    def __init__(self, file: Opened, place: Place, gsd_m: float) -> None:
        self.middle: GeoPoint = place.middle
        self.own_gsd_m = place.own_m
        self.gsd_m = gsd_m
        half_east, half_north = (max(1, round(half / gsd_m)) for half in place.half_m)
        self.size_px: tuple[int, int] = (2 * half_north, 2 * half_east)
        self._file = file
        self._place = place
        self._level: Level | None = None
        self._level_gsd_m = gsd_m

    @property
    def size_m(self) -> tuple[float, float]:
        """Extent (north, east) in metres."""
        return self.size_px[0] * self.gsd_m, self.size_px[1] * self.gsd_m

    def read(self, row: int = 0, column: int = 0, size_px: tuple[int, int] | None = None) -> Picture:
        """The part of ``size_px`` (rows, columns) from a row and column on; by default all. What lies outside of the
        raster is black, and not seen.

        Raises:
            ImageError: the file is damaged there.
        """
        rows, columns = size_px or self.size_px
        north_m = (self.size_px[0] / 2 - row - rows / 2) * self.gsd_m
        east_m = (column + columns / 2 - self.size_px[1] / 2) * self.gsd_m
        picture = self._picture((north_m, east_m), (rows, columns), self.gsd_m, 0.0)
        if picture.damage:
            raise ImageError(picture.damage)
        return picture

    def square(self, north_m: float, east_m: float, side_m: float, side_px: int, turn_rad: float = 0.0) -> Picture:
        """The square of ``side_m`` about a point (north, east) of the middle, in ``side_px`` pixels a side; its upper
        edge looks ``turn_rad`` clockwise of the middle's north. What cannot be read is not seen, and is told."""
        return self._picture((north_m, east_m), (side_px, side_px), side_m / side_px, turn_rad)

    def _picture(
        self, centre_m: tuple[float, float], size_px: tuple[int, int], gsd_m: float, turn_rad: float
    ) -> Picture:
        level, finer = self._level_for(gsd_m)
        rows, columns = size_px
        image, seen = np.empty((rows, columns, 3), np.uint8), np.empty((rows, columns), np.bool_)
        damage = ""
        for row in range(0, rows, _PATCH_PX[0]):
            for column in range(0, columns, _PATCH_PX[1]):
                size = min(_PATCH_PX[0], rows - row), min(_PATCH_PX[1], columns - column)
                frame = _Frame(centre_m, gsd_m, turn_rad, rows / 2 - row, columns / 2 - column)
                patch, damaged = self._patch(level, frame, size, finer)
                part = slice(row, row + size[0]), slice(column, column + size[1])
                image[part], seen[part] = plain(patch)
                damage = damage or damaged
        return Picture(image, seen, damage)

    def stored_px(self, gsd_m: float) -> int:
        """How many pixels of the file, or of its overview, are read for all of the raster at that scale."""
        return self._level_for(gsd_m)[0].read_px

    def _level_for(self, gsd_m: float) -> tuple[Level, int]:
        """The raster at the last whole number of times coarser than stored, and how much finer it is sampled."""
        across_m, down_m = self._place.pixel_m
        coarser = gsd_m / across_m * _AS_IT_IS, gsd_m / down_m * _AS_IT_IS
        if self._level is None or self._level_gsd_m != gsd_m:
            level = self._file.level(coarser)
            if self._level is None or self._level.size != level.size:  # another keeps its blocks
                self._level = level
            self._level_gsd_m = gsd_m
        level = self._level
        short = max(coarser[0] / level.size[0], coarser[1] / level.size[1])
        return level, 1 if short <= _AS_IT_IS**2 else 2

    def _patch(self, level: Level, frame: _Frame, size_px: tuple[int, int], finer: int) -> tuple[RGBA, str]:
        """(rows, columns, 4) of what lies about the frame's point, and what is damaged there."""
        rows, columns = size_px
        across, down = level.size
        nodes = _nodes(rows), _nodes(columns)
        pixels = self._place.pixels(frame.metres(*nodes)) / (across, down) - 0.5  # of the centre of the first pixel
        if not np.isfinite(pixels).any():
            return np.zeros((rows, columns, 4), np.uint8), ""
        at = (np.arange(rows * finer) + 0.5) / finer, (np.arange(columns * finer) + 0.5) / finer
        weights = _hats(at[0], nodes[0]), _hats(at[1], nodes[1])
        corner = np.floor(np.nanmin(pixels, axis=0))  # subtracted: single precision is fine enough within a patch
        grid = np.where(np.isfinite(pixels), pixels - corner, -1e9).astype(np.float32)
        grid = grid.reshape(len(nodes[0]), len(nodes[1]), 2)
        x, y = (weights[0] @ grid[..., axis] @ weights[1].T for axis in (0, 1))
        inside = (x + corner[0] > -1) & (y + corner[1] > -1)
        inside &= (x + corner[0] < level.columns) & (y + corner[1] < level.rows)
        if not inside.any():
            return np.zeros((rows, columns, 4), np.uint8), ""
        left, top = math.floor(x[inside].min()), math.floor(y[inside].min())
        right, bottom = math.ceil(x[inside].max()) + 1, math.ceil(y[inside].max()) + 1
        source, damage = level.window(int(top + corner[1]), int(left + corner[0]), bottom - top, right - left)
        maps = (np.where(inside, x - left, -2).astype(np.float32), np.where(inside, y - top, -2).astype(np.float32))
        patch = cv2.remap(source, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
        if finer > 1:
            patch = cv2.resize(patch, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(patch, np.uint8), damage


@dataclass(frozen=True, slots=True)
class _Frame:
    """Rows and columns of pixels of ``gsd_m``, of which (``row``, ``column``) lies at ``centre_m`` (north, east)."""

    centre_m: tuple[float, float]
    gsd_m: float
    turn_rad: float
    row: float
    column: float

    def metres(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """(len(rows) * len(columns), 2): east and north of each."""
        up, right = np.meshgrid((self.row - rows) * self.gsd_m, (columns - self.column) * self.gsd_m, indexing="ij")
        cos, sin = math.cos(self.turn_rad), math.sin(self.turn_rad)
        east = self.centre_m[1] + right * cos + up * sin
        north = self.centre_m[0] + up * cos - right * sin
        return np.stack([east.reshape(-1), north.reshape(-1)], axis=-1)


def _nodes(length_px: int) -> NDArray[np.float64]:
    return np.linspace(0.0, length_px, max(2, math.ceil(length_px / _NODE_PX) + 1))


def _hats(at: NDArray[np.float64], nodes: NDArray[np.float64]) -> NDArray[np.float32]:
    """(len(at), len(nodes)): the weights of linear interpolation."""
    weights = np.maximum(0.0, 1.0 - np.abs(at[:, None] - nodes) / (nodes[1] - nodes[0]))
    return np.asarray(weights, np.float32)


@contextmanager
def open_raster(
    path: Path, finest_m: float = 0.0, largest_side_px: int | None = None, colour: bool = False
) -> Iterator[NorthUpRaster]:
    """A map of any format, projection and turn that rasterio reads, north-up about its middle, in square pixels about
    as large as its own.

    Grey becomes RGB; data deeper than 8 bit is stretched, all of it alike, between its 2nd and 98th percentile.

    Args:
        finest_m: its pixels are made no smaller than this.
        largest_side_px: they are made so large that no side has more.
        colour: it must have red, green and blue.

    Raises:
        UnplacedError: it carries no georeference.
        GeoreferenceError: nobody can place it on the Earth.
        ImageError: it is missing, cannot be read or lacks colours.
        HomingError: rasterio is not installed.
    """
    with opened(path) as file:
        if colour and file.bands.model is Model.GREY:
            raise ImageError(f"{path}: has {file.band_count} band(s) where red, green and blue are needed.")
        with reading(path):
            place = place_of(file.dataset, path)
        coarsest_m = 2 * max(place.half_m) / largest_side_px if largest_side_px else 0.0
        yield NorthUpRaster(file, place, max(place.own_m, finest_m, coarsest_m))
