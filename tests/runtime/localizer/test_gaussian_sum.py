"""The arithmetic of Gaussian sums against slower, obvious ways to the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.localizer.gaussian_sum import GaussianSum, distances, joined, reduced


def drawn(seed: int, count: int = 5, size: int = 4, levels: int = 2) -> GaussianSum:
    random = np.random.default_rng(seed)
    factors = random.normal(size=(count, size, size))
    covariances = factors @ np.swapaxes(factors, 1, 2) + 0.1 * np.eye(size)
    means = random.normal(0.0, 3.0, (count, size))
    return GaussianSum(random.normal(size=count), means, covariances, random.integers(0, levels, count))


seeds = st.integers(0, 10_000)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_a_measurement_is_bayes_rule(seed: int) -> None:
    """In information form, one component after the other; likelihoods by SciPy."""
    from scipy.stats import multivariate_normal  # a second to import: not by every process that collects this test

    belief = drawn(seed)
    random = np.random.default_rng(seed + 1)
    slopes, value, noise = random.normal(size=(2, 4)), random.normal(size=2), np.diag([0.5, 2.0])
    after, logs = belief.measured(value - belief.means @ slopes.T, slopes, noise)
    for k in range(len(belief)):
        information = np.linalg.inv(belief.covariances[k]) + slopes.T @ np.linalg.inv(noise) @ slopes
        weighted = np.linalg.solve(belief.covariances[k], belief.means[k]) + slopes.T @ np.linalg.solve(noise, value)
        np.testing.assert_allclose(after.covariances[k], np.linalg.inv(information), atol=1e-8)
        np.testing.assert_allclose(after.means[k], np.linalg.solve(information, weighted), atol=1e-7)
        expected = multivariate_normal(slopes @ belief.means[k], slopes @ belief.covariances[k] @ slopes.T + noise)
        assert logs[k] == pytest.approx(expected.logpdf(value))
    np.testing.assert_allclose(after.log_weights, belief.log_weights + logs)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_merging_keeps_weights_means_and_covariances(seed: int) -> None:
    """Everything of one level in one component: the moments of each level stay."""
    belief = drawn(seed, count=8)
    merged = reduced(belief, 4, math.inf, 9, -math.inf)
    assert len(merged) == len(np.unique(belief.levels))
    assert merged.normalised()[1] == pytest.approx(belief.normalised()[1])
    for one, other in zip(merged.moments(), belief.moments(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_the_likeliest_are_kept_and_the_unlikely_dropped() -> None:
    means = np.array([[0.0], [50.0], [100.0], [0.1], [150.0]])
    logs = np.log([0.4, 0.3, 0.2, 0.1, 1e-9])
    belief = GaussianSum(logs, means, np.ones((5, 1, 1)), np.zeros(5, dtype=np.intp))
    kept = reduced(belief, 1, 0.15, 2, -9.0)
    np.testing.assert_allclose(kept.means[:, 0], [0.02, 50.0])
    np.testing.assert_allclose(np.exp(kept.log_weights), [0.5, 0.3])
    assert len(reduced(belief, 1, 0.15, 9, -9.0)) == 3


def test_distance_of_equal_shifted_and_wider_components() -> None:
    means = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    covariances = np.stack([np.eye(2), np.eye(2), np.diag([100.0, 1.0])])
    belief = GaussianSum(np.zeros(3), means, covariances, np.zeros(3, dtype=np.intp))
    np.testing.assert_allclose(distances(belief, 0, 2), [0.0, 1 / 8, 0.5 * math.log(50.5 / 10.0)])
    np.testing.assert_allclose(distances(belief, 2, 2)[0], distances(belief, 0, 2)[2])


def test_moments_are_those_of_many_draws() -> None:
    belief = drawn(4, count=3, size=2)
    random = np.random.default_rng(1)
    chosen = random.choice(3, 200_000, p=belief.weights)
    components = zip(belief.means, belief.covariances, strict=True)
    draws = np.stack([random.multivariate_normal(mean, covariance, 200_000) for mean, covariance in components])
    sample = draws[chosen, np.arange(200_000)]
    mean, covariance = belief.moments()
    np.testing.assert_allclose(mean, sample.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(covariance, np.cov(sample.T), rtol=0.05, atol=0.1)


def test_joined_beliefs_keep_their_weights() -> None:
    both = joined([drawn(1).weighed(math.log(0.25)), drawn(2)])
    np.testing.assert_allclose(both.log_weights[:5], drawn(1).log_weights + math.log(0.25))
    assert len(both) == 10
