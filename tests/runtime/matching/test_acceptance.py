"""The table's logistic model by hand, and tables that are not one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runtime.errors import BundleError
from runtime.matching.acceptance import Acceptance

TABLE: dict[str, Any] = {
    "model": "logistic", "features": ["sharpness", "margin"], "mean": [0.1, 0.05], "scale": [0.02, 0.01],
    "weights": [1.5, 0.5], "bias": -1.0, "threshold": 0.8, "sigma_m": 2.0, "ground_sigma_m": 3.0, "seeds": [1],
}  # fmt: skip


def test_probability_is_the_logistic_of_the_standardised_features() -> None:
    acceptance = Acceptance.of(TABLE)
    assert acceptance is not None
    logit = 1.5 * (0.14 - 0.1) / 0.02 + 0.5 * (0.03 - 0.05) / 0.01 - 1.0
    found = acceptance.probability({"sharpness": 0.14, "margin": 0.03, "unused": 9.0})
    assert found == pytest.approx(1 / (1 + math.exp(-logit)))


def test_certainty_is_never_claimed() -> None:
    acceptance = Acceptance.of(TABLE)
    assert acceptance is not None
    assert acceptance.probability({"sharpness": 1e6, "margin": 1e6}) == pytest.approx(0.9999)
    assert acceptance.probability({"sharpness": -1e6, "margin": 0}) == pytest.approx(0.0001)


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
        acceptance.probability({"sharpness": 0.1})
