"""The history keeps what it was given, to the bit where it can, and finds it again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import EmbeddingSpaceError, HistoryError, StorageError
from runtime.history.history import History, StoredEmbedding
from runtime.values import GeoPoint, Pose, Position, PositionSource, ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flight.homing"


def record(path: Path, count: int) -> None:
    with History.append(path, SPACE, "bundle one") as history:
        for number in range(1, count + 1):
            history.add(keyframe(number), embeddings(number))


def test_a_keyframe_comes_back_as_it_was(path: Path) -> None:
    record(path, 3)
    with History.open(path) as history:
        for number in (1, 2, 3):
            found, given = history.keyframe(number), keyframe(number)
            assert found.pose == given.pose and found.ground == given.ground
            assert replace(found, crop=given.crop, keyframe_id=0) == replace(given, crop=given.crop)
            assert np.abs(found.crop.astype(int) - given.crop).mean() < 4  # JPEG of hard edges


def test_what_is_unknown_stays_unknown(path: Path) -> None:
    with History.create(path, SPACE, "b") as history:
        bare = replace(keyframe(1), pose=Pose(t_ns=-5), position=None)
        found = history.keyframe(history.add(bare, []))
        assert found.pose == Pose(t_ns=-5) and found.position is None and found.tag is None


def test_a_tag_is_kept_apart_from_the_cameras_position(path: Path) -> None:
    tag = Position.circular(GeoPoint(60.5, 22.5), math.inf, PositionSource.TAG)
    with History.create(path, SPACE, "b") as history:
        given = replace(keyframe(1), tag=tag)
        found = history.keyframe(history.add(given, []))
        assert found.position == given.position and found.tag == tag and found.track_point == tag.point
        assert [one.tag for one in history.keyframes(crops=False)] == [tag]
        history.add(keyframe(2), [])
        last = history.keyframe(2)
        assert last.tag is None and last.position is not None and last.track_point == last.position.point


def test_embeddings_and_maps_come_back_in_half_precision(path: Path) -> None:
    record(path, 5)
    with History.open(path) as history:
        gallery = history.gallery(ViewKind.DRONE, FOOTPRINTS_M[1])
        assert gallery.ids.tolist() == [1, 2, 3, 4, 5]
        assert gallery.vectors.dtype == np.float16
        maps = history.maps([4, 2], FOOTPRINTS_M[1])
        assert maps is not None and maps.shape == (2, 4, 6, 6)
        for row, number in ((0, 4), (1, 2)):
            given = embeddings(number)[1]
            assert np.abs(gallery.vectors[number - 1] - given.vector).max() < 1e-3
            assert given.map is not None and np.abs(maps[row] - given.map).max() < 1e-3
        np.testing.assert_allclose(gallery.ground[2], [60.0003, 22.0], rtol=0, atol=1e-12)


def test_galleries_are_apart_by_view_footprint_and_age(path: Path) -> None:
    with History.create(path, SPACE, "b") as history:
        history.add(keyframe(1), embeddings(1))
        tile = history.add(keyframe(2, ViewKind.SATELLITE), embeddings(2)[:1])
        assert history.gallery(ViewKind.SATELLITE, FOOTPRINTS_M[0]).ids.tolist() == [tile]
        assert len(history.gallery(ViewKind.SATELLITE, FOOTPRINTS_M[1])) == 0
        assert history.footprints(ViewKind.DRONE) == FOOTPRINTS_M
        assert history.footprints(ViewKind.SATELLITE) == FOOTPRINTS_M[:1]
        assert history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0], after_id=1).ids.tolist() == []
        assert history.views() == (ViewKind.DRONE, ViewKind.SATELLITE)
        assert history.count(ViewKind.DRONE, FOOTPRINTS_M[0]) == 1


def test_headings_are_kept_apart(path: Path) -> None:
    with History.create(path, SPACE, "b") as history:
        upright, turned = embeddings(1)[0], embeddings(2)[0]
        history.add(keyframe(1), [upright, replace(turned, heading_offset_rad=np.pi / 2)])
        gallery = history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0])
        np.testing.assert_allclose(gallery.heading_offsets_rad, [0.0, np.pi / 2], atol=1e-6)
        maps = history.maps([1], FOOTPRINTS_M[0])
        assert maps is not None and upright.map is not None
        np.testing.assert_allclose(maps[0], upright.map, atol=1e-3)


def test_without_a_map_there_are_none(path: Path) -> None:
    with History.create(path, SPACE, "b") as history:
        history.add(keyframe(1), [StoredEmbedding(80.0, 0.0, np.ones(4, np.float32))])
        assert history.maps([1], 80.0) is None
        assert history.maps([1], 56.0) is None


def test_keyframes_one_by_one_with_and_without_crops(path: Path) -> None:
    record(path, 3)
    with History.open(path) as history:
        assert [one.keyframe_id for one in history.keyframes()] == [1, 2, 3]
        for one, full in zip(history.keyframes(crops=False), history.keyframes(), strict=True):
            assert one.crop.shape == (0, 0, 3)
            assert replace(one, crop=full.crop) == full
        assert (len(history), history.first_id(), history.last_id(), history.flights()) == (3, 1, 3, ("flight one",))
        with pytest.raises(HistoryError, match="no keyframe 99"):
            history.keyframe(99)


def test_features_are_a_cache_that_may_be_missing(path: Path) -> None:
    record(path, 1)
    points = {"points": np.arange(6, dtype=np.float32).reshape(3, 2), "bits": np.arange(3, dtype=np.uint8)}
    with History.open(path, write=True) as history:
        assert history.features(1, "orb") is None
        assert history.store_features(1, "orb", points)
        found = history.features(1, "orb")
        assert found is not None
        for name, array in points.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    with History.open(path) as reading:
        assert not reading.store_features(1, "other", points)


def test_reading_while_it_is_recorded(path: Path) -> None:
    with History.create(path, SPACE, "b") as writing:
        writing.add(keyframe(1), embeddings(1))
        with History.open(path) as reading:
            assert len(reading) == 1
            writing.add(keyframe(2), embeddings(2))
            assert len(reading) == 2
            assert reading.gallery(ViewKind.DRONE, FOOTPRINTS_M[0], after_id=1).ids.tolist() == [2]


def test_recording_goes_on_in_an_old_history(path: Path) -> None:
    record(path, 2)
    with History.append(path, SPACE, "b") as history:
        assert history.add(keyframe(3), embeddings(3)) == 3
    assert not path.with_name(path.name + "-wal").exists()


def test_another_embedding_space_is_refused_with_its_remedy(path: Path) -> None:
    record(path, 1)
    with pytest.raises(EmbeddingSpaceError, match=f"homing history reembed {path}"):
        History.open(path, embedding_space_id="space-b")
    with pytest.raises(EmbeddingSpaceError):
        History.append(path, "space-b", "b")


def test_moving_to_another_space_drops_the_old_embeddings(path: Path) -> None:
    record(path, 2)
    with History.open(path, write=True) as history:
        for keyframe_id in history.ids():
            history.add_embeddings(keyframe_id, "space-b", ViewKind.DRONE, embeddings(keyframe_id + 10)[:1])
        assert history.footprints(ViewKind.DRONE) == FOOTPRINTS_M  # still in its old space
        history.move_to_space("space-b", "bundle two")
        assert history.footprints(ViewKind.DRONE) == FOOTPRINTS_M[:1]
    with History.open(path, embedding_space_id="space-b") as history:
        assert history.bundle_name == "bundle two"
        assert len(history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0])) == 2


def test_the_ground_that_it_covers_is_that_of_its_keyframes(path: Path) -> None:
    with History.create(path, SPACE, "b") as history:
        assert len(history.coverage()) == 0 and history.coverage().centres_deg.shape == (0, 2)
    record(path, 3)
    with History.open(path) as history:
        given, covered = [keyframe(number) for number in (1, 2, 3)], history.coverage()
        assert covered.centres_deg.tolist() == [[one.ground.latitude_deg, one.ground.longitude_deg] for one in given]
        assert covered.footprints_m.tolist() == [one.footprint_m for one in given]


def test_the_ground_comes_in_pieces_by_age(path: Path) -> None:
    record(path, 5)
    with History.open(path) as history:
        pieces = [history.ground_rows(after_id, 2) for after_id in (0, 2, 4, 5)]
        assert [piece.ids.tolist() for piece in pieces] == [[1, 2], [3, 4], [5], []]
        third = keyframe(3)
        assert pieces[1].ground[0].tolist() == [third.ground.latitude_deg, third.ground.longitude_deg]
        assert pieces[1].footprints_m.tolist() == [third.footprint_m] * 2 and pieces[3].ground.shape == (0, 2)


@pytest.mark.parametrize("ask", [History.open, lambda path: History.append(path, "space", "bundle"),
                                 lambda path: History.create(path, "space", "bundle")])  # fmt: skip
def test_a_name_that_cannot_be_looked_up_is_one_sentence(path: Path, ask: Callable[[Path], History]) -> None:
    """As it is where the folder may not be looked into, which a test run by root cannot show."""
    with pytest.raises(StorageError, match=r"cannot be reached: File name too long\.$"):
        ask(path.with_name(300 * "x"))
