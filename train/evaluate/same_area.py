"""The gallery of one area: overlapping neighbours, queries off their grid, and metres instead of labels.

An answer is right when its place lies within half a crop's side of the query's true ground point. Answers come by the
vector alone, or from its best candidates re-ranked by how well the maps lie on each other at their best translation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.matching.alignment import surfaces
from train.data.places import Square
from train.evaluate.encoder import Embedded, Maps
from train.evaluate.intervals import Share
from train.evaluate.protocol import Features, best

SHOWN = 5  # answers of a query that are kept to be looked at
RERANKED = 50  # candidates that the map is asked about
_MOST_SHIFT = 0.5  # of the map's side: a candidate further off would not be the right answer


@dataclass(frozen=True, slots=True)
class SameArea:
    """What became of Q queries: ``answers`` (Q, k) gallery rows, best first, ``distances_m`` (Q, k) from the truth,
    infinite in another area; ``side_m`` of a gallery crop."""

    answers: NDArray[np.int64]
    distances_m: NDArray[np.float64]
    side_m: float

    @property
    def right(self) -> NDArray[np.bool_]:
        """(Q, k): within half a side."""
        return self.distances_m <= self.side_m / 2

    @property
    def recall(self) -> Share:
        """R@1."""
        return Share(int(self.right[:, 0].sum()), len(self.right))

    @property
    def median_m(self) -> float:
        """The middle distance of the first answers."""
        return float(np.median(self.distances_m[:, 0]))

    @property
    def near_misses(self) -> Share:
        """Misses that still lie within one side: a neighbour was taken for the place."""
        missed = ~self.right[:, 0]
        return Share(int((missed & (self.distances_m[:, 0] <= self.side_m)).sum()), int(missed.sum()))


def by_vector(queries: Features, gallery: Features, candidates: int = 1) -> tuple[NDArray[np.int64], Features]:
    """(Q, k) the most similar gallery rows, best first, and their cosines."""
    return best(queries, gallery, candidates)


def by_map(
    queries: Embedded, gallery: Embedded, candidates: int = RERANKED
) -> tuple[NDArray[np.int64], Features]:
    """(Q, k) the vector's best gallery rows, ordered anew by how well the maps lie on each other at their best
    translation (see `_fits`), and those scores.

    Raises:
        ValueError: one of them has no maps.
    """
    if queries.maps is None or gallery.maps is None:
        raise ValueError("re-ranking needs maps of both views.")
    index, _ = best(queries.features, gallery.features, candidates)
    scores = np.empty(index.shape, np.float32)
    reach = round(_MOST_SHIFT * queries.maps.shape[-1])
    for row, near in enumerate(index):
        scores[row] = _fits(queries.maps[row], gallery.maps[near], reach)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1), np.take_along_axis(scores, order, axis=1)


def by_variants(
    variants: Sequence[Embedded], gallery: Embedded, candidates: int = RERANKED
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of queries whose heading or scale is unknown, each embedded under V hypotheses: (Q,) answers by the vector
    alone, the most similar under any hypothesis, and (Q,) re-ranked, the best of the ``candidates`` most similar pairs
    of a hypothesis and a place by how well the maps lie on each other. Only what a turned crop shows for certain is
    compared.

    Raises:
        ValueError: one of them has no maps.
    """
    if gallery.maps is None or any(one.maps is None for one in variants):
        raise ValueError("re-ranking needs maps of both views.")
    found = [best(one.features, gallery.features, candidates) for one in variants]
    places, cosines = (np.stack(parts, axis=1) for parts in zip(*found, strict=True))  # (Q, V, k)
    inside, reach = _inscribed(gallery.maps.shape[-2:]), round(_MOST_SHIFT * gallery.maps.shape[-1])
    by_cosine, by_fit = np.empty((2, len(places)), np.int64)
    for row in range(len(places)):
        order = np.argsort(-cosines[row].ravel(), kind="stable")[:candidates]
        hypotheses, near = order // places.shape[2], places[row].ravel()[order]
        scores = np.empty(len(order), np.float32)
        for hypothesis in np.unique(hypotheses):
            own, maps = hypotheses == hypothesis, variants[hypothesis].maps
            assert maps is not None
            scores[own] = _fits(maps[row], gallery.maps[near[own]], reach, inside)
        by_cosine[row], by_fit[row] = near[0], near[scores.argmax()]
    return by_cosine, by_fit


def _fits(query: Maps, gallery: Maps, reach: int, cells: Maps | None = None) -> Features:
    """(N,) how well a map (C, h, w) lies on each of (N, C, h, w) at its best translation: the mean cosine there times
    the root of the share of cells that overlap. A mean of n cells strays by about one over the root of n, so that of
    all translations those which overlap least would reach the highest means by chance, and a neighbour beat the place.
    """
    found = surfaces(query, np.ascontiguousarray(gallery), reach, cells)
    weighed = found.means * np.sqrt(found.counts / found.counts.max())
    return np.asarray(weighed.reshape(len(gallery), -1).max(axis=1), np.float32)


def _inscribed(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(h, w): 1 in cells whose middle lies in the circle that a square keeps however it is turned."""
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in shape)
    return np.asarray(np.hypot(rows[:, None], columns[None]) <= min(shape) / 2, np.float32)


def measured(answers: NDArray[np.int64], asked: Sequence[Square], gallery: Sequence[Square]) -> SameArea:
    """Distances of the answers, (Q,) or (Q, k) with the best first, from where the queries truly are."""
    ranked = answers.reshape(len(asked), -1)
    at, truth = (np.array([(s.north_m, s.east_m) for s in squares]) for squares in (gallery, asked))
    areas, own = (np.array([s.area for s in squares], object) for squares in (gallery, asked))
    distances = np.linalg.norm(at[ranked] - truth[:, None], axis=2)
    return SameArea(ranked, np.where(areas[ranked] == own[:, None], distances, np.inf), gallery[0].side_m)


def overlapping_neighbours(gallery: Sequence[Square]) -> int:
    """How many places of the gallery share ground with another of it."""
    at = np.array([(s.north_m, s.east_m) for s in gallery])
    areas = np.array([s.area for s in gallery], object)
    side = gallery[0].side_m
    return sum(
        bool(((np.abs(at - here).max(axis=1) < side) & (areas == area)).sum() > 1)
        for here, area in zip(at, areas, strict=True)
    )

