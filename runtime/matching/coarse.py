"""A large gallery's rows as codes, and nearest neighbours by them in steps, each finer and of fewer rows than the last.

Rows are turned to their principal axes, which hold most of what differs between them. Of the first three quarters of
those a product quantiser makes codes of four bits for every three numbers, the axes shared out so that every code tells
as much as the others (Ge, He, Ke and Sun, "Optimized product quantization", TPAMI 2014, the parametric solution); they
are compared by faiss's kernels (extra ``large``), which hold their tables in registers (André, Kermarrec and Le
Scouarnec, "Quicker ADC", TPAMI 2021). What they rank first is compared by bytes, and what those rank first exactly,
until nothing left behind can be among the answer: a step's error is known from the rows that the next one compared.
"""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import dataclass
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from runtime.machine import give_freed_memory_back
from runtime.matching.growing_rows import GrowingRows, picked, released
from runtime.matching.search import Index

LARGE = 1 << 15  # rows: of fewer the exact search takes 5 ms and 32 MB at most, and building codes a second
_NUMBERS_PER_CODE = 3
_COARSE_SHARE = 3 / 4  # of the axes are in the codes
_BITS = 4  # of a code
_FINE_SHARE = 0.95  # of what differs between rows is on the axes that are kept as bytes: half of 512
_MOST_BYTE = 127
_TRAINED_ON = 12_000  # rows, evenly over the gallery
_ADDED_AT_ONCE = 16_384  # rows: 34 MB in single precision
_BY_BYTES = (1_024, 4_096)  # rows that the codes rank first; where those are not surely enough, all are compared
_MOST_EXACTLY = 4_096  # rows that the bytes rank first; where those are not surely enough, all are compared
_WITHIN = 7.5  # standard deviations of the bytes' error below the answer's last row, by bytes: compared exactly first
_SURE = 5.0  # standard deviations of a step's error between the answer's last row and the best that is left behind
_ROUNDING = 32  # rows more than are asked for are compared in single precision: halves of a query are a little off

Vectors = NDArray[np.float16]
Rows = NDArray[np.int64]
Array = NDArray[np.float32]


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


@dataclass(frozen=True, eq=False)
class _Axes:
    """The principal axes of some rows: ``mean`` (D,), ``coarse`` (D, M * `_NUMBERS_PER_CODE`) in the codes' order,
    ``fine`` (D, F) of which bytes are kept, the bytes' ``step``, and the standard deviation of their ``error``."""

    mean: Array
    coarse: Array
    fine: Array
    step: float
    error: float

    @classmethod
    def of(cls, rows: Array) -> _Axes:
        """Of (N, D) unit rows."""
        mean = rows.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov((rows - mean).T))
        variances, axes = np.maximum(variances[::-1], 1e-12), np.ascontiguousarray(axes[:, ::-1], np.float32)
        share = np.cumsum(variances) / variances.sum()
        fine = axes[:, : min(len(share), int(np.searchsorted(share, _FINE_SHARE)) + 1)]
        step = float(np.abs((rows - mean) @ fine).max()) / _MOST_BYTE
        codes = max(1, int(_COARSE_SHARE * len(share)) // _NUMBERS_PER_CODE)
        left_out = float(np.square(variances[fine.shape[1] :]).sum()) ** 0.5  # a product of two rows' rests
        error = 1.4 * math.hypot(left_out, step / 3)  # like rows err alike: measured on rows like a query
        coarse = np.ascontiguousarray(axes[:, _shared_out(variances, codes)])
        return cls(mean, coarse, fine, max(step, 1e-9), error)

    def bytes_of(self, rows: Array) -> NDArray[np.int8]:
        """(N, F) of rows (N, D) that the mean has been taken from."""
        return np.asarray(np.clip(np.rint(rows @ self.fine / self.step), -_MOST_BYTE, _MOST_BYTE), np.int8)


def _shared_out(variances: NDArray[np.float64], codes: int) -> list[int]:
    """Axes in the order of the codes that take them: each takes the next widest axis where the product of its
    variances is least so far."""
    taken: list[list[int]] = [[] for _ in range(codes)]
    least, told = variances[codes * _NUMBERS_PER_CODE - 1], np.zeros(codes)
    for axis in range(codes * _NUMBERS_PER_CODE):
        code = int(told.argmin())
        taken[code].append(axis)
        told[code] += np.log(variances[axis] / least)
        if len(taken[code]) == _NUMBERS_PER_CODE:
            told[code] = np.inf
    return [axis for axes in taken for axis in axes]


@dataclass(frozen=True, eq=False)
class Asked:
    """A unit query (D,) as codes and bytes are compared with it; ``mean``: its cosine with the rows' mean."""

    exact: Array
    coarse: Array
    fine: NDArray[np.int8]
    unit_of_bytes: float
    mean: float


class Codes:
    """The codes of a gallery's rows while it grows, by the first ``leading`` numbers of each; for any thread."""

    def __init__(self, leading: int | None = None) -> None:
        self._leading = leading
        self._lock = threading.Lock()
        self._axes: _Axes | None = None
        self._index: Any = None
        self._bytes = GrowingRows(np.int8, in_memory_bytes=1 << 40)  # they are what is read all the time

    def cover(self, vectors: Vectors) -> Codes:
        """Itself, with codes of all (N, D) rows; those that have one already are not read again."""
        with self._lock:
            if self._axes is None:
                self._axes = self._trained(vectors)
            missing = len(vectors) - len(self._bytes)
            if missing > 0:
                self._bytes.reserve(len(vectors))
            for start in range(len(self._bytes), len(vectors), _ADDED_AT_ONCE):
                rows = self._single(vectors[start : start + _ADDED_AT_ONCE]) - self._axes.mean
                self._index.add(rows @ self._axes.coarse)
                self._bytes.append(self._axes.bytes_of(rows))
                released(vectors)
            if missing > _ADDED_AT_ONCE:
                give_freed_memory_back()  # 30 MB of what they were made by
        return self

    @property
    def byte_error(self) -> float:
        """Standard deviation of what `by_bytes` is off."""
        assert self._axes is not None  # after `cover`
        return self._axes.error

    def asked(self, query: Array) -> Asked:
        """A unit query (D,), prepared."""
        axes = self._axes
        assert axes is not None  # after `cover`
        fine = query @ axes.fine
        step = max(float(np.abs(fine).max()) / _MOST_BYTE, 1e-9)
        rounded = np.rint(fine / step).astype(np.int8)
        return Asked(query, query @ axes.coarse, rounded, step * axes.step, float(query @ axes.mean))

    def best(self, asked: Asked, count: int) -> tuple[Rows, Array]:
        """Rows (count,) by falling similarity to a query, and that similarity as the codes have it."""
        with self._lock:
            similarity, rows = self._index.search(asked.coarse[None], min(count, self._index.ntotal))
        return rows[0].astype(np.int64, copy=False), similarity[0] + np.float32(asked.mean)

    def by_bytes(self, asked: Asked, rows: Rows | int) -> Array:
        """(n,) similarities of some rows, or of the first so many, as the bytes have it."""
        some = self._bytes.first(rows) if isinstance(rows, int) else self._bytes.first(len(self._bytes))[rows]
        products = np.asarray(numkong.cdist(asked.fine[None], some, "dot"))[0]
        return np.asarray(products * asked.unit_of_bytes + asked.mean, np.float32)

    def _trained(self, vectors: Vectors) -> _Axes:
        faiss = _faiss()
        some = self._single(vectors[:: max(1, len(vectors) // _TRAINED_ON)][:_TRAINED_ON])
        axes = _Axes.of(some)
        numbers = axes.coarse.shape[1]
        self._index = faiss.IndexPQFastScan(numbers, numbers // _NUMBERS_PER_CODE, _BITS, faiss.METRIC_INNER_PRODUCT)
        self._index.train((some - axes.mean) @ axes.coarse)
        return axes

    def _single(self, rows: Vectors) -> Array:
        return unit(rows[:, : self._leading].astype(np.float32))


class InSteps:
    """Nearest neighbours over (N, D) rows by their ``codes``, then exactly; answers as `Index` does."""

    def __init__(self, vectors: Vectors, codes: Codes, leading: int | None = None) -> None:
        self._rows = vectors[:, :leading]
        self._codes = codes.cover(vectors)
        self._exact = Index(vectors, leading)

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, queries: NDArray[np.floating], k: int) -> tuple[Rows, Array]:
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

    def roughly(self, queries: NDArray[np.floating], k: int) -> tuple[Rows, Array]:
        """As `search`, but of those rows that the bytes rank first, whether they are surely the answer or not."""
        k, everything = min(k, len(self._rows)), len(self._rows)
        ids, similarity = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
        for n, query in enumerate(unit(queries[:, : self._rows.shape[1]].astype(np.float32))):
            asked = self._codes.asked(query)
            rows, _ = self._codes.best(asked, max(_BY_BYTES[0], 4 * k))
            rows = rows[rows < everything]  # others may have added to the codes since
            if len(rows) < k:
                rows = np.arange(everything)
            best, _ = _first(rows, self._codes.by_bytes(asked, rows), k)
            ids[n], similarity[n] = _first(best, self._similarity(asked, best), k)
        return ids, similarity

    def _searched(self, query: Array, k: int) -> tuple[Rows, Array]:
        asked, everything = self._codes.asked(query), len(self._rows)
        for count in (count for count in _BY_BYTES if 4 * k <= count < everything):
            rows, guessed = self._codes.best(asked, count)
            there = rows < everything  # others may have added to the codes since
            rows, guessed = rows[there], guessed[there]
            if len(rows) < k:
                continue
            fine = self._codes.by_bytes(asked, rows)
            answer = self._exactly(asked, k, rows, fine, float(guessed[-1]) + _most(fine - guessed))
            if answer is not None:
                return answer
        fine = self._codes.by_bytes(asked, everything)
        answer = self._exactly(asked, k, np.arange(everything), fine, -np.inf)
        if answer is not None:
            return answer
        ids, _ = self._exact.search(query[None], min(k + _ROUNDING, everything))
        released(self._rows)  # all of them have been read
        return _first(ids[0], self._similarity(asked, ids[0]), k)

    def _exactly(
        self, asked: Asked, k: int, rows: Rows, fine: Array, left_behind: float
    ) -> tuple[Rows, Array] | None:
        """The answer among some rows, compared from the best on by what the bytes make of them; None where it is not
        surely all. ``left_behind``: what the bytes would make of any other row at most."""
        error = self._codes.byte_error
        last = np.partition(fine, -k)[-k]
        if last < left_behind + _SURE * error:
            return None
        count = max(k + _ROUNDING, int((fine >= last - _WITHIN * error).sum()))
        most = min(_MOST_EXACTLY, len(rows) - 1)
        while count <= most:
            best = np.argpartition(-fine, count)
            exact = self._similarity(asked, rows[best[:count]])
            sure = np.partition(exact, -k)[-k] - _most(exact - fine[best[:count]])
            if sure < left_behind:
                return None
            if sure >= fine[best[count]]:
                return _first(rows[best[:count]], exact, k)
            count *= 2
        return None

    def _similarity(self, asked: Asked, rows: Rows) -> Array:
        """(n,) cosines of some rows, in single precision."""
        return np.asarray(unit(picked(self._rows, rows).astype(np.float32)) @ asked.exact, np.float32)


def _most(error: Array) -> float:
    """How far an error of the same kind is above nothing, at most; what ranks first was taken for too much, which says
    nothing of the rest."""
    return max(0.0, float(error.mean())) + _SURE * float(error.std())


def _first(rows: Rows, similarity: Array, k: int) -> tuple[Rows, Array]:
    order = np.lexsort((rows, -similarity))[:k]
    return rows[order], similarity[order]


def unit(rows: Array) -> Array:
    """Rows of length one; rows of zeros stay."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), np.float32)
