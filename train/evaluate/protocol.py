"""R@k and AP exactly as University-1652's official ``evaluate_gpu.py`` computes them, against a pool of any size.

From that routine: AP is the trapezoid under precision over recall; a label of -1 in the gallery is junk, taken out
before ranking; a query without an answer in the gallery is skipped but stays in the denominator; "top 1 %" is the
entry round(0.01 N) of the curve, so in truth R@(round(0.01 N) + 1). Equal scores rank the later picture first, as its
reversed sort does when the sort is stable.

The gallery comes in chunks, so a pool of distractors needs no more memory than one chunk against one block of queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]  # (N, D), unit rows
Labels = NDArray[np.int64]  # (N,), -1 is junk

JUNK = -1  # a label that is no query's answer
_BLOCK = 1024  # queries held against one chunk at a time
_CHUNK = 8192  # gallery rows at a time
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Ranking:
    """Per query the ranks, from 0, of all its answers in the gallery, ascending; empty for one without an answer.

    ``gallery`` is the gallery's size, junk included, as the official curve counts it.
    """

    ranks: tuple[NDArray[np.int64], ...]
    gallery: int

    @property
    def first(self) -> NDArray[np.int64]:
        """(Q,) rank of each query's first answer, a very large number where there is none."""
        return np.array([ranks[0] if len(ranks) else _NEVER for ranks in self.ranks], np.int64)

    def recall(self, k: int) -> float:
        """R@k: the share of all queries with an answer among the first k."""
        return float((self.first < k).mean())

    @property
    def recall_top_percent(self) -> float:
        """The official "top 1 %": the curve's entry at round(0.01 N)."""
        return self.recall(round(0.01 * self.gallery) + 1)

    @property
    def average_precisions(self) -> NDArray[np.float64]:
        """(Q,) AP of each query, 0 for one without an answer."""
        return np.array([average_precision(ranks) for ranks in self.ranks])

    @property
    def mean_average_precision(self) -> float:
        """AP over all queries, the skipped ones counting as 0."""
        return float(self.average_precisions.mean())


def average_precision(ranks: NDArray[np.int64]) -> float:
    """The trapezoid under precision over recall, for the ascending ranks, from 0, of all answers."""
    if len(ranks) == 0:
        return 0.0
    found = np.arange(len(ranks))
    precision = (found + 1) / (ranks + 1)
    before = np.where(ranks > 0, found / np.maximum(ranks, 1), 1.0)
    return float(((before + precision) / 2).mean())


def rank(
    queries: Features,
    query_labels: Labels,
    gallery: Features,
    gallery_labels: Labels,
    distractors: Iterable[Features] = (),
) -> Ranking:
    """Ranks of the answers of (Q, D) queries in a (G, D) gallery and then all chunks of distractors behind it.

    Distractors answer nothing and are never junk; they are read once.
    """
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(gallery), _CHUNK)]
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(queries), _BLOCK)]
    answers = _Answers.find(queries, query_labels, gallery, gallery_labels)
    for chunk in chunks:
        for block in blocks:
            answers.count(block, queries[block] @ gallery[chunk].T, chunk.start, gallery_labels[chunk])
    size = len(gallery)
    for distractor in distractors:
        for chunk in (slice(start, start + _CHUNK) for start in range(0, len(distractor), _CHUNK)):
            rows = np.asarray(distractor[chunk], np.float32)
            for block in blocks:
                answers.count(block, queries[block] @ rows.T, size + chunk.start, None)
        size += len(distractor)
    return Ranking(answers.ranks(), size)


@dataclass(slots=True)
class _Answers:
    """Every query's answers in the order they rank among themselves, and how many others rank before each.

    Padded to the most answers that any query has; ``scores`` are minus infinity in the padding.
    """

    query_labels: Labels
    scores: Features  # (Q, n), descending
    index: NDArray[np.int64]  # (Q, n) in the gallery
    ahead: NDArray[np.int64]  # (Q, n) others counted so far
    counts: NDArray[np.int64]  # (Q,) answers

    @classmethod
    def find(cls, queries: Features, query_labels: Labels, gallery: Features, gallery_labels: Labels) -> _Answers:
        rows = {int(label): np.flatnonzero(gallery_labels == label) for label in np.unique(query_labels)}
        rows[JUNK] = np.zeros(0, np.int64)
        counts = np.array([len(rows[int(label)]) for label in query_labels], np.int64)
        shape = (len(queries), max(1, int(counts.max(initial=0))))
        scores, index = np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
        for q, label in enumerate(query_labels):
            own = rows[int(label)]
            score = gallery[own] @ queries[q]
            order = np.lexsort((-own, -score))
            scores[q, : len(own)], index[q, : len(own)] = score[order], own[order]
        return cls(query_labels, scores, index, np.zeros(shape, np.int64), counts)

    def count(self, block: slice, scores: Features, start: int, labels: Labels | None) -> None:
        """Add those of a chunk (B, c), from gallery row ``start`` on, that rank before each answer of a block."""
        if labels is not None:  # answers rank among themselves; junk does not rank
            scores = np.where(labels[None] == self.query_labels[block, None], -np.inf, scores)
            scores[:, labels == JUNK] = -np.inf
        rows = start + np.arange(scores.shape[1])
        for column in range(int(self.counts[block].max(initial=0))):
            own, at = self.scores[block, column, None], self.index[block, column, None]
            greater = np.count_nonzero(scores > own, axis=1)
            tied = np.flatnonzero((scores == own).any(axis=1))
            greater[tied] += np.count_nonzero((scores[tied] == own[tied]) & (rows > at[tied]), axis=1)
            self.ahead[block, column] += greater

    def ranks(self) -> tuple[NDArray[np.int64], ...]:
        return tuple(self.ahead[q, :n] + np.arange(n) for q, n in enumerate(self.counts))


def best(queries: Features, gallery: Features, k: int) -> tuple[NDArray[np.int64], Features]:
    """(Q, k) gallery rows of the highest scores, best first, and those scores."""
    k = min(k, len(gallery))
    index, values = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries), _BLOCK):
        block = slice(start, start + _BLOCK)
        scores = queries[block] @ gallery.T
        part = np.argpartition(scores, -k, axis=1)[:, -k:]
        own = np.take_along_axis(scores, part, axis=1)
        order = np.lexsort((-part, -own), axis=1)
        index[block] = np.take_along_axis(part, order, axis=1)
        values[block] = np.take_along_axis(own, order, axis=1)
    return index, values


def multi_query(features: Features, labels: Labels) -> tuple[Features, Labels]:
    """One query a place: the mean of all its pictures' features, of unit length."""
    places = np.unique(labels)
    mean = np.stack([features[labels == place].mean(axis=0) for place in places])
    return normalised(mean), places.astype(np.int64)


def normalised(features: NDArray[np.floating]) -> Features:
    """Rows of unit length, float32; rows of zeros stay."""
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(norm, 1e-12), np.float32)
