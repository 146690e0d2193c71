"""The hard exemplar reweighting triplet loss, as its first author's code computes it.

Cai, Guo, Khan, Hu and Wen, "Ground-to-aerial image geo-localization with a hard exemplar reweighting triplet loss",
ICCV 2019. What the paper leaves open (the margin from the batch, easy triplets weighing 0.1/B instead of nothing) is
as in that code. Exponentials are taken so that none overflows; wherever theirs do not, the numbers are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from train.losses.embedded import squared_distances

MARGIN_SHARE = 0.15  # of the mean squared length of the batch's features
UNIT_SCALE = 5.0  # features of unit length are multiplied by it; un-normalised ones by 1
EASY_WEIGHT = 0.1  # of a pruned triplet, divided by the batch: not zero
_FLOOR = 1e-8  # inside their logarithms
_OVERFLOWS = 700.0  # an exponent that double precision does not hold


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard triplets are, as weights: ``margin`` sets what counts as easy; twice the rectifying factor beta."""

    margin: float

    @property
    def beta(self) -> float:
        """The distance rectifying factor: at a gap of it a triplet weighs about 1."""
        return self.margin / 2

    @property
    def lowest(self) -> float:
        """The weight at d_n = d_p + margin; below it a triplet is easy."""
        return _bits(self.beta - self.margin)

    @property
    def highest(self) -> float:
        """The weight at d_n = d_p; triplets harder than that weigh no more."""
        return _bits(self.beta)

    def weights(self, positive: Tensor, negative: Tensor, easy: float) -> Tensor:
        """Weights of triplets with squared distances d_p and d_n; ``easy`` is what a pruned one gets."""
        rectified = positive - negative + self.beta
        weights = torch.relu(-torch.log2(torch.sigmoid(-rectified) + _FLOOR))
        pruned = torch.where(weights < self.lowest, torch.full_like(weights, easy), weights)
        return torch.where(pruned > self.highest, torch.full_like(weights, self.highest), pruned)


def batch_margin(queries: Tensor, gallery: Tensor, scale: float) -> float:
    """The margin of a batch of features (N, D) and (M, D) that will be scaled: a constant, no gradient through it."""
    with torch.no_grad():
        lengths = (queries.pow(2).sum(dim=1).mean() + gallery.pow(2).sum(dim=1).mean()) / 2
        return scale**2 * MARGIN_SHARE * float(lengths)


def soft_triplet(positive: Tensor, negative: Tensor) -> Tensor:
    """log(1 + exp(d_p - d_n)), without overflow."""
    gap = positive - negative
    return torch.logaddexp(gap, torch.zeros_like(gap))


class HardExemplarReweighting(nn.Module):
    """Anchors are the queries alone; row i of both sets is a pair, every other row a negative.

    ``triplet_weight`` and ``orientation_weight`` are the paper's theta 1 and 2: they recommend 2 to 1 and train with
    1.0 and 0.5. The weights of the triplets are part of the gradient.
    """

    def __init__(
        self, scale: float = UNIT_SCALE, triplet_weight: float = 1.0, orientation_weight: float = 0.5
    ) -> None:
        super().__init__()
        self.scale, self.triplet_weight, self.orientation_weight = scale, triplet_weight, orientation_weight

    def forward(
        self, queries: Tensor, gallery: Tensor, angles: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """(B, D) and (B, D) to the loss; ``angles``: (B, 2) predicted and (B, 2) true (sin, cos) of the orientation."""
        count = len(queries)
        difficulty = Difficulty(batch_margin(queries, gallery, self.scale))
        negative = squared_distances(self.scale * queries, self.scale * gallery)
        positive = torch.diagonal(negative)[:, None]
        others = 1 - torch.eye(count, dtype=queries.dtype, device=queries.device)
        weights = difficulty.weights(positive, negative, EASY_WEIGHT / count) * others
        losses = self.triplet_weight * soft_triplet(positive, negative)
        if angles is not None:
            wrong = (angles[0] - angles[1]).pow(2).sum(dim=1)[:, None]
            losses = losses + self.orientation_weight * wrong
        return (weights * losses).mean()


def _bits(x: float) -> float:
    """log2(1 + exp(x) + floor): in the bounds their floor stands here, in the weights beside the probability."""
    return math.log2(1.0 + math.exp(x) + _FLOOR) if x < _OVERFLOWS else x / math.log(2.0)
