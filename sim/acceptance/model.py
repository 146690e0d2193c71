"""From answers to the table that ships: a logistic model, a threshold by a rule, and the error of what it accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runtime.errors import BundleError
from runtime.matching.acceptance import Acceptance
from runtime.matching.acceptance_fit import evenly, fitted
from sim.acceptance.answers import Answer
from sim.acceptance.questions import TARGET

# How many times what chance makes of this target on this ground, told in two ways, and from how many readings the best
# was chosen. None has a unit, so that a model means the same on ground that it was not fitted on.
FEATURES = ("log_over_spread", "log_over_wrong", "log_tried")
# Standard deviation over the rows below which a feature gets no weight: where next to nothing was searched for, what a
# search does is not read out of how little that varied.
LEAST_SPREAD = {"log_tried": 0.1}
# However few out-of-coverage queries pass: what is flown to is right four times in five at the very least.
THRESHOLDS = (0.8, 0.85, 0.9, 0.95)
MAX_FALSE_ACCEPTANCE_RATE = 0.003  # of those on seeds left out of the fit
Table = dict[str, Any]


def fit(answers: Sequence[Answer], threshold: float) -> Table:
    """A table with that threshold, and the error of the right places that it accepts.

    Raises:
        BundleError: all answers are right, or none, or it accepts no right one: there is nothing to go by.
    """
    known = [one for one in answers if one.places]
    right = np.array([one.right for one in known], bool)
    if right.all() or not right.any():
        share = "none" if not right.any() else "every one"
        raise BundleError(f"this bundle gets no acceptance table: of {len(known)} answers {share} is the right place.")
    values = np.array([[one.places[0][name] for name in FEATURES] for one in known])
    weights = evenly([str(one.seed) for one in known], right)
    table = fitted(FEATURES, values, right, LEAST_SPREAD, weights) | {"threshold": threshold, "rivals": True}
    errors = np.array([one.error_m for one in accepted(table, answers) if one.right])
    if len(errors) == 0:
        raise BundleError(f"this bundle gets no acceptance table: no right place has a probability of {threshold}.")
    return table | {
        "sigma_m": round(float(np.sqrt((errors**2).mean() / 2)), 2),
        "ground_sigma_m": round(float(np.median([one.ground_sigma_m for one in answers])), 2),
    }


def accepted(table: Table, answers: Sequence[Answer]) -> list[Answer]:
    """Those that a table's threshold accepts."""
    model = Acceptance.of(table)
    assert model is not None
    return [one for one in answers if one.places and model.accepts(one.places)]


def left_out(answers: Mapping[int, Sequence[Answer]], threshold: float) -> dict[int, Table]:
    """For each seed the table that the other seeds' answers make."""
    return {
        seed: fit([one for other, own in answers.items() if other != seed for one in own], threshold)
        for seed in answers
    }


def threshold_of(answers: Mapping[int, Sequence[Answer]]) -> float:
    """The least of `THRESHOLDS` at which no more than `MAX_FALSE_ACCEPTANCE_RATE` of the out-of-coverage queries
    pass, each seed judged by a fit on the others.

    Raises:
        BundleError: there is none, or one that accepts no right place either.
    """
    outside = sum(one.kind != TARGET for own in answers.values() for one in own)
    for threshold in THRESHOLDS:
        tables = left_out(answers, threshold)
        passed = sum(one.kind != TARGET for seed, own in answers.items() for one in accepted(tables[seed], own))
        if passed <= MAX_FALSE_ACCEPTANCE_RATE * outside:
            return threshold
    raise BundleError(
        f"this bundle cannot tell out-of-coverage queries: at a probability of {threshold}, {passed} of {outside} "
        f"still pass on surveys left out of the fit, and {MAX_FALSE_ACCEPTANCE_RATE:.1%} may."
    )
