"""What a whole crop looks like: beach or town, ripe field or bare. The head leaves that out, for it changes with
season, weather and sensor; among pictures of one camera and one flight nothing tells places apart faster.

It follows the head's vector in the embedding, and only views of one kind are compared by it. Nothing trains it: it is
the whitened mean of the crop's features, fitted once the backbone has learned.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.whitening import whitening


class Appearance(nn.Module):
    """(N, C, h, w) features to (N, ``dimensions``); of any length, for `train.tower` sets it."""

    mean: Tensor

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.whiten = nn.Conv2d(channels, dimensions, 1, bias=False).requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        whitened: Tensor = self.whiten(features.mean(dim=(2, 3), keepdim=True) - self.mean)
        return whitened.flatten(1)

    @torch.no_grad()
    def fit_(self, features: Iterable[Tensor]) -> None:
        """Set the mean and the principal directions of batches of (n, C, h, w) features of crops."""
        means: NDArray[np.float64] = torch.cat([f.mean(dim=(2, 3)) for f in features]).double().cpu().numpy()
        middle = means.mean(axis=0)
        directions = whitening(means - middle, self.whiten.out_channels)
        self.mean.copy_(torch.from_numpy(middle)[None, :, None, None])
        self.whiten.weight.copy_(torch.from_numpy(directions)[:, :, None, None])
