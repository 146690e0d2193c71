"""A georeferenced map cut into overlapping north-up tiles, each a keyframe of the satellite view (extra ``geo``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import UsageError
from runtime.geodesy import north_east_m, offset
from runtime.history.gate import MIN_COVERAGE, Origin
from runtime.history.history import stored
from runtime.plain import PLAIN, is_plain
from runtime.record.known import Picture
from runtime.record.recorder import CROP_PX, Ladder, Store, Tower
from runtime.sources.fingerprint import picture_fingerprint
from runtime.sources.raster.north_up import NorthUpRaster, open_raster
from runtime.values import Attitude, GeoPoint, ImageRGB, Keyframe, Measured, Pose, Position, PositionSource, ViewKind

LARGEST_TILE_M = 112.0  # what a drone sees from a hundred metres; larger tiles only cost places between them
_PER_SIDE = 3  # a tile is at most this part of the map's shorter side
_PER_TILE = 4  # strides in a tile: re-ranking by translation always has a tile within an eighth
_AHEAD_DEG = 1e-4  # some 11 m to the north
_REGISTRATION_SIGMA_M = 2.0  # of common imagery


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles of ``tile_m`` over a map: centres at every (north, east) of ``north_m`` x ``east_m`` from its middle."""

    tile_m: float
    north_m: tuple[float, ...]
    east_m: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.north_m) * len(self.east_m)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: ``image`` (S, S, 3) uint8 RGB north-up, its middle, its side, and the share that has data."""

    name: str
    image: ImageRGB
    centre: GeoPoint
    side_m: float
    coverage: float
    gsd_m: float | None = None  # of the map that it was cut from


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
        """The tile whose middle lies (north, east) of the map's; what lies outside the map is black."""
        size = int(np.clip(round(side_m / self.gsd_m), *CROP_PX))
        centre = offset(self.middle, north_m, east_m)
        picture = self._raster.square(north_m, east_m, side_m, size, self._north_at(centre, north_m, east_m))
        name, coverage = self.name_of(north_m, east_m, side_m), float(picture.seen.mean())
        return Tile(name, picture.image, centre, side_m, coverage, self.gsd_m)

    def name_of(self, north_m: float, east_m: float, side_m: float) -> str:
        """What the tile about a point is called."""
        return f"{self.path.stem} {side_m:g} m {north_m:+.0f} {east_m:+.0f}"

    def _north_at(self, centre: GeoPoint, north_m: float, east_m: float) -> float:
        """Where north is at a point, clockwise from the middle's; meridians lean towards each other."""
        ahead = GeoPoint(min(90.0, centre.latitude_deg + _AHEAD_DEG), centre.longitude_deg)
        north, east = north_east_m(self.middle, ahead)
        return math.atan2(east - east_m, north - north_m)


@contextmanager
def open_map(path: Path) -> Iterator[Map]:
    """A GeoTIFF of any projection, turned north-up about its middle; raises as `open_raster`."""
    with open_raster(path) as raster:
        yield Map(path, raster)


def grid_of(size_m: tuple[float, float], ladder: Ladder, tile_m: float | None, stride_m: float | None) -> Grid:
    """Where the tiles go; by default the largest useful rung of the ladder, a quarter of it apart.

    Raises:
        UsageError: the tile is smaller than every rung, or larger than the map; or the stride is not positive.
    """
    smallest = min(ladder.footprints_m)
    shorter_m = min(size_m)
    if tile_m is None:
        limit = min(LARGEST_TILE_M, shorter_m / _PER_SIDE)
        tile_m = max((rung for rung in ladder.footprints_m if rung <= limit), default=smallest)
    if not smallest <= tile_m <= shorter_m:
        raise UsageError(
            f"A tile of {tile_m:g} m does not fit: the map measures {size_m[1]:.0f} x {size_m[0]:.0f} m and the "
            f"bundle's smallest footprint is {smallest:g} m."
        )
    stride_m = tile_m / _PER_TILE if stride_m is None else stride_m
    if not stride_m > 0:
        raise UsageError(f"A stride of {stride_m:g} m leads nowhere; give a positive one.")
    north, east = (_centres(side, tile_m, stride_m) for side in size_m)
    return Grid(tile_m, north, east)


def _centres(side_m: float, tile_m: float, stride_m: float) -> tuple[float, ...]:
    """Evenly spread over the side, the outermost tiles flush with its ends."""
    free_m = side_m - tile_m
    count = math.ceil(free_m / stride_m - 1e-9) + 1
    return tuple(float(at) for at in np.linspace(-free_m / 2, free_m / 2, count)) if count > 1 else (0.0,)


def tiles_of(opened: Map, grid: Grid) -> Iterator[Tile]:
    """All tiles, from the north-west, row by row."""
    for north_m in reversed(grid.north_m):
        for east_m in grid.east_m:
            yield opened.tile(north_m, east_m, grid.tile_m)


def pictures_of(opened: Map, grid: Grid) -> list[Picture]:
    """What the tiles will be known by, before any is cut: their names and places."""
    return [
        Picture("", opened.name_of(north_m, east_m, grid.tile_m), None, offset(opened.middle, north_m, east_m))
        for north_m in grid.north_m
        for east_m in grid.east_m
    ]


def unusable(tile: Tile) -> str:
    """Why a tile is of no use; empty when it is."""
    if tile.coverage < MIN_COVERAGE:
        return f"only {tile.coverage:.0%} of it has data"
    return PLAIN if is_plain(tile.image) else ""


def record_tile(tile: Tile, history: Store, embedder: Tower, flight: str) -> int:
    """Embed a tile at every rung that it holds, and add it; its keyframe id.

    Raises:
        KeyframeRefusedError: it must not enter a history.
    """
    size = embedder.bundle.input_size_px
    rungs = tuple(rung for rung in embedder.bundle.footprints_m if rung <= tile.side_m * (1 + 1e-6))
    crops = np.stack([_middle(tile, rung, size) for rung in rungs])
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
    return history.add(keyframe, stored(embedder.embed(ViewKind.SATELLITE, crops), rungs), origin)


def fingerprint_of(tile: Tile) -> str:
    """Names a tile by what it shows and where."""
    return picture_fingerprint(tile.image, tile.centre)


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
