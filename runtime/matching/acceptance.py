"""From how places stand out to the probability that each is the right one; the table comes with the bundle.

The table of an ordered pair of views holds a logistic model over named features, the probability below which the
answer is "no match", and the error of accepted places::

    {"model": "logistic", "features": [...], "mean": [...], "scale": [...], "weights": [...], "bias": b,
     "threshold": p, "sigma_m": s, "ground_sigma_m": g, "rivals": true, ...}

With ``rivals`` the model sees one place at a time, as many right as wrong ones in its fit, so that its log-odds are the
log of a likelihood ratio: of such a score where the place is the right one, to such a score from the best that chance
makes on this ground. Places exclude each other, and with even odds that one of them is right, Bayes' rule gives

    p_i = exp(l_i) / (1 + sum_j exp(l_j)).

A place at the edge of what was flown over, about which it is not seen that the target fits less on every side, has the
probability that the right one is there or beyond. It is never accepted.

Pairs of learned local features that agree on a place are evidence of another kind: they add to its log-odds whatever
the table, and take nothing away.

Without ``rivals`` (bundles made before) features hold margins to other places, and each place has its own logistic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runtime.errors import BundleError

PAIRS = "pairs"  # of a place: agreeing pairs of learned features, where a network looked (`runtime.place.pairs`)
OPEN = "open"  # of a place: 1 where the right one may lie beyond what was flown over (`runtime.place.field.Peak`)
CHANCE_PAIRS = 12  # the most that agreed with pictures of elsewhere; see docs/benchmarks.md
_RARER_BY_PAIR = 1.6  # a pair more that agrees by chance
_FLOOR = 1e-4  # no finite sample supports a probability nearer to 0 or 1
_MOST_LOG_ODDS = math.log((1.0 - _FLOOR) / _FLOOR)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A fitted table. ``sigma_m``: 1-sigma per axis of accepted places, in histories whose keyframes' ground
    points had ``ground_sigma_m``."""

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float
    sigma_m: float
    ground_sigma_m: float
    rivals: bool = False

    @classmethod
    def of(cls, table: Mapping[str, Any] | None) -> Acceptance | None:
        """The acceptance of a bundle's raw table; None where the bundle has none.

        Raises:
            BundleError: the table is not one that this program reads.
        """
        if table is None:
            return None
        try:
            if table["model"] != "logistic":
                raise BundleError(f"the bundle's acceptance is of the unknown kind {table['model']!r}.")
            acceptance = cls(
                features=tuple(str(name) for name in table["features"]),
                mean=_row(table["mean"]),
                scale=_row(table["scale"]),
                weights=_row(table["weights"]),
                bias=float(table["bias"]),
                threshold=float(table["threshold"]),
                sigma_m=float(table["sigma_m"]),
                ground_sigma_m=float(table["ground_sigma_m"]),
                rivals=bool(table.get("rivals", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the bundle's acceptance table cannot be read ({error}); export it again.") from error
        rows = (acceptance.mean, acceptance.scale, acceptance.weights)
        if any(len(row) != len(acceptance.features) for row in rows):
            raise BundleError("the bundle's acceptance table has rows of unequal length; export it again.")
        if 0.0 in acceptance.scale:
            raise BundleError("the bundle's acceptance table has a scale of zero; export it again.")
        return acceptance

    def log_likelihood_ratio(self, features: Mapping[str, float]) -> float:
        """Natural log of how much likelier these features are at the right place than where chance made them; for
        even odds beforehand the log-odds that the place is the right one, its rivals left aside; the least there is
        of one that is `OPEN`.

        Raises:
            BundleError: the table asks for a feature that this program does not compute.
        """
        return -_MOST_LOG_ODDS if features.get(OPEN) else self._of_score(features)

    def _of_score(self, features: Mapping[str, float]) -> float:
        """The same of a score: that the right one is there, or beyond."""
        missing = [name for name in self.features if name not in features]
        if missing:
            raise BundleError(f"the bundle's acceptance needs {missing[0]}, which this version does not compute.")
        values = (np.array([features[name] for name in self.features]) - self.mean) / self.scale
        logit = max(float(np.dot(values, self.weights)) + self.bias, -_MOST_LOG_ODDS)
        return min(logit + pairs_log_likelihood_ratio(features.get(PAIRS, 0.0)), _MOST_LOG_ODDS)

    def probabilities(self, places: Sequence[Mapping[str, float]]) -> list[float]:
        """That each of the distinct places of one question, the best first, is the right one.

        Raises:
            BundleError: the table asks for a feature that this program does not compute.
        """
        ratios = [self._of_score(features) for features in places]
        if not self.rivals:
            return [_within(1.0 / (1.0 + math.exp(-one))) for one in ratios]
        none_of_them = float(np.logaddexp.reduce([0.0, *ratios]))
        return [_within(math.exp(one - none_of_them)) for one in ratios]

    def accepts(self, places: Sequence[Mapping[str, float]]) -> bool:
        """Whether the best of these places is probable enough, and not one that may lie beyond."""
        return self.probabilities(places)[0] >= self.threshold and not places[0].get(OPEN)

    def place_sigma_m(self, ground_sigma_m: float) -> float:
        """1-sigma per axis of a place, grown where the keyframes are less sure of their ground than in the fit."""
        return math.sqrt(self.sigma_m**2 + max(0.0, ground_sigma_m**2 - self.ground_sigma_m**2))


def pairs_log_likelihood_ratio(pairs: float) -> float:
    """Natural log of how much likelier so many agreeing pairs of learned features are at the right place than by
    chance; 0 for so few that chance makes them too, so that they never speak against a place."""
    return max(0.0, pairs - CHANCE_PAIRS) * math.log(_RARER_BY_PAIR)


def _within(probability: float) -> float:
    return min(max(probability, _FLOOR), 1.0 - _FLOOR)


def _row(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
