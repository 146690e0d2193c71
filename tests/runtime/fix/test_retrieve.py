"""Retrieval of keyframes whose place was not found by looks: those about a crowd of matches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.fix.memory import Memory
from runtime.fix.query import known_of
from runtime.fix.retrieve import MAX_MATCHES, Retriever
from runtime.geodesy import offset
from runtime.history.history import History, StoredEmbedding
from runtime.values import Embeddings, Frame, GeoPoint, Pose, ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, keyframe
from tests.runtime.record.fakes import FakeBundle

CAMERA = CameraModel.from_hfov(480, 360, 70.0)
ORIGIN = GeoPoint(60.0, 22.0)
SHOWN_M, COMPARED_M = 112.0, max(FOOTPRINTS_M)
CROWD = 5
DIMENSION = 128


class OneWay:
    """A tower that makes the same vector of every crop."""

    bundle = FakeBundle(FOOTPRINTS_M)

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        """(N, S, S, 3) to N times the first axis."""
        return Embeddings(np.tile(_towards(0.0, 0), (len(crops), 1)), None)


def _towards(off_rad: float, number: int) -> NDArray[np.float32]:
    """(128,) a unit vector that lies so far off the first axis, in a direction of its own."""
    vector = np.zeros(DIMENSION, np.float32)
    vector[0], vector[1 + number] = np.cos(off_rad), np.sin(off_rad)
    return vector


def add(history: History, number: int, north_m: float, off_rad: float) -> int:
    """A keyframe at a place that resembles what is looked for by so much."""
    one = replace(keyframe(number), ground=offset(ORIGIN, north_m, 0.0), footprint_m=SHOWN_M)
    return history.add(one, [StoredEmbedding(side_m, 0.0, _towards(off_rad, number)) for side_m in FOOTPRINTS_M])


def test_what_may_share_ground_with_a_crowd_of_matches_is_tried_although_less_of_it_was_compared(
    tmp_path: Path,
) -> None:
    with History.create(tmp_path / "h.db", SPACE, "bundle") as history:
        for number in range(CROWD):
            add(history, number, 1.0 * number, 0.3)
        for number in range(CROWD, MAX_MATCHES):
            add(history, number, 1000.0 * number, 0.6)
        beside = add(history, MAX_MATCHES, (SHOWN_M + COMPARED_M) / 2, 1.5)
        beyond = add(history, MAX_MATCHES + 1, 1.5 * SHOWN_M, 1.5)
        memory = Memory(history, CAMERA, 64, persist=False)
        memory.refresh()
        frame = Frame(np.zeros((360, 480, 3), np.uint8), 0, "frame", 0)
        known = known_of(frame, CAMERA, Pose(0), any_heading=False)
        found = Retriever(memory, OneWay(), lambda _: None).retrieve(frame, known)
    ids = {match.keyframe_id: match.similarity for match in found.ranked}
    assert len(ids) == MAX_MATCHES + 1 and ids[beside] is None and beyond not in ids
