"""The gallery in memory: each row is read once, searches equal those of a fresh open, rewriting is noticed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.centred import centred
from runtime.errors import EmbeddingSpaceError
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache, Snapshot
from runtime.values import ViewKind
from tests.runtime.history.counting import Counting
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe

RUNG_M = FOOTPRINTS_M[0]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[Counting]:
    with Counting.create(tmp_path / "flight.homing", SPACE, "bundle") as made:
        assert isinstance(made, Counting)
        yield made


def add(history: History, number: int, view: ViewKind = ViewKind.DRONE) -> None:
    history.add(keyframe(number, view), embeddings(number))


def found(snapshot: Snapshot, view: ViewKind, queries: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """All that a search tells, at every rung."""
    told = []
    for footprint_m in snapshot.footprints(view):
        rung = snapshot.rung(view, footprint_m)
        rows, similarities = rung.index(20).search(queries, 5)
        maps = snapshot.maps(rung.ids[rows[0]], footprint_m)
        assert maps is not None
        told += [rung.ids[rows], similarities, rung.places_m[rows], maps.astype(np.float64)]
    return told


def test_a_growing_history_is_read_once_and_searched_as_if_opened_afresh(history: Counting) -> None:
    queries = np.random.default_rng(4).standard_normal((3, 32)).astype(np.float32)
    cache = GalleryCache(history)
    assert cache.snapshot().views == ()
    for number in range(1, 101):
        view = ViewKind.SATELLITE if number % 7 == 0 else ViewKind.DRONE
        add(history, number, view)
        snapshot = cache.snapshot()
        for one in snapshot.views:
            told = found(snapshot, one, queries)
            if number % 20 == 0:
                with History.open(history.path) as again:
                    fresh = found(GalleryCache(again).snapshot(), one, queries)
                for mine, theirs in zip(told, fresh, strict=True):
                    np.testing.assert_array_equal(mine, theirs)
        assert snapshot.count(ViewKind.DRONE, RUNG_M) == number - number // 7
    assert len(history.rows) == 200 and set(history.rows.values()) == {1}
    assert set(history.spatial.values()) == {1}


def test_a_search_without_new_keyframes_reads_nothing(history: Counting) -> None:
    for number in range(1, 6):
        add(history, number)
    cache = GalleryCache(history)
    first = cache.snapshot()
    rung = first.rung(ViewKind.DRONE, RUNG_M)
    assert cache.snapshot() is first and first.rung(ViewKind.DRONE, RUNG_M) is rung
    add(history, 6, ViewKind.SATELLITE)
    assert cache.snapshot().rung(ViewKind.DRONE, RUNG_M) is rung  # nothing has come to this rung
    assert set(history.rows.values()) == {1}


def test_a_snapshot_stays_as_it_was_taken(history: Counting) -> None:
    for number in range(1, 4):
        add(history, number)
    cache = GalleryCache(history)
    early = cache.snapshot()
    for number in range(4, 300):
        add(history, number) if number % 40 == 0 else None
    late = cache.snapshot()
    assert late.rung(ViewKind.DRONE, RUNG_M).ids.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert early.rung(ViewKind.DRONE, RUNG_M).ids.tolist() == [1, 2, 3]  # asked for later than the late one
    assert early.count(ViewKind.DRONE, RUNG_M) == 3
    assert set(history.rows.values()) == {1}


def test_turned_embeddings_are_left_out(history: Counting) -> None:
    upright, turned = embeddings(1)[0], replace(embeddings(2)[0], heading_offset_rad=1.0)
    history.add(keyframe(1), [upright, turned])
    rung = GalleryCache(history).snapshot().rung(ViewKind.DRONE, RUNG_M)
    assert rung.ids.tolist() == [1]
    np.testing.assert_allclose(rung.vectors[0], upright.vector, atol=1e-3)


def test_maps_are_centred_and_never_more_than_their_budget(history: Counting) -> None:
    for number in range(1, 31):
        add(history, number)
    one_bytes = 4 * 6 * 6 * 2
    snapshot = GalleryCache(history, maps_bytes=10 * one_bytes).snapshot()
    maps = snapshot.maps([7, 3, 7], RUNG_M)
    slow = history.maps([7, 3, 7], RUNG_M)
    assert maps is not None and slow is not None
    np.testing.assert_array_equal(maps, centred(slow).astype(np.float16))
    every = snapshot.maps(list(range(1, 31)), RUNG_M)  # three times the budget: whole all the same
    whole = history.maps(range(1, 31), RUNG_M)
    assert every is not None and whole is not None
    np.testing.assert_array_equal(every, centred(whole).astype(np.float16))
    history.spatial.clear()
    assert snapshot.maps(list(range(1, 31)), RUNG_M) is not None
    assert len(history.spatial) >= 20  # no more than ten had been kept
    history.add(keyframe(31), [replace(embeddings(31)[0], map=None)])
    assert snapshot.maps([1, 31], RUNG_M) is None


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM embedding WHERE keyframe_id = 2",
        "UPDATE keyframe SET ground_latitude_deg = 60.5 WHERE id = 2",
        "UPDATE embedding SET vector = zeroblob(64) WHERE keyframe_id = 2",
        "DELETE FROM embedding WHERE keyframe_id = 3",
    ],
)
def test_what_another_program_rewrites_is_read_again(history: Counting, statement: str) -> None:
    for number in (1, 2, 3):
        add(history, number)
    cache = GalleryCache(history)
    before = cache.snapshot()
    assert len(before.rung(ViewKind.DRONE, RUNG_M)) == 3
    with closing(sqlite3.connect(history.path)) as other, other:
        other.execute(statement)
    add(history, 4)  # a row may take the deleted one's number
    after = cache.snapshot()
    assert after.generation != before.generation
    rung = after.rung(ViewKind.DRONE, RUNG_M)
    with History.open(history.path) as again:
        fresh = GalleryCache(again).snapshot().rung(ViewKind.DRONE, RUNG_M)
    np.testing.assert_array_equal(rung.ids, fresh.ids)
    np.testing.assert_array_equal(rung.vectors, fresh.vectors)
    np.testing.assert_array_equal(rung.places_m, fresh.places_m)
    assert before.rung(ViewKind.DRONE, RUNG_M).ids.tolist() == [1, 2, 3]  # a search under way is not disturbed


def test_embeddings_that_come_to_an_old_keyframe_are_found(history: Counting) -> None:
    history.add(keyframe(1), embeddings(1)[:1])
    history.add(keyframe(2), embeddings(2)[:1])
    cache = GalleryCache(history)
    assert cache.snapshot().footprints(ViewKind.DRONE) == (RUNG_M,)
    for keyframe_id in (1, 2):
        history.add_embeddings(keyframe_id, SPACE, ViewKind.DRONE, embeddings(keyframe_id)[1:])
        snapshot = cache.snapshot()
        assert len(snapshot.rung(ViewKind.DRONE, FOOTPRINTS_M[1])) == keyframe_id
    history.add_embeddings(2, SPACE, ViewKind.DRONE, embeddings(9)[:1])  # in place of its own
    vector = cache.snapshot().rung(ViewKind.DRONE, RUNG_M).vectors[1]
    np.testing.assert_allclose(vector, embeddings(9)[0].vector, atol=1e-3)


def test_a_history_that_was_moved_to_another_space_is_not_searched_any_more(history: Counting) -> None:
    add(history, 1)
    cache = GalleryCache(history)
    before = cache.snapshot()
    assert len(before.rung(ViewKind.DRONE, RUNG_M)) == 1
    with History.open(history.path, write=True) as mover:
        mover.add_embeddings(1, "space-b", ViewKind.DRONE, embeddings(1))
        assert cache.snapshot().generation == before.generation  # not yet moved: nothing of ours has changed
        mover.move_to_space("space-b", "bundle two")
    with pytest.raises(EmbeddingSpaceError, match="moved to embedding space space-b"):
        cache.snapshot()


def test_vectors_of_another_length_are_left_out_aloud(history: Counting, caplog: pytest.LogCaptureFixture) -> None:
    add(history, 1)
    cache = GalleryCache(history)
    assert len(cache.snapshot().rung(ViewKind.DRONE, RUNG_M)) == 1
    history.add(keyframe(2), embeddings(2, dimension=16))
    add(history, 3)
    assert cache.snapshot().rung(ViewKind.DRONE, RUNG_M).ids.tolist() == [1, 3]
    assert "1 damaged embeddings are left out" in caplog.text


def test_threads_search_while_it_grows(history: Counting) -> None:
    add(history, 1)
    cache = GalleryCache(history)

    def search(seed: int) -> int:
        query = np.random.default_rng(seed).standard_normal((1, 32)).astype(np.float32)
        seen: set[int] = set()
        while 59 not in seen:
            snapshot = cache.snapshot()
            rungs = [snapshot.rung(ViewKind.DRONE, footprint_m) for footprint_m in FOOTPRINTS_M]
            ids = list(range(1, snapshot.last_id + 1))
            assert [rung.ids.tolist() for rung in rungs] == [ids, ids]  # one prefix, at every rung
            row = int(rungs[0].index().search(query, 1)[0][0, 0])
            assert snapshot.maps([row + 1], RUNG_M) is not None
            seen.add(len(ids))
        return len(seen)

    with ThreadPoolExecutor(3) as pool:
        searches = [pool.submit(search, seed) for seed in range(3)]
        for number in range(2, 60):
            add(history, number)
        assert all(one.result() > 1 for one in searches)
    assert set(history.rows.values()) == {1}
