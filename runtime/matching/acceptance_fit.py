"""Fits the logistic model of `runtime.matching.acceptance`; its rows come from training and from the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

_RIDGE = 1e-3  # keeps the weights finite where the classes part cleanly
_LEAST_SCALE = 1e-6
_FEW_ROWS = 10  # of a kind: fewer do not count as much as many


def fitted(
    features: Sequence[str],
    values: NDArray[np.float64],
    right: NDArray[np.bool_],
    least_spread: Mapping[str, float] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """A table for `Acceptance.of` by maximum likelihood with a small ridge; it accepts nothing yet (threshold 1).

    Args:
        features: names of the F columns.
        values: (N, F).
        right: (N,) whether each answer was right; both occur.
        least_spread: of a feature that varies by less than this over the rows, their standard deviation, the weight is
            0: what hardly varied says nothing of what would happen if it did.
        weights: (N,) how much each row counts; all the same by default.
    """
    counts = np.ones(len(values)) if weights is None else weights
    mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), _LEAST_SCALE)
    even = scale < [(least_spread or {}).get(name, 0.0) for name in features]
    scale[even] = 1.0
    units = np.where(even, 0.0, (values - mean) / scale)

    def loss(slopes: NDArray[np.float64]) -> float:
        logit = units @ slopes[:-1] + slopes[-1]
        missed = np.logaddexp(0, np.where(right, -logit, logit))
        return float(np.average(missed, weights=counts) + _RIDGE / 2 * (slopes[:-1] ** 2).sum())

    best = minimize(loss, np.zeros(len(features) + 1)).x
    return {
        "model": "logistic", "features": list(features), "mean": mean.round(6).tolist(),
        "scale": scale.round(6).tolist(), "weights": best[:-1].round(4).tolist(), "bias": round(float(best[-1]), 4),
        "threshold": 1.0, "sigma_m": 0.0, "ground_sigma_m": 0.0,
    }  # fmt: skip


def evenly(grounds: Sequence[str], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) weights by which every ground counts the same, and in it right places as much as wrong ones, so that the
    model's log-odds are a likelihood ratio; few rows of a kind count less, since they say little."""
    names = np.array(grounds)
    weights = np.zeros(len(names))
    for name in np.unique(names):
        for kind in (True, False):
            own = (names == name) & (right == kind)
            weights[own] = 1.0 / max(int(own.sum()), _FEW_ROWS)
    return weights / max(float(weights.sum()), 1e-12)
