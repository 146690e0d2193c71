"""Which photos are matched, and which matches are believed."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from runtime.survey.overlaps import candidate_pairs, features_of, similarity
from tests.runtime.record.fakes import ground_texture
from tests.runtime.survey.flights import overlap_of


def test_candidates_are_the_next_in_order_and_the_nearest() -> None:
    line = np.array([[0.0, 10.0 * k] for k in range(60)])
    there_and_back = np.vstack([line, line[::-1] + [15.0, 0.0]])
    pairs = candidate_pairs(there_and_back)
    assert all(i < j for i, j in pairs) and len(pairs) == len(set(pairs))
    assert {(0, 1), (0, 4), (0, 119), (30, 89)} <= set(pairs)  # across to the line flown back
    assert (0, 60) not in pairs
    assert len(pairs) < 120 * 14  # linear in the number of photos
    assert candidate_pairs(np.zeros((1, 2))) == [] and candidate_pairs(np.zeros((0, 2))) == []


def test_a_similarity_is_measured() -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(0, 100, (20, 2))
    angle = math.radians(30)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    scale, turned, misfit = similarity(points, 1.3 * points @ turn.T + [5.0, -8.0])
    assert (scale, turned, misfit) == pytest.approx((1.3, angle, 0.0), abs=1e-9)


def test_two_views_of_one_ground_match_where_they_should() -> None:
    ground = ground_texture(700)
    first = ground[100:460, 100:580]
    turn = cv2.getRotationMatrix2D((350, 300), 40.0, 0.9)
    second = cv2.warpAffine(ground, turn, (700, 700))[120:480, 110:590]
    overlap = overlap_of(0, 1, [features_of(first), features_of(np.ascontiguousarray(second))])
    assert overlap is not None and overlap.inliers >= 20
    assert 4 <= len(overlap.first_px) <= 8 and overlap.first_px.shape == overlap.second_px.shape
    # A pixel's middle is half a pixel inside it, here and in the camera model.
    expected = (overlap.first_px - 0.5 + [100, 100]) @ turn[:, :2].T + turn[:, 2] - [110, 120] + 0.5
    assert np.abs(overlap.second_px - expected).max() < 1.5


def test_out_of_coverage_queries_and_blank_frames_do_not_match() -> None:
    outside = [features_of(ground_texture(400, seed=seed)) for seed in (1, 2)]
    assert overlap_of(0, 1, outside) is None
    blank = features_of(np.zeros((300, 400, 3), np.uint8))
    assert len(blank.points) == 0 and overlap_of(0, 1, [blank, outside[0]]) is None
