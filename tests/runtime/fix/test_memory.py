"""What fixing keeps of a growing history: everything is read once, and never more is kept than fits its budget."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.fix.local_features import INVARIANT
from runtime.fix.memory import FEATURES_BYTES, Memory
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache
from runtime.place.locator import Locator
from runtime.values import Decision, ViewKind
from tests.runtime.history.counting import Counting
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe
from tests.runtime.place.fakes import RUNGS_M, Colours, Land, grid
from tests.runtime.place.fakes import SPACE as COLOURS_SPACE

CAMERA = CameraModel.from_hfov(480, 360, 70.0)
RUNG_M = FOOTPRINTS_M[0]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[Counting]:
    with Counting.create(tmp_path / "h.db", SPACE, "bundle") as made:
        assert isinstance(made, Counting)
        yield made


def add(history: History, number: int) -> None:
    """Keyframes of two sizes of ground, in turn."""
    history.add(replace(keyframe(number, size_px=128), footprint_m=100.0 if number % 2 else 50.0), embeddings(number))


def memory_of(history: History, features_bytes: int = FEATURES_BYTES) -> Memory:
    return Memory(history, CAMERA, 64, persist=False, features_bytes=features_bytes)


def test_keyframes_that_come_one_by_one_are_each_read_once(history: Counting) -> None:
    memory = memory_of(history)
    query = np.random.default_rng(1).standard_normal((1, 32)).astype(np.float32)
    for number in range(1, 61):
        add(history, number)
        memory.refresh()
        assert memory.chosen(ViewKind.DRONE, FOOTPRINTS_M[::-1]) == [FOOTPRINTS_M[1]]
        rung = memory.rung(ViewKind.DRONE, RUNG_M)
        rows, similarities = rung.indices[0].search(query, 5)
        assert memory.maps([number], RUNG_M) is not None
        memory.ground(number, INVARIANT, 40.0)
        sides = memory.footprints_to_try()
        if number % 20 == 0:
            with History.open(history.path) as again:
                fresh = memory_of(again)
                slow_rows, slow_similarities = fresh.rung(ViewKind.DRONE, RUNG_M).indices[0].search(query, 5)
                np.testing.assert_array_equal(rows, slow_rows)
                np.testing.assert_array_equal(similarities, slow_similarities)
                assert fresh.footprints_to_try() == sides and len(sides) == 2
    assert len(history.rows) == 120 and set(history.rows.values()) == {1}
    assert len(history.spatial) == 60 and set(history.spatial.values()) == {1}
    assert len(history.listed) == 60 and set(history.listed.values()) == {1}
    assert history.whole.pop(1) == 2  # once for its features, once for the origin
    assert len(history.whole) == 59 and set(history.whole.values()) == {1}


def test_features_are_kept_within_their_budget_and_are_those_of_a_fresh_read(history: Counting) -> None:
    for number in range(1, 13):
        add(history, number)
    sizes = [
        one.features.descriptors.nbytes + one.features.points.nbytes + one.points.nbytes
        for one in (memory_of(history).ground(number, INVARIANT, 40.0) for number in range(1, 13))
    ]
    assert min(sizes) > 4000
    memory = memory_of(history, features_bytes=4 * max(sizes))
    for number in range(1, 13):
        memory.ground(number, INVARIANT, 40.0)
    history.whole.clear()
    for number in (12, 11, 10, 1):
        kept, fresh = memory.ground(number, INVARIANT, 40.0), memory_of(history).ground(number, INVARIANT, 40.0)
        np.testing.assert_array_equal(kept.features.descriptors, fresh.features.descriptors)
        np.testing.assert_array_equal(kept.points, fresh.points)
    assert history.whole[12] == 1 and history.whole[10] == 1  # by the fresh one alone
    assert history.whole[1] >= 2 + 4  # it had been let go; each fresh one takes its origin from it


def test_what_was_kept_of_a_keyframe_is_forgotten_where_the_history_is_rewritten(history: Counting) -> None:
    for number in (1, 2):
        add(history, number)
    memory = memory_of(history)
    before = memory.ground(2, INVARIANT, 40.0)
    add(history, 3)
    memory.refresh()
    assert memory.ground(2, INVARIANT, 40.0) is before
    with closing(sqlite3.connect(history.path)) as other, other:
        other.execute("UPDATE keyframe SET ground_longitude_deg = 22.001, footprint_m = 80 WHERE id = 2")
    memory.refresh()
    after = memory.ground(2, INVARIANT, 40.0)
    assert after.centre[0] - before.centre[0] == pytest.approx(55.8, abs=0.5) and after.footprint_m == 80.0
    assert len(memory.footprints_to_try()) == 2


def test_fixing_and_locating_share_what_is_read(tmp_path: Path) -> None:
    land, tower = Land(), Colours()
    with Counting.create(tmp_path / "h.db", COLOURS_SPACE, "colours") as history:
        assert isinstance(history, Counting)
        land.record(history, tower, grid(67.5, 22.5))
        galleries = GalleryCache(history)
        memory = Memory(history, CAMERA, 64, False, galleries=galleries)
        locator = Locator(history, tower, galleries=galleries)
        assert locator.locate(land.target(4.0, 6.0)).decision is Decision.MATCH
        for rung_m in RUNGS_M:
            assert len(memory.rung(ViewKind.DRONE, rung_m).ids) == 49
            assert memory.maps(list(range(1, 50)), rung_m) is not None
        assert len(history.rows) == 98 and set(history.rows.values()) == {1}
        assert len(history.spatial) == 98 and set(history.spatial.values()) == {1}
