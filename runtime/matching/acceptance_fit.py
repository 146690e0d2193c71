"""Fits the logistic model of `runtime.matching.acceptance`; its rows come from training and from the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

_RIDGE = 1e-3  # keeps the weights finite where the classes part cleanly
_LEAST_SCALE = 1e-6


def fitted(
    features: Sequence[str],
    values: NDArray[np.float64],
    right: NDArray[np.bool_],
    least_spread: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """A table for `Acceptance.of` by maximum likelihood with a small ridge; it accepts nothing yet (threshold 1).

    Args:
        features: names of the F columns.
        values: (N, F).
        right: (N,) whether each answer was right; both occur.
        least_spread: of a feature that varies by less than this over the rows, their standard deviation, the weight is
            0: what hardly varied says nothing of what would happen if it did.
    """
    mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), _LEAST_SCALE)
    even = scale < [(least_spread or {}).get(name, 0.0) for name in features]
    scale[even] = 1.0
    units = np.where(even, 0.0, (values - mean) / scale)

    def loss(weights: NDArray[np.float64]) -> float:
        logit = units @ weights[:-1] + weights[-1]
        return float(np.logaddexp(0, np.where(right, -logit, logit)).mean() + _RIDGE / 2 * (weights[:-1] ** 2).sum())

    best = minimize(loss, np.zeros(len(features) + 1)).x
    return {
        "model": "logistic", "features": list(features), "mean": mean.round(6).tolist(),
        "scale": scale.round(6).tolist(), "weights": best[:-1].round(4).tolist(), "bias": round(float(best[-1]), 4),
        "threshold": 1.0, "sigma_m": 0.0, "ground_sigma_m": 0.0,
    }  # fmt: skip
