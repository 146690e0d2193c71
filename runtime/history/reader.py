"""The reading half of the flight history: keyframes, galleries of embeddings, spatial maps, cached features."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from runtime.errors import CropDamagedError, EmbeddingSpaceError, HistoryError
from runtime.history.broken import COLUMNS_WITHOUT_CROP, broken_keyframes, positions_query, sentence
from runtime.history.connections import ReadingConnections
from runtime.history.file import reported
from runtime.history.gate import UNIT_LENGTH
from runtime.history.pictures import PictureReader
from runtime.history.ranges import position_fault
from runtime.history.rows import CROP_OF_PICTURE, KEYFRAME_COLUMNS, decode_arrays, keyframe_of, position_of
from runtime.history.spatial_maps import CentredMap, centred_map_of, map_of
from runtime.values import Coverage, Keyframe, Maps, Position, ViewKind

_Map = TypeVar("_Map")  # as it is read
_LOG = logging.getLogger(__name__)
_NEWEST = (1 << 63) - 1  # SQLite's largest id
_CHUNK = 500  # ids in one statement, as SQLite before 3.32 takes at most 999 parameters; rows in memory at a time
COLUMNS = ", ".join(KEYFRAME_COLUMNS)
_A_RUNG = "typeof(footprint_mm) = 'integer' AND footprint_mm > 0"
_VIEWS = ", ".join(f"'{kind.value}'" for kind in ViewKind)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a history has grown: its newest keyframe, the row of its newest embedding (0: none), and how often rows
    that were there before have been ``rewritten`` or deleted."""

    last_id: int = 0
    last_row: int = 0
    rewritten: int = 0


@dataclass(frozen=True, slots=True)
class StoredRung:
    """How many embeddings of a view there are at a footprint, and the oldest keyframe among theirs."""

    view: ViewKind
    footprint_m: float
    count: int
    oldest_id: int


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


@dataclass(frozen=True, slots=True)
class GroundRows:
    """Some keyframes in the order of their ids: ``ids`` (N,) int64, ``ground`` (N, 2) float64 latitude and longitude in
    degrees of their crops' centres, ``footprints_m`` (N,) their sides."""

    ids: NDArray[np.int64]
    ground: NDArray[np.float64]
    footprints_m: NDArray[np.float64]


class HistoryReader:
    """What can be asked of an open history, from any thread; no question waits for a write or another question."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        self.path = path
        self._reading = ReadingConnections(path, connection)
        self._meta = dict(self.ask("SELECT key, value FROM meta"))
        self._dimension = 0
        self._rewritten = 0
        self._pictures = PictureReader(self.ask)
        self.broken: dict[int, str] = {}
        self._look_for_broken()

    @property
    def embedding_space_id(self) -> str:
        """The space that this history's embeddings live in."""
        return str(self._meta.get("embedding_space_id", ""))

    @property
    def bundle_name(self) -> str:
        """The bundle that recorded it."""
        return str(self._meta.get("bundle_name", ""))

    @property
    def format_version(self) -> int:
        """The format of the file; another program may bring it up to date meanwhile."""
        return int(self.ask("PRAGMA user_version")[0][0])

    def __len__(self) -> int:
        return int(self.ask(f"SELECT count(*) FROM keyframe WHERE {self._sound('id')}")[0][0])

    def first_id(self) -> int:
        """The oldest keyframe's id, 0 when empty."""
        return int(self.ask(f"SELECT min(id) FROM keyframe WHERE {self._sound('id')}")[0][0] or 0)

    def last_id(self) -> int:
        """The newest keyframe's id, 0 when empty: it changes when, and only when, keyframes were added."""
        return int(self.ask(f"SELECT max(id) FROM keyframe WHERE {self._sound('id')}")[0][0] or 0)

    def mark(self) -> Mark:
        """How far it has grown, and whether it has only grown, for whoever keeps what was read.

        Raises:
            EmbeddingSpaceError: another program has moved the history to another space.
        """
        last_id, last_row, rewritten, space = self.ask(
            f"SELECT (SELECT max(id) FROM keyframe WHERE {self._sound('id')}), (SELECT max(rowid) FROM embedding), "
            "(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'rewritten'), "
            "(SELECT value FROM meta WHERE key = 'embedding_space_id')"
        )[0]
        self._check_space(space)
        if (rewritten or 0) != self._rewritten:
            self._rewritten = rewritten or 0
            self._look_for_broken()
        return Mark(int(last_id or 0), int(last_row or 0), int(rewritten or 0))

    def stored_rungs(self, after: Mark, until: Mark) -> list[StoredRung]:
        """The views and footprints of the embeddings that were stored between two marks."""
        # A "+" keeps SQLite off an index: from the beginning one that has all is read, else the later rows alone.
        space, row = ("+embedding_space_id", "rowid") if after.last_row else ("embedding_space_id", "+rowid")
        query = (
            "SELECT view, footprint_mm, count(*), min(keyframe_id) FROM embedding "
            f"WHERE {space} = ? AND {row} > ? AND {row} <= ? AND view IN ({_VIEWS}) AND {_A_RUNG} "
            f"AND {self._sound('keyframe_id')} GROUP BY view, footprint_mm"
        )
        rows = self.ask(query, (self.embedding_space_id, after.last_row, until.last_row))
        return [StoredRung(ViewKind(view), mm / 1000, count, oldest) for view, mm, count, oldest in rows]

    def ids(self, view: ViewKind | None = None, after_id: int = 0) -> list[int]:
        """The ids of the keyframes (of a view) newer than ``after_id``, ascending."""
        return [int(row[0]) for row in self.ask(*self._filtered("SELECT id FROM keyframe", view, after_id))]

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        """One keyframe, with its crop or, where that is not asked for, with a (0, 0, 3) array.

        Raises:
            CropDamagedError: its picture cannot be decoded.
            HistoryError: there is none of that id, or it is damaged.
        """
        if int(keyframe_id) in self.broken:
            raise HistoryError(f"history {self.path}: keyframe {keyframe_id} is broken: {self.broken[keyframe_id]}.")
        columns = COLUMNS if crop else COLUMNS_WITHOUT_CROP
        rows = self.ask(f"SELECT id, {columns} FROM keyframe WHERE id = ?", (int(keyframe_id),))
        if not rows:
            raise HistoryError(f"history {self.path} has no keyframe {keyframe_id}.")
        positions = self._positions("WHERE keyframe_id = ?", (int(keyframe_id),)).get(rows[0][0], {})
        if rows[0][-1] != CROP_OF_PICTURE:
            return keyframe_of(rows[0], positions)
        return replace(keyframe_of((*rows[0][:-1], None), positions), crop=self._pictures.crop(int(keyframe_id)))

    def keyframes(
        self, view: ViewKind | None = None, *, crops: bool = True, after_id: int = 0
    ) -> Iterator[Keyframe]:
        """The keyframes (of a view) newer than ``after_id`` by id, one at a time: their crops never fill the memory.

        ``crops`` False leaves them out, as (0, 0, 3) arrays, which is a hundred times faster.
        """
        if crops:
            for keyframe_id in self.ids(view, after_id):
                try:
                    yield self.keyframe(keyframe_id)
                except CropDamagedError as error:
                    _LOG.warning("%s", error)
        else:
            yield from self._without_crops(view, after_id)

    def coverage(self) -> Coverage:
        """The ground that its keyframes show; ten thousand take some ten milliseconds."""
        rows = self.ask(
            "SELECT ground_latitude_deg, ground_longitude_deg, footprint_m FROM keyframe "
            f"WHERE footprint_m > 0 AND {self._sound('id')} ORDER BY id"
        )
        numbers = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
        return Coverage(numbers[:, :2], numbers[:, 2])

    def ground_rows(self, after_id: int, most: int) -> GroundRows:
        """What ground the ``most`` oldest keyframes newer than ``after_id`` show; fewer are all that there are."""
        rows = self.ask(
            "SELECT id, ground_latitude_deg, ground_longitude_deg, footprint_m FROM keyframe "
            f"WHERE id > ? AND footprint_m > 0 AND {self._sound('id')} ORDER BY id LIMIT ?",
            (int(after_id), int(most)),
        )
        numbers = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), 3)
        return GroundRows(np.array([row[0] for row in rows], dtype=np.int64), numbers[:, :2], numbers[:, 2])

    def views(self) -> tuple[ViewKind, ...]:
        """The views that it holds keyframes of."""
        rows = self.ask(f"SELECT DISTINCT view FROM keyframe WHERE {self._sound('id')} ORDER BY view")
        return tuple(ViewKind(row[0]) for row in rows)

    def flights(self) -> tuple[str, ...]:
        """The flights in it, oldest first."""
        rows = self.ask(f"SELECT flight FROM keyframe WHERE {self._sound('id')} GROUP BY flight ORDER BY min(id)")
        return tuple(str(row[0]) for row in rows)

    def flights_by_id(self, after_id: int = 0) -> list[tuple[int, str]]:
        """The id and flight of each keyframe newer than ``after_id``, by id."""
        rows = self.ask("SELECT id, flight FROM keyframe WHERE id > ? ORDER BY id", (int(after_id),))
        return [(int(keyframe_id), str(flight)) for keyframe_id, flight in rows]

    def footprints(self, view: ViewKind) -> tuple[float, ...]:
        """The rungs in metres at which keyframes of a view are embedded, ascending."""
        query = (
            "SELECT DISTINCT footprint_mm FROM embedding WHERE embedding_space_id = ? AND view = ? "
            f"AND {_A_RUNG} AND {self._sound('keyframe_id')} ORDER BY footprint_mm"
        )
        return tuple(row[0] / 1000 for row in self.ask(query, (self.embedding_space_id, view.value)))

    def count(self, view: ViewKind, footprint_m: float) -> int:
        """How many embeddings of a view there are at a rung."""
        query = (
            "SELECT count(*) FROM embedding WHERE embedding_space_id = ? AND view = ? AND footprint_mm = ? "
            f"AND {self._sound('keyframe_id')}"
        )
        parameters = (self.embedding_space_id, view.value, millimetres(footprint_m))
        return int(self.ask(query, parameters)[0][0])

    def gallery(
        self, view: ViewKind, footprint_m: float, after_id: int = 0, until_id: int | None = None
    ) -> Gallery:
        """The embeddings of a view at a rung, of keyframes newer than ``after_id``, up to ``until_id``."""
        rows = self.ask(
            "SELECT e.keyframe_id, e.heading_offset_urad, k.ground_latitude_deg, k.ground_longitude_deg, "
            "e.vector FROM embedding e JOIN keyframe k ON k.id = e.keyframe_id "
            "WHERE e.embedding_space_id = ? AND e.view = ? AND e.footprint_mm = ? AND e.keyframe_id > ? "
            f"AND e.keyframe_id <= ? AND {self._sound('e.keyframe_id')} ORDER BY e.keyframe_id, e.heading_offset_urad",
            (self.embedding_space_id, view.value, millimetres(footprint_m), int(after_id), until_id or _NEWEST),
        )
        rows = self._of_one_length(rows)
        dimension = len(rows[0][4]) // 2 if rows else 0
        vectors = np.frombuffer(b"".join(row[4] for row in rows), np.float16).reshape(len(rows), dimension)
        numbers = np.array([row[:4] for row in rows], dtype=np.float64).reshape(len(rows), 4)
        with np.errstate(all="ignore"):  # of damaged bytes; nothing as large as the vectors is made
            squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float32, casting="unsafe")
        unit = (squares >= UNIT_LENGTH[0] ** 2) & (squares <= UNIT_LENGTH[1] ** 2)
        if not unit.all():
            self._left_out(int((~unit).sum()))
            numbers, vectors = numbers[unit], vectors[unit]
        return Gallery(numbers[:, 0].astype(np.int64), vectors, numbers[:, 2:4], numbers[:, 1] * 1e-6)

    def _of_one_length(self, rows: list[Any]) -> list[Any]:
        """The rows whose vectors are as long as those of before, or as most of the first are."""
        lengths = Counter(len(row[4]) for row in rows if isinstance(row[4], bytes) and isinstance(row[1], int))
        if not self._dimension and lengths:
            self._dimension = lengths.most_common(1)[0][0]
        of_one = [row for row in rows if isinstance(row[4], bytes) and len(row[4]) == self._dimension]
        of_one = [row for row in of_one if isinstance(row[1], int)]
        if len(of_one) < len(rows):
            self._left_out(len(rows) - len(of_one))
        return of_one

    def _left_out(self, count: int) -> None:
        _LOG.warning(
            "%s: %d damaged embeddings are left out; `homing history verify --repair %s` takes them out.",
            self.path, count, self.path,
        )  # fmt: skip

    def maps(self, ids: Sequence[int] | NDArray[np.int64], footprint_m: float) -> Maps | None:
        """(N, C, h, w) float32 maps of keyframes at a rung and heading offset 0; None where any has none. Packed ones
        have lost what their cells share, see `runtime.history.spatial_maps`."""
        found = self._maps(ids, footprint_m, map_of)
        if not found or len({one.shape for one in found}) > 1:
            return None
        return np.stack(found)

    def centred_maps(self, ids: Sequence[int] | NDArray[np.int64], footprint_m: float) -> list[CentredMap] | None:
        """The same, centred, as memory holds them."""
        found = self._maps(ids, footprint_m, centred_map_of)
        return None if not found or len({tuple(one.shape) for one in found}) > 1 else found

    def _maps(
        self, ids: Sequence[int] | NDArray[np.int64], footprint_m: float, read: Callable[[Sequence[Any]], _Map | None]
    ) -> list[_Map] | None:
        """Of every keyframe; None where any has none."""
        found: dict[int, _Map] = {}
        wanted = [int(keyframe_id) for keyframe_id in ids]
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            rows = self.ask(
                "SELECT keyframe_id, map_channels, map_rows, map_columns, map FROM embedding "
                "WHERE embedding_space_id = ? AND view IN ('drone', 'satellite', 'ground') "
                "AND footprint_mm = ? AND heading_offset_urad = 0 "
                f"AND keyframe_id IN ({', '.join('?' * len(chunk))})",
                (self.embedding_space_id, millimetres(footprint_m), *chunk),
            )
            found |= {row[0]: one for row in rows if (one := read(row[1:])) is not None}
        if any(keyframe_id not in found for keyframe_id in wanted):
            return None
        return [found[keyframe_id] for keyframe_id in wanted]

    def features(self, keyframe_id: int, kind: str) -> dict[str, NDArray[Any]] | None:
        """The cached local features of a keyframe, by kind (detector and its settings), or None."""
        query = "SELECT arrays FROM feature WHERE keyframe_id = ? AND kind = ?"
        rows = self.ask(query, (int(keyframe_id), kind))
        try:
            return decode_arrays(rows[0][0]) if rows else None
        except (ValueError, TypeError, OSError, EOFError, KeyError, BadZipFile):
            return None  # a damaged cache is none

    def fingerprints(self) -> dict[str, int]:
        """The keyframes by the fingerprints of the pictures that they were made from, where those are kept."""
        if not self.ask("SELECT 1 FROM sqlite_master WHERE name = 'origin'"):
            return {}
        query = f"SELECT fingerprint, keyframe_id FROM origin WHERE fingerprint != '' AND {self._sound('keyframe_id')}"
        return {str(fingerprint): int(keyframe_id) for fingerprint, keyframe_id in self.ask(query)}

    def _look_for_broken(self) -> None:
        with reported(self.path), self._reading.lent() as reading:
            broken = broken_keyframes(reading)
        if broken and broken != self.broken:
            _LOG.warning("%s", sentence(str(self.path), broken))
        self.broken = broken

    def _without_crops(self, view: ViewKind | None, after_id: int) -> Iterator[Keyframe]:
        query, (_, *rest) = self._filtered(f"SELECT id, {COLUMNS_WITHOUT_CROP} FROM keyframe", view, after_id)
        rows = self.ask(f"{query} LIMIT {_CHUNK}", (after_id, *rest))
        while rows:
            positions = self._positions("WHERE keyframe_id BETWEEN ? AND ?", (rows[0][0], rows[-1][0]))
            for row in rows:
                yield keyframe_of(row, positions.get(row[0], {}))
            more = len(rows) == _CHUNK
            rows = self.ask(f"{query} LIMIT {_CHUNK}", (rows[-1][0], *rest)) if more else []

    def _positions(self, where: str = "", parameters: Sequence[Any] = ()) -> dict[int, dict[str, Position]]:
        """The positions of keyframes, by id and role."""
        found: dict[int, dict[str, Position]] = {}
        for row in self.ask(f"{positions_query(self.format_version)} {where}", parameters):
            if not position_fault(row):
                found.setdefault(row[0], {})[row[1]] = position_of(row)
        return found

    def _sound(self, column: str) -> str:
        """The condition that a keyframe is not one of the broken ones."""
        return f"{column} NOT IN ({', '.join(map(str, self.broken))})"

    def _filtered(self, query: str, view: ViewKind | None, after_id: int) -> tuple[str, tuple[Any, ...]]:
        query = f"{query} WHERE id > ? AND {self._sound('id')}"
        if view is None:
            return f"{query} ORDER BY id", (after_id,)
        return f"{query} AND view = ? ORDER BY id", (after_id, view.value)

    def _check_space(self, found: str | None) -> None:
        if found is not None and found != self.embedding_space_id:
            raise EmbeddingSpaceError(
                f"history {self.path} was moved to embedding space {found} by another program; open it again."
            )

    def ask(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        with reported(self.path), self._reading.lent() as connection:
            return connection.execute(query, parameters).fetchall()


def millimetres(footprint_m: float) -> int:
    """A rung as the file has it."""
    return round(footprint_m * 1000)
