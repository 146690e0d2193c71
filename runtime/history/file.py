"""The history's file: its schema, opening it, and SQLite's errors as sentences.

Every commit is synced to the write-ahead log (``synchronous=FULL``) and the log is emptied into the file when
the last time was longer ago than `CHECKPOINT_S`. At the rates of a flight that is after every keyframe, so
neither a kill, nor a power cut, nor a log cut short takes more than the last moment; a bulk recording shares
the cost. The log is emptied only by us, and whole (TRUNCATE): one that was copied to the file but is still
there could, cut short, bring old pages back. The writer waits for readers that began before the copy was
whole; those that begin later read the file alone and are in nobody's way.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from runtime.errors import HistoryBusyError, HistoryError, StorageError
from runtime.history.rows import KEYFRAME_COLUMNS

APPLICATION_ID = 0x484F4D48  # "HOMH": SQLite's own field for whose file this is
FORMAT_VERSION = 2  # 1 kept one position in a keyframe's own row, see `runtime.history.format_1`
MAPPED_VERSION = 3  # of a file from when it first holds the picture of a map, or a packed spatial map
CHECKPOINT_S = 0.25  # a quarter of the second that may be lost
_BUSY_TIMEOUT_S = 5.0  # that a write waits for another program's, before it says so
_CHECKPOINT_WAIT_S = 0.25  # that emptying the log waits for readers, before it is put off to the next commit
_PAGE_BYTES = 8192  # a keyframe is mostly blobs of 20 to 200 kB

_TEXT_COLUMNS = {"flight", "view", "name"} | {name for name in KEYFRAME_COLUMNS if name.endswith("_source")}
_INTEGER_COLUMNS = {"t_ns", "attitude_measured"}


def _column(name: str) -> str:
    if name == "crop":
        return "crop BLOB NOT NULL"
    if name in _TEXT_COLUMNS:
        return f"{name} TEXT"
    return f"{name} INTEGER NOT NULL" if name in _INTEGER_COLUMNS else f"{name} REAL"


POSITION_TABLE = """
CREATE TABLE position (
    keyframe_id INTEGER NOT NULL REFERENCES keyframe(id), role TEXT NOT NULL,
    latitude_deg REAL NOT NULL, longitude_deg REAL NOT NULL,
    variance_north_m2 REAL NOT NULL, covariance_north_east_m2 REAL NOT NULL, variance_east_m2 REAL NOT NULL,
    source TEXT NOT NULL, velocity_north_m_s REAL, velocity_east_m_s REAL, velocity_down_m_s REAL,
    PRIMARY KEY (keyframe_id, role)) WITHOUT ROWID
"""
# What a keyframe was made from; made in files of before when they are next written to.
ORIGIN_TABLE = """
CREATE TABLE IF NOT EXISTS origin (
    keyframe_id INTEGER PRIMARY KEY REFERENCES keyframe(id), fingerprint TEXT NOT NULL,
    coverage REAL NOT NULL, metres_per_pixel REAL)
"""
SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE keyframe (id INTEGER PRIMARY KEY AUTOINCREMENT, {", ".join(map(_column, KEYFRAME_COLUMNS))});
{POSITION_TABLE};
{ORIGIN_TABLE};
CREATE TABLE embedding (
    keyframe_id INTEGER NOT NULL REFERENCES keyframe(id),
    embedding_space_id TEXT NOT NULL, view TEXT NOT NULL,
    footprint_mm INTEGER NOT NULL, heading_offset_urad INTEGER NOT NULL,
    vector BLOB NOT NULL, map_channels INTEGER, map_rows INTEGER, map_columns INTEGER, map BLOB);
CREATE UNIQUE INDEX embedding_key
    ON embedding (embedding_space_id, view, footprint_mm, keyframe_id, heading_offset_urad);
CREATE TABLE feature (
    keyframe_id INTEGER NOT NULL REFERENCES keyframe(id), kind TEXT NOT NULL, arrays BLOB NOT NULL,
    PRIMARY KEY (keyframe_id, kind));
"""

# Whoever keeps rows in memory reads only what is appended, and all again when this count has moved: rows that were
# there have been changed or deleted, by whatever program. Files of before have it from when they are next written to.
_COUNTER = [
    "INSERT OR IGNORE INTO meta VALUES ('rewritten', '0')",
    *(
        f"CREATE TRIGGER IF NOT EXISTS {table}_{event.lower()} AFTER {event} ON {table} BEGIN "
        f"UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'rewritten'; END"
        for table in ("keyframe", "position", "embedding")
        for event in ("UPDATE", "DELETE")
    ),
]


def is_there(path: Path) -> bool:
    """Whether there is anything of that name.

    Raises:
        StorageError: that cannot be told: its folder may not be looked into, or no name is like this.
    """
    try:
        return path.exists()
    except OSError as error:
        raise StorageError(f"history {path} cannot be reached: {error.strerror or error}.") from error


def create_file(path: Path, meta: dict[str, str]) -> None:
    """Makes an empty history; it appears under its name whole or not at all.

    Raises:
        HistoryError: something is there already.
        StorageError: it cannot be written.
    """
    if is_there(path):
        raise HistoryError(f"{path} exists already; open it to add to it, or name another file.")
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        draft.unlink(missing_ok=True)
        with reported(path):
            _write_schema(draft, meta)
        os.link(draft, path)  # unlike rename it fails where the name has been taken meanwhile
    except OSError as error:
        raise StorageError(f"{path} cannot be created: {error.strerror or error}.") from error
    finally:
        for left in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm", "-journal"))):
            left.unlink(missing_ok=True)


def _write_schema(path: Path, meta: dict[str, str]) -> None:
    if not path.parent.is_dir():
        raise StorageError(f"the folder {path.parent} does not exist; make it first.")
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
        connection.executescript(f"BEGIN; {SCHEMA} {'; '.join(_COUNTER)}; COMMIT;")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    finally:
        connection.close()


def count_rewritten(connection: sqlite3.Connection) -> None:
    """Within a transaction: makes a history that an earlier version made count its rewritten rows, as new ones do."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'position_delete'").fetchone():
        for statement in _COUNTER:
            connection.execute(statement)


def open_file(path: Path, write: bool) -> sqlite3.Connection:
    """A connection to a history of our format, in autocommit mode.

    Raises:
        HistoryError: missing, foreign, damaged, or of another version.
        StorageError: it cannot be reached.
    """
    if is_there(path) and path.is_dir():
        raise HistoryError(f"history {path} is a folder; give the name of a file.")
    if not path.is_file():
        raise HistoryError(f"history {path} does not exist; make it with `homing record --history {path}`.")
    with reported(path):
        connection = connect(path, write)
        try:
            _check_ours(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """A connection to a file that `open_file` has accepted, in autocommit mode, for one thread at a time."""
    mode = "rw" if write else "ro"
    if not write and not os.access(path.parent, os.W_OK) and _log_bytes(path) == 0:
        mode = "ro&immutable=1"  # on read-only media SQLite cannot make the log's index, and nobody can write
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
    )
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")  # damaged text is no traceback
    if write:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def _log_bytes(path: Path) -> int:
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    if application_id != APPLICATION_ID:
        raise HistoryError(f"{path} is not a flight history (an SQLite file of another program).")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 1 <= version <= MAPPED_VERSION:
        raise HistoryError(
            f"history {path} is of format {version}, this program reads up to {MAPPED_VERSION}; "
            "open it with the version of homing that recorded it."
        )
    connection.execute("SELECT count(*), max(id) FROM keyframe").fetchone()
    connection.execute("SELECT count(*) FROM embedding").fetchone()


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours, one sentence each."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text or "disk I/O" in text:
            reason = "the disk is full" if "full" in text else "the disk cannot be written or read"
            raise StorageError(f"{path}: {reason}; what was recorded is kept, free some space.") from error
        if "readonly" in text or "unable to open" in text:
            raise StorageError(f"{path} cannot be opened ({text}); check its permissions.") from error
        if "locked" in text:
            raise HistoryBusyError(f"history {path} is in use by another program; wait for it.") from error
        if "not a database" in text:
            raise HistoryError(f"{path} is not a flight history (not an SQLite file).") from error
        raise HistoryError(f"history {path} is damaged ({text}); restore a copy of it.") from error


class Checkpointer:
    """Empties the write-ahead log into the file, at most every `CHECKPOINT_S`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_s = -float("inf")

    def after_commit(self) -> None:
        """Call it after every commit."""
        if time.monotonic() - self._last_s >= CHECKPOINT_S:
            self.run()

    def run(self) -> None:
        """Empties the log now; readers that stand in the way for long put it off to the next commit."""
        self._connection.execute(f"PRAGMA busy_timeout={int(_CHECKPOINT_WAIT_S * 1000)}")
        try:
            put_off, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout={int(_BUSY_TIMEOUT_S * 1000)}")
        self._last_s = -float("inf") if put_off else time.monotonic()
