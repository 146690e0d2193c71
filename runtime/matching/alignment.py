"""How one spatial map lies on another: the mean cosine of overlapping cells at every translation.

Maps are (C, h, w), unit along C, row 0 north. A shift (rows, columns) says that the query's cell (r, c) lies
on the gallery's cell (r + rows, c + columns): the query's centre is so far south and east of the gallery's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from runtime.machine import default_threads

Array = NDArray[np.float32]

_CHUNK = 512  # gallery maps flattened at a time: 25 MB of a 64 x 14 x 14 map
_SPECTRA_AT_ONCE = 4  # maps that are transformed at a time: 0.6 MB of 64 x 16 x 16 maps
_SPECTRA_CHUNK = 16  # gallery maps whose spectra are made at a time: 2.5 MB of 64 x 16 x 16 maps, which fit a cache


@dataclass(frozen=True, slots=True)
class Alignment:
    """The best translation onto each of N gallery maps: ``score`` (N,) mean cosine there, ``shift_rows`` and
    ``shift_cols`` (N,) in cells, interpolated between them."""

    score: Array
    shift_rows: Array
    shift_cols: Array


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Scores of every whole-cell translation: ``dots`` (N, K, K) summed cosines, ``counts`` (K, K) overlapping
    cells, K = 2 m + 1; entry [m + rows, m + columns] is the shift (rows, columns)."""

    dots: Array
    counts: Array

    @property
    def means(self) -> Array:
        """(N, K, K) mean cosine of the overlapping cells, 0 where there are none."""
        return np.asarray(self.dots / np.maximum(self.counts, 1e-6), dtype=np.float32)


def align(query: Array, gallery: NDArray[np.floating], max_shift_cells: int) -> Alignment:
    """The best translation of ``query`` (C, h, w) onto each of ``gallery`` (N, C, h, w), within
    ``max_shift_cells`` in rows and columns."""
    return best_shifts(surfaces(query, gallery, max_shift_cells).means)


def surfaces(
    query: Array, gallery: NDArray[np.floating], max_shift_cells: int, weights: Array | None = None
) -> Surfaces:
    """Scores of all translations of ``query`` (C, h, w) over ``gallery`` (N, C, h, w), by one product of matrices:
    every shifted copy of the query against every gallery map.

    ``weights`` (h, w): how much each of the query's cells counts, 0 where it shows nothing; all 1 by default.
    """
    reach = int(min(max_shift_cells, min(query.shape[1:]) - 1))
    cells = np.ones(query.shape[1:], np.float32) if weights is None else weights
    copies = _shifted(query * cells, reach)
    size = 2 * reach + 1
    dots = np.empty((len(gallery), size * size), np.float32)
    for start in range(0, len(gallery), _CHUNK):
        chunk = np.ascontiguousarray(gallery[start : start + _CHUNK], dtype=np.float32)
        dots[start : start + _CHUNK] = chunk.reshape(len(chunk), copies.shape[1]) @ copies.T
    return Surfaces(dots.reshape(len(gallery), size, size), _overlaps(cells, reach))


class Sought:
    """Q queries whose every translation over any number of gallery maps is scored by the correlation theorem: a gallery
    map's spectra cost as much as one or two queries by `surfaces`, and each query after them a twelfth of one."""

    def __init__(self, queries: Array, max_shift_cells: int, weights: Array) -> None:
        """``queries`` (Q, C, h, w); ``weights`` (Q, h, w) of their cells, as in `surfaces`."""
        reach = int(min(max_shift_cells, min(queries.shape[2:]) - 1))
        self._sides = tuple(fft.next_fast_len(side + reach, real=True) for side in queries.shape[2:])  # none wraps
        self._shifts = np.arange(-reach, reach + 1)
        self._threads = default_threads()
        self._wanted = _by_frequency(queries * weights[:, None], self._sides, self._threads)
        np.conjugate(self._wanted, out=self._wanted)
        self._counts = [_overlaps(cells, reach) for cells in weights]

    def surfaces(self, gallery: NDArray[np.floating]) -> list[Surfaces]:
        """Scores of all translations of each query over ``gallery`` (N, C, h, w)."""
        sides, size, queries = self._sides, len(self._shifts), len(self._counts)
        rows, columns = np.meshgrid(self._shifts % sides[0], self._shifts % sides[1], indexing="ij")
        dots = np.empty((queries, len(gallery), size, size), np.float32)
        for start in range(0, len(gallery), _SPECTRA_CHUNK):
            chunk = np.asarray(gallery[start : start + _SPECTRA_CHUNK], np.float32)
            spectra = _by_frequency(chunk, sides, self._threads)
            products = np.matmul(spectra, self._wanted.transpose(0, 2, 1))  # (F, n, Q)
            spectra = products.transpose(2, 1, 0).reshape(queries, len(chunk), sides[0], -1)
            dots[:, start : start + len(chunk)] = fft.irfft2(spectra, sides, workers=self._threads)[..., rows, columns]
        return [Surfaces(one, counts) for one, counts in zip(dots, self._counts, strict=True)]


def _overlaps(weights: Array, reach: int) -> Array:
    """(K, K) summed weights (h, w) of the query's cells that lie on the gallery's at every shift."""
    return np.asarray(_shifted(weights[None], reach).sum(axis=1).reshape(2 * reach + 1, -1), dtype=np.float32)


def _by_frequency(maps: Array, sides: tuple[int, ...], threads: int) -> NDArray[np.complex64]:
    """(F, N, C) spectra of (N, C, h, w) maps, padded with zeros to ``sides``; of few maps at a time two copies are
    held."""
    count, channels = maps.shape[:2]
    found = np.empty((sides[0] * (sides[1] // 2 + 1), count, channels), np.complex64)
    for start in range(0, count, _SPECTRA_AT_ONCE):
        some = fft.rfft2(maps[start : start + _SPECTRA_AT_ONCE], sides, workers=threads)
        found[:, start : start + len(some)] = some.reshape(len(some), channels, -1).transpose(2, 0, 1)
    return found


def best_shifts(means: Array) -> Alignment:
    """The peak of each (N, K, K) surface; a parabola through its neighbours gives the fraction of a cell."""
    count, size = len(means), means.shape[-1]
    rows, columns = np.divmod(means.reshape(count, size * size).argmax(axis=1), size)
    every = np.arange(count)
    shift_rows = rows - size // 2 + _vertex(means[every, :, columns], rows)
    shift_cols = columns - size // 2 + _vertex(means[every, rows, :], columns)
    return Alignment(
        means[every, rows, columns], shift_rows.astype(np.float32), shift_cols.astype(np.float32)
    )


def _shifted(query: Array, reach: int) -> Array:
    """(K * K, C * h * w): the query moved by every shift, zero where it has left the gallery's cells."""
    channels, height, width = query.shape
    size = 2 * reach + 1
    padded = np.pad(query, ((0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    # The window that starts at (reach - rows) shows the query moved down by rows: hence the reversal.
    moved = windows[:, ::-1, ::-1].transpose(1, 2, 0, 3, 4)
    return np.ascontiguousarray(moved, dtype=np.float32).reshape(size * size, channels * height * width)


def _vertex(lines: Array, at: NDArray[np.int64]) -> Array:
    """(N,) offset in (-0.5, 0.5) of the parabola's top through the samples beside ``at``; 0 at an end."""
    size = lines.shape[1]
    every = np.arange(len(lines))
    left, middle, right = (lines[every, np.clip(at + step, 0, size - 1)] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    inside = (at > 0) & (at < size - 1) & (bend < -1e-9)
    top = 0.5 * (left - right) / np.where(inside, bend, -1.0)
    return np.where(inside, np.clip(top, -0.5, 0.5), 0.0).astype(np.float32)
