"""Crops of a target show what they say, wherever its north points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.place.attempt import Attempt, crops_of, rungs_for, scales_m
from runtime.place.target import Target
from tests.runtime.place.fakes import Land

LADDER = (20.0, 28.0, 40.0, 56.0, 80.0)


@pytest.mark.parametrize(
    ("side_m", "rungs"),
    [(90.0, (80.0, 56.0)), (79.0, (80.0, 56.0)), (60.0, (56.0, 40.0)), (300.0, (80.0, 56.0)), (20.0, (20.0,)),
     (13.0, (20.0,)), (9.0, ())],
)  # fmt: skip
def test_the_rungs_are_the_largest_that_fit(side_m: float, rungs: tuple[float, ...]) -> None:
    assert rungs_for(side_m, LADDER) == rungs


def test_a_gap_in_the_ladder_leaves_one_rung() -> None:
    assert rungs_for(90.0, (20.0, 80.0)) == (80.0,)
    assert rungs_for(90.0, ()) == ()


def test_a_known_scale_is_taken_and_an_unknown_searched_in_small_steps() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    assert scales_m(Target(image, 0.5, True, None, ""), LADDER) == [0.5]
    sides = np.array(scales_m(Target(image, None, True, None, ""), LADDER)) * 100
    assert sides[0] == pytest.approx(20.0) and sides[-1] >= 200.0
    assert (sides[1:] / sides[:-1]).max() < 1.151


@pytest.mark.parametrize("heading_deg", [0.0, 30.0, 90.0, 200.0])
def test_crops_are_north_up_and_know_where_they_lie(heading_deg: float) -> None:
    """Each is compared with the ground cut directly, a step that knows nothing of the target."""
    land, heading = Land(400, seed=3), math.radians(heading_deg)
    image = land.cut(10.0, -20.0, 150.0, 0.5, heading)
    target = Target(image, 0.5, False, None, "")
    crops = crops_of(target, Attempt(0.5, heading, (64.0,)), 64.0, 64, (16, 16))
    assert len(crops) == 9
    for crop in crops:
        direct = land.cut(10.0 + crop.ne_m[0], -20.0 + crop.ne_m[1], 64.0, 1.0)
        seen = np.kron(crop.weights > 0.99, np.ones((4, 4), bool))
        assert seen.mean() > 0.7
        assert np.abs(crop.image.astype(int) - direct)[seen].mean() < 6.0
    middle = crops_of(target, Attempt(0.5, heading, (64.0,)), 64.0, 64, (16, 16), alone=True)
    assert [one.ne_m for one in middle] == [(0.0, 0.0)]


def test_cells_that_a_turned_target_does_not_show_count_nothing() -> None:
    land = Land(200, seed=4)
    target = Target(land.cut(0.0, 0.0, 64.0, 0.5, math.pi / 4), 0.5, False, None, "")
    (crop,) = crops_of(target, Attempt(0.5, math.pi / 4, (64.0,)), 64.0, 64, (16, 16))
    assert crop.weights[0, 0] == crop.weights[15, 15] == 0.0
    assert crop.weights[8, 8] == pytest.approx(1.0)
    assert 0.7 < crop.weights.mean() < 0.9  # an octagon's share of its square is 0.83


def test_a_much_finer_target_is_averaged_not_sampled() -> None:
    rng = np.random.default_rng(2)
    grain = rng.integers(0, 255, (640, 640, 3), np.uint8)
    (crop,) = crops_of(Target(grain, 0.1, True, None, ""), Attempt(0.1, 0.0, (64.0,)), 64.0, 64, (16, 16))
    assert crop.image.std() < 20  # of 74 in a single pixel
