"""One measurement: a pair of views on one data set, by labels as University-1652 does, or by metres in one area."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import UsageError
from runtime.place.attempt import HEADINGS, SCALE_STEP
from train.data.pairs import TOWER_OF, Pair
from train.data.places import Square
from train.data.university import University
from train.data.views import Skipped
from train.data.weather import under
from train.evaluate.encoder import Change, Crops, Embedded, Encoder, embed_pictures
from train.evaluate.files import FeatureSet
from train.evaluate.protocol import Features, Ranking, multi_query, rank
from train.evaluate.same_area import SHOWN, SameArea, by_map, by_variants, by_vector, measured

MOST_SCALE = 1.5  # how wrong an unknown scale is, either way


@dataclass(frozen=True, slots=True)
class Asked:
    """Both sides of a pair, embedded."""

    queries: Embedded
    gallery: Embedded

    def features(self) -> FeatureSet:
        """As the official files have them: places numbered, those of the queries first."""
        numbers: dict[str, int] = {}
        for name in (*self.queries.names, *self.gallery.names):
            numbers.setdefault(name, len(numbers))
        labels = [np.array([numbers[n] for n in side.names], np.int64) for side in (self.queries, self.gallery)]
        paths = [tuple(str(p.path) for p in side.pictures) for side in (self.queries, self.gallery)]
        return FeatureSet(self.queries.features, labels[0], self.gallery.features, labels[1], *paths)


def ask(
    encoder: Encoder, data: University, pair: Pair, skipped: Skipped, flip: bool = False,
    change: Change | None = None, keep_maps: bool = False, gallery: Embedded | None = None,
) -> Asked:  # fmt: skip
    """Embed the test's queries (changed as asked) and its gallery (as it is), or take a gallery embedded before."""
    if gallery is None:
        pictures = data.gallery(pair.gallery)
        gallery = embed_pictures(encoder, TOWER_OF[pair.gallery], pictures, skipped, flip, None, keep_maps)
    pictures = data.query(pair.query)
    return Asked(embed_pictures(encoder, TOWER_OF[pair.query], pictures, skipped, flip, change, keep_maps), gallery)


def by_labels(features: FeatureSet, distractors: Iterable[Features] = (), multi: bool = False) -> Ranking:
    """The official figures; ``multi`` makes one query of all pictures of a place."""
    queries, labels = features.query_features, features.query_labels
    if multi:
        queries, labels = multi_query(queries, labels)
    return rank(queries, labels, features.gallery_features, features.gallery_labels, distractors)


def by_metres(asked: Asked, squares: Mapping[str, Square]) -> dict[str, SameArea]:
    """The same-area figures, by the vector alone and, where there are maps, re-ranked.

    Raises:
        UsageError: a place has no line in places.csv.
    """
    missing = [name for name in (*asked.queries.names, *asked.gallery.names) if name not in squares]
    if missing:
        raise UsageError(f"places.csv has no line for {missing[0]}.")
    truth = [squares[name] for name in asked.queries.names]
    ground = [squares[name] for name in asked.gallery.names]
    shown = min(SHOWN, len(ground))
    nearest = by_vector(asked.queries.features, asked.gallery.features, shown)[0]
    found = {"vector": measured(nearest, truth, ground)}
    if asked.queries.maps is not None and asked.gallery.maps is not None:
        found["re-ranked"] = measured(by_map(asked.queries, asked.gallery)[0][:, :shown], truth, ground)
    return found


def in_weather(condition: str, seed: int = 0) -> Change:
    """Queries as they would look in a condition; the same picture looks the same in every run."""
    rng = np.random.default_rng([seed, 31])

    def change(crops: Crops) -> Crops:
        return np.stack([under(condition, crop, rng) for crop in crops])

    return change


def misjudged(heading_deg: float = 0.0, scale_error: float = 0.0) -> Change:
    """Queries cut with a heading and a scale that are wrong by so much; what was not seen is mirrored in."""

    def change(crops: Crops) -> Crops:
        side = crops.shape[1]
        middle = ((side - 1) / 2, (side - 1) / 2)
        turn = cv2.getRotationMatrix2D(middle, heading_deg, 1.0 + scale_error)
        return np.stack(
            [cv2.warpAffine(c, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101) for c in crops]
        ).astype(np.uint8)  # fmt: skip

    return change


def turned_at_random(seed: int = 0) -> Change:
    """Queries each turned by a heading of its own; the same ones in every run."""
    rng = np.random.default_rng([seed, 33])
    return _each(lambda: (float(rng.uniform(0.0, 360.0)), 0.0))


def scaled_at_random(seed: int = 0) -> Change:
    """Queries each of a scale of its own, up to `MOST_SCALE` times too large or too small."""
    rng = np.random.default_rng([seed, 34])
    return _each(lambda: (0.0, float(MOST_SCALE ** rng.uniform(-1.0, 1.0)) - 1.0))


def _each(draw: Callable[[], tuple[float, float]]) -> Change:
    def change(crops: Crops) -> Crops:
        return np.concatenate([misjudged(*draw())(crop[None]) for crop in crops])

    return change


def unknown_heading() -> list[Change]:
    """Every hypothesis of queries that were `turned_at_random`: at most 7.5 degrees off."""
    steps = 360.0 / HEADINGS
    return [_after(turned_at_random(), misjudged(heading_deg=steps * step)) for step in range(HEADINGS)]


def unknown_scale() -> list[Change]:
    """Every hypothesis of queries that were `scaled_at_random`: at most 7 % off."""
    most = math.ceil(math.log(MOST_SCALE) / math.log(SCALE_STEP))
    scales = [SCALE_STEP**step - 1.0 for step in range(-most, most + 1)]
    return [_after(scaled_at_random(), misjudged(scale_error=scale)) for scale in scales]


def _after(first: Change, second: Change) -> Change:
    return lambda crops: second(first(crops))


def by_metres_unknown(
    encoder: Encoder, data: University, pair: Pair, gallery: Embedded, squares: Mapping[str, Square],
    hypotheses: Sequence[Change],
) -> dict[str, SameArea]:  # fmt: skip
    """The same-area figures where the queries' heading or scale is unknown and every hypothesis of it is tried."""
    pictures, skipped = data.query(pair.query), Skipped()
    variants = [
        embed_pictures(encoder, TOWER_OF[pair.query], pictures, skipped, change=hypothesis, keep_maps=True)
        for hypothesis in hypotheses
    ]
    truth = [squares[name] for name in variants[0].names]
    ground = [squares[name] for name in gallery.names]
    answers = by_variants(variants, gallery)
    return {how: measured(found, truth, ground) for how, found in zip(("vector", "re-ranked"), answers, strict=True)}


def chance(features: FeatureSet, seed: int = 0) -> Ranking:
    """What random features would get: the first line of every table."""
    rng = np.random.default_rng([seed, 32])
    queries, gallery = (_random(rng, len(side)) for side in (features.query_features, features.gallery_features))
    return rank(queries, features.query_labels, gallery, features.gallery_labels)


def _random(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    rows = rng.normal(size=(count, 32))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
