"""All places that a run trains on, from one or more folders, and their pictures, kept in memory as far as they fit."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageError, UsageError
from train.data.augment import Window
from train.data.pairs import Pair
from train.data.places import Square, read_places
from train.data.university import University
from train.data.views import Crop, Picture, Skipped, by_place, paired_places, read_crop

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingPlace:
    """One place: its pictures by view, and its ground where that is known."""

    name: str
    pictures: dict[str, tuple[Picture, ...]]
    square: Square | None


class TrainingSet:
    """P places that have every view of the pairs; ``square``s are known for all places of a folder or for none."""

    def __init__(self, places: Sequence[TrainingPlace], size_px: int, cache_mb: int) -> None:
        self.places = tuple(places)
        self.skipped = Skipped()
        self.size_px, self._cache = size_px, dict[Path, Crop]()
        self._room = cache_mb * 1_000_000 // (3 * size_px * size_px)
        areas: dict[str, list[int]] = {}
        for index, place in enumerate(self.places):
            areas.setdefault(place.square.area if place.square else "", []).append(index)
        self.areas = tuple(np.array(members, np.int64) for members in areas.values())
        self._area_of = {int(index): members for members in self.areas for index in members}
        self._at_m = np.array([_middle_m(place.square) for place in self.places], np.float64)

    @classmethod
    def open(cls, roots: Sequence[Path], pairs: Sequence[Pair], size_px: int, cache_mb: int) -> TrainingSet:
        """Raises UsageError when a folder is not laid out as it must be, or no place has all views."""
        names = list(dict.fromkeys(view for pair in pairs for view in (pair.query, pair.gallery)))
        places: list[TrainingPlace] = []
        for number, root in enumerate(roots):
            data, squares = University.open(root), read_places(root)
            views = {name: data.train(name) for name in names}
            common, grouped = paired_places(views), {name: by_place(pictures) for name, pictures in views.items()}
            for name in common:
                own = {view: tuple(grouped[view][name]) for view in names}
                places.append(TrainingPlace(f"{number}/{name}", own, _square(squares, name, number, root)))
        if len(places) < 2:
            raise UsageError("training needs at least two places.")
        return cls(places, size_px, cache_mb)

    def crop(self, index: int, view: str, rng: np.random.Generator) -> Crop | None:
        """One picture of a place, any of the view's at random: (S, S, 3); None where none of them can be read."""
        pictures = self.places[index].pictures[view]
        for pick in rng.permutation(len(pictures)):
            path = pictures[pick].path
            if path in self._cache:
                return self._cache[path]
            crop = self.read(path)
            if crop is None:
                continue
            if len(self._cache) < self._room:
                self._cache[path] = crop
            return crop
        return None

    def read(self, path: Path) -> Crop | None:
        """A picture from its file: (S, S, 3); None, and counted, where it cannot be read."""
        try:
            return read_crop(path, self.size_px)
        except ImageError as error:
            self.skipped.add(path, str(error))
            return None

    def paths(self, view: str) -> Iterator[tuple[int, Path]]:
        """Every picture of a view and the number of its place, in order."""
        for index, place in enumerate(self.places):
            for picture in place.pictures[view]:
                yield index, picture.path

    def ground(self, index: int, window: Window, share: float) -> Square | None:
        """What a window of a place's pictures shows, ``share`` of their side; None where it is unknown."""
        square = self.places[index].square
        if square is None:
            return None
        north, east = square.north_m - window.down * square.side_m, square.east_m + window.right * square.side_m
        return Square(square.area, north, east, share * square.side_m)

    def neighbours(self, index: int, count: int) -> NDArray[np.int64]:
        """The places of the same area nearest to one, itself left out; none where positions are unknown."""
        if np.isnan(self._at_m[index]).any():
            return np.zeros(0, np.int64)
        members = self._area_of[index]
        away = np.linalg.norm(self._at_m[members] - self._at_m[index], axis=1)
        return members[np.argsort(away, kind="stable")[1 : count + 1]]


def _square(squares: dict[str, Square] | None, name: str, number: int, root: Path) -> Square | None:
    if squares is None:
        return None
    if name not in squares:
        raise UsageError(f"{root / 'places.csv'} has no line for {name}.")
    one = squares[name]
    return Square(f"{number}/{one.area}", one.north_m, one.east_m, one.side_m)


def _middle_m(square: Square | None) -> tuple[float, float]:
    """North and east of a place, not a number where it is unknown."""
    return (np.nan, np.nan) if square is None else (square.north_m, square.east_m)
