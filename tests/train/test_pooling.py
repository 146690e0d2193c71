"""Poolings against loops over cells, and attention against its own recipe written out."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from train.pooling import Average, FcamAttention, GeneralisedMean, Maximum, OrderedCells, SquareRings  # noqa: E402


def _features(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 5, 6, 6)).astype(np.float32))


def test_poolings_are_the_loops_they_stand_for() -> None:
    features = _features()
    with torch.inference_mode():
        cells, average = OrderedCells(3)(features), Average()(features)
        maximum, generalised = Maximum()(features), GeneralisedMean(2.5)(features)
    for n in range(2):
        for c in range(5):
            grid = features[n, c].numpy().astype(np.float64)
            assert average[n, c, 0, 0] == pytest.approx(grid.mean(), abs=1e-6)
            assert maximum[n, c, 0, 0] == grid.max()
            powered = np.mean([max(v, 1e-6) ** 2.5 for v in grid.ravel()]) ** (1 / 2.5)
            assert generalised[n, c, 0, 0] == pytest.approx(powered, rel=1e-4)
            for i in range(3):
                for j in range(3):
                    part = grid[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                    assert cells[n, c, i, j] == pytest.approx(part.mean(), abs=1e-6)


@pytest.mark.parametrize(("side", "rings"), [(6, 3), (7, 3), (5, 2), (2, 3)])
def test_rings_are_means_by_distance_from_the_middle_and_know_no_right_angle(side: int, rings: int) -> None:
    features = torch.from_numpy(np.random.default_rng(6).normal(size=(2, 3, side, side)).astype(np.float32))
    with torch.inference_mode():
        found = SquareRings(rings)(features)
        for turned in (features.rot90(1, (2, 3)), features.flip(3)):
            torch.testing.assert_close(SquareRings(rings)(turned), found)
    assert found.shape == (2, 3, rings, 1)
    middle = (side - 1) / 2
    for ring in range(rings):
        of = [(r, c) for r in range(side) for c in range(side)
              if ring <= rings * max(abs(r - middle), abs(c - middle)) / (side / 2) < ring + 1]  # fmt: skip
        expected = np.mean([features[:, :, r, c].numpy() for r, c in of], axis=0) if of else np.zeros((2, 3))
        np.testing.assert_allclose(found[:, :, ring, 0], expected, atol=1e-6)


@pytest.mark.parametrize(("side", "cells"), [(3, 2), (6, 4), (7, 3), (1, 2)])
def test_cells_that_share_features_are_the_means_of_equal_parts_of_the_view(side: int, cells: int) -> None:
    features = torch.from_numpy(np.random.default_rng(5).normal(size=(2, 3, side, side)).astype(np.float32))
    with torch.inference_mode():
        found = OrderedCells(cells)(features)
    fine = features.numpy().repeat(cells, axis=2).repeat(cells, axis=3)  # now each part is `side` x `side` of these
    expected = fine.reshape(2, 3, cells, side, cells, side).mean(axis=(3, 5))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_generalised_mean_runs_from_average_to_maximum() -> None:
    features = _features(1).abs()
    with torch.inference_mode():
        np.testing.assert_allclose(GeneralisedMean(1.0)(features), Average()(features), atol=1e-5)
        np.testing.assert_allclose(GeneralisedMean(60.0)(features), Maximum()(features), rtol=0.07)


def test_attention_weighs_channels_then_places() -> None:
    torch.manual_seed(0)
    attention = FcamAttention(5, reduction=2)
    features = _features(2)
    with torch.inference_mode():
        out = attention(features).numpy()
        down, _, up = (part.weight[:, :, 0, 0].numpy() if hasattr(part, "weight") else None
                       for part in attention.bottleneck)  # fmt: skip
    for n in range(2):
        x = features[n].numpy()
        pooled = [x.mean(axis=(1, 2)), x.max(axis=(1, 2))]
        channel = 1 / (1 + np.exp(-sum(up @ np.maximum(down @ p, 0) for p in pooled)))
        x = x * channel[:, None, None]
        ratio = out[n] / x
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1], ratio.shape), rtol=1e-3)  # one weight a place
        assert (ratio > 0).all() and (ratio < 1).all()
        padded = np.pad(np.stack([x.mean(axis=0), x.max(axis=0)]), ((0, 0), (3, 3), (3, 3)))
        seen = []
        for window in attention.windows:
            kernel, reach = window.weight[0].detach().numpy(), window.kernel_size[0] // 2
            patch = padded[:, 3 + 2 - reach : 3 + 2 + reach + 1, 3 + 4 - reach : 3 + 4 + reach + 1]
            seen.append(max(0.0, float((kernel * patch).sum() + window.bias.item())))
        mixed = float(attention.mix.weight[0, :, 0, 0].detach().numpy() @ seen + attention.mix.bias.item())
        assert ratio[0, 2, 4] == pytest.approx(1 / (1 + np.exp(-mixed)), rel=1e-4)
