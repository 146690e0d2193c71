"""Of many scales and headings a target is read in the one whose middle fits best, and in a rival that fits as well."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.matching.search import Index
from runtime.place.attempt import Attempt, Crop
from runtime.place.gallery import Rung
from runtime.place.sketch import likeliest
from runtime.place.versions import Layer

FOOTPRINT_M = 80.0
SHAPE = (4, 8, 8)
DIM = 16
RIGHT, RIVAL = 3, 9  # of twelve attempts, 15 degrees apart
STRANGE, TURNED = 7, 11  # keyframes


class Noise(Rung):
    """Forty keyframes far apart, whose vectors and maps are noise."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.footprint_m, self.ids = FOOTPRINT_M, np.arange(1, 41)
        self.ne_m = 300.0 * np.stack(np.divmod(np.arange(40), 8), axis=1)
        self.vectors = _unit(rng.normal(size=(40, DIM)), 1)
        self.index, self.kept = Index(self.vectors), _unit(rng.normal(size=(40, *SHAPE)), 1)

    def maps(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Of rows."""
        return self.kept[rows].astype(np.float16)


def _unit(values: NDArray[np.floating], axis: int) -> NDArray[np.float32]:
    return np.asarray(values / np.linalg.norm(values, axis=axis, keepdims=True), np.float32)


@pytest.fixture
def rung() -> Noise:
    return Noise()


def _asked(rung: Noise, maps_of: dict[int, tuple[int, float]]) -> list[int]:
    """The headings, in steps, of what is likeliest, where the maps of some attempts are a keyframe's, with so much
    noise beside it; their vectors are a little like that keyframe's. The vector of attempt 0 is plain: alike to all."""
    rng = np.random.default_rng(1)
    vectors, maps = _unit(rng.normal(size=(12, DIM)), 1), _unit(rng.normal(size=(12, *SHAPE)), 1)
    for attempt, (row, noise) in maps_of.items():
        vectors[attempt] = rung.vectors[row] + 0.3 * vectors[attempt]
        maps[attempt] = rung.kept[row] + noise * maps[attempt]
    vectors[0] = rung.vectors.mean(axis=0)
    attempts = [Attempt(0.5, math.radians(15.0 * step), (FOOTPRINT_M,)) for step in range(12)]
    crop = Crop(np.zeros((1, 1, 3), np.uint8), (0.0, 0.0), np.ones(SHAPE[1:], np.float32))

    def layer_of(number: int) -> Layer:
        return Layer(rung, [crop], _unit(maps[number], 0)[None])

    found = likeliest(attempts, _unit(vectors, 1), {FOOTPRINT_M: rung}, layer_of)
    return [round(math.degrees(one.heading_rad) / 15.0) for one in found]


def test_the_attempt_whose_map_fits_is_read_alone(rung: Noise) -> None:
    assert _asked(rung, {RIGHT: (STRANGE, 0.2)}) == [RIGHT]


def test_a_rival_that_fits_nearly_as_well_is_read_too(rung: Noise) -> None:
    assert sorted(_asked(rung, {RIGHT: (STRANGE, 0.2), RIVAL: (TURNED, 0.2)})) == [RIGHT, RIVAL]
    assert _asked(rung, {RIGHT: (STRANGE, 0.2), RIVAL: (TURNED, 2.0)}) == [RIGHT]


def test_a_neighbour_of_the_best_is_no_rival(rung: Noise) -> None:
    assert _asked(rung, {RIGHT: (STRANGE, 0.2), RIGHT + 1: (STRANGE, 0.25)}) == [RIGHT]


def test_of_a_gallery_of_one_keyframe_every_attempt_is_laid_on_it(rung: Noise) -> None:
    rung.vectors, rung.kept = rung.vectors[STRANGE : STRANGE + 1], rung.kept[STRANGE : STRANGE + 1]
    rung.ids, rung.ne_m, rung.index = rung.ids[:1], rung.ne_m[:1], Index(rung.vectors)
    assert _asked(rung, {RIGHT: (0, 0.2)})[0] == RIGHT
