"""Fitting a head: the whitening does what whitening says, on what varies within a crop alone."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.export.tiny import CHANNELS, DEPTH, SIZE_PX, TinyBackbone  # noqa: E402
from train.whitening import SHRINK, channel_samples, fit  # noqa: E402


def test_whitened_contrast_is_uncorrelated_and_nearly_of_unit_variance() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(8, 8))
    samples = (rng.normal(size=(40, 50, 8)) @ mixing).astype(np.float32)
    weights = fit(samples, channels=5)
    contrast = (samples - samples.mean(axis=1, keepdims=True)).reshape(-1, 8)
    covariance = np.cov(contrast @ weights.projection.T, rowvar=False)
    variance = np.sort(np.linalg.eigvalsh(np.cov(contrast, rowvar=False)))[::-1]
    expected = variance[:5] / (variance[:5] + SHRINK * variance.mean())
    np.testing.assert_allclose(covariance, np.diag(expected), atol=1e-4)
    assert weights.mean.shape == (8,) and weights.mean.dtype == np.float32


def test_what_shifts_a_whole_crop_does_not_change_the_whitening() -> None:
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(30, 20, 6)).astype(np.float32)
    shifted = samples + 5 * rng.normal(size=(30, 1, 6)).astype(np.float32)
    np.testing.assert_allclose(
        np.abs(fit(samples, 4).projection), np.abs(fit(shifted, 4).projection), atol=1e-3
    )


def test_samples_are_every_cell_of_every_crop() -> None:
    crops = np.random.default_rng(2).integers(0, 256, (3, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    backbone = TinyBackbone().eval()
    samples = channel_samples(backbone, DEPTH, [crops[:2], crops[2:]])
    assert samples.shape == (3, 16, CHANNELS)
    with torch.inference_mode():
        features = backbone(torch.from_numpy(crops))[DEPTH].numpy()
    np.testing.assert_allclose(samples[2, 6], features[2, :, 1, 2], atol=1e-6)
