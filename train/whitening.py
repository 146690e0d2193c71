"""What an untrained head is fitted to: the channels' mean, and the whitening of what varies within a crop.

The crops come from whoever calls: training knows no simulator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

SHRINK = 0.05  # of the mean variance, added to each: whitening must not blow up what is nearly constant


def channel_samples(backbone: nn.Module, depth: int, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """(N, M, C) float32: the features of all M cells of N crops; batches are (n, S, S, 3) uint8, ``backbone`` as
    `train.tower` has it."""
    crops = []
    device = next((p.device for p in backbone.parameters()), torch.device("cpu"))
    with torch.inference_mode():
        for batch in batches:
            features = backbone(torch.from_numpy(batch).to(device))[depth]
            crops.append(features.flatten(2).transpose(1, 2).cpu().numpy())
    return np.concatenate(crops)


@dataclass(frozen=True, slots=True)
class Whitening:
    """``mean`` (C,) of all cells; ``projection`` (K, C) of a crop's own contrast."""

    mean: NDArray[np.float32]
    projection: NDArray[np.float32]


def fit(samples: NDArray[np.float32], channels: int = 64) -> Whitening:
    """The mean of (N, M, C) samples, and the PCA whitening of each crop's own contrast to ``channels`` directions."""
    contrast = (samples - samples.mean(axis=1, keepdims=True)).reshape(-1, samples.shape[-1])
    mean = samples.mean(axis=(0, 1), dtype=np.float64)
    return Whitening(mean.astype(np.float32), whitening(contrast, channels))


def whitening(rows: NDArray[np.floating], dimensions: int) -> NDArray[np.float32]:
    """(K, C) float32: what projects (N, C) rows of mean zero onto their K principal directions, at equal variance."""
    variance, directions = np.linalg.eigh(np.cov(rows.astype(np.float64), rowvar=False))
    top = np.argsort(variance)[::-1][:dimensions]
    scale = 1.0 / np.sqrt(variance[top] + SHRINK * variance.mean())
    return np.asarray((directions[:, top] * scale).T, np.float32)
