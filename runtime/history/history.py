"""The flight history: what the ground looked like and where it was, in one file that survives any kill."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import EmbeddingSpaceError, HistoryError, StorageError
from runtime.history.file import (
    FORMAT_VERSION,
    ORIGIN_TABLE,
    POSITION_TABLE,
    Checkpointer,
    count_rewritten,
    create_file,
    is_there,
    open_file,
    reported,
)
from runtime.history.format_1 import upgrade
from runtime.history.gate import NO_ORIGIN, Origin, check
from runtime.history.reader import COLUMNS, HistoryReader, millimetres
from runtime.history.rows import (
    KEYFRAME_COLUMNS,
    POSITION_COLUMNS,
    encode_arrays,
    encode_crop,
    position_rows_of,
    row_of,
)
from runtime.history.spatial_maps import NO_SHAPE, PackedMap, halves, pack
from runtime.values import Embeddings, Keyframe, ViewKind

_LOG = logging.getLogger(__name__)
_INSERT_KEYFRAME = f"INSERT INTO keyframe ({COLUMNS}) VALUES ({', '.join('?' * len(KEYFRAME_COLUMNS))})"
_INSERT_POSITION = f"INSERT INTO position VALUES ({', '.join('?' * len(POSITION_COLUMNS))})"
_INSERT_ORIGIN = "INSERT INTO origin VALUES (?, ?, ?, ?)"
_INSERT_EMBEDDING = f"INSERT OR REPLACE INTO embedding VALUES ({', '.join('?' * 10)})"


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """A keyframe's embedding at one rung. ``vector`` (D,) float32 unit; ``map`` (C, h, w) float32 unit along C, the
    same packed, or None; ``heading_offset_rad``: how far the crop was turned clockwise before it was embedded."""

    footprint_m: float
    heading_offset_rad: float
    vector: NDArray[np.float32]
    map: NDArray[np.float32] | PackedMap | None = None


def packed(embeddings: Sequence[StoredEmbedding]) -> list[StoredEmbedding]:
    """The same with their maps packed."""
    return [
        replace(one, map=pack(one.map)) if isinstance(one.map, np.ndarray) else one for one in embeddings
    ]


def stored(embeddings: Embeddings, footprints_m: Sequence[float]) -> list[StoredEmbedding]:
    """What a tower gave for N north-up crops of one keyframe, one of each of N footprints, as a history takes it."""
    maps = embeddings.maps
    return [
        StoredEmbedding(footprint_m, 0.0, vector, None if maps is None else maps[row])
        for row, (footprint_m, vector) in enumerate(zip(footprints_m, embeddings.vectors, strict=True))
    ]


class History(HistoryReader):
    """A flight history, open. Make one with `create`, `open` or `append`; use it as a context manager.

    Any thread may call it. Reads go by connections of their own and never wait; writes wait for one another, and for
    another program's up to 5 s.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, write: bool) -> None:
        super().__init__(path, None if write else connection)
        self.writable = write
        self._writing = threading.RLock()
        self._connection = connection
        self._checkpointer = Checkpointer(connection)

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
        """An existing history; ``embedding_space_id`` None takes it whatever its space is. One of an older format is
        read as it is, and brought up to date when it is opened for writing.

        Raises:
            HistoryError: missing, foreign, damaged, or of a newer format.
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
        if write:
            history._bring_up_to_date()
        return history

    @classmethod
    def append(cls, path: Path | str, embedding_space_id: str, bundle_name: str) -> History:
        """Opens a history for writing, making it where there is none."""
        if is_there(Path(path)):
            return cls.open(path, embedding_space_id=embedding_space_id, write=True)
        return cls.create(path, embedding_space_id, bundle_name)

    def _bring_up_to_date(self) -> None:
        if self.format_version < FORMAT_VERSION:
            with self._writing, reported(self.path):
                upgrade(self._connection, POSITION_TABLE, FORMAT_VERSION)

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Empties the log into the file and closes it; closing twice is allowed."""
        self._reading.close()  # first: only the last connection to close leaves no log behind
        with self._writing:
            if self.writable:
                self._checkpoint(now=True)
                self._connection.close()
            self.writable = False

    def add(
        self, keyframe: Keyframe, embeddings: Sequence[StoredEmbedding], origin: Origin = NO_ORIGIN
    ) -> int:
        """Remembers a keyframe with its embeddings, in one transaction; its ``keyframe_id`` is ignored.

        ``origin``: what it was made from.

        Returns:
            The new id. When it has been returned, the keyframe outlives a kill and a power cut.

        Raises:
            KeyframeRefusedError: it must not enter a history, see `runtime.history.gate`.
            StorageError: the disk is full; nothing recorded before is lost.
            HistoryBusyError: another program was writing for too long.
            EmbeddingSpaceError: another program has moved the history to another space.
        """
        check(keyframe, embeddings, origin)
        with self.transaction():
            return self.insert(keyframe, embeddings, origin, encode_crop(keyframe.crop))

    def insert(self, keyframe: Keyframe, embeddings: Sequence[StoredEmbedding], origin: Origin, crop: bytes) -> int:
        """Within a transaction: the rows of a keyframe that has passed the gate, with its crop as it is stored."""
        keyframe_id = self._connection.execute(_INSERT_KEYFRAME, row_of(keyframe, crop)).lastrowid
        assert keyframe_id is not None
        self._connection.executemany(_INSERT_POSITION, position_rows_of(keyframe, keyframe_id))
        self._connection.execute(ORIGIN_TABLE)
        said = (origin.fingerprint, float(origin.coverage), origin.metres_per_pixel)
        self._connection.execute(_INSERT_ORIGIN, (keyframe_id, *said))
        self.insert_embeddings(keyframe_id, keyframe.view, embeddings)
        return keyframe_id

    def add_embeddings(
        self, keyframe_id: int, embedding_space_id: str, view: ViewKind, embeddings: Sequence[StoredEmbedding]
    ) -> None:
        """Adds (or replaces) embeddings of a keyframe, possibly of a space that the history is to move to."""
        with self.transaction():
            self.insert_embeddings(keyframe_id, view, embeddings, embedding_space_id)

    def move_to_space(self, embedding_space_id: str, bundle_name: str) -> None:
        """Binds the history to another space, whose embeddings must be there, and drops the others."""
        with self.transaction() as connection:
            meta = {"embedding_space_id": embedding_space_id, "bundle_name": bundle_name}
            connection.executemany("UPDATE meta SET value = ?2 WHERE key = ?1", meta.items())
            connection.execute("DELETE FROM embedding WHERE embedding_space_id != ?", (embedding_space_id,))
        self._meta.update(meta)

    def store_features(self, keyframe_id: int, kind: str, arrays: Mapping[str, NDArray[Any]]) -> bool:
        """Caches local features; False where the history is open for reading only, and nothing is kept."""
        if not self.writable:
            return False
        with self.transaction() as connection:
            row = (int(keyframe_id), kind, encode_arrays(arrays))
            connection.execute("INSERT OR REPLACE INTO feature VALUES (?, ?, ?)", row)
        return True

    def vacuum(self) -> None:
        """Gives what was deleted back to the disk; the file is written anew."""
        with self._writing:
            self._connection.execute("VACUUM")

    def insert_embeddings(
        self, keyframe_id: int, view: ViewKind, embeddings: Sequence[StoredEmbedding], space: str = ""
    ) -> None:
        """Within a transaction: the rows of a keyframe's embeddings, in the place of equal ones; ``space``: which they
        are of, where not the history's own."""
        for embedding in embeddings:
            spatial = halves(embedding.map) if isinstance(embedding.map, np.ndarray) else embedding.map
            shape, packed = (NO_SHAPE, None) if spatial is None else (spatial.shape, spatial.data)
            key = (keyframe_id, space or self.embedding_space_id, view.value, millimetres(embedding.footprint_m))
            offset_urad = round(math.remainder(embedding.heading_offset_rad, math.tau) * 1e6)
            vector = embedding.vector.astype("<f2").tobytes()
            self._connection.execute(_INSERT_EMBEDDING, (*key, offset_urad, vector, *shape, packed))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write, whole or not at all; raises as `add`."""
        with self._writing, reported(self.path):
            if not self.writable:
                raise HistoryError(f"history {self.path} is open for reading only.")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                query = "SELECT value FROM meta WHERE key = 'embedding_space_id'"
                space = self._connection.execute(query).fetchone()
                if space is None:
                    raise HistoryError(f"history {self.path} has lost its embedding space; restore a copy of it.")
                self._check_space(space[0])
                count_rewritten(self._connection)
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
