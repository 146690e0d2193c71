"""Questions with and without a right answer, asked of galleries of several sizes, and the evidence of each answer.

Out-of-coverage queries are of three kinds: from another world; from the same world outside the gallery; from inside the
gallery's area, with everything that shows their place taken out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.places import OTHER, Square, overlaps
from train.evaluate.encoder import Embedded
from train.evaluate.same_area import by_map, by_vector

TARGET, WORLD, OUTSIDE, REMOVED = "target", "another world", "outside the gallery", "place removed"
OUT_OF_COVERAGE = (WORLD, OUTSIDE, REMOVED)
VECTOR, MAP = "vector", "re-ranked"
_CANDIDATES = 50
_NO_RIVAL = 1.0  # the margin of an answer that has no rival among the candidates


@dataclass(frozen=True, slots=True)
class Evidence:
    """One answer: its ``similarity``, its ``margin`` over the best place that shares no ground with it, the size of the
    ``gallery``; the ``kind`` of the question, and whether the answer is ``right``."""

    similarity: float
    margin: float
    gallery: int
    kind: str
    right: bool


@dataclass(frozen=True, slots=True)
class Side:
    """Embedded pictures and the ground each shows."""

    embedded: Embedded
    squares: tuple[Square, ...]

    def part(self, rows: NDArray[np.int64]) -> Side:
        """Some of the rows."""
        e = self.embedded
        maps = None if e.maps is None else e.maps[rows]
        pictures = tuple(e.pictures[i] for i in rows)
        return Side(Embedded(pictures, e.features[rows], maps), tuple(self.squares[i] for i in rows))

    def of(self, areas: Sequence[str]) -> Side:
        """The rows in some areas."""
        return self.part(np.array([i for i, s in enumerate(self.squares) if s.area in areas], np.int64))


def evidence(queries: Side, gallery: Side, sizes: Sequence[int], how: str, seed: int = 0) -> list[Evidence]:
    """All questions of every area's queries, to galleries of up to each size cut from one area's places."""
    rows: list[Evidence] = []
    areas = sorted({square.area for square in gallery.squares})
    rng = np.random.default_rng([seed, 51])
    for number, area in enumerate(areas):
        whole, own = gallery.of([area]), queries.of([area])
        other = queries.of([areas[(number + 1) % len(areas)]] if len(areas) > 1 else [])
        for size in sizes:
            some = whole.part(_together(whole, size, rng))
            shares = overlaps(own.squares, some.squares).max(axis=1, initial=0.0)
            rows += _asked(own.part(np.flatnonzero(shares > 0.5)), some, TARGET, how)
            rows += _asked(own.part(np.flatnonzero(shares == 0.0)), some, OUTSIDE, how)
            rows += _removed(own.part(np.flatnonzero(shares > 0.5)), some, how)
            rows += _asked(other, some, WORLD, how)
    return rows


def answer(queries: Embedded, gallery: Side, how: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(Q,) the best gallery row, and (Q, 2) its similarity and margin."""
    k = min(_CANDIDATES, len(gallery.squares))
    if how == MAP:
        index, scores = by_map(queries, gallery.embedded, k)
    else:
        index, scores = by_vector(queries.features, gallery.embedded.features, k)
    shares = overlaps(gallery.squares, gallery.squares)
    rival = shares[index[:, :1], index] <= OTHER
    second = np.where(rival, scores, -np.inf).max(axis=1)
    margin = np.where(np.isfinite(second), scores[:, 0] - second, _NO_RIVAL)
    return index[:, 0], np.stack([scores[:, 0], margin], axis=1).astype(np.float64)


def _asked(queries: Side, gallery: Side, kind: str, how: str) -> list[Evidence]:
    if len(queries.squares) == 0 or len(gallery.squares) < 2:
        return []
    index, numbers = answer(queries.embedded, gallery, how)
    rows = []
    for at, (similarity, margin), truth in zip(index, numbers, queries.squares, strict=True):
        place = gallery.squares[at]
        away = max(abs(place.north_m - truth.north_m), abs(place.east_m - truth.east_m))
        right = place.area == truth.area and bool(away <= place.side_m / 2)
        rows.append(Evidence(float(similarity), float(margin), len(gallery.squares), kind, right))
    return rows


def _removed(queries: Side, gallery: Side, how: str) -> list[Evidence]:
    """Each query on its own gallery, from which whatever shows a part of its ground is gone."""
    rows = []
    for row in range(len(queries.squares)):
        one = queries.part(np.array([row]))
        kept = np.flatnonzero(overlaps(one.squares, gallery.squares)[0] == 0.0)
        rows += _asked(one, gallery.part(kept), REMOVED, how)
    return rows


def _together(whole: Side, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places nearest to a random one: a gallery is an area, not a sample."""
    at = np.array([(s.north_m, s.east_m) for s in whole.squares])
    centre = at[int(rng.integers(len(at)))]
    return np.sort(np.argsort(np.abs(at - centre).max(axis=1), kind="stable")[:size])

