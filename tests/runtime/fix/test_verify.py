"""Verification: the right ground passes, foreign ground and impossible cameras do not."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.fix.local_features import INVARIANT, UPRIGHT, Features, extract, extract_upright, pair
from runtime.fix.planar_pose import Prior
from runtime.fix.verify import Ground, Refused, Sighting, Verified, agreeing, agreeing_posed, verify
from tests.runtime.record.fakes import ground_texture

GROUND = ground_texture(900)
SIDE_M, SIDE_PX = 60.0, 360  # of a keyframe, 6 pixels a metre
HEIGHT_M = 50.0
KNOWN = Prior(0.035, 0.05, HEIGHT_M, 1.5)


def cut(east_px: int, south_px: int, turn_deg: float = 0.0, share: float = 1.0) -> NDArray[np.uint8]:
    """A crop of the ground about a pixel, turned clockwise, showing ``share`` of a keyframe's side."""
    onto = cv2.getRotationMatrix2D((east_px, south_px), turn_deg, 1 / share)
    onto[:, 2] += SIDE_PX / 2 - np.array([east_px, south_px])
    return np.asarray(cv2.warpAffine(GROUND, onto, (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA), np.uint8)


def keyframe(features: Features, number: int = 1) -> Ground:
    """Centred on pixel (400, 400), which is the origin."""
    points = (features.points.astype(np.float64) / SIDE_PX - 0.5) * SIDE_M
    return Ground(number, "flight", features, points, points.mean(axis=0), math.inf, SIDE_M, 1.0)


def sighting(features: Features, prior: Prior) -> Sighting:
    kind = UPRIGHT if prior.posed else INVARIANT
    return Sighting(kind, features, (features.points.astype(np.float64) / SIDE_PX - 0.5) * SIDE_M / HEIGHT_M, prior)


@pytest.mark.parametrize("prior", [KNOWN, Prior(0.1)])
def test_the_same_ground_passes_and_gives_the_offset(prior: Prior) -> None:
    how = extract_upright if prior.posed else extract
    outcome = verify(sighting(how(cut(460, 370), 300), prior), keyframe(how(cut(400, 400), 400)))
    assert isinstance(outcome, Verified) and outcome.inliers >= 30
    assert (outcome.pose.east_m, outcome.pose.south_m) == pytest.approx((10.0, -5.0), abs=0.3)
    assert outcome.pose.height_m == pytest.approx(HEIGHT_M, rel=0.02)


def test_an_unknown_heading_and_scale_are_found() -> None:
    turned, upright = extract(cut(420, 380, 130.0, 0.8), 500), extract(cut(400, 400), 500)
    outcome = verify(sighting(turned, Prior(0.1)), keyframe(upright))
    assert isinstance(outcome, Verified)
    assert abs(math.remainder(outcome.pose.heading_rad - math.radians(130.0), math.tau)) < 0.03
    assert outcome.pose.height_m == pytest.approx(0.8 * HEIGHT_M, rel=0.03)


@pytest.mark.parametrize("prior", [KNOWN, Prior(0.1)])
def test_foreign_ground_is_refused(prior: Prior) -> None:
    how = extract_upright if prior.posed else extract
    foreign = how(ground_texture(SIDE_PX, seed=9), 400)
    outcome = verify(sighting(how(cut(460, 370), 300), prior), keyframe(foreign))
    assert isinstance(outcome, Refused) and outcome.reason


def test_a_height_that_disagrees_is_refused() -> None:
    features = extract(cut(410, 400, 0.0, 0.6), 500)
    query = replace(sighting(features, Prior(0.1)), prior=Prior(0.1, math.inf, HEIGHT_M, 1.5))
    outcome = verify(query, keyframe(extract(cut(400, 400), 500)))
    assert isinstance(outcome, Refused) and "height" in outcome.reason


def test_mirrored_ground_is_refused() -> None:
    features = extract(np.ascontiguousarray(cut(400, 400)[:, ::-1]), 500)
    mirrored = Features(features.points * np.float32([-1, 1]) + np.float32([SIDE_PX, 0]), features.descriptors)
    rays = sighting(features, Prior(0.1)).rays
    ground = keyframe(mirrored).points
    assert agreeing(rays, ground, 0.7).sum() == 0


def test_pairs_on_one_roof_are_too_few_places() -> None:
    features = extract(cut(400, 400), 2000)
    near = np.linalg.norm(features.points - SIDE_PX / 2, axis=1) < 40
    roof = Features(features.points[near], features.descriptors[near])
    assert len(roof) >= 20
    outcome = verify(sighting(roof, Prior(0.1)), keyframe(roof))
    assert isinstance(outcome, Refused) and "close together" in outcome.reason


def test_votes_find_what_sampling_finds() -> None:
    """`agreeing_posed` against the robust homography that needs no pose."""
    rng = np.random.default_rng(4)
    rays = rng.uniform(-0.5, 0.5, (90, 2))
    ground = rays * HEIGHT_M * 1.02 + [7.0, -3.0] + rng.normal(0, 0.1, rays.shape)
    ground[50:] = rng.uniform(-30, 30, (40, 2))
    fast, slow = agreeing_posed(rays, ground, KNOWN, SIDE_M)[0], agreeing(rays, ground, 0.72)
    assert fast[:50].all() and slow[:50].mean() > 0.9
    assert fast[50:].sum() <= 2


def test_pairing_against_the_obvious_loop() -> None:
    rng = np.random.default_rng(2)
    a, b = (np.abs(rng.normal(size=(n, 128))).astype(np.float32) for n in (40, 50))
    b[:10] = a[:10] + 0.05 * np.abs(rng.normal(size=(10, 128))).astype(np.float32)
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (a, b))
    first, second = (Features(np.zeros((len(rows), 2), np.float32), rows) for rows in (a, b))
    expected = set()
    for i in range(len(a)):
        apart = np.linalg.norm(b - a[i], axis=1)
        j, other = np.argsort(apart)[:2]
        if apart[j] < 0.85 * apart[other] and np.argmin(np.linalg.norm(a - b[j], axis=1)) == i:
            expected.add((i, int(j)))
    assert {(int(i), int(j)) for i, j in pair(first, second)} == expected and len(expected) >= 10


def test_features_survive_the_cache() -> None:
    features = extract(cut(400, 400), 200)
    again = Features.unpacked(features.packed())
    assert np.array_equal(again.points, features.points)
    assert float((again.descriptors * features.descriptors).sum(axis=1).min()) > 0.999
    assert len(pair(features, again)) == len(np.unique(features.descriptors, axis=0))


def test_an_even_image_has_no_features() -> None:
    even = np.full((64, 64, 3), 90, np.uint8)
    assert len(extract(even, 50)) == len(extract_upright(even, 50)) == 0
    assert len(pair(extract(even, 50), extract(cut(400, 400), 50))) == 0
