"""Grounds that acceptance is held against, and what each is asked: right places and places out of its coverage.

A right place is asked as it lies, turned by 10 degrees, mis-scaled by 1.2 either way, and a few with the scale or the
heading unknown. Out of coverage are other parts of the same ground (of a flight's own views: the view itself, with all
that shows any of it left out of the history) and foreign scenes (RSSCN7).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.features.network import FeatureNetwork
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.history.reader import Gallery, Mark, StoredRung
from runtime.history.spatial_maps import CentredMap
from runtime.matching.gallery import GalleryCache, Source
from runtime.place.locator import Locator, Tower
from runtime.place.target import Target
from runtime.record.map_tiles import Map
from runtime.values import GeoPoint, ImageRGB, Keyframe, ViewKind
from runtime.view import turned

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
RIGHT, TURNED, SCALED, SCALE, HEADING = "right", "turned", "scaled", "scale unknown", "heading unknown"
OUT, FOREIGN = "out of coverage", "foreign"
ROOM = 1.45  # of a target's side: from so large a picture it can be turned without making up corners
_TURN_RAD, _STRETCH = math.radians(10.0), 1.2
_SEARCHED = 2  # of the right places, and of those out of coverage, are asked with an unknown scale and heading too
NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """A target; the (north, east) of its middle from the ground's origin, None out of coverage; and the keyframes that
    the history is without."""

    kind: str
    target: Target
    truth_ne_m: tuple[float, float] | None = None
    without: frozenset[int] = NOBODY


@dataclass(frozen=True, slots=True)
class Ground:
    """A history, what is looked for in which of its views, how near is right, and what is asked."""

    name: str
    history: History
    query: ViewKind
    gallery: ViewKind
    origin: GeoPoint
    right_m: float
    asked: Sequence[Asked]


class Without:
    """A history without some of its keyframes, as a gallery's source."""

    def __init__(self, history: History, without: frozenset[int]) -> None:
        self._history, self._without = history, sorted(without)

    def mark(self) -> Mark:
        """See `Source`, here and below."""
        return self._history.mark()

    def first_id(self) -> int:
        return self._history.first_id()

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        return self._history.keyframe(keyframe_id, crop=crop)

    def centred_maps(self, ids: Sequence[int], footprint_m: float) -> list[CentredMap] | None:
        return self._history.centred_maps(ids, footprint_m)

    def gallery(self, view: ViewKind, footprint_m: float, after_id: int = 0, until_id: int | None = None) -> Gallery:
        all_of = self._history.gallery(view, footprint_m, after_id, until_id)
        kept = ~np.isin(all_of.ids, self._without)
        return Gallery(
            all_of.ids[kept], all_of.vectors[kept], all_of.ground[kept], all_of.heading_offsets_rad[kept]
        )

    def stored_rungs(self, after: Mark, until: Mark) -> list[StoredRung]:
        rungs = self._history.stored_rungs(after, until)
        left = [replace(one, count=len(self.gallery(one.view, one.footprint_m))) for one in rungs]
        return [one for one in left if one.count]


class Answering:
    """Locates in a ground's history, without what each question leaves out."""

    def __init__(self, ground: Ground, embedder: Tower, network: FeatureNetwork | None = None) -> None:
        self._ground, self._embedder, self._network = ground, embedder, network
        self._without: frozenset[int] | None = None
        self._locator: Locator | None = None

    def source(self, without: frozenset[int]) -> Source:
        """What the gallery is read from."""
        return Without(self._ground.history, without) if without else self._ground.history

    def __call__(self, asked: Asked) -> tuple[tuple[dict[str, float], ...], float | None]:
        """The features of the places found, and how far the best is from the truth, None where there is none."""
        if self._locator is None or asked.without != self._without:
            views = self._ground.gallery, self._ground.query
            galleries = GalleryCache(self.source(asked.without))
            self._locator = Locator(self._ground.history, self._embedder, *views, galleries, self._network)
            self._without = asked.without
        found = self._locator.features(asked.target, any_heading=not asked.target.north_up)
        if found is None:
            return (), None
        if asked.truth_ne_m is None:
            return found[0], None
        return found[0], math.dist(north_east_m(self._ground.origin, found[1]), asked.truth_ne_m)


@dataclass(frozen=True, slots=True)
class Spot:
    """A picture from above, ``room`` times as wide as the target at its middle, and where that lies."""

    image: ImageRGB
    gsd_m: float
    truth_ne_m: tuple[float, float]
    without: frozenset[int] = NOBODY
    room: float = ROOM

    def _target(self, image: ImageRGB, gsd_m: float | None, north_up: bool = True) -> Target:
        side = round(image.shape[0] / self.room)
        first = (image.shape[0] - side) // 2
        middle = np.ascontiguousarray(image[first : first + side, first : first + side])
        return Target(middle, gsd_m, north_up, None, "spot")

    @property
    def side_m(self) -> float:
        """Of the target."""
        return self.image.shape[0] * self.gsd_m / self.room

    def right(self, number: int) -> Iterator[Asked]:
        """The questions about a place that the history shows."""
        sign = -1 if number % 2 else 1
        plain, stretched = self._target(self.image, self.gsd_m), self.gsd_m * _STRETCH**sign
        yield Asked(RIGHT, plain, self.truth_ne_m, self.without)
        turned_by = self._target(turned(self.image, sign * _TURN_RAD), self.gsd_m)
        yield Asked(TURNED, turned_by, self.truth_ne_m, self.without)
        yield Asked(SCALED, replace(plain, gsd_m=stretched), self.truth_ne_m, self.without)
        if number < _SEARCHED:
            for kind, target in self._searched(number):
                yield Asked(kind, target, self.truth_ne_m, self.without)

    def out(self, number: int) -> Iterator[Asked]:
        """The questions about a place that it does not show."""
        yield Asked(OUT, self._target(self.image, self.gsd_m), None, self.without)
        if number < _SEARCHED:
            for kind, target in self._searched(number):
                yield Asked(f"{OUT}, {kind}", target, None, self.without)

    def _searched(self, number: int) -> Iterator[tuple[str, Target]]:
        anywhere = 1.0 + 2.4 * number  # no multiple of the steps that are tried
        yield SCALE, self._target(self.image, None)
        yield HEADING, self._target(turned(self.image, anywhere), self.gsd_m, north_up=False)


def questions(inside: Sequence[Spot], outside: Sequence[Spot], foreign: int, seed: int) -> list[Asked]:
    """All that a ground is asked; foreign scenes are as wide as the targets."""
    asked = [one for number, spot in enumerate(inside) for one in spot.right(number)]
    asked += [one for number, spot in enumerate(outside) for one in spot.out(number)]
    return asked + [Asked(FOREIGN, target) for target in scenes(foreign, 1.2 * inside[0].side_m, seed)]


def scenes(count: int, side_m: float, seed: int) -> Iterator[Target]:
    """Satellite scenes of elsewhere."""
    paths = sorted((DATA / "texture" / "rsscn7").glob("*.jpg"))
    for index in np.random.default_rng([seed, 9]).choice(len(paths), count, replace=False):
        image = np.asarray(cv2.cvtColor(cv2.imread(str(paths[index])), cv2.COLOR_BGR2RGB), np.uint8)
        yield Target(image, side_m / image.shape[0], True, None, paths[index].name)


def spot_of_map(opened: Map, north_m: float, east_m: float, side_m: float) -> Spot:
    """A place of a map as satellites show it."""
    tile = opened.tile(north_m, east_m, side_m * ROOM)
    return Spot(np.ascontiguousarray(tile.image), tile.side_m / tile.image.shape[0], (north_m, east_m))


def showing(
    place_ne_m: NDArray[np.float64], side_m: float, centres_ne_m: NDArray[np.float64], sides_m: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(N,) which squares about (N, 2) centres show any of a square about a place."""
    away = np.abs(centres_ne_m - place_ne_m).max(axis=1)
    return np.asarray(away < (sides_m + side_m) / 2)
