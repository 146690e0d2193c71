"""Several keyframes that passed, made one place."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.fix.consensus import consensus_of, consensuses_of
from runtime.fix.local_features import Features
from runtime.fix.planar_pose import PlanarPose, Prior, solve
from runtime.fix.verify import Ground, ObliqueCamera, Verified

PRIOR = Prior(math.radians(10.0))
TRUTH = PlanarPose(20.0, -10.0, 50.0, np.eye(3), np.zeros((2, 2)), 0.0)
SIDE_M, SIGMA_M = 60.0, 2.0
NOTHING = Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))


def passed(
    number: int,
    middle: tuple[float, float],
    off_m: NDArray[np.float64],
    inliers: int = 40,
    noise_m: float = 0.1,
    height_m: float = 50.0,
) -> Verified:
    """A keyframe that lies ``off_m`` off and shares the part of the image around the ray ``middle``."""
    rays = np.random.default_rng(number).uniform(-0.25, 0.25, (40, 2)) + middle
    ground = TRUTH.ground_of(rays) + off_m + np.random.default_rng(number + 50).normal(0, noise_m, rays.shape)
    centre = ground.mean(axis=0)
    keyframe = Ground(number, "flight", NOTHING, ground, centre, height_m, SIDE_M, SIGMA_M)
    return Verified(keyframe, inliers, solve(rays, ground, 0.1, PRIOR), rays, ground)


def away_m(pose: PlanarPose) -> float:
    return math.hypot(pose.east_m - TRUTH.east_m, pose.south_m - TRUTH.south_m)


def test_one_alone_is_the_answer() -> None:
    one = passed(1, (0.2, 0.1), np.zeros(2))
    agreed = consensus_of([one], (0.0, 0.0), PRIOR)
    assert agreed.pose is one.pose and agreed.strongest is one and agreed.agreeing == 1
    assert agreed.sigma_m == pytest.approx(math.hypot(one.pose.sigma_m, SIGMA_M))


@pytest.mark.parametrize(("off_m", "noise_m", "share"), [(1.5, 0.1, 1.1), (0.3, 1.0, 0.85)])
def test_together_they_say_more_than_the_mean_of_their_poses_where_each_alone_says_little(
    off_m: float, noise_m: float, share: float
) -> None:
    """Four keyframes, each over a corner of the image. Where their places err most, the mean is the best there is, and
    nothing is lost; where their pairs do, the tilt of each is loose, and that of all together is not."""
    together, mean, scaled = [], [], []
    for draw in range(60):
        off = np.random.default_rng(draw).normal(0, off_m, (4, 2))
        corners = [(-0.3, -0.3), (-0.3, 0.3), (0.3, -0.3), (0.3, 0.3)]
        found = [passed(10 * draw + k, corner, off[k], noise_m=noise_m) for k, corner in enumerate(corners)]
        agreed = consensus_of(found, (0.0, 0.0), PRIOR)
        assert agreed.agreeing == 4
        together.append(away_m(agreed.pose))
        mean.append(np.hypot(*np.mean([(one.pose.east_m - 20.0, one.pose.south_m + 10.0) for one in found], axis=0)))
        scaled.append(away_m(agreed.pose) / agreed.sigma_m)
    assert np.sqrt(np.mean(np.square(together))) < share * np.sqrt(np.mean(np.square(mean)))
    assert np.sqrt(np.mean(np.square(scaled)) / 2) < 1.2  # its sigma is no promise that it breaks


def test_the_group_with_the_most_pairs_wins_and_the_rest_has_no_say() -> None:
    here = [passed(k, (0.1 * k, 0.0), np.zeros(2), inliers=20) for k in range(3)]
    elsewhere = passed(9, (0.0, 0.0), np.array([80.0, 0.0]), inliers=50)
    agreed = consensus_of([elsewhere, *here], (0.0, 0.0), PRIOR)
    assert agreed.agreeing == 3 and agreed.strongest in here
    assert away_m(agreed.pose) < 1.0


def test_sigma_says_how_far_the_keyframes_lie_apart() -> None:
    near = [passed(k, (0.0, 0.0), np.zeros(2)) for k in range(2)]
    apart = [passed(0, (0.0, 0.0), np.array([-6.0, 0.0])), passed(1, (0.0, 0.0), np.array([6.0, 0.0]))]
    assert consensus_of(apart, (0.0, 0.0), PRIOR).sigma_m > 1.3 * consensus_of(near, (0.0, 0.0), PRIOR).sigma_m


def test_the_covariance_is_north_first_then_east() -> None:
    """Two keyframes that lie apart to the east leave the east in doubt, and two to the north-east both together."""
    east = [passed(0, (0.0, 0.0), np.array([-6.0, 0.0])), passed(1, (0.0, 0.0), np.array([6.0, 0.0]))]
    (north_north, north_east), (_, east_east) = consensus_of(east, (0.0, 0.0), PRIOR).covariance_m2
    assert east_east > 2 * north_north and abs(north_east) < 0.2 * east_east
    slanted = [passed(0, (0.0, 0.0), np.array([-5.0, 5.0])), passed(1, (0.0, 0.0), np.array([5.0, -5.0]))]
    agreed = consensus_of(slanted, (0.0, 0.0), PRIOR)
    assert agreed.covariance_m2[0, 1] == pytest.approx(agreed.covariance_m2[1, 0])
    assert agreed.covariance_m2[0, 1] > 5.0
    assert agreed.sigma_m == pytest.approx(math.sqrt(np.trace(agreed.covariance_m2) / 2))


def test_keyframes_of_another_place_are_a_group_of_their_own() -> None:
    here = [passed(k, (0.1 * k, 0.0), np.zeros(2), inliers=20) for k in range(3)]
    elsewhere = passed(9, (0.0, 0.0), np.array([80.0, 0.0]), inliers=50)
    alone = passed(10, (0.0, 0.0), np.array([0.0, 200.0]), inliers=9)
    groups = consensuses_of([alone, elsewhere, *here], (0.0, 0.0), PRIOR)
    assert [group.members for group in groups] == [tuple(here), (elsewhere,), (alone,)]
    assert consensuses_of([], (0.0, 0.0), PRIOR) == []


def test_tiles_of_one_map_err_as_one() -> None:
    tiles = [passed(k, (0.2 * k - 0.2, 0.1), np.zeros(2), height_m=math.inf) for k in range(3)]
    rigid = solve(np.concatenate([t.rays for t in tiles]), np.concatenate([t.ground for t in tiles]), 0.18, PRIOR)
    agreed = consensus_of(tiles, (0.0, 0.0), PRIOR)
    assert (agreed.pose.east_m, agreed.pose.south_m) == pytest.approx((rigid.east_m, rigid.south_m), abs=0.02)
    assert agreed.sigma_m > SIGMA_M  # many tiles do not average it away


def test_an_oblique_keyframe_is_sure_of_where_its_camera_was() -> None:
    """What it shows lies off by what its pose errs by; a camera that looks from where it did has that error too."""
    one = passed(1, (1.0, 0.0), np.zeros(2), height_m=50.0)
    shown = replace(one.keyframe, sigma_m=7.0, scale_sigma=0.1)
    here, opposite = np.array([20.0, -10.0]), 2 * shown.centre - [20.0, -10.0]
    sigma_m = [
        consensus_of([replace(one, keyframe=replace(shown, camera=camera))], (1.0, 0.0), PRIOR).sigma_m
        for camera in (ObliqueCamera(here, 1.5, 0.05), None, ObliqueCamera(opposite, 1.5, 0.05))
    ]
    assert sigma_m[0] == pytest.approx(math.hypot(one.pose.sigma_m, 1.5), rel=0.1)
    assert sigma_m[0] + 3.0 < sigma_m[1] and sigma_m[0] + 3.0 < sigma_m[2]
    across_m = consensus_of(
        [replace(one, keyframe=replace(shown, scale_sigma=0.0, camera=ObliqueCamera(opposite, 1.5, 0.05)))],
        (1.0, 0.0), PRIOR,
    ).covariance_m2  # fmt: skip
    assert across_m[0, 0] > across_m[1, 1] + 15.0  # it looks east: a turn moves north and south
