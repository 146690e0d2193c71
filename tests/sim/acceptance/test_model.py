"""Fitting a calibration: what a gallery's size does is not read out of galleries of one size, and the threshold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.errors import BundleError
from sim.acceptance.answers import PAIRS
from sim.acceptance.model import FEATURES, THRESHOLDS, accepted, fit, threshold_of
from sim.acceptance.questions import TARGET
from tests.sim.acceptance.made import answers


@pytest.mark.parametrize(("spread", "said"), [(0.3, True), (0.01, False)])
def test_what_hardly_varied_gets_no_weight(spread: float, said: bool) -> None:
    table = fit(answers(5, spread), 0.8)
    weights = dict(zip(table["features"], table["weights"], strict=True))
    assert weights["log_over_spread"] > 0.5
    assert (weights["log_tried"] < -0.1) if said else (weights["log_tried"] == 0.0)


def test_the_error_of_what_is_accepted_is_its_sigma() -> None:
    made = answers(5)
    table = fit(made, 0.8)
    taken = accepted(table, made)
    assert len(taken) >= 90 and all(one.kind == TARGET for one in taken)
    errors = np.array([one.error_m for one in taken])
    assert table["sigma_m"] == pytest.approx(np.sqrt((errors**2).mean() / 2), abs=0.01)


def test_the_least_threshold_when_nothing_out_of_coverage_passes() -> None:
    assert threshold_of({seed: answers(seed) for seed in range(4)}) == THRESHOLDS[0]


def test_out_of_coverage_queries_that_look_like_places_raise_it() -> None:
    few = {seed: answers(seed, spread=0.0, lucky_outside=0.1, luck=1.0) for seed in range(4)}
    assert THRESHOLDS[0] < threshold_of(few) <= THRESHOLDS[-1]


def test_no_threshold_keeps_out_queries_that_look_like_places() -> None:
    many = {seed: answers(seed, spread=0.0, lucky_outside=0.04) for seed in range(4)}
    with pytest.raises(BundleError, match=r"out-of-coverage queries: at a probability of 0\.95, \d+ of 400"):
        threshold_of(many)


def test_nothing_to_tell_apart() -> None:
    with pytest.raises(BundleError, match="of 100 answers every one is the right place"):
        fit([one for one in answers(1) if one.right], 0.8)


def test_right_places_that_look_like_out_of_coverage_queries_get_no_table() -> None:
    alike = [dataclasses.replace(one, places=[dict.fromkeys(FEATURES, 0.0)]) for one in answers(1)]
    with pytest.raises(BundleError, match=r"no right place has a probability of 0\.8"):
        fit(alike, 0.8)


def test_what_ships_sees_no_size_of_a_gallery_and_nothing_that_has_a_unit() -> None:
    table = Bundle.load().acceptance(PAIRS["drone"].query, PAIRS["drone"].gallery)
    assert table is not None and table["rivals"] is True
    assert set(table["features"]) <= set(FEATURES)


@pytest.mark.parametrize("pair", ["map", "tiles"])
def test_in_what_ships_for_maps_no_size_of_a_gallery_decides_alone(pair: str) -> None:
    table = Bundle.load().acceptance(PAIRS[pair].query, PAIRS[pair].gallery)
    assert table is not None
    chances = table["features"].index("log_chances")
    a_thousand_times = np.log(1000.0) * table["weights"][chances] / table["scale"][chances]
    assert abs(a_thousand_times) < 2.0  # of the logit; from .5 to .88 at most


def test_what_ships_is_fitted_on_nothing_that_is_for_measuring_only() -> None:
    table = Bundle.load().acceptance(PAIRS["drone"].query, PAIRS["drone"].gallery)
    assert table is not None
    assert not [ground for ground in table["grounds"] if ground.startswith("ariel")]
