"""From a grid of features to one vector or a few ordered ones: poolings as modules, (N, C, h, w) to (N, C, k, k).

Averaging forgets where in a north-up view things lie; ordered cells keep it. `FcamAttention` weighs channels and
places before any of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-6  # below it a generalised mean's power has no useful gradient


class OrderedCells(nn.Module):
    """(N, C, h, h) features to the means of ``cells`` x ``cells`` equal parts of the view, in order.

    Where h does not divide by ``cells``, a feature that two parts share counts in each by its share there.
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, features: Tensor) -> Tensor:
        side = features.shape[-1]
        if side == self.cells:
            return features
        if side % self.cells == 0:
            return functional.avg_pool2d(features, side // self.cells)
        shares = _shares(side, self.cells).to(features)
        return shares @ features @ shares.T


def _shares(side: int, cells: int) -> Tensor:
    """(cells, side) float32: how much of a part's mean comes from each row of features."""
    edges = torch.arange(cells + 1, dtype=torch.float64) * (side / cells)
    rows = torch.arange(side, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], rows + 1) - torch.maximum(edges[:-1, None], rows)
    return (overlap.clamp(min=0.0) * (cells / side)).float()


class SquareRings(nn.Module):
    """(N, C, h, h) features to the means of ``rings`` concentric square rings (N, C, rings, 1), from the middle out.

    What lies how far from the middle does not depend on where a camera looks from, as where it lies does: for views
    that have no north. Wang and others, "Each part matters: local patterns facilitate cross-view geo-localization",
    IEEE TCSVT 2022.
    """

    def __init__(self, rings: int) -> None:
        super().__init__()
        self.rings = rings

    def forward(self, features: Tensor) -> Tensor:
        shares = _ring_shares(features.shape[-1], self.rings).to(features)
        return (features.flatten(2) @ shares.T)[..., None]


def _ring_shares(side: int, rings: int) -> Tensor:
    """(rings, side * side) float32: how much of a ring's mean comes from each feature."""
    away = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2).abs() / (side / 2)
    ring = (torch.maximum(away[:, None], away[None]) * rings).long().clamp(max=rings - 1).flatten()
    members = (ring[None] == torch.arange(rings)[:, None]).float()
    return members / members.sum(dim=1, keepdim=True).clamp(min=1.0)


class Average(nn.Module):
    """The mean over the whole view."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=(2, 3), keepdim=True)


class Maximum(nn.Module):
    """The greatest value of each channel anywhere in the view."""

    def forward(self, features: Tensor) -> Tensor:
        return features.amax(dim=(2, 3), keepdim=True)


class GeneralisedMean(nn.Module):
    """(mean of x^p)^(1/p) with a learned p: 1 is the average, infinity the maximum.

    Radenovic, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019. Features below
    zero count as zero.
    """

    def __init__(self, p: float = 3.0) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(p))

    def forward(self, features: Tensor) -> Tensor:
        powered = features.clamp(min=EPSILON) ** self.p
        return powered.mean(dim=(2, 3), keepdim=True) ** (1.0 / self.p)


class FcamAttention(nn.Module):
    """The feature context-based attention module: which channels matter, then which places, each from its context.

    Cai, Guo, Khan, Hu and Wen, "Ground-to-aerial image geo-localization with a hard exemplar reweighting triplet
    loss", ICCV 2019, section 3.1. Channels: average and maximum over the view through one shared bottleneck, summed.
    Places: mean and maximum over the channels, seen through windows of 3, 5 and 7 cells, mixed into one weight.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        narrow = max(1, channels // reduction)
        self.bottleneck = nn.Sequential(
            nn.Conv2d(channels, narrow, 1, bias=False), nn.ReLU(), nn.Conv2d(narrow, channels, 1, bias=False)
        )
        self.windows = nn.ModuleList(nn.Conv2d(2, 1, size, padding=size // 2) for size in (3, 5, 7))
        self.mix = nn.Conv2d(3, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        average = features.mean(dim=(2, 3), keepdim=True)
        maximum = features.amax(dim=(2, 3), keepdim=True)
        features = features * torch.sigmoid(self.bottleneck(average) + self.bottleneck(maximum))
        context = torch.cat([features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)], dim=1)
        seen = torch.cat([torch.relu(window(context)) for window in self.windows], dim=1)
        return features * torch.sigmoid(self.mix(seen))
