"""Of many areas the target is laid on those that fit it or what chance makes of it; of few on all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.place.areas import FEW, worth_laying_on
from runtime.place.attempt import Crop
from runtime.place.gallery import Rung
from runtime.place.versions import Layer

FOOTPRINT_M = 80.0
SHAPE = (4, 8, 8)


class Areas(Rung):
    """So many areas, a kilometre apart, of nine keyframes each, with maps of noise."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        near = np.stack(np.meshgrid([-27.0, 0.0, 27.0], [-27.0, 0.0, 27.0]), axis=-1).reshape(-1, 2)
        self.footprint_m, self.asked = FOOTPRINT_M, 0
        self.ne_m = (1_000.0 * np.arange(count)[:, None, None] + near).reshape(-1, 2)
        self.ids = np.arange(1, len(self.ne_m) + 1)
        self.kept = _unit(rng.normal(size=(len(self.ids), *SHAPE)))

    def maps(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Of rows, counted."""
        self.asked += len(rows)
        return self.kept[rows].astype(np.float16)

    def like(self, area: int) -> list[Layer]:
        """What fits the middle keyframe of an area, moved by a cell."""
        queries = np.roll(self.kept[9 * area + 4], 1, axis=-1)[None]
        crop = Crop(np.zeros((1, 1, 3), np.uint8), (0.0, 0.0), np.ones(SHAPE[1:], np.float32))
        return [Layer(self, [crop], queries)]


def _unit(maps: NDArray[np.float64]) -> NDArray[np.float32]:
    return (maps / np.linalg.norm(maps, axis=1, keepdims=True)).astype(np.float32)


def test_of_many_areas_those_stay_that_fit_the_target_or_what_chance_makes_of_it() -> None:
    rung = Areas(40)
    kept = worth_laying_on([rung.like(23), rung.like(31), rung.like(5)], np.arange(360))
    areas = np.unique(kept // 9)
    assert {23, 31, 5} <= set(areas.tolist()) and len(areas) <= 16
    assert np.array_equal(kept, (9 * areas[:, None] + np.arange(9)).ravel())  # all that show the spot, in order
    assert rung.asked < 80  # of 360 keyframes


def test_of_few_areas_all_stay_and_nothing_is_read() -> None:
    rung = Areas(FEW)
    rows = np.arange(0, 9 * FEW, 2)
    assert worth_laying_on([rung.like(3)], rows) is rows and rung.asked == 0


def test_a_wide_area_is_asked_at_more_than_its_middle() -> None:
    """Fourteen areas, one of them a long strip, at whose far end the target lies."""
    rung = Areas(14)
    rung.ne_m[-9:] = 40_000.0 + 70.0 * np.arange(9)[:, None] * np.array([0.0, 1.0])
    layers = rung.like(13)
    layers[0].queries[0] = np.roll(rung.kept[9 * 13 + 8], 1, axis=-1)
    assert 9 * 13 + 8 in worth_laying_on([layers], np.arange(9 * 14))


def test_of_an_area_the_keyframes_far_from_its_best_spot_go() -> None:
    """Fourteen long strips: what fits the middle of one says nothing for its ends."""
    rung = Areas(14)
    rung.ne_m += 110.0 * np.tile(np.arange(-4, 5), 14)[:, None] * np.array([0.0, 1.0])
    kept = worth_laying_on([rung.like(5)], np.arange(9 * 14))
    assert 9 * 5 + 4 in kept and 9 * 5 not in kept and 9 * 5 + 8 not in kept
