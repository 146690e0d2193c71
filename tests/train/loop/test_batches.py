"""Batches: the same from the same seed, of one area, with hard places in them, and shifts that the pixels confirm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.train.loop.tiny import CELL_PX, area  # noqa: E402
from train.data.augment import Strength, Window, any_window, cut, turned_alike, turned_shifts  # noqa: E402
from train.data.pairs import Pair  # noqa: E402
from train.data.places import Square, displaced, related  # noqa: E402
from train.data.training_set import TrainingPlace, TrainingSet  # noqa: E402
from train.loop.batches import Batch, Memory, choose, make_batch  # noqa: E402

PAIR = Pair("drone", "satellite")
STILL = Strength(0.0, 0.0, 0.0, 1.0)
MOVED = Strength(0.0, 0.0, 0.0, 0.75)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    root = area(tmp_path_factory.mktemp("area"), places=25, seeds=(0, 1), test=False)
    return TrainingSet.open([root], [PAIR], CELL_PX, 100)


def test_a_batch_is_of_one_area_and_repeats(data: TrainingSet) -> None:
    memory = Memory(len(data.places), 4)
    for step in range(10):
        chosen = choose(data, memory, 1, step, 8, 0.5)
        np.testing.assert_array_equal(chosen, choose(data, memory, 1, step, 8, 0.5))
        assert len(set(chosen)) == 8
        assert len({data.places[i].square.area for i in chosen}) == 1
    assert not np.array_equal(choose(data, memory, 1, 0, 8, 0.5), choose(data, memory, 2, 0, 8, 0.5))
    assert len(choose(data, memory, 1, 0, 40, 0.5)) == 40  # an area of 25 is filled up from the other


def test_hard_places_are_neighbours_and_look_alikes() -> None:
    squares_ = [Square("w", 30.0 * (i // 14), 30.0 * (i % 14), 90.0) for i in range(196)]
    data = TrainingSet([TrainingPlace(str(i), {}, s) for i, s in enumerate(squares_)], CELL_PX, 0)

    def nearest(share: float, memory: Memory) -> float:
        spread = []
        for step in range(30):
            squares = [data.places[i].square for i in choose(data, memory, 3, step, 6, share)]
            at = np.array([(s.north_m, s.east_m) for s in squares])
            away = np.linalg.norm(at[:, None] - at[None], axis=2) + 1e9 * np.eye(6)
            spread.append(away.min(axis=1).mean())
        return float(np.mean(spread))

    unseen = Memory(len(data.places), 2)
    assert nearest(0.8, unseen) < 0.75 * nearest(0.0, unseen)
    seen = Memory(len(data.places), 3)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(len(data.places), 3)).astype(np.float32)
    seen.remember(np.arange(len(rows)), rows / np.linalg.norm(rows, axis=1, keepdims=True))
    among = data.areas[0]
    alike = seen.look_alikes(int(among[0]), among, 3)
    expected = sorted((i for i in among[1:]), key=lambda i: -float(seen.rows[i] @ seen.rows[among[0]]))[:3]
    assert list(alike) == expected
    assert len(unseen.look_alikes(0, among, 3)) == 0


def test_relation_and_shifts_follow_the_ground(data: TrainingSet) -> None:
    index = data.areas[0][:7]
    squares = [data.places[i].square for i in index]
    found = related(index, index, squares, squares)
    for i, a in enumerate(squares):
        for j, b in enumerate(squares):
            share = max(0, 90 - abs(a.north_m - b.north_m)) * max(0, 90 - abs(a.east_m - b.east_m)) / 8100
            assert found[i, j] == (1 if share > 0.5 else -1 if share < 0.15 else 0)
    other = data.areas[1][:1]
    elsewhere = [data.places[other[0]].square]
    assert (related(index, other, squares, elsewhere) == -1).all() and np.isnan(displaced(squares, elsewhere)).all()
    corners = [data.ground(int(index[0]), Window(way, way, 0.5, 0.0), 0.5) for way in (-0.25, 0.25)]
    assert related(index[:1], index[:1], corners[:1], corners[1:]) == 1  # nothing in common, and still one place
    assert related(index[:1], other, corners[:1], [None]) == -1
    np.testing.assert_allclose(displaced(corners[:1], corners[1:])[0, 0], [-1.0, -1.0])  # one side up and left


@pytest.mark.parametrize("strength", [STILL, MOVED])
@pytest.mark.parametrize("step", range(6))
def test_shifts_say_where_the_same_pixels_are(data: TrainingSet, step: int, strength: Strength) -> None:
    """Of two drone crops of one ground, turned and mirrored alike; sensors differ, so corners are correlated."""
    index = data.areas[0][[0, 1, 5, 6]]
    batch = make_batch(data, index, Pair("drone", "drone"), strength, 9, step)
    side = batch.queries.shape[1]
    assert side == CELL_PX * strength.window
    pixels = np.round(batch.shifts * side).astype(int)
    for i in range(4):
        for j in range(4):
            down, right = pixels[i, j]
            rows = slice(max(0, -down), side - max(0, down)), slice(max(0, down), side - max(0, -down))
            cols = slice(max(0, -right), side - max(0, right)), slice(max(0, right), side - max(0, -right))
            a = batch.queries[i, rows[0], cols[0]].astype(float).mean(axis=2)
            b = batch.gallery[j, rows[1], cols[1]].astype(float).mean(axis=2)
            if min(a.shape) >= 8:
                assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8, (i, j)


def test_displacements_of_many_are_what_each_pair_alone_has() -> None:
    rng = np.random.default_rng(2)
    sides = rng.choice([60.0, 90.0], 24)
    squares = [Square(f"w{i % 2}", *map(float, rng.uniform(-99, 99, 2)), float(side)) for i, side in enumerate(sides)]
    found = displaced([*squares[:12], None], [None, *squares[12:]])
    assert found.shape == (13, 13, 2) and np.isnan(found[-1]).all() and np.isnan(found[:, 0]).all()
    known = 0
    for i, a in enumerate(squares[:12]):
        for j, b in enumerate(squares[12:], 1):
            if a.area == b.area and a.side_m == b.side_m:
                expected = (b.north_m - a.north_m) / a.side_m, (a.east_m - b.east_m) / a.side_m
                np.testing.assert_allclose(found[i, j], expected, rtol=1e-5, atol=1e-6)
                known += 1
            else:
                assert np.isnan(found[i, j]).all()
    assert 10 < known < 100


def test_places_without_a_position_have_no_neighbours() -> None:
    known = [TrainingPlace(str(i), {}, Square("w", 30.0 * i, 0.0, 90.0)) for i in range(5)]
    data = TrainingSet([*known, TrainingPlace("a", {}, None), TrainingPlace("b", {}, None)], CELL_PX, 0)
    assert list(data.neighbours(0, 2)) == [1, 2] and set(data.neighbours(2, 2)) == {1, 3}
    assert len(data.neighbours(5, 2)) == 0


def test_turning_is_what_numpy_says() -> None:
    grid = np.zeros((1, 8, 8, 3), np.uint8)
    grid[0, 2, 5] = 255
    for turns in range(4):
        for mirrored in (False, True):
            out = turned_alike(grid, turns, mirrored)[0, :, :, 0]
            np.testing.assert_array_equal(out, np.rot90(grid[0], turns)[:, :: -1 if mirrored else 1, 0])
            at = np.argwhere(out)[0] - 3.5
            expected = turned_shifts(np.array([2 - 3.5, 5 - 3.5], np.float32), turns, mirrored)
            np.testing.assert_allclose(at, expected)


def test_a_wrong_pose_invents_no_ground() -> None:
    """Of a picture with a frame, no frame comes into view twice: nothing is mirrored in."""
    crop = np.full((64, 64, 3), 100, np.uint8)
    crop[0], crop[-1], crop[:, 0], crop[:, -1] = 255, 255, 255, 255
    rng = np.random.default_rng(0)
    for share in (0.75, 1.0):
        for _ in range(50):
            seen = cut(crop, any_window(Strength(0.0, 10.0, 0.2, share), rng), 64)[3:-3, 3:-3]
            assert (seen <= 110).mean() > 0.97


def test_a_window_shows_what_it_says() -> None:
    """A mark a quarter down and right of the middle is in the middle of a window there; turned, what lay north of the
    mark lies where the window's own up is."""
    crop = np.zeros((64, 64, 3), np.uint8)
    crop[47:49, 47:49] = 255
    assert cut(crop, Window(0.25, 0.25, 0.4, 0.0), 31)[15, 15, 0] > 200
    crop[30:34, 47:49] = 128  # north of it, by a quarter of the picture: half of the window
    seen = cut(crop, Window(0.25, 0.25, 0.6, 90.0), 61)[..., 0]  # its up is east, so that north is to its left
    assert seen[30, 30] > 200 and seen[30, 4] == 128


def test_an_unreadable_place_is_left_out(tmp_path: Path) -> None:
    root = area(tmp_path, places=4, test=False)
    (root / "train/drone/0-001/0.png").write_bytes(b"no picture")
    broken = TrainingSet.open([root], [PAIR], CELL_PX, 0)
    batch = make_batch(broken, np.arange(4), PAIR, STILL, 0, 0)
    assert batch.places[batch.readable].tolist() == [0, 2, 3] and len(broken.skipped.paths) == 1
    assert len(batch.queries) == len(batch.gallery) == len(batch.clear[0]) == len(batch.clear[1]) == 3


def test_shares_of_a_batch_are_the_batch_and_each_reads_its_own_alone(tmp_path: Path) -> None:
    """Whoever draws for a place draws the same: weather, windows and light of 7 places, by one and by three."""
    root, places = area(tmp_path, places=9, test=False), np.array([4, 0, 7, 2, 8, 1, 5])
    (root / "train/satellite/0-007/0.png").write_bytes(b"no picture")
    strength = Strength(0.5, 5.0, 0.1, 0.75)

    def made(share: slice) -> tuple[Batch, set[str]]:
        data = TrainingSet.open([root], [PAIR], CELL_PX, 100)
        batch = make_batch(data, places, PAIR, strength, 3, 1, lambda total: share)
        return batch, {path.parent.name for path in [*data._cache, *data.skipped.paths]}

    (whole, _), parts = made(slice(0, 7)), [made(share) for share in (slice(0, 2), slice(2, 4), slice(4, 7))]
    assert [sorted(read) for _, read in parts] == [["0-000", "0-004"], ["0-002", "0-007"], ["0-001", "0-005", "0-008"]]
    for name in ("queries", "gallery", "readable"):
        together = np.concatenate([getattr(part, name) for part, _ in parts])
        np.testing.assert_array_equal(together, getattr(whole, name))
    for part, _ in parts:
        for name in ("places", "relation", "shifts"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
    assert len(whole.queries) == 6 and not whole.readable[2]
