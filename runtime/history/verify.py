"""Holds every row of a history against its gate: the rows that must not be there, and why."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime.errors import CropDamagedError, HistoryError
from runtime.history.broken import broken_keyframes, positions_query
from runtime.history.file import open_file, reported
from runtime.history.gate import UNIT_LENGTH, picture_fault
from runtime.history.pictures import CELL, CUT, PictureReader, decode_cell, has_pictures
from runtime.history.ranges import FOOTPRINT_M, position_fault, within
from runtime.history.rows import CROP_OF_PICTURE, decode_crop
from runtime.history.spatial_maps import DAMAGED, decoded
from runtime.reasons import alike
from runtime.values import ViewKind

KEYFRAME, POSITION, EMBEDDING, FEATURE, ORIGIN = "keyframe", "position", "embedding", "feature", "origin"
OF_KEYFRAMES = (POSITION, EMBEDDING, FEATURE, ORIGIN, CUT)  # the tables whose rows belong to a keyframe each
_VIEWS = frozenset(kind.value for kind in ViewKind)


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of ``table`` that must not be there; ``where`` and ``values`` select it."""

    table: str
    keyframe_id: Any
    reason: str
    where: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """``count`` rows of a table with faults that differ in their numbers alone; ``reason`` and ``keyframe_id`` are the
    first one's."""

    table: str
    reason: str
    count: int
    keyframe_id: Any


def kinds_of(faults: Sequence[Fault]) -> list[FaultKind]:
    """The kinds of faults, the commonest first."""
    counts = Counter((fault.table, alike(fault.reason)) for fault in faults)
    first = {(fault.table, alike(fault.reason)): fault for fault in reversed(faults)}
    return [FaultKind(key[0], first[key].reason, count, first[key].keyframe_id) for key, count in counts.most_common()]


def examine(path: Path) -> tuple[int, list[Fault]]:
    """How many keyframes a history holds, and the faults of its rows.

    Raises:
        HistoryError: it is missing, foreign, or so damaged that its rows cannot be told apart.
    """
    connection = open_file(path, write=False)
    try:
        with reported(path):
            check_pages(connection, path)
            count = int(connection.execute("SELECT count(*) FROM keyframe").fetchone()[0])
            return count, list(faults_of(connection))
    finally:
        connection.close()


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Raises HistoryError where SQLite itself finds the file's pages damaged; what its rows hold is our own affair."""
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(20)")]
    damage = [line for line in found if line != "ok" and " value in " not in line]
    if damage:
        raise HistoryError(f"history {path} is damaged ({damage[0].splitlines()[-1]}); restore a copy of it.")
    connection.execute("SELECT count(*) FROM meta")  # without its space no command can use it


def faults_of(connection: sqlite3.Connection) -> Iterator[Fault]:
    """The faults of all rows; of a keyframe that is broken itself only that one."""
    broken = broken_keyframes(connection)
    pictures = PictureReader(lambda query, values: connection.execute(query, values).fetchall())
    for (keyframe_id,) in connection.execute("SELECT id FROM keyframe ORDER BY id").fetchall():
        fault = broken.get(keyframe_id) or _crop_fault(connection, pictures, keyframe_id)
        if fault:
            broken[keyframe_id] = fault
            yield Fault(KEYFRAME, keyframe_id, fault, "id = ?", (keyframe_id,))
    there = {row[0] for row in connection.execute("SELECT id FROM keyframe")}
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if version > 1:
        yield from (fault for fault in _positions(connection, version, there) if fault.keyframe_id not in broken)
    yield from (fault for fault in _embeddings(connection, there) if fault.keyframe_id not in broken)
    if CELL in tables:
        yield from _cells(connection)
    for table in {FEATURE, ORIGIN, CUT} & tables:
        for rowid, keyframe_id in connection.execute(f"SELECT rowid, keyframe_id FROM {table}"):
            if keyframe_id not in there:
                yield Fault(table, keyframe_id, _ORPHAN, "rowid = ?", (rowid,))


_ORPHAN = "its keyframe is not there"


def _crop_fault(connection: sqlite3.Connection, pictures: PictureReader, keyframe_id: int) -> str:
    (encoded,) = connection.execute("SELECT crop FROM keyframe WHERE id = ?", (keyframe_id,)).fetchone()
    cut = encoded == CROP_OF_PICTURE and has_pictures(connection)
    try:
        return picture_fault(pictures.crop(keyframe_id) if cut else decode_crop(encoded, keyframe_id))
    except CropDamagedError:
        return "its crop cannot be decoded"


def _cells(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Cells that cannot be decoded: without them the map that they are of is recorded again where they were."""
    for cell_id, encoded in connection.execute("SELECT id, image FROM cell"):
        if decode_cell(encoded) is None:
            yield Fault(CELL, None, "a part of a map's picture cannot be decoded", "id = ?", (cell_id,))


def _positions(connection: sqlite3.Connection, version: int, there: set[int]) -> Iterator[Fault]:
    for row in connection.execute(positions_query(version)):
        fault = position_fault(row) if row[0] in there else _ORPHAN
        if fault:
            yield Fault(POSITION, row[0], fault, "keyframe_id IS ? AND role IS ?", (row[0], row[1]))


def _embeddings(connection: sqlite3.Connection, there: set[int]) -> Iterator[Fault]:
    lengths = Counter(
        (row[0], row[1]) for row in connection.execute("SELECT embedding_space_id, length(vector) FROM embedding")
    )
    usual = {space: length for (space, length), _ in reversed(lengths.most_common())}
    query = (
        "SELECT rowid, keyframe_id, view, footprint_mm, heading_offset_urad, map_channels, map_rows, map_columns, map, "
        "vector, embedding_space_id FROM embedding"
    )
    for rowid, keyframe_id, view, footprint_mm, offset_urad, *packed, vector, space in connection.execute(query):
        fault = _ORPHAN if keyframe_id not in there else _embedding_fault(vector, usual[space]) or _map_fault(packed)
        if view not in _VIEWS:
            fault = fault or "its view is not known"
        if not isinstance(offset_urad, int) or not within(footprint_mm, (FOOTPRINT_M[0] * 1e3, FOOTPRINT_M[1] * 1e3)):
            fault = fault or "its footprint or heading is no number in range"
        if fault:
            yield Fault(EMBEDDING, keyframe_id, fault, "rowid = ?", (rowid,))


def _embedding_fault(vector: Any, usual_bytes: int) -> str:
    if not isinstance(vector, bytes) or len(vector) != usual_bytes or usual_bytes % 2:
        return "its vector is not as long as the others"
    length = float(np.linalg.norm(np.frombuffer(vector, np.float16).astype(np.float64)))
    return "" if within(length, UNIT_LENGTH) else "its vector is no unit vector"


def _map_fault(row: Sequence[Any]) -> str:
    channels, rows, columns, packed = row
    if packed is None:
        return ""
    try:
        found = decoded((channels, rows, columns), packed)
    except DAMAGED:
        return "its map is not of the size that it says"
    return "" if np.isfinite(found).all() else "its map is not finite"
