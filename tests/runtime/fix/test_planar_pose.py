"""A camera's pose over flat ground: against poses that are known, and against a slow search."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from runtime.fix.planar_pose import Array, PlanarPose, Prior, _jacobian, _projected, _turn, solve
from runtime.fix.sheets import Sheets

FREE = Prior(tilt_sigma_rad=1.0)


def seen(pose: PlanarPose, rays: NDArray[np.float64], noise_m: float = 0.0, seed: int = 1) -> NDArray[np.float64]:
    """Where a pose's rays meet the ground, blurred."""
    return pose.ground_of(rays) + np.random.default_rng(seed).normal(0, noise_m, rays.shape)


def posed(roll: float, pitch: float, heading: float, height_m: float = 60.0) -> PlanarPose:
    (ca, cb, cc), (sa, sb, sc) = np.cos([roll, pitch, heading]), np.sin([roll, pitch, heading])
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return PlanarPose(120.0, -40.0, height_m, about_z @ about_y @ about_x, np.zeros((2, 2)), 0.0)


RAYS = np.random.default_rng(0).uniform(-0.6, 0.6, (80, 2))


@pytest.mark.parametrize("heading", [0.0, 1.0, 3.1, -2.0])
def test_a_tilted_camera_is_found_whatever_its_heading(heading: float) -> None:
    truth = posed(0.1, -0.15, heading)
    found = solve(RAYS, seen(truth, RAYS), 0.1, FREE)
    assert math.hypot(found.east_m - truth.east_m, found.south_m - truth.south_m) < 0.1
    assert abs(math.remainder(found.heading_rad - truth.heading_rad, math.tau)) < 1e-3
    assert abs(found.height_m - 60.0) < 0.1
    assert found.tilt_rad == pytest.approx(truth.tilt_rad, abs=2e-3)


def test_a_known_tilt_holds_where_the_pairs_say_little() -> None:
    truth = posed(0.0, 0.0, 0.4)
    narrow = RAYS * 0.15
    ground = seen(truth, narrow, noise_m=0.4)
    free, held = solve(narrow, ground, 0.3, FREE), solve(narrow, ground, 0.3, Prior(math.radians(1.0)))
    assert math.hypot(held.east_m - 120.0, held.south_m + 40.0) < 3.0
    assert held.sigma_m < free.sigma_m


def test_a_few_wrong_pairs_do_not_bend_it() -> None:
    truth = posed(0.05, 0.02, -0.7)
    ground = seen(truth, RAYS, noise_m=0.1)
    ground[:12] += 15.0
    found = solve(RAYS, ground, 0.1, Prior(0.1))
    assert math.hypot(found.east_m - 120.0, found.south_m + 40.0) < 1.0


def test_it_agrees_with_a_slow_search() -> None:
    """The same likelihood, without robustness, by a general solver from the truth."""
    truth = posed(0.06, -0.04, 2.0)
    ground = seen(truth, RAYS, noise_m=0.2)
    prior = Prior(0.05, height_m=61.0, height_sigma_m=2.0)

    def misfit(state: NDArray[np.float64]) -> NDArray[np.float64]:
        pose = posed(state[0], state[1], state[2], state[5])
        points = pose.ground_of(RAYS) - [120.0, -40.0] + state[3:5]
        pulls = [state[0] / 0.05, state[1] / 0.05, (state[5] - 61.0) / 2.0]
        return np.append(((points - ground) / 0.2).ravel(), pulls)

    slow = least_squares(misfit, [0.06, -0.04, 2.0, 120.0, -40.0, 60.0]).x
    fast = solve(RAYS, ground, 0.2, prior)
    assert (fast.east_m, fast.south_m) == pytest.approx(slow[3:5], abs=0.25)
    assert fast.height_m == pytest.approx(slow[5], abs=0.1)


def test_its_sigma_covers_its_errors() -> None:
    truth = posed(0.03, 0.05, 0.9)
    apart = []
    for seed in range(60):
        found = solve(RAYS, seen(truth, RAYS, 0.5, seed), 0.1, Prior(0.1))
        apart += [(found.east_m - 120.0) / found.sigma_m, (found.south_m + 40.0) / found.sigma_m]
    assert 0.55 < np.mean(np.abs(apart) < 1) < 0.85
    assert np.mean(np.abs(apart) < 2) > 0.88


def test_slopes_against_small_steps() -> None:
    state = np.array([0.1, -0.2, 2.5, 7.0, -3.0, 55.0])
    rays = np.hstack([RAYS, np.ones((len(RAYS), 1))])

    def met(state: Array) -> Array:
        return np.asarray(_projected(rays, _turn(state))[0] * state[5] + state[3:5])

    steps = [(met(state + step) - met(state - step)) / 2e-5 for step in 1e-5 * np.eye(6)]
    slopes = _jacobian(state, _turn(state), rays, *_projected(rays, _turn(state)))
    assert np.allclose(slopes, np.stack(steps, axis=2), atol=1e-4)


def test_a_start_nearby_leads_to_the_same_pose() -> None:
    truth = posed(0.05, -0.08, 0.9)
    assert truth.state == pytest.approx([0.05, -0.08, 0.9, 120.0, -40.0, 60.0])
    ground = seen(truth, RAYS, 0.3, 4)
    cold = solve(RAYS, ground, 0.1, FREE)
    warm = solve(RAYS, ground, 0.1, FREE, rounds=6, start=truth)
    assert warm.state == pytest.approx(cold.state, abs=2e-3)


QUARTERS = np.array([(-0.3, -0.3), (-0.3, 0.3), (0.3, -0.3), (0.3, 0.3)])  # of the image, each seen by one keyframe
QUARTER_RAYS = np.concatenate([np.random.default_rng(6).uniform(-0.3, 0.3, (20, 2)) + at for at in QUARTERS])
CENTRES_M = QUARTERS * 60.0 + [120.0, -40.0]
SIGMAS = np.array([3.0, 3.0, math.radians(2.0), 0.02, math.radians(1.5), math.radians(1.5)])
OF, HEIGHT_M = np.repeat(np.arange(4), 20), 50.0
SHEETS = Sheets(OF, CENTRES_M, np.full(4, HEIGHT_M), np.tile(SIGMAS, (4, 1)))


def moved(ground: NDArray[np.float64], moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ground as keyframes show it whose cameras' poses err by (4, 6) position, heading, height and tilts."""
    east, south, turn, stretch, tilt_east, tilt_south = moves[OF].T
    x, y = (ground - CENTRES_M[OF]).T
    tilted = (tilt_east * x + tilt_south * y) / HEIGHT_M
    by_east = east - turn * y + stretch * x + tilt_east * HEIGHT_M + tilted * x
    by_south = south + turn * x + stretch * y + tilt_south * HEIGHT_M + tilted * y
    return ground + np.stack([by_east, by_south], axis=1)


def drawn_moves(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, (4, 6)) * SIGMAS


def test_keyframes_that_err_against_each_other_do_not_tilt_the_camera() -> None:
    """Over many draws the tilt is much better than by one rigid ground, and sigma covers the position."""
    prior = Prior(math.radians(10.0))
    rigid, free, off = [], [], []
    for seed in range(40):
        truth = posed(0.02, -0.03, 0.5)
        ground = moved(seen(truth, QUARTER_RAYS, 0.1, seed), drawn_moves(seed + 100))
        together = solve(QUARTER_RAYS, ground, 0.1, prior)
        apart = solve(QUARTER_RAYS, ground, 0.1, prior, sheets=SHEETS)
        rigid.append(np.abs(together.state[:2] - truth.state[:2]).max())
        free.append(np.abs(apart.state[:2] - truth.state[:2]).max())
        off.append(np.array([apart.east_m - truth.east_m, apart.south_m - truth.south_m]) / apart.sigma_m)
    assert np.median(free) < 0.2 * np.median(rigid)
    assert 0.7 < float(np.sqrt((np.array(off) ** 2).mean())) < 1.4


def test_moves_that_are_eliminated_are_those_that_a_slow_search_finds() -> None:
    truth = posed(0.04, -0.02, 1.2)
    ground = moved(seen(truth, QUARTER_RAYS, 0.2, 7), drawn_moves(8))
    prior = Prior(0.05)

    def misfit(state: NDArray[np.float64]) -> NDArray[np.float64]:
        points = posed(state[0], state[1], state[2], state[5]).ground_of(QUARTER_RAYS) - [120.0, -40.0] + state[3:5]
        moves = state[6:].reshape(4, 6)
        by_m = moved(ground, moves) - ground
        pulls = [state[:2] / 0.05, (moves / SIGMAS).ravel()]
        return np.concatenate([((points - ground - by_m) / 0.4).ravel(), *pulls])

    slow = least_squares(misfit, np.append(truth.state, np.zeros(24))).x
    fast = solve(QUARTER_RAYS, ground, 0.4, prior, sheets=SHEETS)
    assert fast.state == pytest.approx(slow[:6], abs=3e-2)


def test_keyframes_that_cannot_move_are_one() -> None:
    ground = seen(posed(0.05, -0.08, 0.9), QUARTER_RAYS, 0.2, 4)
    exact = Sheets(OF, CENTRES_M, np.full(4, math.inf), np.zeros((4, 6)))
    assert solve(QUARTER_RAYS, ground, 0.1, FREE, sheets=exact).state == pytest.approx(
        solve(QUARTER_RAYS, ground, 0.1, FREE).state, abs=5e-3
    )
