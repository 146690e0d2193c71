"""Exact nearest neighbours over a gallery: numkong's SIMD kernels over half-precision rows, every row, every time.

numkong is what usearch computes with. usearch itself exports a C++ runtime of its own, and once it has been imported
PROJ reads no more numbers: whoever imports rasterio after it finds no coordinate system.
"""

from __future__ import annotations

from typing import Protocol

import numkong
import numpy as np
from numpy.typing import NDArray

_MANY = 8  # queries: of so many, products of matrices in single precision are faster than a stream of halves for each
_ROWS_AT_ONCE = 4_096  # are made single: 8 MB


class Nearest(Protocol):
    """Nearest neighbours over a gallery's (N, D) rows, however they are found."""

    def __len__(self) -> int:
        """How many rows."""
        ...

    def search(self, queries: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` most similar rows of each of (Q, D) queries, best first, and their cosines: (Q, k) each."""
        ...

    def roughly(self, queries: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As `search`, in less time where rows have codes: the last rows may be others."""
        ...


class Index:
    """An exhaustive index over (N, D) rows; nothing is built, nothing is approximated.

    ``leading``: how many of the rows' numbers are compared, of theirs and of the queries', from the first; None: all.
    """

    def __init__(self, vectors: NDArray[np.floating], leading: int | None = None) -> None:
        self._vectors = np.asarray(vectors[:, :leading], dtype=np.float16)  # rows may lie apart: nothing is copied

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` most similar rows of each query, best first; fewer where there are not so many.

        Args:
            queries: (Q, D) float rows.

        Returns:
            ids (Q, k) int64, rows of the gallery, and cosine similarities (Q, k) float32.
        """
        k = min(k, len(self._vectors))
        ids, similarity = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
        if k == 0:
            return ids, similarity
        if len(queries) >= _MANY:
            return self._searched_together(np.asarray(queries[:, : self._vectors.shape[1]], np.float32), k)
        halves = np.ascontiguousarray(queries[:, : self._vectors.shape[1]], dtype=np.float16)
        for row in range(len(halves)):  # one query streams the gallery once; several at a time are slower
            distance = np.asarray(numkong.cdist(halves[row : row + 1], self._vectors, "angular"))[0]
            best = np.argpartition(distance, k - 1)[:k]
            ids[row] = best[np.argsort(distance[best], kind="stable")]
            similarity[row] = 1.0 - distance[ids[row]]
        return ids, similarity

    def roughly(self, queries: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As `search`."""
        return self.search(queries, k)

    def _searched_together(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The same for many queries, by parts of the gallery."""
        wanted = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
        ids, similarity = np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        for start in range(0, len(self._vectors), _ROWS_AT_ONCE):
            rows = self._vectors[start : start + _ROWS_AT_ONCE].astype(np.float32)
            near = wanted @ rows.T
            near /= np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
            best = _best(near, k)
            ids = np.hstack([ids, best + start])
            similarity = np.hstack([similarity, np.take_along_axis(near, best, axis=1)])
            kept = _best(similarity, k)
            ids, similarity = np.take_along_axis(ids, kept, axis=1), np.take_along_axis(similarity, kept, axis=1)
        order = np.lexsort((ids, -similarity), axis=1)
        return np.take_along_axis(ids, order, axis=1), np.take_along_axis(similarity, order, axis=1)


def _best(similarity: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The columns of the ``k`` largest of each row, in any order; all where there are no more."""
    if k >= similarity.shape[1]:
        return np.broadcast_to(np.arange(similarity.shape[1]), similarity.shape)
    if k == 1:
        return np.asarray(similarity.argmax(axis=1)[:, None], np.int64)
    return np.argpartition(-similarity, k - 1, axis=1)[:, :k]
