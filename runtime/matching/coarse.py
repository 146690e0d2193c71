"""Codes of a large gallery's rows, an eighth of their size, and nearest neighbours by them in two steps.

The codes are a product quantiser's of four bits for every two numbers, and are compared by faiss's kernels (extra
``large``), which hold their tables in registers: André, Kermarrec and Le Scouarnec, "Quicker ADC: unlocking the hidden
potential of product quantization with SIMD", TPAMI 2021. What they rank first is compared exactly, from the best on,
until nothing left behind can be among the answer: the codes' error is known from the rows that were compared.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.matching.growing_rows import released
from runtime.matching.search import Index

LARGE = 100_000  # rows: of fewer the exact search takes 16 ms at most, and building codes seconds
_NUMBERS_PER_CODE = 2
_BITS = 4  # of a code
_TRAINED_ON = 12_000  # rows, evenly over the gallery
_ADDED_AT_ONCE = 16_384  # rows: 34 MB in single precision
_COMPARED = (512, 1_024, 2_048, 8_192)  # rows that are compared exactly in all, stage after stage
_SURE = 5.0  # standard deviations of the codes' error between the answer's last row and the best that is left behind
_ROUNDING = 32  # rows more than are asked for are compared in single precision: halves of a query are a little off

Vectors = NDArray[np.float16]


def available() -> bool:
    """Whether codes can be made on this computer."""
    try:
        _faiss()
    except ImportError:
        return False
    return True


def _faiss() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its wrapper's types have no module, which Python 3.12 tells of
        import faiss
    return faiss


class Codes:
    """The codes of a gallery's rows while it grows, by the first ``leading`` numbers of each; for any thread."""

    def __init__(self, leading: int | None = None) -> None:
        self._leading = leading
        self._lock = threading.Lock()
        self._index: Any = None

    def cover(self, vectors: Vectors) -> Codes:
        """Itself, with codes of all (N, D) rows; those that have one already are not read again."""
        with self._lock:
            if self._index is None:
                self._index = self._trained(vectors)
            for start in range(self._index.ntotal, len(vectors), _ADDED_AT_ONCE):
                self._index.add(self._single(vectors[start : start + _ADDED_AT_ONCE]))
                released(vectors)
        return self

    def best(self, query: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows (count,) by falling similarity to a unit query (D,), and that similarity as the codes have it."""
        with self._lock:
            similarity, rows = self._index.search(query[None], min(count, self._index.ntotal))
        return rows[0].astype(np.int64, copy=False), similarity[0]

    def _trained(self, vectors: Vectors) -> Any:
        faiss = _faiss()
        some = self._single(vectors[:: max(1, len(vectors) // _TRAINED_ON)][:_TRAINED_ON])
        dimension = some.shape[1]
        index = faiss.IndexPQFastScan(dimension, dimension // _NUMBERS_PER_CODE, _BITS, faiss.METRIC_INNER_PRODUCT)
        index.train(some)
        return index

    def _single(self, rows: Vectors) -> NDArray[np.float32]:
        return unit(rows[:, : self._leading].astype(np.float32))


class TwoSteps:
    """Nearest neighbours over (N, D) rows by their ``codes``, then exactly; answers as `Index` does."""

    def __init__(self, vectors: Vectors, codes: Codes, leading: int | None = None) -> None:
        self._rows = vectors[:, :leading]
        self._codes = codes.cover(vectors)
        self._exact = Index(vectors, leading)

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, queries: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` most similar rows of each query, best first: the same as if every row had been compared, but for
        about one row in a hundred thousand; where that is not sure, every row is.

        Args:
            queries: (Q, D) float rows.

        Returns:
            ids (Q, k) int64, rows of the gallery, and cosine similarities (Q, k) float32.
        """
        k = min(k, len(self._rows))
        found = [self._searched(query, k) for query in unit(queries[:, : self._rows.shape[1]].astype(np.float32))]
        if not found or k == 0:
            return np.zeros((len(found), k), np.int64), np.zeros((len(found), k), np.float32)
        return np.stack([ids for ids, _ in found]), np.stack([similarity for _, similarity in found])

    def _searched(self, query: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        stages = [count for count in _COMPARED if 4 * k <= count < len(self._rows)]
        for asked in (stages[-2:-1] or stages, stages[-1:]):  # few rows leave little to be ranked by the codes
            if asked:
                answer = self._among(query, k, self._codes.best(query, asked[0]), [s for s in stages if s <= asked[0]])
                if answer is not None:
                    return answer
        ids, similarity = self._exact.search(query[None], min(k + _ROUNDING, len(self._rows)))
        return self._ranked(query, ids[0], k)

    def _among(
        self, query: NDArray[np.float32], k: int, coarse: tuple[NDArray[np.int64], NDArray[np.float32]],
        stages: list[int],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:  # fmt: skip
        """The answer among what the codes rank first, compared stage by stage; None where it is not surely all."""
        there = coarse[0] < len(self._rows)  # others may have added to the codes since
        rows, guessed = coarse[0][there], coarse[1][there]
        exact = np.zeros(0, np.float32)
        for count in stages:
            exact = np.append(exact, self._similarity(query, rows[len(exact) : count]))
            error = exact - guessed[: len(exact)]
            bound = guessed[len(exact) - 1] + error.mean() + _SURE * error.std()
            if len(exact) >= k and np.partition(exact, -k)[-k] >= bound:
                best = np.argpartition(-exact, min(k + _ROUNDING, len(exact) - 1))[: k + _ROUNDING]
                return self._ranked(query, rows[best], k)
        return None

    def _similarity(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) cosines of some rows, by halves."""
        ids, similarity = Index(self._rows[rows]).search(query[None], len(rows))
        found = np.empty(len(rows), np.float32)
        found[ids[0]] = similarity[0]
        return found

    def _ranked(
        self, query: NDArray[np.float32], rows: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The best of some rows in single precision."""
        similarity = unit(self._rows[rows].astype(np.float32)) @ query
        order = np.lexsort((rows, -similarity))[:k]
        return rows[order], similarity[order]


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length one; rows of zeros stay."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), np.float32)
