"""A history's embeddings in memory, for all who compare with them: each row is read once, however it grows.

`GalleryCache.snapshot` gives the history as it is now. A snapshot never changes, so that one search is made on one
state of the history while keyframes are recorded and other threads search. Only what is asked for is read: the rungs
by view and footprint, the spatial maps by keyframe.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from runtime.bounded_cache import BoundedCache
from runtime.errors import HistoryError
from runtime.geodesy import north_east_array_m
from runtime.history.reader import Gallery, Mark, StoredRung
from runtime.history.spatial_maps import CentredMap
from runtime.matching.growing_rows import GrowingRows
from runtime.matching.pool import Embedded, Pool, RungKey, Searched, exact
from runtime.matching.search import Nearest
from runtime.values import GeoPoint, Keyframe, Maps, ViewKind

MAPS_BYTES = 8 << 20  # 1,024 packed maps of 64 x 16 x 16, or 256 in halves; the daemon as a whole has 350 MB
_ROWS_AT_ONCE = 2_048  # keyframes' embeddings are read from the file together: 4 MB while they are put together
_MAPS_AT_ONCE = 8  # are read from the file together: 0.5 MB in single precision, and three times that meanwhile
_UPRIGHT_RAD = 1e-3  # of embeddings at several heading offsets the north-up one counts


class Source(Protocol):
    """The part of a history that a gallery is read from."""

    def mark(self) -> Mark:
        """How far the history has grown, and whether it has only grown."""
        ...

    def stored_rungs(self, after: Mark, until: Mark) -> list[StoredRung]:
        """The views and footprints of the embeddings between two marks."""
        ...

    def gallery(self, view: ViewKind, footprint_m: float, after_id: int = 0, until_id: int | None = None) -> Gallery:
        """The embeddings of a view at a footprint, of keyframes newer than one, up to another."""
        ...

    def centred_maps(self, ids: Sequence[int], footprint_m: float) -> list[CentredMap] | None:
        """The maps of keyframes at a footprint, of one shape."""
        ...

    def first_id(self) -> int:
        """The oldest keyframe, 0 when empty."""
        ...

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        """One keyframe, with or without its crop."""
        ...


@dataclass(frozen=True, eq=False)
class Rung:
    """The keyframes of one view embedded at one footprint, north-up: ``ids`` (N,) int64 ascending, ``places_m`` (N, 2)
    north and east of their centres from the gallery's origin, ``vectors`` (N, D) float16. ``searched`` makes indices of
    them."""

    footprint_m: float
    ids: NDArray[np.int64]
    places_m: NDArray[np.float64]
    vectors: NDArray[np.float16]
    searched: Searched = exact

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, leading: int | None = None) -> Nearest:
        """Nearest neighbours by the first ``leading`` numbers of a vector; None: by all."""
        return self.searched(self.ids, self.vectors, leading)

    @cached_property
    def tree(self) -> cKDTree:
        """A search tree over ``places_m``."""
        return cKDTree(self.places_m)

    def place_m(self, keyframe_id: int) -> NDArray[np.float64]:
        """(2,) north and east of one of its keyframes."""
        return np.asarray(self.places_m[np.searchsorted(self.ids, keyframe_id)])

    def near(self, place_m: NDArray[np.float64], reach_m: float, most: int) -> list[int]:
        """The ids of at most so many of its keyframes within ``reach_m`` of a place, the nearest first."""
        away_m = np.linalg.norm(self.places_m - place_m, axis=1)
        order = np.argsort(away_m, kind="stable")[:most]
        return [int(keyframe_id) for keyframe_id in self.ids[order[away_m[order] <= reach_m]]]


class Snapshot:
    """A history's gallery as it was at one mark. ``generation`` changes when the history was rewritten, and what was
    kept of its keyframes no longer holds; ``origin``: of all local metres, the first keyframe's ground."""

    def __init__(
        self, kept: _Kept, mark: Mark, origin: GeoPoint, counts: Mapping[RungKey, int], generation: int
    ) -> None:
        self.last_id = mark.last_id
        self.origin = origin
        self.generation = generation
        self._kept = kept
        self._counts = counts

    def grown(self, mark: Mark, added: Sequence[StoredRung]) -> Snapshot:
        """The gallery at a later mark, to which only ``added`` has come."""
        counts = dict(self._counts)
        for one in added:
            counts[one.view, one.footprint_m] = self.count(one.view, one.footprint_m) + one.count
        return Snapshot(self._kept, mark, self.origin, counts, self.generation)

    @property
    def views(self) -> tuple[ViewKind, ...]:
        """The views that keyframes are embedded in."""
        return tuple(view for view in ViewKind if any(view is one for one, _ in self._counts))

    def footprints(self, view: ViewKind) -> tuple[float, ...]:
        """The rungs in metres at which keyframes of a view are embedded, ascending."""
        return tuple(sorted(footprint_m for one, footprint_m in self._counts if one is view))

    def count(self, view: ViewKind, footprint_m: float) -> int:
        """How many embeddings of a view there are at a rung."""
        return self._counts.get((view, footprint_m), 0)

    def rung(self, view: ViewKind, footprint_m: float) -> Rung:
        """All keyframes of a view at a footprint; none where there are none."""
        return self._kept.rung(view, footprint_m, self.last_id)

    def maps(self, ids: Sequence[int] | NDArray[np.int64], footprint_m: float) -> Maps | None:
        """(N, C, h, w) centred maps of keyframes at a rung; None where any has none."""
        return self._kept.maps([int(keyframe_id) for keyframe_id in ids], footprint_m)


class GalleryCache:
    """One history's gallery, kept up with the file; share one among all who search the history, from any thread.

    ``pool``: where its vectors are searched; in this process's memory by default.
    """

    def __init__(self, history: Source, maps_bytes: int = MAPS_BYTES, pool: Pool | None = None) -> None:
        self._history = history
        self._pool = pool or Embedded()
        self._maps_bytes = maps_bytes
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self._latest = self._fresh(Mark())

    def snapshot(self) -> Snapshot:
        """The gallery as the history is now; nothing is read again that only has more beside it.

        Raises:
            HistoryError: the history is damaged.
            EmbeddingSpaceError: another program has moved it to another space.
        """
        with self._lock:
            mark = self._history.mark()
            if mark != self._mark:
                self._latest = self._grown(mark) or self._fresh(mark)
                self._mark = mark
            return self._latest

    def _grown(self, mark: Mark) -> Snapshot | None:
        """The latest snapshot with what was appended since; None where something else has happened too."""
        old = self._mark
        if old is None or mark.rewritten != old.rewritten or mark.last_id < old.last_id or mark.last_row < old.last_row:
            return None
        added = self._history.stored_rungs(old, mark)
        late = any(one.oldest_id <= old.last_id for one in added)
        return None if late or not old.last_id else self._latest.grown(mark, added)

    def _fresh(self, mark: Mark) -> Snapshot:
        first_id = self._history.first_id() if mark.last_id else 0
        origin = self._history.keyframe(first_id, crop=False).ground if first_id else GeoPoint(0.0, 0.0)
        stored = self._history.stored_rungs(Mark(), mark) if first_id else []
        counts = {(one.view, one.footprint_m): one.count for one in stored}
        generation = 0 if self._mark is None else self._latest.generation + 1
        return Snapshot(_Kept(self._history, origin, self._maps_bytes, self._pool), mark, origin, counts, generation)


class _Kept:
    """What was read of a history since it was last rewritten: arrays that grow, and maps."""

    def __init__(self, history: Source, origin: GeoPoint, maps_bytes: int, pool: Pool) -> None:
        self._history = history
        self._origin = origin
        self._pool = pool
        self._lock = threading.Lock()
        self._rungs: dict[RungKey, _Rows] = {}
        self._maps: BoundedCache[tuple[int, float], CentredMap] = BoundedCache(
            maps_bytes, lambda one: one.numbers.nbytes
        )

    def rung(self, view: ViewKind, footprint_m: float, until_id: int) -> Rung:
        with self._lock:
            key = (view, footprint_m)
            rows = self._rungs.get(key) or self._rungs.setdefault(key, _Rows(footprint_m, self._pool.searched(key)))
            while rows.read_to < until_id:
                read_to = min(until_id, rows.read_to + _ROWS_AT_ONCE)
                rows.append(self._history.gallery(view, footprint_m, rows.read_to, read_to), self._origin)
                rows.read_to = read_to
            return rows.until(until_id)

    def maps(self, ids: Sequence[int], footprint_m: float) -> Maps | None:
        found = {keyframe_id: self._maps.get((keyframe_id, footprint_m)) for keyframe_id in ids}
        missing = [keyframe_id for keyframe_id, one in found.items() if one is None]
        for start in range(0, len(missing), _MAPS_AT_ONCE):
            chunk = missing[start : start + _MAPS_AT_ONCE]
            read = self._history.centred_maps(chunk, footprint_m)
            if read is None:
                return None
            for keyframe_id, spatial in zip(chunk, read, strict=True):
                found[keyframe_id] = spatial
                self._maps.put((keyframe_id, footprint_m), spatial)
        kept = [one.unpacked() for keyframe_id in ids if (one := found[keyframe_id]) is not None]
        return np.stack(kept) if kept else None


class _Rows:
    """The growing arrays of a rung; ``read_to``: the newest keyframe that they take account of."""

    def __init__(self, footprint_m: float, searched: Searched) -> None:
        self.read_to = 0
        self._footprint_m = footprint_m
        self._searched = searched
        self._ids, self._places_m, self._vectors = (GrowingRows(kind) for kind in (np.int64, np.float64, np.float16))
        self._latest: Rung | None = None

    def append(self, gallery: Gallery, origin: GeoPoint) -> None:
        upright = np.abs(gallery.heading_offsets_rad) < _UPRIGHT_RAD
        try:
            self._vectors.append(gallery.vectors[upright])
        except ValueError as error:
            raise HistoryError("the history is damaged (unequal vectors); record it again.") from error
        self._ids.append(gallery.ids[upright])
        self._places_m.append(north_east_array_m(origin, *gallery.ground[upright].T))

    def until(self, until_id: int) -> Rung:
        """The rows of keyframes up to one; the same object while there are no more of them."""
        count = int(np.searchsorted(self._ids.first(len(self._ids)), until_id, side="right"))
        if self._latest is None or len(self._latest) != count:
            arrays = self._ids.first(count), self._places_m.first(count, (2,)), self._vectors.first(count, (0,))
            self._latest = Rung(self._footprint_m, *arrays, self._searched)
        return self._latest
