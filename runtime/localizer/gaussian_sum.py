"""A belief as a sum of Gaussians, one for each place that is possible, and its arithmetic.

One Gaussian is a Kalman filter; several are kept while several places are possible (Sorenson and Alspach, "Recursive
Bayesian estimation using Gaussian sums", Automatica 7, 1971). Arrays: K components of a state of D numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GaussianSum:
    """``log_weights`` (K,), natural logs, not necessarily of sum one; ``means`` (K, D); ``covariances`` (K, D, D).

    ``levels`` (K,) int: which of a few assumptions about the measurements a component makes. Components of different
    levels are never merged; their weights say which assumption explains the measurements.
    """

    log_weights: Array
    means: Array
    covariances: Array
    levels: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.log_weights)

    @property
    def weights(self) -> Array:
        """(K,) of sum one."""
        shares: Array = np.exp(self.log_weights - self.log_weights.max())
        shares /= shares.sum()
        return shares

    def moved(self, transitions: Array, noises: Array) -> GaussianSum:
        """The belief after ``x = F x + w``: ``transitions`` F and ``noises``, w's covariance, (D, D) or (K, D, D)."""
        means = (transitions @ self.means[:, :, None])[:, :, 0]
        covariances = transitions @ self.covariances @ np.swapaxes(transitions, -1, -2) + noises
        return replace(self, means=means, covariances=covariances)

    def measured(
        self, residuals: Array, slopes: Array, noises: Array, considered: Sequence[int] = ()
    ) -> tuple[GaussianSum, Array]:
        """The belief after a measurement of M numbers, weighted by its likelihoods, and their logs (K,).

        ``residuals`` (K, M): the measurement less what each component expects; ``slopes`` (M, D) or (K, M, D): the
        derivative of what is expected by the state; ``noises`` (M, M) or (K, M, M): the measurement's covariance.
        ``considered``: numbers of the state whose uncertainty counts and which this measurement does not estimate
        (Schmidt, "Application of state-space methods to navigation problems", 1966).
        """
        transposed = np.swapaxes(slopes, -1, -2)
        cross = self.covariances @ transposed  # (K, D, M)
        spread = slopes @ cross + noises
        gains = np.swapaxes(np.linalg.solve(spread, np.swapaxes(cross, -1, -2)), -1, -2)
        gains[:, list(considered)] = 0.0
        weighed = np.linalg.solve(spread, residuals[:, :, None])[:, :, 0]
        size = residuals.shape[1]
        logs = -0.5 * (np.sum(residuals * weighed, axis=1) + np.linalg.slogdet(spread)[1] + size * np.log(2 * np.pi))
        means = self.means + (gains @ residuals[:, :, None])[:, :, 0]
        kept = np.eye(self.means.shape[1]) - gains @ slopes  # Joseph's form stays positive definite
        covariances = kept @ self.covariances @ np.swapaxes(kept, -1, -2) + gains @ noises @ np.swapaxes(gains, -1, -2)
        after = GaussianSum(self.log_weights + logs, means, covariances, self.levels)
        return after, logs

    def taken(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> GaussianSum:
        """Some of the components, their weights as they were."""
        return GaussianSum(
            self.log_weights[chosen], self.means[chosen], self.covariances[chosen], self.levels[chosen]
        )

    def weighed(self, log_factor: Array | float) -> GaussianSum:
        """The same components with weights multiplied."""
        return replace(self, log_weights=self.log_weights + log_factor)

    def normalised(self) -> tuple[GaussianSum, float]:
        """The belief with weights of sum one, and the log of the sum they had."""
        top = float(self.log_weights.max())
        total = top + float(np.log(np.exp(self.log_weights - top).sum()))
        return self.weighed(-total), total

    def moments(self) -> tuple[Array, Array]:
        """Mean (D,) and covariance (D, D) of the whole sum."""
        shares = self.weights
        mean: Array = shares @ self.means
        apart = self.means - mean
        covariance = np.einsum("k,kij->ij", shares, self.covariances) + np.einsum("k,ki,kj->ij", shares, apart, apart)
        return mean, covariance


def joined(beliefs: list[GaussianSum]) -> GaussianSum:
    """All components of several beliefs, with the weights they have."""
    return GaussianSum(
        np.concatenate([one.log_weights for one in beliefs]),
        np.concatenate([one.means for one in beliefs]),
        np.concatenate([one.covariances for one in beliefs]),
        np.concatenate([one.levels for one in beliefs]),
    )


def distances(belief: GaussianSum, component: int, size: int) -> Array:
    """(K,) Bhattacharyya distance of every component from one of them, in the first ``size`` numbers of the state.

    0 for equal ones; 1/8 for means one sigma apart; 1.2 where one is ten times as wide in one direction (Bhattacharyya,
    Bulletin of the Calcutta Mathematical Society 35, 1943).
    """
    covariances = belief.covariances[:, :size, :size]
    apart = belief.means[:, :size] - belief.means[component, :size]
    between = 0.5 * (covariances + covariances[component])
    solved = np.linalg.solve(between, apart[:, :, None])[:, :, 0]
    spreads = np.linalg.slogdet(covariances)[1]
    wider = np.linalg.slogdet(between)[1] - 0.5 * (spreads + spreads[component])
    return np.asarray(np.sum(apart * solved, axis=1) / 8.0 + 0.5 * wider)


def reduced(belief: GaussianSum, size: int, reach: float, most: int, least_log_share: float) -> GaussianSum:
    """The belief with components of one level merged whose `distances` are within ``reach``, the unlikely ones dropped.

    At most ``most`` of each level are kept, none whose weight is below the strongest one's by more than
    ``least_log_share``. Merging keeps weight, mean and covariance (Salmond, "Mixture reduction algorithms for target
    tracking in clutter", SPIE 1305, 1990).
    """
    belief = belief.taken(belief.log_weights > belief.log_weights.max() + least_log_share)
    belief = belief.taken(np.argsort(-belief.log_weights, kind="stable"))
    kept: list[GaussianSum] = []
    for level in np.unique(belief.levels):
        rest = belief.taken(belief.levels == level)
        for _ in range(most):
            if not len(rest):
                break
            cluster = distances(rest, 0, size) <= reach
            kept.append(_merged(rest.taken(cluster)))
            rest = rest.taken(~cluster)
    return joined(kept)


def _merged(cluster: GaussianSum) -> GaussianSum:
    if len(cluster) == 1:
        return cluster
    mean, covariance = cluster.moments()
    _, total = cluster.normalised()
    return GaussianSum(np.array([total]), mean[None], covariance[None], cluster.levels[:1])
