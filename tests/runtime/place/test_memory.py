"""Locating over a wide history needs memory for the ground that was flown over, however wide and of however many
versions of the target."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.place.attempt import Attempt, Crop
from runtime.place.hypothesis import compare, fields_of, sharpest
from runtime.place.versions import Layer, wrong_layouts

_CELLS, _CHANNELS, _FOOTPRINT_M = 8, 4, 80.0


@dataclass(frozen=True)
class LongWay:
    """The keyframes of a flight straight to the north-east: a lattice over all of it is mostly empty."""

    ids: NDArray[np.int64]
    ne_m: NDArray[np.float64]
    spatial: NDArray[np.float16]
    footprint_m: float = _FOOTPRINT_M
    areas: int = 1  # in which they lie, far from one another

    @classmethod
    def of(cls, count: int, step_m: float = 100.0, areas: int = 1) -> LongWay:
        rng = np.random.default_rng(1)
        maps = rng.standard_normal((count, _CHANNELS, _CELLS, _CELLS))
        unit = maps / np.linalg.norm(maps, axis=1, keepdims=True)
        places = np.arange(count)[:, None] * np.array([step_m, step_m])
        return cls(np.arange(1, count + 1), places, unit.astype(np.float16), areas=areas)

    def groups(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return np.array_split(rows, self.areas)

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(self.ids, ids))

    def maps(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        return self.spatial[rows]


def _layers(way: LongWay, shown: int) -> list[Layer]:
    crop = Crop(np.zeros((16, 16, 3), np.uint8), (0.0, 0.0), np.ones((_CELLS, _CELLS), np.float32))
    return [Layer(way, [crop], way.spatial[shown : shown + 1].astype(np.float32))]  # type: ignore[arg-type]


def _peak_bytes(way: LongWay, wrong: bool) -> int:
    layers, rows = _layers(way, 7), np.arange(len(way.ids))
    copies = wrong_layouts(layers) if wrong else ()
    tracemalloc.start()
    try:
        found = compare(Attempt(0.3, 0.0, (_FOOTPRINT_M,)), layers, rows, 8, copies)
        assert found.nearest[0] == way.ids[7] and len(found.chance) == len(copies)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_goes_with_the_ground_that_was_flown_over_and_not_with_how_far_it_reaches() -> None:
    near, far = (_peak_bytes(LongWay.of(20, step_m), wrong=True) for step_m in (200.0, 2000.0))
    lattice_bytes = 8 * (19 * 2000.0 / (3 / 80 * _FOOTPRINT_M)) ** 2
    assert far < 2 * near < lattice_bytes / 50  # the table of tiles is all that grows


def test_the_lattices_of_one_area_are_held_at_a_time() -> None:
    together, one_by_one = (_peak_bytes(LongWay.of(60, areas=areas), wrong=True) for areas in (1, 12))
    assert one_by_one < together / 2


def test_each_version_is_scored_as_it_is_alone() -> None:
    way = LongWay.of(6, areas=2)
    layers, rows = _layers(way, 3), np.arange(6)
    versions = [layers, *wrong_layouts(layers)]
    fields, others = fields_of(versions, rows)
    together = [sharpest(fields), *others]
    alone = [sharpest(fields_of([one], rows)[0]) for one in versions]
    np.testing.assert_allclose(together, alone, rtol=1e-4)
    assert together[0] > max(together[1:]) and len(fields) == 2
