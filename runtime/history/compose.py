"""A new history of chosen keyframes of others: several in one, or one with less in it. Nothing is computed again.

The new file appears under its name whole or not at all, and the others stay as they are.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import HistoryError, StorageError
from runtime.history.file import FORMAT_VERSION, MAPPED_VERSION, Checkpointer, create_file, open_file, reported
from runtime.history.history import History
from runtime.history.pictures import CUT, make_tables
from runtime.history.reader import HistoryReader
from runtime.history.rows import KEYFRAME_COLUMNS

Chosen = NDArray[np.int64]  # (N,) ids of keyframes
_OF_KEYFRAMES = ("position", "origin", "embedding", "feature")
_PICTURE = "name, latitude_deg, longitude_deg, metres_per_pixel, rows, columns"
_CELL = "level, cell_row, cell_column, fingerprint, image"
_CUT = "north_mm, east_mm, side_mm, turn_rad, side_px"


@dataclass(frozen=True, slots=True)
class Composed:
    """How many keyframes the new history has, and how many were left out because their picture was there already."""

    keyframes: int
    repeated: int


def all_of(history: HistoryReader) -> Chosen:
    """Every keyframe."""
    return np.array(history.ids(), dtype=np.int64)


def compose(
    out: Path,
    sources: Sequence[Path],
    choose: Callable[[HistoryReader], Chosen] = all_of,
    step: Callable[[], None] = lambda: None,
) -> Composed:
    """Writes ``out``: of each source in turn the keyframes that ``choose`` names, with all that belongs to them.

    A picture of which an earlier source holds a keyframe of the same view is not copied again. ``step`` is called after
    each source.

    Raises:
        HistoryError: a source is missing, foreign or damaged, or of an older format; ``out`` is there already; or they
            are of different embedding spaces.
        StorageError: ``out`` cannot be written.
    """
    meta = _common_meta(sources)
    if out.exists():
        raise HistoryError(f"{out} exists already; name another file.")
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        create_file(draft, meta)
        repeated = 0
        with closing(open_file(draft, write=True)) as connection, reported(draft):
            for source in sources:
                repeated += _copy(connection, source, choose)
                step()
            (count,) = connection.execute("SELECT COUNT(*) FROM keyframe").fetchone()
            Checkpointer(connection).run()
        os.link(draft, out)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        for ending in ("", "-wal", "-shm"):
            draft.with_name(draft.name + ending).unlink(missing_ok=True)
    return Composed(count, repeated)


def _common_meta(sources: Sequence[Path]) -> dict[str, str]:
    found: dict[Path, tuple[str, str]] = {}
    for source in sources:
        with History.open(source) as history:
            if history.format_version < FORMAT_VERSION:
                mend = f"`homing history verify --repair {source}` brings it up to date"
                raise HistoryError(f"history {source} is of an older format; {mend}.")
            found[source] = history.embedding_space_id, history.bundle_name
    space, bundle = found[sources[0]]
    for source, (other, _) in found.items():
        if other != space:
            mend = f"mend it with `homing history reembed {source}`"
            raise HistoryError(f"history {source} is of embedding space {other}, {sources[0]} of {space}; {mend}.")
    return {"embedding_space_id": space, "bundle_name": bundle}


def _copy(connection: sqlite3.Connection, source: Path, choose: Callable[[HistoryReader], Chosen]) -> int:
    with History.open(source) as history:
        ids = choose(history)
    connection.execute("ATTACH DATABASE ? AS source", (f"file:{source.resolve()}?mode=ro",))
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO chosen VALUES (?)", ((int(one),) for one in ids))
        tables = {name for (name,) in connection.execute("SELECT name FROM source.sqlite_master WHERE type = 'table'")}
        repeated = _leave_out_repeated(connection) if "origin" in tables else 0
        (shift,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM main.keyframe").fetchone()
        columns = ", ".join(KEYFRAME_COLUMNS)
        connection.execute(
            f"INSERT INTO main.keyframe (id, {columns}) SELECT id + ?, {columns} FROM source.keyframe "
            f"WHERE id IN chosen ORDER BY id", (shift,),
        )  # fmt: skip
        for table in _OF_KEYFRAMES:
            if table in tables:
                _copy_table(connection, table, shift)
        _copy_version(connection, shift, CUT in tables)
        connection.execute("DROP TABLE chosen")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("DETACH DATABASE source")
    return repeated


def _copy_table(connection: sqlite3.Connection, table: str, shift: int) -> None:
    names = [row[1] for row in connection.execute(f"PRAGMA source.table_info({table})") if row[1] != "keyframe_id"]
    columns = ", ".join(names)
    connection.execute(
        f"INSERT INTO main.{table} (keyframe_id, {columns}) SELECT keyframe_id + ?, {columns} FROM source.{table} "
        f"WHERE keyframe_id IN chosen", (shift,),
    )  # fmt: skip


def _copy_version(connection: sqlite3.Connection, shift: int, mapped: bool) -> None:
    """The pictures that copied keyframes are cut from, and the format that goes with what was copied."""
    (version,) = connection.execute("PRAGMA source.user_version").fetchone()
    if version < MAPPED_VERSION:
        return
    make_tables(connection)
    if not mapped:
        return
    (pictures,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM main.picture").fetchone()
    wanted = "(SELECT picture_id FROM source.cut WHERE keyframe_id IN chosen)"
    for statement in (
        f"INSERT INTO main.picture (id, {_PICTURE}) SELECT id + ?, {_PICTURE} FROM source.picture WHERE id IN {wanted}",
        f"INSERT INTO main.cell (picture_id, {_CELL}) SELECT picture_id + ?, {_CELL} FROM source.cell "
        f"WHERE picture_id IN {wanted} ORDER BY id",
    ):
        connection.execute(statement, (pictures,))
    connection.execute(
        f"INSERT INTO main.cut (keyframe_id, picture_id, {_CUT}) SELECT keyframe_id + ?, picture_id + ?, {_CUT} "
        "FROM source.cut WHERE keyframe_id IN chosen", (shift, pictures),
    )  # fmt: skip


def _leave_out_repeated(connection: sqlite3.Connection) -> int:
    """Takes those whose picture is there already out of ``chosen``; how many."""
    return connection.execute(
        "DELETE FROM chosen WHERE id IN (SELECT o.keyframe_id FROM source.origin o "
        "JOIN source.keyframe k ON k.id = o.keyframe_id JOIN main.origin p ON p.fingerprint = o.fingerprint "
        "JOIN main.keyframe h ON h.id = p.keyframe_id AND h.view = k.view WHERE o.fingerprint != '')"
    ).rowcount
