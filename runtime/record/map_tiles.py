"""A georeferenced map cut into overlapping north-up tiles, each a keyframe of the satellite view (extra ``geo``)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import north_at, offset
from runtime.history.gate import MIN_COVERAGE, Origin
from runtime.history.history import stored
from runtime.history.pictures import Cut
from runtime.plain import PLAIN, is_plain
from runtime.record.known import Picture
from runtime.record.map_plan import (
    Grid,
)
from runtime.record.recorder import CROP_PX, Store, Tower
from runtime.sources.fingerprint import picture_fingerprint
from runtime.sources.raster.north_up import NorthUpRaster, open_raster
from runtime.sources.raster.picture import Picture as Seen
from runtime.values import Attitude, GeoPoint, ImageRGB, Keyframe, Measured, Pose, Position, PositionSource, ViewKind

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
        picture = self._raster.square(north_m, east_m, side_m, size, north_at(self.middle, centre))
        coverage = float(picture.seen.mean())
        fault = picture.damage if coverage < MIN_COVERAGE else ""
        if coverage >= MIN_COVERAGE and _plain(picture.image, picture.seen):
            fault = PLAIN
        return Tile(self.name_of(north_m, east_m, side_m), picture.image, centre, side_m, coverage, self.gsd_m, fault)

    def square(self, north_m: float, east_m: float, side_m: float, side_px: int) -> Seen:
        """The square about a point (north, east) of the map's middle, upright on the middle's plane."""
        return self._raster.square(north_m, east_m, side_m, side_px)

    def cut_of(self, tile: Tile, north_m: float, east_m: float) -> Cut:
        """Where a tile lies in a picture of all of the map."""
        turn_rad = north_at(self.middle, tile.centre)
        return Cut(north_m, east_m, tile.side_m, turn_rad, tile.image.shape[0])

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
    """Embed a tile at every rung that it holds, and add it with its picture; its keyframe id.

    Raises:
        KeyframeRefusedError: it must not enter a history.
    """
    bundle = embedder.bundle
    rungs = [rung for rung in bundle.footprints_m if rung <= tile.side_m * (1 + 1e-6)]
    embeddings = stored(embedder.embed(ViewKind.SATELLITE, crops_of(tile, rungs, bundle.input_size_px)), rungs)
    return history.add(keyframe_of(tile, flight), embeddings, origin_of(tile))


def keyframe_of(tile: Tile, flight: str) -> Keyframe:
    """A tile as a keyframe of the satellite view."""
    return Keyframe(
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


def origin_of(tile: Tile) -> Origin:
    """What a tile was made from, named by what it shows and where."""
    fingerprint = picture_fingerprint(tile.image, tile.centre)
    return Origin(fingerprint, coverage=tile.coverage, metres_per_pixel=tile.gsd_m)


def crops_of(tile: Tile, rungs: Sequence[float], size_px: int) -> NDArray[np.uint8]:
    """(N, S, S, 3): the middle of a tile at each of N footprints, at the network's size."""
    return np.stack([_middle(tile, rung, size_px) for rung in rungs])


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
