"""A georeferenced map cut into overlapping north-up tiles, each a keyframe of the satellite view (extra ``geo``)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageError
from runtime.geodesy import north_east_m, offset
from runtime.history.gate import MIN_COVERAGE, Origin
from runtime.history.history import StoredEmbedding, stored
from runtime.history.rows import encode_crop
from runtime.plain import PLAIN, is_plain
from runtime.record.known import Picture
from runtime.record.map_plan import (
    MOST_TILES,
    Cost,
    Grid,
    check_effort,
    check_resolution,
    grid_of,
    plan_sentence,
    tile_side_m,
)
from runtime.record.recorder import CROP_PX, Store, Tower
from runtime.sources.fingerprint import picture_fingerprint
from runtime.sources.raster.north_up import NorthUpRaster, open_raster
from runtime.values import Attitude, GeoPoint, ImageRGB, Keyframe, Measured, Pose, Position, PositionSource, ViewKind

_AHEAD_DEG = 1e-4  # some 11 m to the north
_REGISTRATION_SIGMA_M = 2.0  # of common imagery
_LOOKED_AT = 1_000  # tiles: of more it is looked at first which have data; fewer are cut in less time than that takes
_LOOK_PX_PER_TILE = 8  # in that look
_LOOK_PX = 8_192  # its largest side
_SURELY_USELESS = MIN_COVERAGE - 0.25  # of a tile's pixels in that look: half a pixel more or less along each edge


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: ``image`` (S, S, 3) uint8 RGB north-up, its middle, its side, and the share that has data; ``fault``:
    that the file is damaged where there is too little, or that what there is has one colour."""

    name: str
    image: ImageRGB
    centre: GeoPoint
    side_m: float
    coverage: float
    gsd_m: float | None = None  # of the map that it was cut from
    fault: str = ""


class Map:
    """A georeferenced raster, north-up, that tiles are cut from; make one with `open_map`."""

    def __init__(self, path: Path, raster: NorthUpRaster) -> None:
        self.path = path
        self._raster = raster

    @property
    def middle(self) -> GeoPoint:
        """The geographic position of (0, 0) metres."""
        return self._raster.middle

    @property
    def gsd_m(self) -> float:
        """Side of a pixel."""
        return self._raster.gsd_m

    @property
    def size_m(self) -> tuple[float, float]:
        """Extent (north, east) in metres."""
        return self._raster.size_m

    def tile(self, north_m: float, east_m: float, side_m: float) -> Tile:
        """The tile whose middle lies (north, east) of the map's; what lies outside the map is black, and so is
        where the file is damaged."""
        size = self._side_px(side_m)
        centre = offset(self.middle, north_m, east_m)
        picture = self._raster.square(north_m, east_m, side_m, size, self._north_at(centre, north_m, east_m))
        coverage = float(picture.seen.mean())
        fault = picture.damage if coverage < MIN_COVERAGE else ""
        if coverage >= MIN_COVERAGE and _plain(picture.image, picture.seen):
            fault = PLAIN
        return Tile(self.name_of(north_m, east_m, side_m), picture.image, centre, side_m, coverage, self.gsd_m, fault)

    def name_of(self, north_m: float, east_m: float, side_m: float) -> str:
        """What the tile about a point is called."""
        return f"{self.path.stem} {side_m:g} m {north_m:+.0f} {east_m:+.0f}"

    def has_data(self, grid: Grid) -> NDArray[np.bool_] | None:
        """Which tiles of a grid have data, by one coarse look at all of the map: a road's map is mostly empty. None
        where that look does not tell."""
        side_m = max(self.size_m)
        side_px = min(_LOOK_PX, math.ceil(side_m / grid.tile_m * _LOOK_PX_PER_TILE))
        tile_px = grid.tile_m / side_m * side_px
        if tile_px < _LOOK_PX_PER_TILE / 2:
            return None
        picture = self._raster.square(0.0, 0.0, side_m, side_px)
        if picture.damage:
            return None
        sums = cv2.integral(picture.seen.astype(np.uint8))
        high = _span(-np.array(grid.north_m), grid.tile_m, side_m, side_px)
        wide = _span(np.array(grid.east_m), grid.tile_m, side_m, side_px)
        (top, bottom), (left, right) = (tuple(one[:, None] for one in high), tuple(one[None] for one in wide))
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return np.asarray(inside >= _SURELY_USELESS * (bottom - top) * (right - left), np.bool_)

    def stored_px(self, side_m: float) -> int:
        """How many pixels of the file, or of its overview, are read for tiles of that side all over the map."""
        return self._raster.stored_px(side_m / self._side_px(side_m))

    def _side_px(self, side_m: float) -> int:
        return int(np.clip(round(side_m / self.gsd_m), *CROP_PX))

    def _north_at(self, centre: GeoPoint, north_m: float, east_m: float) -> float:
        """Where north is at a point, clockwise from the middle's; meridians lean towards each other."""
        ahead = GeoPoint(min(90.0, centre.latitude_deg + _AHEAD_DEG), centre.longitude_deg)
        north, east = north_east_m(self.middle, ahead)
        return math.atan2(east - east_m, north - north_m)


def _span(centres_m: NDArray[np.float64], tile_m: float, side_m: float, side_px: int) -> tuple[NDArray[Any], ...]:
    """First pixels of tiles along a side, and those after their last."""
    ends = (centres_m + tile_m / 2 * np.array([[-1.0], [1.0]]) + side_m / 2) * (side_px / side_m)
    first, last = np.clip(ends.round().astype(int), 0, side_px)
    return first, last


@contextmanager
def open_map(path: Path) -> Iterator[Map]:
    """A GeoTIFF of any projection, turned north-up about its middle; raises as `open_raster`."""
    with open_raster(path) as raster:
        yield Map(path, raster)


def planned(
    opened: Map, embedder: Tower, tile_m: float | None, stride_m: float | None, most_tiles: int = MOST_TILES
) -> tuple[Grid, str]:
    """Where a map's tiles go, and a sentence of what that costs, measured on the tile in its middle.

    Raises:
        UsageError: the map is too small for tiles, or needs more of them than ``most_tiles``.
        ImageError: the map is too coarse for tiles.
    """
    name, size_m, ladder = str(opened.path), opened.size_m, embedder.bundle
    tile_m = tile_side_m(size_m, ladder, tile_m)
    check_resolution(name, opened.gsd_m, size_m, tile_m, ladder)
    grid = grid_of(size_m, ladder, tile_m, stride_m)
    if len(grid) > _LOOKED_AT:
        grid = replace(grid, has_data=opened.has_data(grid))
        if len(grid) == 0:
            raise ImageError(f"{name}: has data for no tile of {tile_m:g} m; give a smaller --tile-m, or another map.")
    cost = _cost(opened, grid, embedder)
    check_effort(name, grid, size_m, cost, most_tiles)
    return grid, plan_sentence(name, grid, cost)


def _cost(opened: Map, grid: Grid, embedder: Tower) -> Cost:
    middle = (0.0, 0.0) if grid.has_data is None else min(grid.centres(), key=lambda at: math.hypot(*at))
    tile = opened.tile(*middle, grid.tile_m)
    _embedded(tile, embedder)  # the first takes what all need once
    started_s = time.perf_counter()
    embeddings = _embedded(opened.tile(*middle, grid.tile_m), embedder)
    seconds = time.perf_counter() - started_s
    halves = sum(one.vector.size + (0 if one.map is None else one.map.size) for one in embeddings)
    return Cost(seconds, 2 * halves + len(encode_crop(tile.image)), opened.stored_px(grid.tile_m))


def tiles_of(opened: Map, grid: Grid) -> Iterator[Tile]:
    """All tiles, from the north-west, row by row."""
    for north_m, east_m in grid.centres():
        yield opened.tile(north_m, east_m, grid.tile_m)


def pictures_of(opened: Map, grid: Grid) -> list[Picture]:
    """What the tiles will be known by, before any is cut: their names and places."""
    return [
        Picture("", opened.name_of(north_m, east_m, grid.tile_m), None, offset(opened.middle, north_m, east_m))
        for north_m, east_m in grid.centres()
    ]


def unusable(tile: Tile) -> str:
    """Why a tile is of no use; empty when it is."""
    if tile.fault:
        return tile.fault
    if tile.coverage < MIN_COVERAGE:
        return f"only {tile.coverage:.0%} of it has data"
    return ""


def _plain(image: ImageRGB, seen: NDArray[np.bool_]) -> bool:
    """Whether the part that a map has of a picture is of one colour: what lies outside is no pattern."""
    inside = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # its rim is mixed with black
    if inside.all() or not inside.any():
        return is_plain(image)
    mean = image[inside].mean(axis=0).round().astype(np.uint8)
    return is_plain(np.where(inside[..., None], image, mean))


def record_tile(tile: Tile, history: Store, embedder: Tower, flight: str) -> int:
    """Embed a tile at every rung that it holds, and add it; its keyframe id.

    Raises:
        KeyframeRefusedError: it must not enter a history.
    """
    keyframe = Keyframe(
        keyframe_id=0,
        flight=flight,
        view=ViewKind.SATELLITE,
        name=tile.name,
        pose=Pose(t_ns=None, attitude=Attitude.level(Measured(0.0, 0.01, "map"))),
        position=Position.circular(tile.centre, _REGISTRATION_SIGMA_M, PositionSource.MAP),
        ground=tile.centre,
        ground_sigma_m=_REGISTRATION_SIGMA_M,
        footprint_m=tile.side_m,
        crop=tile.image,
    )
    origin = Origin(fingerprint_of(tile), coverage=tile.coverage, metres_per_pixel=tile.gsd_m)
    return history.add(keyframe, _embedded(tile, embedder), origin)


def fingerprint_of(tile: Tile) -> str:
    """Names a tile by what it shows and where."""
    return picture_fingerprint(tile.image, tile.centre)


def _embedded(tile: Tile, embedder: Tower) -> list[StoredEmbedding]:
    size = embedder.bundle.input_size_px
    rungs = tuple(rung for rung in embedder.bundle.footprints_m if rung <= tile.side_m * (1 + 1e-6))
    crops = np.stack([_middle(tile, rung, size) for rung in rungs])
    return stored(embedder.embed(ViewKind.SATELLITE, crops), rungs)


def _middle(tile: Tile, side_m: float, size_px: int) -> NDArray[np.uint8]:
    """The central square of ``side_m``, to the sub-pixel, at the network's size."""
    span_px = tile.image.shape[0] * side_m / tile.side_m
    corner = (tile.image.shape[0] - span_px) / 2
    scale = size_px / span_px
    if scale < 1.0:
        low, high = round(corner), round(corner + span_px)
        cut = tile.image[low:high, low:high]
        return np.asarray(cv2.resize(cut, (size_px, size_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # Pixel centres stand half a pixel inside the corner, before and after.
    onto = np.array([[scale, 0, (0.5 - corner) * scale - 0.5], [0, scale, (0.5 - corner) * scale - 0.5]])
    warped = cv2.warpAffine(tile.image, onto, (size_px, size_px), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, dtype=np.uint8)
