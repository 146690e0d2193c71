"""Retrieval: the keyframes that resemble a query frame, with how much they do.

The frame is cut into query crops (one where height and heading are known), each is embedded, and each is compared with
the keyframes embedded at its own footprint, in every way in which they can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Protocol

import numpy as np

from runtime.bundle import Bundle
from runtime.centred import centred
from runtime.fix.memory import Memory, Rung
from runtime.fix.query import Known
from runtime.fix.query_crops import QueryCrop, query_crops
from runtime.matching.alignment import align
from runtime.values import Embeddings, Frame, ImageRGB, ViewKind

MAX_MATCHES = 50
_CENTRES_OF_NEIGHBOURHOODS = 4  # matches whose neighbours on the ground are taken along
_MAX_NEIGHBOURS = 16  # of each of those, within the side of all that it shows
_MAX_SHIFT_CELLS = 5  # of 16: two thirds of the crop in common


class Tower(Protocol):
    """The part of an embedder that fixing needs."""

    @property
    def bundle(self) -> Bundle:
        """The bundle behind it."""
        ...

    def embed(self, view: ViewKind, crops: ImageRGB) -> Embeddings:
        """(N, S, S, 3) uint8 RGB to embeddings."""
        ...


@dataclass(frozen=True, slots=True)
class Match:
    """A keyframe that resembles the ``crop``-th query crop. ``similarity``: their cosine, by the way of comparing that
    found the keyframe first; None where it was not found itself, but lies beside keyframes that were. ``place_m``:
    (north, east) of the keyframe's centre from the memory's origin."""

    keyframe_id: int
    crop: int
    similarity: float | None
    place_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Matches:
    """What was compared, and what was found: ``ranked``, the most similar first. Of several ways of comparing the best
    of each come first, then the second of each, and so on: their cosines are not of one scale."""

    crops: tuple[QueryCrop, ...]
    embedded: Embeddings
    ranked: tuple[Match, ...]

    @classmethod
    def none(cls) -> Matches:
        """Nothing could be cut from the frame, or the history has nothing to compare it with."""
        return cls((), Embeddings(np.zeros((0, 0), np.float32), None), ())

    def footprint_m(self, match: Match) -> float:
        """The side of the squares that were compared."""
        return self.crops[match.crop].footprint_m


class Retriever:
    """Retrieves the keyframes of a history; ``watch`` is called with the name of each stage that ends."""

    def __init__(self, memory: Memory, embedder: Tower, watch: Callable[[str], None]) -> None:
        self._memory = memory
        self._embedder = embedder
        self._watch = watch

    def retrieve(self, frame: Frame, known: Known, views: Container[ViewKind] = tuple(ViewKind)) -> Matches:
        """The keyframes of some ``views`` that resemble ``frame`` most; where its pose is unknown with their neighbours
        on the ground."""
        crops_by_view = self._crops(frame, known, views)
        self._watch("look")
        crops = tuple(crop for _, crop in crops_by_view)
        if not crops:
            return Matches.none()
        embedded = self._embedder.embed(ViewKind.DRONE, np.stack([crop.image for crop in crops]))
        self._watch("embed")
        rungs = [self._memory.rung(view, crop.footprint_m) for view, crop in crops_by_view]
        ranked = _ranked(rungs, embedded)
        if ranked and not known.posed:
            ranked = _with_neighbours(ranked, rungs, crops, self._memory.footprint_m)
        self._watch("search")
        return Matches(crops, embedded, tuple(ranked))

    def _crops(self, frame: Frame, known: Known, views: Container[ViewKind]) -> list[tuple[ViewKind, QueryCrop]]:
        size_px = self._embedder.bundle.input_size_px
        sides_m = () if known.height else self._memory.footprints_to_try()
        return [
            (view, crop)
            for view, rungs in self._memory.views
            if view in views
            for crop in query_crops(frame, known, rungs, partial(self._memory.chosen, view), sides_m, size_px)
        ]

    def by_map(self, matches: Matches, start: int) -> list[int]:
        """The keyframes of the matches from the ``start``-th, by how well their maps fit the query's under the best
        shift; in their own order where the model has no maps."""
        rest = matches.ranked[start:]
        scores: dict[int, float] = {}
        for crop in sorted({match.crop for match in rest}):
            ids = [match.keyframe_id for match in rest if match.crop == crop]
            maps = self._memory.maps(ids, matches.crops[crop].footprint_m)
            if maps is None or matches.embedded.maps is None:
                return [match.keyframe_id for match in rest]
            fit = align(centred(matches.embedded.maps[crop : crop + 1])[0], maps, _MAX_SHIFT_CELLS)
            scores |= dict(zip(ids, fit.score.tolist(), strict=True))
        return sorted(scores, key=lambda keyframe_id: -scores[keyframe_id])


def _ranked(rungs: Sequence[Rung], embedded: Embeddings) -> list[Match]:
    """The best of each way of comparing in turn, each keyframe once."""
    found: dict[int, Match] = {}
    ways = range(max(len(rung.indices) for rung in rungs))
    for in_turn in zip_longest(*(_ranked_by(rungs, embedded, way) for way in ways)):
        for match in filter(None, in_turn):
            found.setdefault(match.keyframe_id, match)
    return list(found.values())[:MAX_MATCHES]


def _ranked_by(rungs: Sequence[Rung], embedded: Embeddings, way: int) -> list[Match]:
    """The matches by one way of comparing, the most similar first; a rung that has fewer ways is compared by its
    last."""
    best: dict[int, tuple[float, int]] = {}
    for crop, rung in enumerate(rungs):
        index = rung.indices[min(way, len(rung.indices) - 1)]
        rows, similarities = index.search(embedded.vectors[crop : crop + 1], MAX_MATCHES)
        for row, similarity in zip(rows[0], similarities[0], strict=True):
            keyframe_id = int(rung.ids[row])
            best[keyframe_id] = max(best.get(keyframe_id, (-1.0, 0)), (float(similarity), crop))
    order = sorted(best, key=lambda keyframe_id: (-best[keyframe_id][0], keyframe_id))[:MAX_MATCHES]
    return [_match(rungs, keyframe_id, best[keyframe_id][1], best[keyframe_id][0]) for keyframe_id in order]


def _match(rungs: Sequence[Rung], keyframe_id: int, crop: int, similarity: float | None) -> Match:
    north_m, east_m = rungs[crop].place_m(keyframe_id)
    return Match(keyframe_id, crop, similarity, (float(north_m), float(east_m)))


def _with_neighbours(
    ranked: Sequence[Match],
    rungs: Sequence[Rung],
    crops: Sequence[QueryCrop],
    shown_m: Callable[[int], float],
) -> list[Match]:
    """The matches, and after them the keyframes that may share ground with one of the four matches that have most
    others near: those within the side of what it shows (``shown_m``), which may be half as large again as what was
    compared of it.

    Wrong matches are strewn over the map, right ones stand together; so where matches crowd, keyframes that were not
    found themselves are worth verifying. A neighbour on the flight line may be found for its look alone and share no
    feature with the query (over a wood no crown), while one on the next line shares a strip of road and looks like
    another place.
    """
    places_m = np.array([match.place_m for match in ranked])
    reach_m = np.array([crops[match.crop].footprint_m for match in ranked])
    near = np.linalg.norm(places_m[:, None] - places_m[None], axis=2) <= reach_m
    wide = {match.keyframe_id: match for match in ranked}
    for row in np.argsort(-near.sum(axis=1), kind="stable")[:_CENTRES_OF_NEIGHBOURHOODS]:
        crop = ranked[row].crop
        shown = max(float(reach_m[row]), shown_m(ranked[row].keyframe_id))
        for keyframe_id in rungs[crop].near(places_m[row], shown, _MAX_NEIGHBOURS):
            wide.setdefault(keyframe_id, _match(rungs, keyframe_id, crop, None))
    return list(wide.values())
