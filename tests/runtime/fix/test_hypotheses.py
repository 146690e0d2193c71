"""What fixing considered goes along with the fix, and with the honest no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.fix.fixer import Fixer
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.record.recorder import Recorder
from runtime.values import Decision, Frame, Pose
from tests.runtime.fix.test_fixer import CAMERA, CASES, FLOWN, GSD_M, TOWER, Case, frame_of
from tests.runtime.record.fakes import ground_texture
from tests.runtime.survey.flights import ORIGIN, Truth, photograph


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with History.create(tmp_path_factory.mktemp("hypotheses") / "h.db", "fake-space", "fake") as made:
        recorder = Recorder(made, TOWER, CAMERA, "flight")
        for number, truth in enumerate(FLOWN):
            assert recorder.add(frame_of(truth, number), truth.pose, truth.position).keyframe_id is not None
        yield made


@pytest.fixture(scope="module")
def fixer(history: History) -> Fixer:
    return Fixer(history, TOWER, CAMERA)


@pytest.mark.parametrize("known", [True, False])
def test_a_fix_is_its_first_hypothesis_and_every_match_is_in_one(fixer: Fixer, history: History, known: bool) -> None:
    case = CASES[0]
    fix = fixer.fix(frame_of(case.truth, 99), case.pose if known else Pose(0))
    first, *others = fix.hypotheses
    assert fix.decision is Decision.FIX
    assert (fix.aircraft, fix.ground, fix.covariance_m2) == (first.aircraft, first.ground, first.covariance_m2)
    assert first.keyframe_ids[0] == fix.keyframe_id and first.inliers == fix.inliers
    assert first.log_likelihood_ratio > 0 and all(one.log_likelihood_ratio == 0.0 for one in others)
    ids = [keyframe_id for one in fix.hypotheses for keyframe_id in one.keyframe_ids]
    assert sorted(ids) == history.ids()  # all were found: each speaks for one place, and none is lost


def test_foreign_ground_still_says_what_it_resembles(fixer: Fixer) -> None:
    case = CASES[0]
    image = photograph(ground_texture(1500, seed=8), GSD_M, case.truth, CAMERA)
    fix = fixer.fix(Frame(image, 0, "foreign", 0), case.pose)
    assert fix.decision is Decision.NO_FIX and fix.covariance_m2 is None
    similarities = [one.similarity for one in fix.hypotheses if one.similarity is not None]
    assert len(similarities) == len(fix.hypotheses) > 3
    assert similarities == sorted(similarities, reverse=True) and 0.0 < similarities[0] <= 1.0 + 1e-3
    assert {one.log_likelihood_ratio for one in fix.hypotheses} == {0.0}


@pytest.mark.parametrize("number", [1, 6, 12])
def test_the_true_place_is_the_first_of_a_frame_too_blurred_to_verify(fixer: Fixer, number: int) -> None:
    """No feature is left, and the layout of the ground is: what a filter over many frames can use."""
    flown = FLOWN[number]
    case = Case(replace(flown, north_m=flown.north_m + 1.0, east_m=flown.east_m - 1.0, pitch=0.05, roll=-0.04))
    frame = frame_of(case.truth, 99)
    blurred = np.asarray(cv2.GaussianBlur(frame.image, (0, 0), 9.0), np.uint8)
    fix = fixer.fix(replace(frame, image=blurred), case.pose)
    assert fix.decision is Decision.NO_FIX
    first = fix.hypotheses[0]
    sigma_m = (first.covariance_m2[0][0]) ** 0.5
    assert distance_m(first.aircraft, case.position) < 3 * sigma_m < 30.0
    north_m, east_m = case.truth.plane(CAMERA).ground_of_axis()
    assert distance_m(first.ground, offset(case.position, north_m, east_m)) < 3 * sigma_m


def test_keyframes_that_disagree_leave_both_places(tmp_path: Path) -> None:
    case, lie_m = CASES[0], 60.0
    with History.create(tmp_path / "h.db", "fake-space", "fake") as muddled:
        recorder = Recorder(muddled, TOWER, CAMERA, "flight", moved=0.0)
        for number, (north, east) in enumerate([(0.0, 0.0), (6.0, 0.0), (0.0, 6.0), (-5.0, 2.0)]):
            truth = Truth(float(number), case.truth.north_m + north, case.truth.east_m + east, 45.0, 0.3)
            said = offset(ORIGIN, truth.north_m + lie_m * (number % 2), truth.east_m + 2 * lie_m * (number // 2))
            at = replace(truth.position, point=said)
            assert recorder.add(frame_of(truth, number), truth.pose, at).keyframe_id is not None
        fix = Fixer(muddled, TOWER, CAMERA).fix(frame_of(case.truth, 99), Pose(0))
    assert fix.decision is Decision.NO_FIX and "disagree" in fix.reason
    verified = [one for one in fix.hypotheses if one.log_likelihood_ratio > 0]
    assert len(verified) == 4
    assert [one.inliers for one in verified] == sorted((one.inliers for one in verified), reverse=True)
    places = [offset(case.position, lie_m * (k % 2), 2 * lie_m * (k // 2)) for k in range(4)]
    for place in places:
        assert min(distance_m(one.aircraft, place) for one in verified) < 3.0


def test_what_the_first_try_considered_is_kept_beside_the_second(fixer: Fixer) -> None:
    case = CASES[1]
    turned = replace(case.truth, heading=case.truth.heading + 3.1)
    frame = frame_of(case.truth, 99)
    alone = fixer.fix(frame, turned.pose)
    both = fixer.fix(frame, turned.pose, retry=True)
    assert alone.decision is Decision.NO_FIX and both.decision is Decision.FIX
    assert len(both.hypotheses) > len(alone.hypotheses) > 0
    assert {one.aircraft for one in alone.hypotheses} <= {one.aircraft for one in both.hypotheses}
