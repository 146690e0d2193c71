"""Which of the keyframes that resemble a frame are verified, and when that is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.fix.local_features import UPRIGHT, Features, Kind
from runtime.fix.memory import Memory
from runtime.fix.planar_pose import Prior
from runtime.fix.query import known_of
from runtime.fix.query_crops import QueryCrop
from runtime.fix.retrieve import Match, Matches, Retriever
from runtime.fix.verification import MAX_VERIFIED, verify_in_turn
from runtime.fix.verify import Ground, Sighting
from runtime.values import Attitude, Embeddings, Frame, Measured, Pose

HEIGHT_M, FOOTPRINT_M, FEATURES = 60.0, 80.0, 60
HERE, BESIDE, FAR, FARTHER = (0.0, 0.0), (30.0, 0.0), (900.0, 0.0), (0.0, -2000.0)
RNG = np.random.default_rng(4)
RAYS = RNG.uniform(-0.6, 0.6, (FEATURES, 2))


def _unit() -> NDArray[np.float32]:
    rows = RNG.standard_normal((FEATURES, 128))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


SEEN = Features(np.zeros((FEATURES, 2), np.float32), _unit())


@dataclass
class Grounds:
    """A memory of keyframes, each of which shows so many of the features that the frame shows, where the frame sees
    them from over `HERE`; it remembers which were asked for."""

    shared: dict[int, int]
    places_m: dict[int, tuple[float, float]]
    asked: list[int] = field(default_factory=list)

    def ground(self, keyframe_id: int, kind: Kind, rung_m: float) -> Ground:
        self.asked.append(keyframe_id)
        descriptors, points = _unit(), RNG.uniform(-40.0, 40.0, (FEATURES, 2))
        own = slice(self.shared[keyframe_id])
        descriptors[own], points[own] = SEEN.descriptors[own], RAYS[own] * HEIGHT_M
        features = Features(np.zeros((FEATURES, 2), np.float32), descriptors)
        north, east = self.places_m[keyframe_id]
        return Ground(keyframe_id, "map", features, points, np.array([east, -north]), np.inf, FOOTPRINT_M, 1.0)


@pytest.mark.parametrize(
    ("pairs", "asked"), [(12, [1, 4]), (9, [1, 2, 3, 4]), (45, [1])], ids=["beyond doubt", "barely", "by many"]
)
def test_what_lies_elsewhere_is_asked_only_while_there_is_doubt(pairs: int, asked: list[int]) -> None:
    places_m = dict(enumerate((HERE, FAR, FARTHER, BESIDE), start=1))
    memory = Grounds({1: pairs, 2: 0, 3: 0, 4: 10}, places_m)
    pose = Pose(0, height_agl_m=Measured(HEIGHT_M, 2.0, "test"), attitude=Attitude.level(Measured(0.0, 0.05, "test")))
    frame = Frame(np.zeros((360, 480, 3), np.uint8), 0, "frame", 0)
    known = known_of(frame, CameraModel.from_hfov(480, 360, 70.0), pose, any_heading=False)
    crop = QueryCrop(FOOTPRINT_M, pose, (0.0, 0.0), np.zeros((8, 8, 3), np.uint8))
    ranked = tuple(Match(number, 0, 0.9 - 0.1 * number, place_m) for number, place_m in places_m.items())
    matches = Matches((crop,), Embeddings(np.zeros((1, 8), np.float32), None), ranked)
    query = Sighting(UPRIGHT, SEEN, RAYS, Prior(0.035, 0.05, HEIGHT_M, 2.0))
    nobody = cast(Retriever, None)  # so few matches are in order already
    found = verify_in_turn(query, known, matches, cast(Memory, memory), nobody, MAX_VERIFIED)
    assert memory.asked == asked
    assert {one.keyframe.keyframe_id: one.inliers for one in found.passed} == {
        number: memory.shared[number] for number in asked if number in (1, 4)
    }
