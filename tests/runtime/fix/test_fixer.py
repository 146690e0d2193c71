"""Fixing frames of a simulated camera over a textured plane, through a real history."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.fix.fixer import MAX_VERIFIED, Fixer
from runtime.fix.memory import Memory, distinct_footprints
from runtime.geodesy import distance_m, offset
from runtime.heights import above_flat_ground
from runtime.history.history import History, StoredEmbedding
from runtime.record.recorder import Recorder
from runtime.survey.anchor import SOURCE
from runtime.values import Decision, Fix, Frame, GeoPoint, Measured, Pose, ViewKind
from tests.runtime.record.fakes import FakeBundle, FakeEmbedder, ground_texture
from tests.runtime.survey.flights import ORIGIN, Truth, photograph

CAMERA = CameraModel.from_hfov(480, 360, 70.0)
GSD_M = 0.12
GROUND = ground_texture(1500)
TOWER = FakeEmbedder(FakeBundle((24.0, 32.0), 256))
FLOWN = [
    Truth(float(k), 18.0 * (k // 4) - 27.0, 18.0 * (k % 4) - 27.0, 45.0, math.pi * (k // 4 % 2) + 0.1)
    for k in range(16)
]


def frame_of(truth: Truth, seed: int = 1) -> Frame:
    """What the camera sees from there, with a little noise of its own."""
    image = photograph(GROUND, GSD_M, truth, CAMERA).astype(np.int16)
    image += np.random.default_rng(seed).normal(0, 3, image.shape).astype(np.int16)
    return Frame(np.clip(image, 0, 255).astype(np.uint8), truth.pose.t_ns, f"frame {seed}", seed)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    path = tmp_path_factory.mktemp("fix") / "h.db"
    with History.create(path, "fake-space", "fake") as made:
        recorder = Recorder(made, TOWER, CAMERA, "flight")
        for number, truth in enumerate(FLOWN):
            assert recorder.add(frame_of(truth, number), truth.pose, truth.position).keyframe_id is not None
        yield made


@pytest.fixture(scope="module")
def fixer(history: History) -> Fixer:
    """Of that history; what it reads of the keyframes it reads once, and a fix knows nothing of the one before."""
    return Fixer(history, TOWER, CAMERA)


@dataclass(frozen=True)
class Case:
    """A frame to fix, and where it was taken."""

    truth: Truth

    @property
    def position(self) -> GeoPoint:
        return offset(ORIGIN, self.truth.north_m, self.truth.east_m)

    @property
    def pose(self) -> Pose:
        """As telemetry says it, a little wrong."""
        wrong = replace(self.truth, heading=self.truth.heading + 0.05, pitch=self.truth.pitch + 0.01)
        height = Measured(self.truth.height_m * 1.02, 1.5, "test")
        attitude = replace(wrong.pose.attitude, heading_sigma_rad=0.05)
        return replace(wrong.pose, height_agl_m=height, attitude=attitude)


CASES = [
    Case(Truth(50.0, 4.0, -9.0, 45.0, 0.3, 0.05, -0.04)),
    Case(Truth(51.0, -14.0, 11.0, 43.0, -2.5, -0.06, 0.02)),
    Case(Truth(52.0, 13.0, 8.0, 47.0, 1.7, 0.0, 0.08)),
]


@pytest.mark.parametrize("case", CASES)
def test_a_known_pose_is_fixed_to_a_metre(fixer: Fixer, case: Case) -> None:
    fix = fixer.fix(frame_of(case.truth, 99), case.pose)
    assert fix.decision is Decision.FIX, fix.reason
    assert fix.aircraft is not None and fix.ground is not None and fix.sigma_m is not None
    assert distance_m(fix.aircraft, case.position) < 2.0
    assert distance_m(fix.aircraft, case.position) < 3 * fix.sigma_m
    north, east = case.truth.plane(CAMERA).ground_of_axis()
    assert distance_m(fix.ground, offset(case.position, north, east)) < 1.5
    assert 1 <= fix.verified <= MAX_VERIFIED and fix.inliers >= 8 and fix.t_ns == case.pose.t_ns


@pytest.mark.parametrize("case", CASES)
def test_nothing_need_be_known_of_height_heading_and_tilt(fixer: Fixer, case: Case) -> None:
    fix = fixer.fix(frame_of(case.truth, 99), Pose(0))
    assert fix.decision is Decision.FIX, fix.reason
    assert fix.aircraft is not None and distance_m(fix.aircraft, case.position) < 3.0


def test_a_frame_of_dusk_is_fixed_by_more_features(fixer: Fixer) -> None:
    """A seventh of the light, and noise as strong as what is left of the contrast."""
    rng = np.random.default_rng(7)
    for case in CASES:
        lit = 0.15 * photograph(GROUND, GSD_M, case.truth, CAMERA)
        dark = np.clip(lit + rng.normal(0, 12, lit.shape), 0, 255).astype(np.uint8)
        fix = fixer.fix(Frame(dark, case.pose.t_ns, "dusk", 0), case.pose)
        assert fix.decision is Decision.FIX, fix.reason
        assert fix.aircraft is not None and distance_m(fix.aircraft, case.position) < 3.0


def blind(fix: Fix) -> Fix:
    """The fix without the stamp that only says which frame it is of."""
    return replace(fix, t_ns=0)


@pytest.mark.parametrize("any_heading", [False, True])
def test_position_time_and_name_change_nothing(fixer: Fixer, any_heading: bool) -> None:
    case = CASES[0]
    frame = frame_of(case.truth, 99)
    told = replace(case.pose, t_ns=7, altitude_amsl_m=Measured(900.0, 1.0, "test"))
    renamed = replace(frame, t_ns=123, source="other", index=77)
    first = fixer.fix(frame, case.pose, any_heading=any_heading)
    assert blind(first) == blind(fixer.fix(renamed, told, any_heading=any_heading))


def test_a_wrong_heading_is_tried_again_where_there_is_time(fixer: Fixer) -> None:
    case = CASES[1]
    turned = replace(case.truth, heading=case.truth.heading + math.pi)
    wrong = turned.pose
    frame = frame_of(case.truth, 99)
    assert fixer.fix(frame, wrong).decision is Decision.NO_FIX
    again = fixer.fix(frame, wrong, retry=True)
    assert again.decision is Decision.FIX and again.verified <= MAX_VERIFIED
    assert again.aircraft is not None and distance_m(again.aircraft, case.position) < 3.0


@pytest.mark.parametrize("share", [0.6, 1.6])
def test_a_height_above_take_off_is_distrusted_where_there_is_time(fixer: Fixer, share: float) -> None:
    """The take-off lies far above or below the ground that the photo shows."""
    case = CASES[1]
    height = above_flat_ground(Measured(share * case.truth.height_m, 1.0, "xmp"))
    wrong, frame = replace(case.pose, height_agl_m=height), frame_of(case.truth, 99)
    assert fixer.fix(frame, wrong).decision is Decision.NO_FIX
    again = fixer.fix(frame, wrong, retry=True)
    assert again.decision is Decision.FIX and again.verified <= 2 * MAX_VERIFIED
    assert again.aircraft is not None and again.sigma_m is not None
    assert distance_m(again.aircraft, case.position) < min(3.0, 3 * again.sigma_m)
    by_flag = replace(wrong, height_agl_m=replace(height, source="flag"))
    assert fixer.fix(frame, by_flag, retry=True).decision is Decision.NO_FIX  # the user's word is kept


def test_a_keyframe_of_doubtful_height_widens_the_fix_by_the_way_from_it(tmp_path: Path) -> None:
    """Keyframe and query both say 60 % of their height: the query is put at 60 % of its way from the keyframe."""
    flown = Truth(0.0, 0.0, 0.0, 45.0, 0.1)
    sigmas, errors = [], []
    for name, sigma_m, away_m in (("sure", 0.5, 13.0), ("doubtful", 18.0, 13.0), ("above", 18.0, 0.5)):
        height = Measured(27.0, sigma_m, "test")
        there = replace(flown, north_m=away_m)
        with History.create(tmp_path / f"{name}.db", "fake-space", "fake") as one:
            pose = replace(flown.pose, height_agl_m=height)
            recorder = Recorder(one, TOWER, CAMERA, "flight")
            assert recorder.add(frame_of(flown), pose, flown.position).keyframe_id is not None
            fix = Fixer(one, TOWER, CAMERA).fix(frame_of(there, 99), replace(there.pose, height_agl_m=height))
        assert fix.aircraft is not None and fix.sigma_m is not None, fix.reason
        errors.append(distance_m(fix.aircraft, there.point))
        sigmas.append(fix.sigma_m)
    assert errors[0] == pytest.approx(0.4 * 13.0, abs=1.0) and errors[1] == pytest.approx(errors[0], abs=1.0)
    assert sigmas[1] > 1.2 * sigmas[0] and errors[1] < 2 * sigmas[1]
    assert sigmas[2] == pytest.approx(sigmas[0], rel=0.2)  # above the keyframe its scale does not matter


@pytest.mark.parametrize("known", [True, False])
def test_foreign_ground_is_an_honest_no(fixer: Fixer, known: bool) -> None:
    case = CASES[0]
    image = photograph(ground_texture(1500, seed=8), GSD_M, case.truth, CAMERA)
    fix = fixer.fix(Frame(image, 0, "foreign", 0), case.pose if known else Pose(0))
    assert fix.decision is Decision.NO_FIX and fix.aircraft is None and fix.sigma_m is None
    assert fix.verified == MAX_VERIFIED and fix.reason.startswith("no keyframe passed: ")


def test_an_empty_history_is_an_honest_no(tmp_path: Path) -> None:
    with History.create(tmp_path / "h.db", "fake-space", "fake") as empty:
        for pose in (CASES[0].pose, Pose(0)):
            fix = Fixer(empty, TOWER, CAMERA).fix(frame_of(CASES[0].truth), pose)
            assert fix.decision is Decision.NO_FIX and fix.verified == 0


def test_keyframes_added_meanwhile_are_found(tmp_path: Path) -> None:
    case = CASES[0]
    with History.create(tmp_path / "h.db", "fake-space", "fake") as growing:
        fixer = Fixer(growing, TOWER, CAMERA)
        frame = frame_of(case.truth, 99)
        assert fixer.fix(frame, case.pose).decision is Decision.NO_FIX
        recorder = Recorder(growing, TOWER, CAMERA, "flight")
        near = replace(case.truth, t_s=1.0, north_m=case.truth.north_m + 5, pitch=0.0, roll=0.0)
        assert recorder.add(frame_of(near), near.pose, near.position).keyframe_id is not None
        assert fixer.fix(frame, case.pose).decision is Decision.FIX


def test_a_keyframe_that_is_misplaced_is_outvoted(tmp_path: Path) -> None:
    case = CASES[0]
    with History.create(tmp_path / "h.db", "fake-space", "fake") as muddled:
        recorder = Recorder(muddled, TOWER, CAMERA, "flight", moved=0.0)
        for number, (north, east) in enumerate([(0.0, 0.0), (6.0, 0.0), (0.0, 6.0), (-5.0, 2.0)]):
            truth = Truth(float(number), case.truth.north_m + north, case.truth.east_m + east, 45.0, 0.3)
            lie = 60.0 if number == 0 else 0.0
            said = replace(truth.position, point=offset(case.position, north + lie, east))
            assert recorder.add(frame_of(truth, number), truth.pose, said).keyframe_id is not None
        fix = Fixer(muddled, TOWER, CAMERA).fix(frame_of(case.truth, 99), Pose(0))
        assert fix.decision is Decision.FIX and fix.aircraft is not None
        assert distance_m(fix.aircraft, case.position) < 3.0


def test_keyframes_of_a_lower_flight_are_compared_too(tmp_path: Path) -> None:
    """Recorded lower than the query flies, they have no rung as large as the query's own; foreign ones do."""
    case, flown = CASES[0], replace(CASES[0].truth, height_m=24.0, north_m=CASES[0].truth.north_m + 4)
    with History.create(tmp_path / "h.db", "fake-space", "fake") as mixed:
        low, high = Recorder(mixed, TOWER, CAMERA, "low"), Recorder(mixed, TOWER, CAMERA, "high", moved=0.0)
        assert low.add(frame_of(flown), flown.pose, flown.position).keyframe_id == 1
        for number in range(5):
            elsewhere = photograph(ground_texture(1500, seed=20 + number), GSD_M, case.truth, CAMERA)
            there = FLOWN[number]
            frame = Frame(elsewhere, number, "foreign", number)
            assert high.add(frame, there.pose, there.position).keyframe_id is not None
        memory = Memory(mixed, CAMERA, TOWER.bundle.input_size_px, persist=False)
        memory.refresh()
        assert memory.chosen(ViewKind.DRONE, [32.0, 24.0]) == [32.0, 24.0]
        assert memory.chosen(ViewKind.DRONE, [24.0]) == [24.0]
        fix = Fixer(mixed, TOWER, CAMERA).fix(frame_of(case.truth, 99), case.pose)
        assert fix.decision is Decision.FIX and fix.keyframe_id == 1
        assert fix.aircraft is not None and distance_m(fix.aircraft, case.position) < 3.0


def test_drone_views_are_compared_by_all_of_a_vector_and_by_what_is_shared_and_tiles_by_that_alone(
    history: History, tmp_path: Path
) -> None:
    query = np.array([[0.6, 0.0, 0.8]], np.float32)  # layout, layout, appearance
    kept = list(history.keyframes())[:2]
    rows = np.array([[0.0, 0.6, 0.8], [0.6, 0.0, -0.8]], np.float32)
    for view, first in ((ViewKind.DRONE, [1, 2]), (ViewKind.SATELLITE, [2])):
        with History.create(tmp_path / f"{view.value}.db", "fake-space", "fake") as two:
            for keyframe, row in zip(kept, rows, strict=True):
                two.add(replace(keyframe, view=view), [StoredEmbedding(32.0, 0.0, row, None)])
            memory = Memory(two, CAMERA, TOWER.bundle.input_size_px, persist=False, shared_dim=2)
            rung = memory.rung(view, 32.0)
            assert [rung.ids[index.search(query, 1)[0][0, 0]] for index in rung.indices] == first


@pytest.mark.parametrize(("away_m", "decision"), [(20.0, Decision.FIX), (900.0, Decision.NO_FIX)])
def test_what_lies_beside_the_most_similar_is_looked_at_too(
    history: History, tmp_path: Path, away_m: float, decision: Decision
) -> None:
    """Of 62 keyframes one looks like the query as a whole and shows other ground; the one that shows the query's
    ground looks like the least of them, and is found if the first lies beside it."""
    case = CASES[0]
    nearest = min(history.keyframes(), key=lambda one: distance_m(one.ground, case.position))
    alike = embeddings_of(history, nearest.keyframe_id)
    foreign = ground_texture(400, seed=8)[:320, :320]
    rng = np.random.default_rng(3)
    with History.create(tmp_path / "h.db", "fake-space", "fake") as made:
        for number in range(60):
            far = offset(ORIGIN, 3000.0 + 50.0 * number, 0.0)
            vectors = rng.normal(size=(len(alike), len(alike[0].vector))).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            rows = [replace(one, vector=vector) for one, vector in zip(alike, vectors, strict=True)]
            made.add(replace(nearest, crop=foreign, ground=far), rows)
        made.add(replace(nearest, crop=foreign, ground=offset(nearest.ground, away_m, 0.0)), alike)
        made.add(nearest, [replace(one, vector=-one.vector) for one in alike])
        fix = Fixer(made, TOWER, CAMERA).fix(frame_of(case.truth, 99), Pose(0))
    assert fix.decision is decision
    assert fix.aircraft is None or distance_m(fix.aircraft, case.position) < 3.0


def test_features_stay_in_the_history_where_asked(history: History) -> None:
    fixer = Fixer(history, TOWER, CAMERA, persist=True)
    fix = fixer.fix(frame_of(CASES[0].truth, 99), CASES[0].pose)
    again = Fixer(history, TOWER, CAMERA, persist=True).fix(frame_of(CASES[0].truth, 99), CASES[0].pose)
    assert fix.aircraft is not None and again.aircraft is not None
    assert distance_m(fix.aircraft, again.aircraft) < 0.1  # descriptors are kept to a byte


@pytest.mark.parametrize("pose_known", [True, False])
@pytest.mark.parametrize(
    ("solved", "as_tagged", "expected_m"),
    [(True, True, 9.0), (True, False, 0.0), (False, True, 0.0)],
)
def test_tags_that_trail_the_solved_cameras_trail_in_a_fix_too_where_it_is_to_be_as_they_are(
    history: History, tmp_path: Path, solved: bool, as_tagged: bool, expected_m: float, pose_known: bool
) -> None:
    """The keyframes' tags lie 9 m behind the solved cameras, whatever way they head; a position that was not solved is
    taken as it is, also where the heading was."""
    case, behind_m = CASES[1], 9.0
    with History.create(tmp_path / "h.db", "fake-space", "fake") as tagged:
        for keyframe, truth in zip(history.keyframes(), FLOWN, strict=True):
            tag = replace(truth.position, point=offset(ORIGIN, *trailing(truth, behind_m)))
            attitude = replace(keyframe.pose.attitude, heading_source=SOURCE)  # as of pixels turned after exposure, too
            pose = replace(keyframe.pose, attitude=attitude)
            told = replace(keyframe, pose=pose, tag=tag) if solved else replace(keyframe, pose=pose, position=tag)
            tagged.add(told, embeddings_of(history, keyframe.keyframe_id))
        fixer = Fixer(tagged, TOWER, CAMERA, as_tagged=as_tagged)
        fix = fixer.fix(frame_of(case.truth, 99), case.pose if pose_known else Pose(0))
    assert fix.aircraft is not None and fix.sigma_m is not None
    there = offset(ORIGIN, *trailing(case.truth, expected_m))
    assert distance_m(fix.aircraft, there) < min(3.0, 3 * fix.sigma_m)


def embeddings_of(history: History, keyframe_id: int) -> list[StoredEmbedding]:
    """A keyframe's embeddings at all rungs, as they can be stored again."""
    found = []
    for rung in history.footprints(ViewKind.DRONE):
        gallery = history.gallery(ViewKind.DRONE, rung)
        row = np.flatnonzero(gallery.ids == keyframe_id)
        found += [StoredEmbedding(rung, 0.0, gallery.vectors[k].astype(np.float32), None) for k in row]
    return found


def trailing(truth: Truth, behind_m: float) -> tuple[float, float]:
    """North and east of a point behind the camera."""
    return truth.north_m - behind_m * math.cos(truth.heading), truth.east_m - behind_m * math.sin(truth.heading)


def test_scales_to_try_stand_for_all() -> None:
    sides = [40.0] * 30 + [42.0] * 5 + [80.0] * 10
    tried = distinct_footprints(sides)
    assert len(tried) == 2 and tried[0] == pytest.approx(40.0, rel=0.06) and tried[1] == pytest.approx(80.0, rel=0.02)
    assert distinct_footprints([]) == ()
    assert len(distinct_footprints(list(np.geomspace(10, 1000, 99)))) <= 4
