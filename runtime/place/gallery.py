"""The keyframes of one view and rung, ready to be compared: vectors, ground points in metres, and maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from runtime.geodesy import north_east_array_m
from runtime.history.history import History
from runtime.matching.alignment import centred
from runtime.matching.search import Index
from runtime.values import GeoPoint, ViewKind

EXHAUSTIVE = 300  # keyframes: up to here every one is aligned
SHORTLIST = 100  # by vector; their neighbours join them, so that overlapping keyframes can vote
_KEPT_MAPS = 4000  # keyframes whose maps stay in memory: 130 MB in half precision
_APART = 3.0  # footprints: keyframes further apart share no lattice


class Rung:
    """All keyframes of a view at one footprint: ``ids`` (N,) ascending, ``ne_m`` (N, 2) from ``origin``, ``index``
    over the leading ``shared_dim`` of their vectors. Keyframes embedded at several headings count once, north-up."""

    def __init__(
        self, history: History, view: ViewKind, footprint_m: float, origin: GeoPoint, shared_dim: int | None = None
    ) -> None:
        gallery = history.gallery(view, footprint_m)
        upright = np.flatnonzero(np.abs(gallery.heading_offsets_rad) < 1e-3)
        ground = gallery.ground[upright]
        self.footprint_m = footprint_m
        self.ids = gallery.ids[upright]
        self.ne_m = north_east_array_m(origin, ground[:, 0], ground[:, 1])
        self.index = Index(gallery.vectors[upright], shared_dim)
        self._history = history
        kept = history.maps(self.ids, footprint_m) if len(self.ids) <= _KEPT_MAPS else None
        self._maps = None if kept is None else centred(kept).astype(np.float16)

    def shortlist(self, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """Rows to align: the most similar to any of (Q, D) vectors, and their neighbours on the ground."""
        if len(self.ids) <= EXHAUSTIVE:
            return np.arange(len(self.ids))
        best = np.unique(self.index.search(vectors, SHORTLIST)[0])
        near = cKDTree(self.ne_m).query_ball_point(self.ne_m[best], self.footprint_m / 2)
        return np.unique(np.concatenate([best, *(np.asarray(rows, dtype=np.int64) for rows in near)]))

    def groups(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows parted into areas of ground that lie far from one another."""
        tree = cKDTree(self.ne_m[rows])
        graph = tree.sparse_distance_matrix(tree, _APART * self.footprint_m)
        count, labels = connected_components(graph, directed=False)
        return [rows[labels == label] for label in range(count)]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of those of the keyframes that have this rung."""
        return np.flatnonzero(np.isin(self.ids, ids))

    def maps(self, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """(N, C, h, w) centred maps of rows; None where the model has none."""
        if self._maps is not None:
            return self._maps[rows].astype(np.float32)
        maps = self._history.maps(self.ids[rows], self.footprint_m)
        return None if maps is None else centred(maps)
