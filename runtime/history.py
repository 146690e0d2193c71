"""The flight history: what the ground looked like and where it was, in one file that survives any kill."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import EmbeddingSpaceError, HistoryError, StorageError
from runtime.history_file import Checkpointer, create_file, open_file, reported
from runtime.history_rows import KEYFRAME_COLUMNS, decode_arrays, encode_arrays, keyframe_of, row_of
from runtime.values import Keyframe, Maps, ViewKind

_LOG = logging.getLogger(__name__)
_CHUNK = 500  # ids in one statement; SQLite before 3.32 takes at most 999 parameters
_COLUMNS = ", ".join(KEYFRAME_COLUMNS)
_COLUMNS_WITHOUT_CROP = ", ".join("NULL" if name == "crop" else name for name in KEYFRAME_COLUMNS)
_INSERT_KEYFRAME = f"INSERT INTO keyframe ({_COLUMNS}) VALUES ({', '.join('?' * len(KEYFRAME_COLUMNS))})"
_INSERT_EMBEDDING = f"INSERT OR REPLACE INTO embedding VALUES ({', '.join('?' * 10)})"


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """A keyframe's embedding at one rung. ``vector`` (D,) float32 unit; ``map`` (C, h, w) float32 unit along
    C, or None; ``heading_offset_rad``: how far the crop was turned clockwise before it was embedded."""

    footprint_m: float
    heading_offset_rad: float
    vector: NDArray[np.float32]
    map: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Gallery:
    """All embeddings of one view and rung: ``ids`` (N,) int64 ascending, ``vectors`` (N, D) float16,
    ``ground`` (N, 2) float64 latitude and longitude in degrees, ``heading_offsets_rad`` (N,)."""

    ids: NDArray[np.int64]
    vectors: NDArray[np.float16]
    ground: NDArray[np.float64]
    heading_offsets_rad: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)


class History:
    """A flight history, open. Make one with `create`, `open` or `append`; use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, write: bool) -> None:
        self.path = path
        self.writable = write
        self._connection = connection
        self._lock = threading.RLock()
        self._checkpointer = Checkpointer(connection)
        self._meta = dict(self._all("SELECT key, value FROM meta"))

    @classmethod
    def create(cls, path: Path | str, embedding_space_id: str, bundle_name: str) -> History:
        """A new, empty history, open for writing.

        Raises:
            HistoryError: the file exists.
            StorageError: it cannot be written.
        """
        path = Path(path)
        create_file(path, {"embedding_space_id": embedding_space_id, "bundle_name": bundle_name})
        return cls.open(path, write=True)

    @classmethod
    def open(cls, path: Path | str, *, embedding_space_id: str | None = None, write: bool = False) -> History:
        """An existing history; ``embedding_space_id`` None takes it whatever its space is.

        Raises:
            HistoryError: missing, foreign, damaged, or of another format.
            EmbeddingSpaceError: it was recorded in another embedding space.
        """
        path = Path(path)
        history = cls(path, open_file(path, write), write)
        if embedding_space_id is not None and history.embedding_space_id != embedding_space_id:
            found = history.embedding_space_id
            history.close()
            raise EmbeddingSpaceError(
                f"history {path} is of embedding space {found}, the bundle of {embedding_space_id}; "
                f"mend it with `homing history reembed {path}`."
            )
        return history

    @classmethod
    def append(cls, path: Path | str, embedding_space_id: str, bundle_name: str) -> History:
        """Opens a history for writing, making it where there is none."""
        if Path(path).exists():
            return cls.open(path, embedding_space_id=embedding_space_id, write=True)
        return cls.create(path, embedding_space_id, bundle_name)

    @property
    def embedding_space_id(self) -> str:
        """The space that this history's embeddings live in."""
        return str(self._meta.get("embedding_space_id", ""))

    @property
    def bundle_name(self) -> str:
        """The bundle that recorded it."""
        return str(self._meta.get("bundle_name", ""))

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Empties the log into the file and closes it; closing twice is allowed."""
        with self._lock:
            if self.writable:
                self._checkpoint(now=True)
            self._connection.close()
            self.writable = False

    def add(self, keyframe: Keyframe, embeddings: Sequence[StoredEmbedding]) -> int:
        """Remembers a keyframe with its embeddings, in one transaction; its ``keyframe_id`` is ignored.

        Returns:
            The new id. When it has been returned, the keyframe outlives a kill and a power cut.

        Raises:
            StorageError: the disk is full; nothing recorded before is lost.
        """
        with self._transaction() as connection:
            keyframe_id = connection.execute(_INSERT_KEYFRAME, row_of(keyframe)).lastrowid
            assert keyframe_id is not None
            self._insert_embeddings(keyframe_id, self.embedding_space_id, keyframe.view, embeddings)
        return keyframe_id

    def add_embeddings(
        self, keyframe_id: int, embedding_space_id: str, view: ViewKind, embeddings: Sequence[StoredEmbedding]
    ) -> None:
        """Adds (or replaces) embeddings of a keyframe, possibly of a space that the history is to move to."""
        with self._transaction():
            self._insert_embeddings(keyframe_id, embedding_space_id, view, embeddings)

    def move_to_space(self, embedding_space_id: str, bundle_name: str) -> None:
        """Binds the history to another space, whose embeddings must be there, and drops the others."""
        with self._transaction() as connection:
            meta = {"embedding_space_id": embedding_space_id, "bundle_name": bundle_name}
            connection.executemany("UPDATE meta SET value = ?2 WHERE key = ?1", meta.items())
            connection.execute("DELETE FROM embedding WHERE embedding_space_id != ?", (embedding_space_id,))
        self._meta.update(meta)

    def __len__(self) -> int:
        return int(self._all("SELECT count(*) FROM keyframe")[0][0])

    def last_id(self) -> int:
        """The newest keyframe's id, 0 when empty: it changes when, and only when, keyframes were added."""
        return int(self._all("SELECT max(id) FROM keyframe")[0][0] or 0)

    def ids(self, view: ViewKind | None = None) -> list[int]:
        """The ids of all keyframes (of a view), ascending."""
        return [int(row[0]) for row in self._all(*_filtered("SELECT id FROM keyframe", view))]

    def keyframe(self, keyframe_id: int) -> Keyframe:
        """One keyframe with its crop.

        Raises:
            HistoryError: there is none of that id, or its crop is damaged.
        """
        rows = self._all(f"SELECT id, {_COLUMNS} FROM keyframe WHERE id = ?", (int(keyframe_id),))
        if not rows:
            raise HistoryError(f"history {self.path} has no keyframe {keyframe_id}.")
        return keyframe_of(rows[0])

    def keyframes(self, view: ViewKind | None = None, *, crops: bool = True) -> Iterator[Keyframe]:
        """All keyframes (of a view) by id, one at a time, so that their crops never fill the memory.

        ``crops`` False leaves them out, as (0, 0, 3) arrays, which is a hundred times faster.
        """
        if crops:
            for keyframe_id in self.ids(view):
                yield self.keyframe(keyframe_id)
        else:
            for row in self._all(*_filtered(f"SELECT id, {_COLUMNS_WITHOUT_CROP} FROM keyframe", view)):
                yield keyframe_of(row)

    def views(self) -> tuple[ViewKind, ...]:
        """The views that it holds keyframes of."""
        rows = self._all("SELECT DISTINCT view FROM keyframe ORDER BY view")
        return tuple(ViewKind(row[0]) for row in rows)

    def flights(self) -> tuple[str, ...]:
        """The flights in it, oldest first."""
        rows = self._all("SELECT flight FROM keyframe GROUP BY flight ORDER BY min(id)")
        return tuple(str(row[0]) for row in rows)

    def footprints(self, view: ViewKind) -> tuple[float, ...]:
        """The rungs in metres at which keyframes of a view are embedded, ascending."""
        query = (
            "SELECT DISTINCT footprint_mm FROM embedding WHERE embedding_space_id = ? AND view = ? "
            "ORDER BY footprint_mm"
        )
        return tuple(row[0] / 1000 for row in self._all(query, (self.embedding_space_id, view.value)))

    def count(self, view: ViewKind, footprint_m: float) -> int:
        """How many embeddings of a view there are at a rung."""
        query = "SELECT count(*) FROM embedding WHERE embedding_space_id = ? AND view = ? AND footprint_mm = ?"
        parameters = (self.embedding_space_id, view.value, _millimetres(footprint_m))
        return int(self._all(query, parameters)[0][0])

    def gallery(self, view: ViewKind, footprint_m: float, after_id: int = 0) -> Gallery:
        """The embeddings of a view at a rung, of keyframes newer than ``after_id``."""
        rows = self._all(
            "SELECT e.keyframe_id, e.heading_offset_urad, k.ground_latitude_deg, k.ground_longitude_deg, "
            "e.vector FROM embedding e JOIN keyframe k ON k.id = e.keyframe_id "
            "WHERE e.embedding_space_id = ? AND e.view = ? AND e.footprint_mm = ? AND e.keyframe_id > ? "
            "ORDER BY e.keyframe_id, e.heading_offset_urad",
            (self.embedding_space_id, view.value, _millimetres(footprint_m), int(after_id)),
        )
        dimension = len(rows[0][4]) // 2 if rows else 0
        if any(len(row[4]) != 2 * dimension for row in rows):
            raise HistoryError(f"history {self.path} is damaged (unequal vectors); record it again.")
        vectors = np.frombuffer(b"".join(row[4] for row in rows), np.float16).reshape(len(rows), dimension)
        numbers = np.array([row[:4] for row in rows], dtype=np.float64).reshape(len(rows), 4)
        return Gallery(numbers[:, 0].astype(np.int64), vectors, numbers[:, 2:4], numbers[:, 1] * 1e-6)

    def maps(self, ids: Sequence[int] | NDArray[np.int64], footprint_m: float) -> Maps | None:
        """(N, C, h, w) float32 maps of keyframes at a rung and heading offset 0; None where any has none."""
        found: dict[int, NDArray[np.float16]] = {}
        wanted = [int(keyframe_id) for keyframe_id in ids]
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            rows = self._all(
                "SELECT keyframe_id, map_channels, map_rows, map_columns, map FROM embedding "
                "WHERE embedding_space_id = ? AND view IN ('drone', 'satellite', 'ground') "
                "AND footprint_mm = ? AND heading_offset_urad = 0 "
                f"AND keyframe_id IN ({', '.join('?' * len(chunk))})",
                (self.embedding_space_id, _millimetres(footprint_m), *chunk),
            )
            found |= {row[0]: np.frombuffer(row[4], np.float16).reshape(row[1:4]) for row in rows if row[4]}
        if not wanted or any(keyframe_id not in found for keyframe_id in wanted):
            return None
        return np.stack([found[keyframe_id] for keyframe_id in wanted]).astype(np.float32)

    def features(self, keyframe_id: int, kind: str) -> dict[str, NDArray[Any]] | None:
        """The cached local features of a keyframe, by kind (detector and its settings), or None."""
        query = "SELECT arrays FROM feature WHERE keyframe_id = ? AND kind = ?"
        rows = self._all(query, (int(keyframe_id), kind))
        return decode_arrays(rows[0][0]) if rows else None

    def store_features(self, keyframe_id: int, kind: str, arrays: Mapping[str, NDArray[Any]]) -> bool:
        """Caches local features; False where the history is open for reading only, and nothing is kept."""
        if not self.writable:
            return False
        with self._transaction() as connection:
            row = (int(keyframe_id), kind, encode_arrays(arrays))
            connection.execute("INSERT OR REPLACE INTO feature VALUES (?, ?, ?)", row)
        return True

    def _insert_embeddings(
        self, keyframe_id: int, embedding_space_id: str, view: ViewKind, embeddings: Sequence[StoredEmbedding]
    ) -> None:
        for embedding in embeddings:
            shape = (None, None, None) if embedding.map is None else embedding.map.shape
            packed = None if embedding.map is None else embedding.map.astype("<f2").tobytes()
            key = (keyframe_id, embedding_space_id, view.value, _millimetres(embedding.footprint_m))
            offset_urad = round(math.remainder(embedding.heading_offset_rad, math.tau) * 1e6)
            vector = embedding.vector.astype("<f2").tobytes()
            self._connection.execute(_INSERT_EMBEDDING, (*key, offset_urad, vector, *shape, packed))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, reported(self.path):
            if not self.writable:
                raise HistoryError(f"history {self.path} is open for reading only.")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # where the disk was full SQLite has rolled back itself
                    self._connection.execute("ROLLBACK")
                raise
            self._checkpoint()

    def _checkpoint(self, now: bool = False) -> None:
        try:
            with reported(self.path):
                self._checkpointer.run() if now else self._checkpointer.after_commit()
        except StorageError as error:
            _LOG.warning("the log stays beside the history, nothing is lost: %s", error)

    def _all(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._lock, reported(self.path):
            return self._connection.execute(query, parameters).fetchall()


def _millimetres(footprint_m: float) -> int:
    return round(footprint_m * 1000)


def _filtered(query: str, view: ViewKind | None) -> tuple[str, tuple[str, ...]]:
    if view is None:
        return f"{query} ORDER BY id", ()
    return f"{query} WHERE view = ? ORDER BY id", (view.value,)
