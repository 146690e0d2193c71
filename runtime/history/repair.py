"""Takes rows that must not be there out of a history, and keeps them in a file beside it.

They are written there first; then they leave the history in one transaction. Whatever happens meanwhile, the history
is as it was or as it should be.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import StorageError
from runtime.history.file import FORMAT_VERSION, POSITION_TABLE, Checkpointer, count_rewritten, open_file, reported
from runtime.history.format_1 import upgrade
from runtime.history.verify import KEYFRAME, OF_KEYFRAMES, Fault, check_pages, faults_of


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was taken out, and the file that keeps it: None where nothing was."""

    faults: tuple[Fault, ...]
    kept_in: Path | None


def repair(path: Path) -> Repaired:
    """Takes the rows that break the gate out of a history; a keyframe goes with all that belongs to it.

    A history of format 1 is brought up to date first.

    Raises:
        HistoryError: missing, foreign, or damaged beyond its rows.
        HistoryBusyError: another program is writing to it.
        StorageError: the disk is full or cannot be written; the history is as it was.
    """
    with closing(open_file(path, write=True)) as connection, reported(path):
        check_pages(connection, path)
        if connection.execute("PRAGMA user_version").fetchone()[0] < FORMAT_VERSION:
            upgrade(connection, POSITION_TABLE, FORMAT_VERSION)
        connection.execute("BEGIN IMMEDIATE")
        kept_in: Path | None = None
        try:
            faults = tuple(faults_of(connection))
            if faults:
                kept_in = _free_name(path)
                _keep(connection, faults, kept_in)
                count_rewritten(connection)
                _take_out(connection, faults)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if kept_in is not None:
                kept_in.unlink(missing_ok=True)
            raise
        Checkpointer(connection).run()
    return Repaired(faults, kept_in)


def _free_name(path: Path) -> Path:
    number, name = 1, path.with_name(f"{path.name}.removed")
    while name.exists():
        number += 1
        name = path.with_name(f"{path.name}.removed-{number}")
    return name


def _selections(connection: sqlite3.Connection, fault: Fault) -> list[tuple[str, str]]:
    """The tables and conditions of the rows that go with a fault."""
    if fault.table != KEYFRAME:
        return [(fault.table, fault.where)]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [*((table, "keyframe_id = ?") for table in OF_KEYFRAMES if table in tables), (KEYFRAME, fault.where)]


def _keep(connection: sqlite3.Connection, faults: Sequence[Fault], where: Path) -> None:
    """Copies the rows, with the reason of each fault, into a new SQLite file of the same tables."""
    try:
        with closing(sqlite3.connect(where)) as kept, kept:
            for (statement,) in connection.execute(
                "SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall():
                kept.execute(statement)
            kept.execute("CREATE TABLE removed (of_table TEXT, keyframe_id, reason TEXT)")
            for fault in faults:
                kept.execute("INSERT INTO removed VALUES (?, ?, ?)", (fault.table, fault.keyframe_id, fault.reason))
                for table, condition in _selections(connection, fault):
                    for row in connection.execute(f"SELECT * FROM {table} WHERE {condition}", fault.values):
                        kept.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    except sqlite3.OperationalError as error:
        raise StorageError(f"{where} cannot be written ({error}); {where.parent} must have room for it.") from error


def _take_out(connection: sqlite3.Connection, faults: Sequence[Fault]) -> None:
    for fault in faults:
        for table, condition in _selections(connection, fault):
            connection.execute(f"DELETE FROM {table} WHERE {condition}", fault.values)
