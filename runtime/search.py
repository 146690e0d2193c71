"""Exact nearest neighbours over a gallery, by usearch's SIMD kernels on half-precision rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from usearch.index import search


class Index:
    """An exhaustive index over (N, D) rows: nothing is built, so a keyframe just added is found at once.

    ``threads`` 0 takes every core.
    """

    def __init__(self, vectors: NDArray[np.floating], threads: int = 1) -> None:
        self._vectors = np.ascontiguousarray(vectors, dtype=np.float16)
        self._threads = threads

    def __len__(self) -> int:
        return len(self._vectors)

    def search(
        self, queries: NDArray[np.floating], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` most similar rows of each query, best first; fewer where there are not so many.

        Args:
            queries: (Q, D) float rows.

        Returns:
            ids (Q, k) int64, rows of the gallery, and cosine similarities (Q, k) float32.
        """
        k = min(k, len(self._vectors))
        if k == 0 or len(queries) == 0:
            return np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
        halves = np.ascontiguousarray(queries, dtype=np.float16)
        found = search(self._vectors, halves, k, "cos", exact=True, threads=self._threads)
        ids = np.asarray(found.keys, dtype=np.int64).reshape(len(halves), k)
        distances = np.asarray(found.distances, dtype=np.float32).reshape(len(halves), k)
        return ids, np.float32(1.0) - distances
