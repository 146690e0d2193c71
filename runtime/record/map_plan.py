"""Which tiles a map is cut into, and what that costs: known, and bounded, before the first tile is cut."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.counted import counted
from runtime.errors import ImageError, UsageError
from runtime.record.recorder import Ladder

LARGEST_TILE_M = 112.0  # what a drone sees from a hundred metres; larger tiles only cost places between them
MOST_TILES = 100_000  # 139 km2 at the usual 112 m and a third of it from tile to tile: an hour or so of two cores
HEIGHTS_M = (40.0, 120.0)  # above ground, of a flight that nothing is said of: up to where most rules let drones fly
MIN_TILE_PX = 40  # of a map across a tile: 1 m a pixel of 40 m
COARSEST_M = 1.25  # a pixel: zoom 17 of web maps is 1.19 m at the equator; a camera's details are not in coarser ones
_PER_SIDE = 3  # a tile is at most this part of the map's shorter side
PER_TILE = 3  # strides in a tile: re-ranking by translation always has a tile within a sixth, and keyframes vote
_SEEN_PER_HEIGHT = 1.06  # side of the square that a common camera, 65 deg wide and 4:3, shows nine tenths of
_WIDEST_STRIDE = 2  # in a tile: further apart, ground between two tiles is in the middle of none
_COUNTABLE = 10_000_000  # tiles: more are a slip of the pen
_READ_PX_S = 60e6  # stored pixels decoded a second, by one core


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles of ``tile_m`` over a map: centres at every (north, east) of ``north_m`` x ``east_m`` from its middle.

    ``has_data`` (N, E): which of them are cut; None: all.
    """

    tile_m: float
    north_m: tuple[float, ...]
    east_m: tuple[float, ...]
    has_data: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.north_m) * len(self.east_m) if self.has_data is None else int(self.has_data.sum())

    def centres(self) -> Iterator[tuple[float, float]]:
        """(north, east) of every tile that is cut, from the north-west, row by row."""
        for at_north in reversed(range(len(self.north_m))):
            for at_east, east_m in enumerate(self.east_m):
                if self.has_data is None or self.has_data[at_north, at_east]:
                    yield self.north_m[at_north], east_m


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tile takes: ``seconds`` to embed it, ``bytes`` in the history; and ``read_px`` of the file for all."""

    seconds: float
    bytes: float
    read_px: int = 0


def check_heights(heights_m: tuple[float, float]) -> None:
    """Raises UsageError where they are no range of heights above ground."""
    low_m, high_m = heights_m
    if not 0.0 < low_m <= high_m < math.inf:
        raise UsageError(f"--heights {low_m:g} {high_m:g} is no range: give the lowest and the highest in metres.")


def rungs_of(tile_m: float, gsd_m: float, ladder: Ladder, heights_m: tuple[float, float] = HEIGHTS_M) -> list[float]:
    """The footprints at which tiles are embedded, ascending: of those that a tile holds and the map resolves, the ones
    that a camera between these heights compares; the largest where it would compare none of them."""
    held = [rung for rung in sorted(ladder.footprints_m) if rung <= tile_m * (1 + 1e-6)]
    resolved = [rung for rung in held if rung >= MIN_TILE_PX * gsd_m] or held[-1:]
    lowest = max((rung for rung in resolved if rung <= _SEEN_PER_HEIGHT * heights_m[0]), default=resolved[0])
    seen = [rung for rung in resolved if lowest <= rung <= _SEEN_PER_HEIGHT * heights_m[1]]
    return seen or resolved[:1]


def tile_side_m(
    size_m: tuple[float, float], ladder: Ladder, asked_m: float | None, heights_m: tuple[float, float] = HEIGHTS_M
) -> float:
    """The side of a tile: as asked, or the largest useful rung of the ladder.

    Raises:
        UsageError: it is smaller than every rung, or larger than the map.
    """
    smallest, shorter_m = min(ladder.footprints_m), min(size_m)
    limit = min(LARGEST_TILE_M, shorter_m / _PER_SIDE, _SEEN_PER_HEIGHT * heights_m[1])
    tile_m = max((rung for rung in ladder.footprints_m if rung <= limit), default=smallest)
    tile_m = tile_m if asked_m is None else asked_m
    if not smallest <= tile_m <= shorter_m:
        raise UsageError(
            f"A tile of {tile_m:g} m does not fit: the map measures {size_m[1]:.0f} x {size_m[0]:.0f} m and the "
            f"bundle's smallest footprint is {smallest:g} m."
        )
    return tile_m


def grid_of(
    size_m: tuple[float, float], ladder: Ladder, tile_m: float | None, stride_m: float | None, per_tile: int = PER_TILE
) -> Grid:
    """Where the tiles go; by default the largest useful rung of the ladder, a third of it apart.

    ``per_tile``: strides in a tile, where ``stride_m`` does not say.

    Raises:
        UsageError: the tile does not fit, or the stride is not positive, or so short that nobody can mean it.
    """
    tile_m = tile_side_m(size_m, ladder, tile_m)
    stride_m = tile_m / per_tile if stride_m is None else stride_m
    if not 0 < stride_m < math.inf:
        raise UsageError(f"A stride of {stride_m:g} m leads nowhere; give a positive one.")
    if count(size_m, tile_m, stride_m) > _COUNTABLE:
        raise UsageError(f"A stride of {stride_m:g} m makes more than {_COUNTABLE} tiles; give a longer one.")
    north, east = (_centres(side, tile_m, stride_m) for side in size_m)
    return Grid(tile_m, north, east)


def count(size_m: tuple[float, float], tile_m: float, stride_m: float) -> int:
    """How many tiles cover a map."""
    north, east = (_along(side, tile_m, stride_m) for side in size_m)
    return north * east


def _along(side_m: float, tile_m: float, stride_m: float) -> int:
    return math.ceil((side_m - tile_m) / stride_m - 1e-9) + 1


def _centres(side_m: float, tile_m: float, stride_m: float) -> tuple[float, ...]:
    """Evenly spread over the side, the outermost tiles flush with its ends."""
    free_m, places = side_m - tile_m, _along(side_m, tile_m, stride_m)
    return tuple(float(at) for at in np.linspace(-free_m / 2, free_m / 2, places)) if places > 1 else (0.0,)


def check_resolution(name: str, gsd_m: float, size_m: tuple[float, float], tile_m: float, ladder: Ladder) -> None:
    """Refuses a map that is too coarse for its tiles.

    Raises:
        ImageError: a tile of ``tile_m`` has too few of its pixels.
    """
    needed_m = min(COARSEST_M, tile_m / MIN_TILE_PX)
    if gsd_m <= needed_m:
        return
    larger = [rung for rung in ladder.footprints_m if MIN_TILE_PX * gsd_m <= rung <= min(size_m)]
    way = f"give --tile-m {larger[0]:g}" if larger and gsd_m <= COARSEST_M else "give a finer map"
    raise ImageError(
        f"{name}: has {gsd_m:.3g} m per pixel, and a tile of {tile_m:g} m needs {needed_m:.2g} m or less; {way}."
    )


def plan_sentence(name: str, grid: Grid, rungs_m: Sequence[float], cost: Cost) -> str:
    """What recording a map takes, for people."""
    rungs = ", ".join(f"{rung:g}" for rung in rungs_m)
    return f"{name}: {_size(grid)}, embedded at {rungs} m, about {_effort(len(grid), cost)}."


def check_effort(name: str, grid: Grid, size_m: tuple[float, float], cost: Cost, most_tiles: int) -> None:
    """Refuses more tiles than were agreed to.

    Raises:
        UsageError: there are more; it says what would do.
    """
    if len(grid) <= most_tiles:
        return
    ways = [f"--max-tiles {len(grid)} to have them all"]
    share = len(grid) / (len(grid.north_m) * len(grid.east_m))  # of the map that has data
    stride_m = _stride_for(size_m, grid.tile_m, int(most_tiles / share))
    if stride_m <= grid.tile_m / _WIDEST_STRIDE:
        some = math.ceil(count(size_m, grid.tile_m, stride_m) * share)
        ways.insert(0, f"--stride-m {stride_m:g} for {'' if share == 1.0 else 'about '}{some} of them")
    raise UsageError(
        f"{name}: {_size(grid)}, about {_effort(len(grid), cost)}, and more than {most_tiles}; give "
        f"{', or '.join(ways)}, or a part of the map."
    )


def _stride_for(size_m: tuple[float, float], tile_m: float, most_tiles: int) -> float:
    """The shortest whole stride with so few tiles, in metres."""
    stride_m = max(1.0, math.floor(math.sqrt(size_m[0] * size_m[1] / most_tiles)))
    while count(size_m, tile_m, stride_m) > most_tiles:
        stride_m += 1.0
    return stride_m


def _size(grid: Grid) -> str:
    strides = [axis[1] - axis[0] for axis in (grid.north_m, grid.east_m) if len(axis) > 1]
    apart = f" {max(strides):.3g} m apart" if strides else ""
    where = "" if grid.has_data is None or grid.has_data.all() else " where it has data"
    return f"{counted(len(grid), 'tile')} of {grid.tile_m:g} m{apart}{where}"


def _effort(tiles: int, cost: Cost) -> str:
    minutes = (tiles * cost.seconds + cost.read_px / _READ_PX_S) / 60
    megabytes = tiles * cost.bytes / 1e6
    time = f"{minutes / 60:.1f} hours" if minutes >= 120 else counted(max(1, math.ceil(minutes)), "minute")
    return f"{time} and {max(1, math.ceil(megabytes))} MB"
