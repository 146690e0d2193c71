"""A flight that an earlier version flew, and what this one makes of it; `make_recorded.py` says how it was flown."""

from __future__ import annotations

import pytest

from runtime.debrief.flown import Flown
from runtime.debrief.truth import truth_of
from runtime.replay.changes import Comparison
from runtime.replay.comparison import compare
from runtime.replay.recording import Recording
from runtime.replay.replay import Replayed, config_of, replay
from tests.runtime.replay.flights import embedder
from tests.runtime.replay.make_recorded import HISTORY, LOG

TOLERANCE_M = 2.5  # kept as JPEGs: one grey level moves a fix by 0.7 m, at most 1.5 m, of a sigma of 1.9 m


@pytest.fixture(scope="module")
def replayed() -> tuple[Replayed, Comparison]:
    recording = Recording.open(LOG)
    done = replay(recording, config_of(recording), history=HISTORY, embedder=embedder())
    truth = truth_of(Flown.open(LOG))
    logged = recording.followed.until(done.end_t_ns)
    return done, compare(logged, done.outcome, truth, recording.first_t_ns, TOLERANCE_M)


def test_it_flies_as_it_flew(replayed: tuple[Replayed, Comparison]) -> None:
    done, found = replayed
    assert done.finished and done.lost_frames == 0 and done.frames > 20
    assert done.past.note == f"its pictures were embedded by {embedder().bundle.name}"
    assert found.changed == (), found
    assert found.decisions.replayed[:3] == ("monitor", "ready", "engaged en_route") and found.setpoints.sent[1] > 10


def test_it_knows_where_it_is_by_sight(replayed: tuple[Replayed, Comparison]) -> None:
    _, found = replayed
    assert found.truth is not None and found.truth.source == "simulator"
    errors = found.truth.vision[1]
    assert errors is not None and errors.error_m.count > 18
    assert errors.error_m.median < 2.0 and errors.error_m.max < 5.0 and errors.inside_2sigma > 0.9
    assert found.fixes.fixed[1] > 0.8 * found.fixes.tried[1] > 15


def test_it_hears_the_receiver_fall_silent(replayed: tuple[Replayed, Comparison]) -> None:
    done, _ = replayed
    assert done.outcome.records["navigation"][-1][1]["gps"] == "lost"
    assert done.outcome.records["estimate"][-1][1]["state"] == "tracking"
