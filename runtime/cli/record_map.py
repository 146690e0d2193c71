"""`homing record --map`: a map into a history, tile by tile, after its cost has been said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.bundle import Bundle
from runtime.cli.output import progress, warn
from runtime.embedder.embedder import Embedder
from runtime.errors import KeyframeRefusedError
from runtime.history.history import History
from runtime.record.known import Known, Picture
from runtime.record.map_tiles import (
    Tile,
    fingerprint_of,
    open_map,
    pictures_of,
    planned,
    record_tile,
    tiles_of,
    unusable,
)
from runtime.record.surveyed import ALREADY
from runtime.survey.survey import Skipped

_THREADS = 2


@dataclass(frozen=True, slots=True)
class TileFlags:
    """What the user says of a map's tiles: their side, from one to the next, and how many are agreed to."""

    tile_m: float | None
    stride_m: float | None
    most: int


def record_map(path: Path, history_path: Path, bundle: Path | None, flags: TileFlags) -> tuple[int, list[Skipped]]:
    """Keyframes added, and what was left out; the history is not touched before the map has been found fit."""
    kept, skipped = 0, []
    with open_map(path) as chart:
        loaded = Bundle.load(bundle)
        embedder = Embedder(loaded, threads=_THREADS)
        grid, plan = planned(chart, embedder, flags.tile_m, flags.stride_m, flags.most)
        warn(plan)
        with History.append(history_path, loaded.embedding_space_id, loaded.name) as history:
            known = Known(history)
            flight = known.flight(f"map {path.name}", pictures_of(chart, grid))
            with progress(f"cutting tiles of {grid.tile_m:g} m", len(grid)) as steps:
                for tile in tiles_of(chart, grid):
                    there = known.keyframe(Picture(fingerprint_of(tile), tile.name, None, tile.centre))
                    reason = ALREADY if there is not None else _refused(tile, history, embedder, flight)
                    if reason:
                        skipped.append(Skipped(tile.name, reason))
                    kept += not reason
                    steps.step()
    return kept, skipped


def _refused(tile: Tile, history: History, embedder: Embedder, flight: str) -> str:
    """Records a tile; why not, where it was not."""
    if reason := unusable(tile):
        return reason
    try:
        record_tile(tile, history, embedder, flight)
    except KeyframeRefusedError as error:
        return error.reason
    return ""
