"""The keyframes of one view and rung, ready to be compared: vectors, ground points in metres, and maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from runtime.matching.boresight import Boresights
from runtime.matching.gallery import Snapshot
from runtime.values import Maps, ViewKind

MAX_EXHAUSTIVE = 300  # keyframes: of so many every one is aligned, of more those on the shortlist
SHORTLIST = 100  # by vector; their neighbours join them, so that overlapping keyframes can vote
_MAX_LATTICE_GAP = 3.0  # footprints: keyframes further apart share no lattice


class Rung:
    """All keyframes of a view at one footprint: ``ids`` (N,) ascending, ``ne_m`` (N, 2) from the gallery's origin,
    ``index`` over the leading ``shared_dim`` of their vectors. ``boresights``: by how much the ground of oblique views
    lies off, which is taken back."""

    def __init__(
        self,
        gallery: Snapshot,
        view: ViewKind,
        footprint_m: float,
        shared_dim: int | None = None,
        boresights: Boresights | None = None,
    ) -> None:
        self._gallery = gallery
        self._keyframes = gallery.rung(view, footprint_m)
        self.footprint_m = footprint_m
        self.ids = self._keyframes.ids
        self.ne_m = self._keyframes.places_m
        if boresights is not None:
            self.ne_m = self.ne_m - boresights.shifts_m(self.ids)
        self.index = self._keyframes.index(shared_dim)

    def shortlist(self, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """Rows to align: those most similar to any of (Q, D) vectors, and their neighbours on the ground."""
        if self._few:
            return np.arange(len(self.ids))
        return self.about(self.index.search(vectors, SHORTLIST)[0])

    def about(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows to align where some resemble a target: those, and their neighbours on the ground."""
        if self._few:
            return np.arange(len(self.ids))
        best = np.unique(rows)
        near = self._keyframes.tree.query_ball_point(self._keyframes.places_m[best], self.footprint_m / 2)
        return np.unique(np.concatenate([best, *(np.asarray(rows, dtype=np.int64) for rows in near)]))

    def within(self, place_m: NDArray[np.float64], reach_m: float) -> NDArray[np.int64]:
        """The rows to align where a target's middle lies no farther from a place than that, north and east."""
        away_m = np.abs(self.ne_m - place_m).max(axis=1)
        return np.flatnonzero(away_m <= reach_m + self.footprint_m / 2)

    @property
    def _few(self) -> bool:
        return len(self.ids) <= MAX_EXHAUSTIVE

    def groups(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows parted into areas of ground that lie far from one another."""
        tree = cKDTree(self.ne_m[rows])
        graph = tree.sparse_distance_matrix(tree, _MAX_LATTICE_GAP * self.footprint_m)
        count, labels = connected_components(graph, directed=False)
        return [rows[labels == label] for label in range(count)]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of those of the keyframes that have this rung."""
        return np.flatnonzero(np.isin(self.ids, ids))

    def maps(self, rows: NDArray[np.int64]) -> Maps | None:
        """(N, C, h, w) centred maps of rows; None where the model has none."""
        return self._gallery.maps(self.ids[rows], self.footprint_m)
