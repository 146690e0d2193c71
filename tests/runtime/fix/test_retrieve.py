"""Retrieval of keyframes that were not found by looks: those about a crowd of matches, or where the aircraft may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.fix.hypotheses import hypotheses_of
from runtime.fix.local_features import UPRIGHT
from runtime.fix.memory import Memory
from runtime.fix.query import known_of
from runtime.fix.query_crops import QueryCrop
from runtime.fix.retrieve import MAX_MATCHES, Match, Matches, Retriever
from runtime.fix.verification import Verifications
from runtime.fix.verify import Refused
from runtime.geodesy import offset
from runtime.history.history import History, StoredEmbedding
from runtime.values import Attitude, Embeddings, Frame, GeoPoint, Measured, Pose, Vicinity, ViewKind
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


def test_what_lies_where_the_aircraft_may_be_is_tried_beside_what_resembles_it_most(tmp_path: Path) -> None:
    frame = Frame(np.zeros((360, 480, 3), np.uint8), 0, "frame", 0)
    pose = Pose(0, height_agl_m=Measured(90.0, 2.0, "test"), attitude=Attitude.level(Measured(0.0, 0.02, "test")))
    known = known_of(frame, CAMERA, pose, any_heading=False)
    with History.create(tmp_path / "h.db", SPACE, "bundle") as history:
        elsewhere = [add(history, number, 1000.0 * (number + 1), 0.3) for number in range(MAX_MATCHES)]
        here = [add(history, MAX_MATCHES + number, 10.0 * number, 1.0 + 0.1 * number) for number in range(6)]
        memory = Memory(history, CAMERA, 64, persist=False)
        memory.refresh()
        retriever = Retriever(memory, OneWay(), lambda _: None)

        def found(vicinity: Vicinity | None) -> list[tuple[int, bool]]:
            ranked = retriever.retrieve(frame, known, vicinity=vicinity).ranked
            return [(match.keyframe_id, match.by_vicinity) for match in ranked]

        alone = [(keyframe_id, False) for keyframe_id in elsewhere]
        assert found(None) == alone
        mixed = found(Vicinity(ORIGIN, 20.0))
        assert mixed[:8:2] == alone[:4], "what is believed comes second"
        assert mixed[1:8:2] == [(keyframe_id, True) for keyframe_id in here[:4]]
        assert sorted(mixed[8:]) == sorted(alone[4:])
        assert found(Vicinity(offset(ORIGIN, 0.0, 800.0), 20.0)) == alone, "nothing was ever seen there"
        assert found(Vicinity(ORIGIN, 400.0)) == alone, "so wide a belief narrows nothing"
        beyond = found(Vicinity(offset(ORIGIN, 1000.0, 0.0), 20.0))
        assert beyond == alone, "the most similar is the one that is there"


def test_what_was_only_believed_speaks_for_nothing(tmp_path: Path) -> None:
    there, believed = (Match(number, 0, 0.5, (500.0 * number, 0.0), by_vicinity=number == 2) for number in (1, 2))
    crop = QueryCrop(COMPARED_M, Pose(0), (0.0, 0.0), np.zeros((8, 8, 3), np.uint8))
    matches = Matches((crop,), Embeddings(np.zeros((1, DIMENSION), np.float32), None), (there, believed))
    frame = Frame(np.zeros((360, 480, 3), np.uint8), 0, "frame", 0)
    refused = Verifications(UPRIGHT, (), (Refused(2, 3, "too few features agree on one place"),))
    with History.create(tmp_path / "h.db", SPACE, "bundle") as history:
        for number in (1, 2):
            add(history, number, 500.0 * number, 0.5)
        memory = Memory(history, CAMERA, 64, persist=False)
        memory.refresh()
        known = known_of(frame, CAMERA, Pose(0), any_heading=False)
        found = hypotheses_of(known, matches, refused, memory, as_tagged=False)
    assert [one.keyframe_ids for one in found.all] == [(1,)]
