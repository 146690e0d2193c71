"""Writes a map into a history: its picture once, and keyframes that are cut from it.

Every step is a transaction after which the history is whole: cells of the picture are there before the keyframes that
show them, and a cell that replaces another takes the keyframes that showed the old one along. So a recording that was
killed goes on where it was, and a map that has changed is brought up to date, by asking what is missing.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from runtime.history.gate import Origin, check_cut
from runtime.history.history import History, StoredEmbedding
from runtime.history.pictures import CELL_PX, Cut, Picture, decode_cell, encode_cell, make_tables, shrunk
from runtime.history.rows import CROP_OF_PICTURE
from runtime.history.verify import OF_KEYFRAMES
from runtime.values import ImageRGB, Keyframe

Place = tuple[int, int]  # row and column of a cell
Key = tuple[int, int, int]  # see `Cut.key`


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of level 0: ``fingerprint`` of the pixels that it was made from, and the ``image`` as it is stored; empty
    where there is no data."""

    row: int
    column: int
    fingerprint: str
    image: bytes


@dataclass(frozen=True, slots=True)
class CutKeyframe:
    """A keyframe whose crop is a square of the picture; its own ``crop`` is not looked at."""

    keyframe: Keyframe
    cut: Cut
    embeddings: Sequence[StoredEmbedding]
    origin: Origin


class MapWriter:
    """One picture of a history that is open for writing, and the keyframes that are cut from it."""

    def __init__(self, history: History, picture: Picture) -> None:
        self._history = history
        self._picture = picture
        with history.transaction() as connection:
            self.picture_id = _picture_id(connection, picture)

    def recorded(self) -> dict[Key, frozenset[float]]:
        """The keyframes that are there by their `Cut.key`, each with the footprints that it is embedded at."""
        query = (
            "SELECT c.north_mm, c.east_mm, c.side_mm, group_concat(e.footprint_mm) FROM cut c "
            "LEFT JOIN embedding e ON e.keyframe_id = c.keyframe_id AND e.embedding_space_id = ? "
            "WHERE c.picture_id = ? GROUP BY c.keyframe_id"
        )
        with self._history.transaction() as connection:
            rows = connection.execute(query, (self._history.embedding_space_id, self.picture_id)).fetchall()
        return {(a, b, c): frozenset(int(mm) / 1e3 for mm in (said or "").split(",") if mm) for a, b, c, said in rows}

    def fingerprints_of_others(self) -> frozenset[str]:
        """Of the keyframes that are not cut from this picture."""
        query = (
            "SELECT fingerprint FROM origin WHERE fingerprint != '' "
            "AND keyframe_id NOT IN (SELECT keyframe_id FROM cut WHERE picture_id = ?)"
        )
        with self._history.transaction() as connection:
            return frozenset(str(row[0]) for row in connection.execute(query, (self.picture_id,)))

    def fingerprints(self) -> dict[Place, str]:
        """Of the cells of level 0 that are there."""
        with self._history.transaction() as connection:
            return _fingerprints(connection, self.picture_id, 0)

    def put_cells(self, cells: Iterable[Cell]) -> int:
        """Stores cells, in the place of those that are there; how many keyframes went, which showed that ground as it
        was."""
        gone = 0
        with self._history.transaction() as connection:
            for cell in cells:
                gone += _drop_showing(connection, self.picture_id, self._picture, cell)
                _put(connection, self.picture_id, 0, cell)
        return gone

    def make_overviews(self) -> None:
        """Makes those cells of the levels above anew whose own cells below have changed."""
        for level in range(1, self._picture.levels):
            with self._history.transaction() as connection:
                _overview(connection, self.picture_id, level)

    def add(self, keyframes: Iterable[CutKeyframe]) -> list[int]:
        """Remembers keyframes in one transaction; one that is there already only gets the embeddings.

        Returns:
            The ids of those that were not there.

        Raises:
            KeyframeRefusedError: one must not enter a history.
        """
        added = []
        with self._history.transaction() as connection:
            for one in keyframes:
                check_cut(one.keyframe, one.embeddings, one.origin)
                there = _keyframe_of(connection, self.picture_id, one.cut)
                if there is not None:
                    self._history.insert_embeddings(there, one.keyframe.view, one.embeddings)
                    continue
                keyframe_id = self._history.insert(one.keyframe, one.embeddings, one.origin, CROP_OF_PICTURE)
                row = (keyframe_id, self.picture_id, *one.cut.key, one.cut.turn_rad, one.cut.side_px)
                connection.execute("INSERT INTO cut VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                added.append(keyframe_id)
        return added


def fingerprint_of_pixels(image: ImageRGB) -> str:
    """Names a cell by its pixels, before they are compressed."""
    return hashlib.blake2b(image.tobytes(), digest_size=12).hexdigest()


def _picture_id(connection: sqlite3.Connection, picture: Picture) -> int:
    make_tables(connection)
    found = _id_of(connection, picture)
    if found is not None:
        return found
    row = connection.execute(
        "INSERT INTO picture (name, latitude_deg, longitude_deg, metres_per_pixel, rows, columns) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (picture.name, *astuple(picture.middle), picture.metres_per_pixel, picture.rows, picture.columns),
    )
    assert row.lastrowid is not None
    return row.lastrowid


def _id_of(connection: sqlite3.Connection, picture: Picture) -> int | None:
    """The picture of that name, size and place; another library of projections may move it by a hair's breadth."""
    middle = picture.middle
    found = connection.execute(
        "SELECT id FROM picture WHERE name = ? AND rows = ? AND columns = ? AND abs(metres_per_pixel - ?) < 1e-7 "
        "AND abs(latitude_deg - ?) < 1e-8 AND abs(longitude_deg - ?) < 1e-8 ORDER BY id",
        (picture.name, picture.rows, picture.columns, picture.metres_per_pixel, *astuple(middle)),
    ).fetchone()
    return None if found is None else int(found[0])


def _fingerprints(connection: sqlite3.Connection, picture_id: int, level: int) -> dict[Place, str]:
    query = "SELECT cell_row, cell_column, fingerprint FROM cell WHERE picture_id = ? AND level = ?"
    return {(row, column): str(name) for row, column, name in connection.execute(query, (picture_id, level))}


def _put(connection: sqlite3.Connection, picture_id: int, level: int, cell: Cell) -> None:
    at = picture_id, level, cell.row, cell.column
    connection.execute("DELETE FROM cell WHERE picture_id = ? AND level = ? AND cell_row = ? AND cell_column = ?", at)
    if cell.image:
        connection.execute(
            "INSERT INTO cell (picture_id, level, cell_row, cell_column, fingerprint, image) VALUES (?, ?, ?, ?, ?, ?)",
            (*at, cell.fingerprint, cell.image),
        )


def _keyframe_of(connection: sqlite3.Connection, picture_id: int, cut: Cut) -> int | None:
    query = "SELECT keyframe_id FROM cut WHERE picture_id = ? AND north_mm = ? AND east_mm = ? AND side_mm = ?"
    found = connection.execute(query, (picture_id, *cut.key)).fetchone()
    return None if found is None else int(found[0])


def _drop_showing(connection: sqlite3.Connection, picture_id: int, picture: Picture, cell: Cell) -> int:
    """Takes out the keyframes that show any of a cell; how many."""
    north_m, east_m = picture.cell_centre_m(cell.row, cell.column)
    half_mm = CELL_PX * picture.metres_per_pixel * 500.0
    query = (
        "SELECT keyframe_id FROM cut WHERE picture_id = ? "
        "AND abs(north_mm - ?) < side_mm * 0.5 + ? AND abs(east_mm - ?) < side_mm * 0.5 + ?"
    )
    rows = connection.execute(query, (picture_id, north_m * 1e3, half_mm, east_m * 1e3, half_mm)).fetchall()
    for (keyframe_id,) in rows:
        for table in OF_KEYFRAMES:
            connection.execute(f"DELETE FROM {table} WHERE keyframe_id = ?", (keyframe_id,))
        connection.execute("DELETE FROM keyframe WHERE id = ?", (keyframe_id,))
    return len(rows)


def _overview(connection: sqlite3.Connection, picture_id: int, level: int) -> None:
    below: dict[Place, dict[Place, str]] = {}
    for place, name in sorted(_fingerprints(connection, picture_id, level - 1).items()):
        below.setdefault((place[0] // 2, place[1] // 2), {})[place] = name
    there = _fingerprints(connection, picture_id, level)
    for place in sorted(below.keys() | there.keys()):
        children = below.get(place, {})
        name = hashlib.blake2b(repr(sorted(children.items())).encode(), digest_size=12).hexdigest() if children else ""
        if there.get(place, "") != name:
            image = encode_cell(_from_below(connection, picture_id, level, list(children))) if children else b""
            _put(connection, picture_id, level, Cell(*place, name, image))


def _from_below(connection: sqlite3.Connection, picture_id: int, level: int, places: Sequence[Place]) -> ImageRGB:
    children = []
    for row, column in places:
        query = "SELECT image FROM cell WHERE picture_id = ? AND level = ? AND cell_row = ? AND cell_column = ?"
        (encoded,) = connection.execute(query, (picture_id, level - 1, row, column)).fetchone()
        if (image := decode_cell(encoded)) is not None:
            children.append((row % 2, column % 2, image))
    return shrunk(children)
