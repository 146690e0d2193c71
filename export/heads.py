"""Fits the untrained head: the mean and the whitening of a feature map's channels over a set of crops."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from train.tower import HeadWeights

SHRINK = 0.05  # of the mean variance, added to each: whitening must not blow up what is nearly constant


def channel_samples(
    backbone: nn.Module, stride: int, batches: Iterable[NDArray[np.uint8]]
) -> NDArray[np.float32]:
    """(M, C) float32: the features of every cell of every crop; batches are (N, S, S, 3) uint8."""
    rows = []
    with torch.inference_mode():
        for crops in batches:
            features = backbone(torch.from_numpy(crops))[stride]
            rows.append(features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).numpy())
    return np.concatenate(rows)


def fit(samples: NDArray[np.float32], channels: int, stride: int, cells: int) -> HeadWeights:
    """Centring and PCA whitening of (M, C) samples to the ``channels`` directions of most variance."""
    mean = samples.mean(axis=0, dtype=np.float64)
    covariance = np.cov(samples.astype(np.float64), rowvar=False)
    variance, directions = np.linalg.eigh(covariance)
    top = np.argsort(variance)[::-1][:channels]
    scale = 1.0 / np.sqrt(variance[top] + SHRINK * variance.mean())
    projection = (directions[:, top] * scale).T
    return HeadWeights(stride, cells, mean.astype(np.float32), projection.astype(np.float32))
