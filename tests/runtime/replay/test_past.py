"""The history that a flight began with."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import HistoryError
from runtime.flightlog.start import FlightStart
from runtime.history.history import History
from runtime.replay.past import Past, history_before, newest_keyframe, of_space
from tests.runtime.history.recording import SPACE, embeddings, keyframe
from tests.runtime.replay.flights import embedder


def history(path: Path, seeds: range) -> Path:
    with History.append(path, SPACE, "a bundle") as made:
        for seed in seeds:
            made.add(keyframe(seed), embeddings(seed))
    return path


def start(path: Path) -> FlightStart:
    """Of a flight that begins with the history as it is now."""
    with History.open(path) as opened:
        last_id = opened.last_id()
        return FlightStart({}, {}, None, "flight", False, len(opened), last_id, newest_keyframe(opened, last_id))


def test_what_was_recorded_since_is_left_out_and_the_next_keyframe_has_the_same_id(tmp_path: Path) -> None:
    path = history(tmp_path / "h.db", range(3))
    began = start(path)
    history(path, range(3, 8))
    before = path.read_bytes()
    past = history_before(began, None, path, tmp_path / "copy.db")
    assert (past.keyframes, past.left_out, past.note) == (3, 5, "")
    history(past.copy, range(20, 21))
    with History.open(past.copy) as copy:
        assert copy.ids() == [1, 2, 3, 4] and copy.keyframe(3).name == keyframe(2).name
    assert path.read_bytes() == before


def test_a_history_elsewhere_is_known_by_its_keyframes_and_another_one_is_taken_whole(tmp_path: Path) -> None:
    path = history(tmp_path / "h.db", range(3))
    began = start(path)
    moved = history(path.rename(tmp_path / "moved.db"), range(3, 4))
    past = history_before(began, moved, path, tmp_path / "copy.db")
    assert (past.keyframes, past.left_out, past.note) == (3, 1, "")
    other = history(tmp_path / "other.db", range(10, 17))
    past = history_before(began, other, path, tmp_path / "other_copy.db")
    assert (past.keyframes, past.left_out) == (7, 0) and "is not the one that the flight began with" in past.note


def test_a_history_that_the_flight_made_is_made_again(tmp_path: Path) -> None:
    began = FlightStart({}, {}, None, "flight", False, 0, 0)
    past = history_before(began, None, tmp_path / "h.db", tmp_path / "copy.db")
    assert (past.keyframes, past.left_out, past.copy.exists()) == (0, 0, False)
    path = history(tmp_path / "h.db", range(4))
    past = history_before(began, None, path, tmp_path / "copy.db")
    assert (past.keyframes, past.left_out, past.note) == (0, 4, "")


def test_a_copy_is_made_one_that_the_bundle_searches(tmp_path: Path) -> None:
    bundle = embedder().bundle
    made = of_space(Past(tmp_path / "new.db", 0, 0, ""), embedder())
    other = of_space(Past(history(tmp_path / "other.db", range(2)), 2, 0, "odd"), embedder())
    assert made.note == "" and other.note == f"odd; its pictures were embedded by {bundle.name}"
    for past, count in ((made, 0), (other, 2)):
        with History.open(past.copy, embedding_space_id=bundle.embedding_space_id) as opened:
            assert len(opened) == count


def test_one_that_is_missing_is_asked_for(tmp_path: Path) -> None:
    began = start(history(tmp_path / "h.db", range(2)))
    with pytest.raises(HistoryError, match="gone.db that the flight began with is not here; say by --history"):
        history_before(began, None, tmp_path / "gone.db", tmp_path / "copy.db")
    with pytest.raises(HistoryError, match="does not exist"):
        history_before(began, tmp_path / "gone.db", tmp_path / "h.db", tmp_path / "copy.db")
