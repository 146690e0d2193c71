"""A history made smaller with all that it remembers: a map's tiles are cut from one picture, spatial maps are packed.

The new file appears under its name whole or not at all, and the old one stays as it is. Photos keep their crops to the
byte; a tile that the picture made of its neighbours does not reproduce keeps its own too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import CropDamagedError, HistoryError, StorageError
from runtime.geodesy import north_at, north_east_m, offset
from runtime.history.compose import compose
from runtime.history.file import reported
from runtime.history.history import History
from runtime.history.mapped import MapWriter
from runtime.history.mosaic import Mosaic, TilePlace
from runtime.history.pictures import Cut, Picture, PictureReader
from runtime.history.rows import CROP_OF_PICTURE, decode_crop
from runtime.history.spatial_maps import is_packed, map_of, pack
from runtime.values import GeoPoint, ImageRGB

_LIKE_DB = 32.0  # a tile's own crop and what is cut instead: JPEGs of one picture have 40, of other ground 15
_NO_PIXEL = 1e-3  # of one: what positions in degrees are rounded by is no row more
_AT_ONCE = 200  # rows changed in one transaction


@dataclass(frozen=True, slots=True)
class Compacted:
    """How many keyframes the new history has, how many of them are cut from pictures now, and both files' bytes."""

    keyframes: int
    cut: int
    bytes_before: int
    bytes_after: int


def compact(source: Path, out: Path, step: Callable[[], None] = lambda: None) -> Compacted:
    """Writes ``out``: ``source`` with each map's picture kept once and all spatial maps packed.

    ``step`` is called twice for every keyframe.

    Raises:
        HistoryError: ``source`` is missing, foreign, damaged or of format 1; ``out`` is there already.
        StorageError: ``out`` cannot be written.
    """
    if out.exists():
        raise HistoryError(f"{out} exists already; name another file.")
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        compose(draft, [source])
        with History.open(draft, write=True) as history:
            cut = sum(_cut_from_picture(history, tiles, step) for tiles in _tiles_by_map(history, step))
            _pack_maps(history, step)
            keyframes = len(history)
            _vacuum(history, draft)
        os.link(draft, out)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        for ending in ("", "-wal", "-shm"):
            draft.with_name(draft.name + ending).unlink(missing_ok=True)
    return Compacted(keyframes, cut, source.stat().st_size, out.stat().st_size)


@dataclass(frozen=True, slots=True)
class _Tile:
    """A tile of a map as its row has it: where it lies, its side, and the resolution of what it was cut from."""

    keyframe_id: int
    flight: str
    ground: GeoPoint
    side_m: float
    gsd_m: float | None


def _tiles_by_map(history: History, step: Callable[[], None]) -> Iterator[list[_Tile]]:
    """The tiles that have crops of their own, by map and side; ``step`` is called for all else."""
    query = (
        "SELECT k.id, k.flight, k.ground_latitude_deg, k.ground_longitude_deg, k.footprint_m, o.metres_per_pixel "
        "FROM keyframe k LEFT JOIN origin o ON o.keyframe_id = k.id JOIN position p ON p.keyframe_id = k.id "
        "WHERE k.view = 'satellite' AND p.role = 'camera' AND p.source = 'map' AND length(k.crop) > 0 ORDER BY k.id"
    )
    with history.transaction() as connection:
        rows = connection.execute(query).fetchall()
    maps: dict[tuple[str, float], list[_Tile]] = {}
    for keyframe_id, flight, latitude_deg, longitude_deg, side_m, gsd_m in rows:
        if keyframe_id not in history.broken:
            tile = _Tile(keyframe_id, flight, GeoPoint(latitude_deg, longitude_deg), side_m, gsd_m)
            maps.setdefault((flight, side_m), []).append(tile)
    for _ in range(len(history) - sum(map(len, maps.values()))):
        step()
    yield from maps.values()


def _cut_from_picture(history: History, tiles: Sequence[_Tile], step: Callable[[], None]) -> int:
    """Puts the picture that tiles make together in their place; how many it was put in the place of."""
    first = _crop_of(history, tiles[0].keyframe_id)
    side_px = 1 if first is None else first.shape[0]
    picture, places = _laid_out(tiles, side_px)
    writer = MapWriter(history, picture)
    writer.put_cells(Mosaic(picture, places, lambda keyframe_id: _crop_of(history, keyframe_id)).cells())
    writer.make_overviews()
    reader = PictureReader(history.ask)
    cut = 0
    for start in range(0, len(places), _AT_ONCE):
        chunk = places[start : start + _AT_ONCE]
        like = [one for one in chunk if _reproduced(history, reader, writer.picture_id, picture, one)]
        with history.transaction() as connection:
            cut += sum(_take_crop_out(connection, writer.picture_id, one) for one in like)
        for _ in chunk:
            step()
    return cut


def _laid_out(tiles: Sequence[_Tile], side_px: int) -> tuple[Picture, list[TilePlace]]:
    """The picture of a map's tiles, as fine as they or as what they were cut from, and where they lie in it."""
    side_m, about = tiles[0].side_m, tiles[0].ground
    gsd_m = max(side_m / side_px, tiles[0].gsd_m or 0.0)
    rough = np.array([north_east_m(about, tile.ground) for tile in tiles])
    middle = offset(about, *(float(one) for one in (rough.min(axis=0) + rough.max(axis=0)) / 2))
    exact = np.array([north_east_m(middle, tile.ground) for tile in tiles])
    rows, columns = (int(side) for side in np.ceil((np.ptp(exact, axis=0) + side_m) / gsd_m - _NO_PIXEL))
    picture = Picture(tiles[0].flight.removeprefix("map "), middle, gsd_m, rows, columns)
    places = [
        TilePlace(tile.keyframe_id, Cut(float(north), float(east), side_m, north_at(middle, tile.ground), side_px))
        for tile, (north, east) in zip(tiles, exact, strict=True)
    ]
    return picture, places


def _reproduced(history: History, reader: PictureReader, picture_id: int, picture: Picture, place: TilePlace) -> bool:
    own = _crop_of(history, place.keyframe_id)
    instead = reader.cut(picture_id, picture, place.cut)
    return own is not None and instead is not None and own.shape == instead.shape and _like_db(own, instead) >= _LIKE_DB


def _like_db(one: ImageRGB, other: ImageRGB) -> float:
    """Peak signal-to-noise ratio, the rim aside, which lies half outside of the picture."""
    apart: NDArray[np.float32] = one[2:-2, 2:-2].astype(np.float32) - other[2:-2, 2:-2]
    return float(10 * np.log10(255.0**2 / max(float((apart**2).mean()), 1e-9)))


def _take_crop_out(connection: sqlite3.Connection, picture_id: int, place: TilePlace) -> bool:
    """Whether the crop went: another keyframe of the same place and side keeps it."""
    row = (place.keyframe_id, picture_id, *place.cut.key, place.cut.turn_rad, place.cut.side_px)
    if connection.execute("INSERT OR IGNORE INTO cut VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount == 0:
        return False
    connection.execute("UPDATE keyframe SET crop = ? WHERE id = ?", (CROP_OF_PICTURE, place.keyframe_id))
    connection.execute("DELETE FROM feature WHERE keyframe_id = ?", (place.keyframe_id,))
    return True


def _crop_of(history: History, keyframe_id: int) -> ImageRGB | None:
    """A keyframe's own crop, None where it is damaged."""
    ((encoded,),) = history.ask("SELECT crop FROM keyframe WHERE id = ?", (keyframe_id,))
    try:
        return decode_crop(encoded, keyframe_id)
    except CropDamagedError:
        return None


def _pack_maps(history: History, step: Callable[[], None]) -> None:
    ids = history.ids()
    for start in range(0, len(ids), _AT_ONCE):
        chunk = ids[start : start + _AT_ONCE]
        with history.transaction() as connection:
            for keyframe_id in chunk:
                _pack_maps_of(connection, keyframe_id)
        for _ in chunk:
            step()


def _pack_maps_of(connection: sqlite3.Connection, keyframe_id: int) -> None:
    query = "SELECT rowid, map_channels, map_rows, map_columns, map FROM embedding WHERE keyframe_id = ?"
    for rowid, *row in connection.execute(query, (keyframe_id,)).fetchall():
        found = None if row[3] is None or is_packed(row[:3], row[3]) else map_of(row)
        if found is not None:
            connection.execute("UPDATE embedding SET map = ? WHERE rowid = ?", (pack(found).data, rowid))


def _vacuum(history: History, draft: Path) -> None:
    with reported(draft):
        history.vacuum()
