"""The table's logistic model by hand, and tables that are not one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from runtime.errors import BundleError
from runtime.matching.acceptance import CHANCE_PAIRS, OPEN, Acceptance
from runtime.matching.acceptance_fit import evenly

TABLE: dict[str, Any] = {
    "model": "logistic", "features": ["sharpness", "margin"], "mean": [0.1, 0.05], "scale": [0.02, 0.01],
    "weights": [1.5, 0.5], "bias": -1.0, "threshold": 0.8, "sigma_m": 2.0, "ground_sigma_m": 3.0, "seeds": [1],
}  # fmt: skip


def test_probability_is_the_logistic_of_the_standardised_features() -> None:
    acceptance = Acceptance.of(TABLE)
    assert acceptance is not None
    logit = 1.5 * (0.14 - 0.1) / 0.02 + 0.5 * (0.03 - 0.05) / 0.01 - 1.0
    found = acceptance.probabilities([{"sharpness": 0.14, "margin": 0.03, "unused": 9.0}])[0]
    assert found == pytest.approx(1 / (1 + math.exp(-logit)))


def test_certainty_is_never_claimed() -> None:
    acceptance = Acceptance.of(TABLE)
    assert acceptance is not None
    assert acceptance.probabilities([{"sharpness": 1e6, "margin": 1e6}])[0] == pytest.approx(0.9999)
    assert acceptance.probabilities([{"sharpness": -1e6, "margin": 0}])[0] == pytest.approx(0.0001)


def test_the_error_grows_with_that_of_the_keyframes() -> None:
    acceptance = Acceptance.of(TABLE)
    assert acceptance is not None
    assert acceptance.place_sigma_m(1.0) == acceptance.place_sigma_m(3.0) == 2.0
    assert acceptance.place_sigma_m(5.0) == pytest.approx(math.sqrt(4 + 25 - 9))


def test_a_bundle_without_a_table_is_not_calibrated() -> None:
    assert Acceptance.of(None) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "forest"}, "unknown kind 'forest'"),
        ({"mean": [0.1]}, "unequal length"),
        ({"scale": [0.0, 0.01]}, "zero"),
        ({"weights": ["a", 1]}, "cannot be read"),
        ({"threshold": None}, "cannot be read"),
    ],
)
def test_a_table_that_is_none_is_said_to_be(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said) as error:
        Acceptance.of(TABLE | change)
    assert str(error.value).endswith(".")


def test_a_missing_entry_and_a_feature_nobody_computes() -> None:
    with pytest.raises(BundleError, match="bias"):
        Acceptance.of({name: value for name, value in TABLE.items() if name != "bias"})
    acceptance = Acceptance.of(TABLE)
    assert acceptance is not None
    with pytest.raises(BundleError, match="margin"):
        acceptance.probabilities([{"sharpness": 0.1}])


def test_places_share_one_probability_where_rivals_count() -> None:
    """Bayes' rule, with even odds that one of them is right; a second place as good takes half."""
    acceptance = Acceptance.of(TABLE | {"rivals": True})
    assert acceptance is not None
    best, other = {"sharpness": 0.14, "margin": 0.05}, {"sharpness": 0.10, "margin": 0.05}
    ratios = [acceptance.log_likelihood_ratio(one) for one in (best, other)]
    assert ratios == pytest.approx([2.0, -1.0])
    total = 1 + math.exp(2.0) + math.exp(-1.0)
    assert acceptance.probabilities([best, other]) == pytest.approx([math.exp(2.0) / total, math.exp(-1.0) / total])
    assert acceptance.probabilities([best]) == pytest.approx([1 / (1 + math.exp(-2.0))])
    assert acceptance.accepts([best]) and not acceptance.accepts([best, best])


def test_without_rivals_each_place_stands_alone() -> None:
    acceptance = Acceptance.of(TABLE)
    assert acceptance is not None
    best = {"sharpness": 0.14, "margin": 0.05}
    assert acceptance.probabilities([best, best]) == pytest.approx([1 / (1 + math.exp(-2.0))] * 2)


def test_grounds_and_kinds_count_evenly_but_few_rows_count_little() -> None:
    grounds = ["a"] * 40 + ["b"] * 15
    right = np.array([True] * 30 + [False] * 10 + [True] * 10 + [False] * 5)
    weights = evenly(grounds, right)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[:30].sum() == pytest.approx(weights[30:40].sum()) == pytest.approx(weights[40:50].sum())
    assert weights[50:].sum() == pytest.approx(weights[40:50].sum() / 2)


def test_pairs_that_agree_speak_for_a_place_and_few_never_against_it() -> None:
    acceptance = Acceptance.of({**TABLE, "rivals": True})
    assert acceptance is not None
    faint = {"sharpness": 0.1, "margin": 0.04}
    by_layout = acceptance.log_likelihood_ratio(faint)
    ratios = [acceptance.log_likelihood_ratio({**faint, "pairs": pairs}) for pairs in (0.0, 5.0, CHANCE_PAIRS)]
    assert ratios == [by_layout] * 3
    more = [acceptance.log_likelihood_ratio({**faint, "pairs": CHANCE_PAIRS + n}) for n in (1.0, 4.0, 9.0)]
    assert by_layout < more[0] < more[1] < more[2]
    assert not acceptance.accepts([faint]) and acceptance.accepts([{**faint, "pairs": CHANCE_PAIRS + 9.0}])
    hopeless = {"sharpness": -1e6, "margin": 0.0, "pairs": CHANCE_PAIRS + 9.0}
    assert not acceptance.accepts([hopeless])


def test_a_place_beyond_which_the_right_one_may_lie_takes_its_share_and_is_never_accepted() -> None:
    acceptance = Acceptance.of(TABLE | {"rivals": True})
    assert acceptance is not None
    sure, faint = {"sharpness": 0.16, "margin": 0.05}, {"sharpness": 0.11, "margin": 0.0}
    at_the_edge = sure | {OPEN: 1.0}
    assert acceptance.accepts([sure, faint]) and not acceptance.accepts([at_the_edge, faint])
    assert acceptance.probabilities([at_the_edge, faint]) == acceptance.probabilities([sure, faint])
    assert acceptance.log_likelihood_ratio(at_the_edge) < -9.0 < 3.0 < acceptance.log_likelihood_ratio(sure)
