"""Records a map: its picture once, then its tiles by several processes; whatever is there already is not made again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from runtime.counted import counted
from runtime.errors import ImageError, UsageError
from runtime.history.history import History, packed, stored
from runtime.history.mapped import Cell, MapWriter, fingerprint_of_pixels
from runtime.history.pictures import CELL_PX, Cut, Picture, encode_cell
from runtime.history.spatial_maps import PackedMap
from runtime.record.known import Known
from runtime.record.map_cluster import made_by_cluster
from runtime.record.map_plan import (
    HEIGHTS_M,
    MOST_TILES,
    Cost,
    Grid,
    check_effort,
    check_heights,
    check_resolution,
    grid_of,
    plan_sentence,
    rungs_of,
    tile_side_m,
)
from runtime.record.map_tiles import Map, crops_of, pictures_of
from runtime.record.map_work import Made, Place, TileWork, made_by_processes, made_here
from runtime.record.recorder import CROP_PX, Ladder, Tower
from runtime.record.surveyed import ALREADY
from runtime.survey.survey import Skipped
from runtime.values import ViewKind

_LOOKED_AT = 1_000  # tiles: of more it is looked at first which have data; fewer are cut in less time than that takes
_CELLS_AT_ONCE = 64  # written together: a megabyte
_ROWS_BYTES = 1_000  # of a keyframe in its other tables, and of the indices
_WORTH_A_PROCESS = 64  # tiles: fewer are embedded in less time than a process takes to start
_OVERVIEWS = 4 / 3  # of a picture's own pixels, with all levels above


class Counting(Protocol):
    """The part of a progress bar that recording needs."""

    def step(self) -> None:
        """One more is done."""


Progress = Callable[[str, int], AbstractContextManager[Counting]]


@dataclass(frozen=True, slots=True)
class Towers:
    """An embedder for this process, and what starts one in another, to which it is sent."""

    here: Tower
    start: Callable[[], Tower]


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What may be said of recording a map: its tiles' side and distance, how many are agreed to, the heights above
    ground that it is for, how many processes make it, whether parts that have changed are embedded anew, and the Dask
    ``cluster`` that makes it (`runtime.record.map_cluster`)."""

    tile_m: float | None = None
    stride_m: float | None = None
    most_tiles: int = MOST_TILES
    heights_m: tuple[float, float] = HEIGHTS_M
    processes: int = 1
    update: bool = False
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class MapPlan:
    """Where a map's tiles go, at which footprints they are embedded, the picture that they are cut from, and a
    ``sentence`` of what that costs."""

    grid: Grid
    rungs_m: tuple[float, ...]
    picture: Picture
    sentence: str


def planned(opened: Map, embedder: Tower, options: MapOptions) -> MapPlan:
    """The plan of a map, its cost measured on the tile in its middle.

    Raises:
        UsageError: the map is too small for tiles, or needs more of them than were agreed to.
        ImageError: the map is too coarse for tiles.
    """
    name, size_m, ladder = str(opened.path), opened.size_m, embedder.bundle
    check_heights(options.heights_m)
    tile_m = tile_side_m(size_m, ladder, options.tile_m, options.heights_m)
    check_resolution(name, opened.gsd_m, size_m, tile_m, ladder)
    grid = grid_of(size_m, ladder, tile_m, options.stride_m)
    rungs = rungs_of(tile_m, opened.gsd_m, ladder, options.heights_m)
    if len(grid) > _LOOKED_AT:
        grid = replace(grid, has_data=opened.has_data(grid))
        if len(grid) == 0:
            raise ImageError(f"{name}: has data for no tile of {tile_m:g} m; give a smaller --tile-m, or another map.")
    cost = _cost(opened, grid, rungs, embedder, options.processes)
    check_effort(name, grid, size_m, cost, options.most_tiles)
    picture = picture_of(opened, rungs, ladder)
    return MapPlan(grid, tuple(rungs), picture, plan_sentence(name, grid, rungs, cost))


def picture_of(opened: Map, rungs: list[float], ladder: Ladder) -> Picture:
    """The picture that is kept of a map: as fine as the map, but no finer than a crop or the network takes it."""
    finest_m = max(min(rungs) / ladder.input_size_px, max(rungs) / CROP_PX[1])
    gsd_m = max(opened.gsd_m, finest_m)
    rows, columns = (math.ceil(side_m / gsd_m) for side_m in opened.size_m)
    return Picture(opened.path.name, opened.middle, gsd_m, rows, columns)


def _cost(opened: Map, grid: Grid, rungs: list[float], embedder: Tower, processes: int) -> Cost:
    middle = (0.0, 0.0) if grid.has_data is None else min(grid.centres(), key=lambda at: math.hypot(*at))
    crops = crops_of(opened.tile(*middle, grid.tile_m), rungs, embedder.bundle.input_size_px)
    embedder.embed(ViewKind.SATELLITE, crops)  # the first takes what all need once
    started_s = time.perf_counter()
    tile = opened.tile(*middle, grid.tile_m)
    made = embedder.embed(ViewKind.SATELLITE, crops_of(tile, rungs, embedder.bundle.input_size_px))
    seconds = (time.perf_counter() - started_s) / processes
    rows = packed(stored(made, rungs))
    maps = sum(len(one.map.data) for one in rows if isinstance(one.map, PackedMap))
    own = min(1.0, (_stride_m(grid) / grid.tile_m) ** 2)  # of a tile's ground, the part that no other has
    picture = _OVERVIEWS * own * len(encode_cell(tile.image))
    return Cost(seconds, maps + 2 * made.vectors.size + _ROWS_BYTES + picture, opened.stored_px(grid.tile_m))


def _stride_m(grid: Grid) -> float:
    return max((axis[1] - axis[0] for axis in (grid.north_m, grid.east_m) if len(axis) > 1), default=grid.tile_m)


def record_map(
    opened: Map, plan: MapPlan, history: History, towers: Towers, options: MapOptions, progress: Progress
) -> tuple[int, list[Skipped]]:
    """Keyframes added, and what was left out. Killed at any instant, it goes on from there when it is run again.

    Raises:
        UsageError: the map has changed since it was recorded, and ``update`` was not asked for.
        StorageError, HistoryError: the history cannot be written.
    """
    known = Known(history)
    flight = known.flight(f"map {opened.path.name}", pictures_of(opened, plan.grid))
    writer = MapWriter(history, plan.picture)
    rows, columns = plan.picture.cells()
    with progress("keeping its picture", rows * columns) as steps:
        _keep_picture(opened, plan.picture, writer, options.update, steps.step)
    tile_m, there = plan.grid.tile_m, writer.recorded()
    done = {key for key, rungs in there.items() if rungs.issuperset(plan.rungs_m)}
    places, skipped = [], []
    for place in plan.grid.centres():
        if Cut(*place, tile_m, 0.0, 0).key in done:
            skipped.append(Skipped(opened.name_of(*place, tile_m), ALREADY))
        else:
            places.append(place)
    work = TileWork(opened.path, tile_m, plan.rungs_m, flight, writer.fingerprints_of_others())
    kept = 0
    with progress(f"embedding tiles of {tile_m:g} m", max(len(places), 1)) as steps:
        for made in _made(opened, towers, work, places, options):
            kept += len(writer.add([one.keyframe for one in made if one.keyframe is not None]))
            skipped += [Skipped(one.name, one.reason) for one in made if one.keyframe is None]
            for _ in made:
                steps.step()
    return kept, skipped


def _made(
    opened: Map, towers: Towers, work: TileWork, places: list[Place], options: MapOptions
) -> Iterator[list[Made]]:
    """What is made of tiles, by whoever is to make them."""
    if options.cluster is not None and places:
        return made_by_cluster(towers.start, work, places, options.cluster, options.processes)
    processes = min(options.processes, max(1, len(places) // _WORTH_A_PROCESS))
    if processes == 1:
        return made_here(opened, towers.here, work, places)
    return made_by_processes(towers.start, work, places, processes)


def _keep_picture(opened: Map, picture: Picture, writer: MapWriter, update: bool, step: Callable[[], None]) -> None:
    """Stores what of a map's picture is not there; what is there and differs takes its keyframes along."""
    there, complete = writer.fingerprints(), bool(writer.recorded())  # tiles come after the last cell
    new: list[Cell] = []
    changed: list[Cell] = []
    for cell in _cells(opened, picture):
        before = there.get((cell.row, cell.column), "")
        if before != cell.fingerprint:
            (changed if before or complete else new).append(cell)
        if len(new) >= _CELLS_AT_ONCE:
            writer.put_cells(new)
            new = []
        step()
    if changed and not update:
        of_it = f"{counted(len(changed), 'part')} of {len(there)}"
        raise UsageError(
            f"{opened.path}: {of_it} differ from what the history has of it; --update embeds those again, and to keep "
            "both give the map another name."
        )
    writer.put_cells(new + changed)
    writer.make_overviews()


def _cells(opened: Map, picture: Picture) -> Iterator[Cell]:
    """All cells of a map's picture, row by row."""
    rows, columns = picture.cells()
    side_m = CELL_PX * picture.metres_per_pixel
    for row in range(rows):
        for column in range(columns):
            seen = opened.square(*picture.cell_centre_m(row, column), side_m, CELL_PX)
            if not seen.seen.any():
                yield Cell(row, column, "", b"")
                continue
            yield Cell(row, column, fingerprint_of_pixels(seen.image), encode_cell(seen.image))
