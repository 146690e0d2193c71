"""The motion over a plane, against points projected one by one, and its covariance against many draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from runtime.odometry import plane_motion
from runtime.odometry.plane_motion import Prior, homography, solve

PRIOR = Prior(
    tilt_sigma_rad=0.01, heading_sigma_rad=0.02, sink=0.0, sink_sigma=0.05, slope_sigma=0.05, relief=0.03
)
NOISE = 0.3 / 457


def seen(true: np.ndarray, turned: np.ndarray, first: np.ndarray, higher: np.ndarray) -> np.ndarray:
    """Where the second camera sees the points, one after another; ``higher`` (N,) above the plane, as shares."""
    rows = []
    for (north, east), up in zip(first, higher, strict=True):
        depth = (1.0 - up) / (1.0 + true[6] * north + true[7] * east)
        x, y, z = turned.T @ (np.array([north, east, 1.0]) * depth - true[:3])
        rows.append([x / z, y / z])
    return np.array(rows)


def drawn(rng: np.random.Generator, count: int = 120, relief: float = 0.0):
    """A motion within its priors, and the points of both pictures; every tenth is a car."""
    true = np.concatenate([
        rng.uniform(-0.3, 0.3, 2), rng.normal(0, 0.02, 1), rng.normal(0, 0.01, 2), rng.normal(0, 0.02, 1),
        rng.normal(0, 0.05, 2),
    ])  # fmt: skip
    claimed = Rotation.from_euler("ZYX", [rng.uniform(-3, 3), *rng.normal(0, 0.1, 2)]).as_matrix()
    turned = Rotation.from_rotvec(true[3:6]).as_matrix() @ claimed
    first = rng.uniform(-0.6, 0.6, (count, 2))
    second = seen(true, turned, first, rng.normal(0, relief, count)) + rng.normal(0, NOISE, (count, 2))
    second[::10] += 0.05
    return true, claimed, turned, first, second


def solved(first, second, claimed, prior=PRIOR):
    return solve(first, second, claimed, prior, np.ones(len(first), bool), 0.1 / 457, 1.5 / 457)


def test_motion_turn_and_slope_are_found() -> None:
    true, claimed, turned, first, second = drawn(np.random.default_rng(5))
    found = solved(first, second, claimed)
    assert found.state[:3] == pytest.approx(true[:3], abs=2e-3)
    assert found.ned_from_camera == pytest.approx(turned, abs=3e-3)
    assert found.height_ratio == pytest.approx(1 - true[2] - true[6:] @ true[:2], abs=2e-3)
    assert not found.inside[::10].any() and found.inside.mean() > 0.8  # the cars are told apart


def test_the_homography_carries_rays_as_the_points_move() -> None:
    true, _, turned, first, _ = drawn(np.random.default_rng(6))
    ned_from_first = Rotation.from_euler("ZYX", [0.4, 0.2, -0.1]).as_matrix()
    rays = np.hstack([first, np.ones((len(first), 1))]) @ ned_from_first  # in the first camera
    carried = rays @ homography(true, ned_from_first, turned).T
    assert carried[:, :2] / carried[:, 2:] == pytest.approx(seen(true, turned, first, np.zeros(len(first))), abs=1e-9)


def test_slopes_are_those_of_the_misses() -> None:
    true, _, turned, first, second = drawn(np.random.default_rng(7), count=12)
    missed, slopes, by_distance = plane_motion._miss(true, turned, first, second)
    for column in range(8):
        step = np.zeros(8)
        step[column] = 1e-6
        moved = Rotation.from_rotvec(step[3:6]).as_matrix() @ turned
        other = plane_motion._miss(true + step, moved, first, second)[0]
        assert slopes[:, :, column] == pytest.approx((other - missed) / 1e-6, abs=1e-4)
    lifted = seen(true, turned, first, np.full(12, -1e-6)) - seen(true, turned, first, np.zeros(12))
    assert by_distance == pytest.approx(lifted / 1e-6, abs=1e-4)


@pytest.mark.parametrize("relief", [0.0, 0.03])
def test_two_thirds_lie_within_one_sigma_and_nineteen_of_twenty_within_two(relief: float) -> None:
    rng, within = np.random.default_rng(8), []
    for _ in range(100):
        true, claimed, _, first, second = drawn(rng, relief=relief)
        found = solved(first, second, claimed)
        within.append(np.abs(found.state - true) / np.sqrt(np.diag(found.covariance)))
    one, two = (np.mean(np.array(within) < k) for k in (1, 2))
    assert 0.60 < one < 0.78 and 0.90 < two < 0.985


def test_without_a_heading_any_turn_is_found() -> None:
    true, claimed, turned, first, second = drawn(np.random.default_rng(9))
    unknown = Prior(0.01, math.inf, 0.0, 0.05, 0.05, 0.03)
    away = Rotation.from_rotvec([0.0, 0.0, 2.0]).as_matrix().T @ claimed
    found = solved(first, second, away, unknown)
    assert found.ned_from_camera == pytest.approx(turned, abs=5e-3)
