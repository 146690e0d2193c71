"""Targets lie in what is flown, the others do not, and a seed is a plan."""

from __future__ import annotations

import math

import pytest

from runtime.errors import UsageError
from sim.scenario.plan import OUTSIDE, TARGETS, make_plan


@pytest.mark.parametrize("seed", [3, 100_001, 987_654])
def test_targets_are_flown_over_and_the_others_are_not(seed: int) -> None:
    plan = make_plan(seed, (900.0, 900.0))
    assert len(plan.targets) == TARGETS and len(plan.outside) == OUTSIDE
    assert all(plan.survey.contains(point) for point in plan.targets)
    outside = [plan.outside_m(point) for point in plan.outside]
    assert min(outside) >= 60.0
    assert sum(distance <= 110.0 for distance in outside) == plan.near_outside == OUTSIDE // 3
    assert plan.far_side[1] - plan.survey.east_m > 150.0
    assert all(max(map(abs, point)) < 450.0 - 45.0 for point in (*plan.targets, *plan.outside))


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    assert make_plan(7, (900.0, 900.0)) == make_plan(7, (900.0, 900.0))
    assert make_plan(7, (900.0, 900.0)).targets != make_plan(8, (900.0, 900.0)).targets


def test_the_survey_covers_its_rectangle_in_lines_that_share_half_a_view() -> None:
    plan = make_plan(1, (900.0, 900.0))
    easts = sorted({east for _, east in plan.survey_path})
    assert easts[0] == plan.survey.west_m and easts[-1] == pytest.approx(plan.survey.east_m)
    assert all(math.isclose(b - a, 45.0) for a, b in zip(easts, easts[1:], strict=False))


def test_a_small_world_gets_a_survey_that_fits_it() -> None:
    plan = make_plan(1, (345.0, 600.0), small=True)
    assert plan.survey.north_m <= 345 / 2 - 60 and plan.survey.west_m >= -300 + 60


@pytest.mark.parametrize(("side_m", "why"), [(40.0, "too small to survey"), (200.0, "too small"), (260.0, "no room")])
def test_a_world_without_room_is_one_sentence(side_m: float, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        make_plan(1, (side_m, side_m))
