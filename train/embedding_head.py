"""The head: attention, pooling, projection to the embedding, and beside it the small map for re-ranking.

Averaging a north-up view of known scale into one vector throws away what tells a place from its neighbour: where in
the view things lie. The vector therefore keeps ordered cells, and the map the grid, for re-ranking by translation.
Both are centred on each crop's own mean: season, weather, light and sensor shift a whole crop's features alike, and
what is left is how its parts differ, which is what two dates of one place share. A pooling over the whole view has no
parts to compare and is centred on the mean of all crops instead.

It begins fitted to crops, untrained (`fit_`): the projection is the principal directions of the pooled cells, the
map's is the whitening of what varies within a crop. Training then has to beat it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runtime.errors import UsageError
from train.pooling import Average, FcamAttention, GeneralisedMean, Maximum, OrderedCells, SquareRings
from train.tower import Backbone, unit
from train.whitening import channel_samples, fit

CELLS, RINGS, AVERAGE, MAXIMUM, GENERALISED = "cells", "rings", "average", "maximum", "generalised"
POOLINGS = (CELLS, RINGS, AVERAGE, MAXIMUM, GENERALISED)


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """``pooling`` by name, over ``cells`` x ``cells`` where it has cells, or ``cells`` rings; ``dimensions`` of the
    embedding, 0 keeps what the pooling gives; ``map_channels`` of the map, 0 for none; ``attention`` puts FCAM in front
    of the pooling; ``appearance``: dimensions of `train.appearance` beside the head, 0 for none."""

    pooling: str = CELLS
    cells: int = 2
    dimensions: int = 0
    map_channels: int = 64
    attention: bool = False
    appearance: int = 0

    @property
    def parts(self) -> int:
        """How many ordered vectors the pooling gives."""
        return {CELLS: self.cells**2, RINGS: self.cells}.get(self.pooling, 1)


class EmbeddingHead(nn.Module):
    """(N, C, h, w) features to ``embedding`` (N, D) unit rows and ``map`` (N, K, h, w) unit along K, or None.

    Raises:
        UsageError: there is no such pooling, or the dimensions do not divide among the cells or exceed what they hold.
    """

    def __init__(self, spec: HeadSpec, channels: int) -> None:
        super().__init__()
        if spec.dimensions % spec.parts or spec.dimensions > spec.parts * channels:
            raise UsageError(
                f"an embedding of {spec.dimensions} dimensions cannot be shared among {spec.parts} cells of {channels} "
                f"channels: use a multiple of {spec.parts} up to {spec.parts * channels}."
            )
        self.spec = spec
        self.attention: nn.Module = FcamAttention(channels) if spec.attention else nn.Identity()
        self.pooling = _pooling(spec)
        whole = spec.pooling not in (CELLS, RINGS)
        self.mean = nn.Parameter(torch.zeros(1, channels, 1, 1)) if whole else None
        wide = spec.dimensions // spec.parts
        self.projection = nn.Conv2d(channels, wide, 1, bias=False) if wide else nn.Identity()
        self.whiten = nn.Conv2d(channels, spec.map_channels, 1, bias=False) if spec.map_channels else None

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        embedding = unit(self.projection(self.pooled(features)).flatten(1))
        if self.whiten is None:
            return embedding, None
        return embedding, unit(self.whiten(_contrast(features)))

    def pooled(self, features: Tensor) -> Tensor:
        """(N, C, k, k): each cell's features as directions from the mean, pooled; the generalised mean takes them raw,
        for it knows no numbers below zero."""
        attended = self.attention(features)
        if self.mean is None:
            pooled: Tensor = self.pooling(unit(_contrast(attended)))
            return pooled
        raw = self.spec.pooling == GENERALISED
        pooled = self.pooling(attended if raw else unit(attended - self.mean))
        return pooled - self.mean if raw else pooled


@torch.no_grad()
def fit_(head: EmbeddingHead, backbone: Backbone, depth: int, batches: Iterable[NDArray[np.uint8]]) -> None:
    """Set the head to the statistics of (n, S, S, 3) uint8 crops: mean, principal directions, whitening."""
    device = next(head.parameters(), torch.empty(0)).device
    batches = list(batches)
    weights = fit(channel_samples(backbone, depth, batches), max(1, head.spec.map_channels))
    if head.mean is not None:
        head.mean.copy_(torch.from_numpy(weights.mean)[None, :, None, None])
    if head.whiten is not None:
        head.whiten.weight.copy_(torch.from_numpy(weights.projection)[:, :, None, None])
    cells = torch.cat([head.pooled(backbone(torch.from_numpy(b).to(device))[depth]) for b in batches])
    if head.mean is not None and head.spec.pooling == GENERALISED:
        head.mean.add_(cells.mean(dim=0, keepdim=True))
        cells = cells - cells.mean(dim=0, keepdim=True)
    if isinstance(head.projection, nn.Conv2d):
        rows = cells.permute(0, 2, 3, 1).flatten(0, 2).double()
        _, directions = torch.linalg.eigh(rows.T @ rows)  # ascending: the last are the principal ones
        top = directions[:, -head.projection.out_channels :].flip(1).T
        head.projection.weight.copy_(top.float()[:, :, None, None])


def _contrast(features: Tensor) -> Tensor:
    """How the parts of each crop differ from its mean."""
    return features - features.mean(dim=(2, 3), keepdim=True)


def _pooling(spec: HeadSpec) -> nn.Module:
    if spec.pooling not in POOLINGS:
        raise UsageError(f"there is no pooling {spec.pooling}: choose {', '.join(POOLINGS)}.")
    if spec.pooling == CELLS:
        return OrderedCells(spec.cells)
    if spec.pooling == RINGS:
        return SquareRings(spec.cells)
    return {AVERAGE: Average, MAXIMUM: Maximum, GENERALISED: GeneralisedMean}[spec.pooling]()
