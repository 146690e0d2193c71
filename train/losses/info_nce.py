"""InfoNCE over the batch, both ways, with label smoothing, any number of positives, and a learned temperature.

Van den Oord, Li and Vinyals, 2018; symmetric and smoothed as in Deuser, Habel and Oswald, "Sample4Geo", ICCV 2023.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from train.losses.embedded import IGNORED, NEGATIVE, POSITIVE, Embedded, Loss, squared_distances
from train.losses.hard_exemplar import EASY_WEIGHT, UNIT_SCALE, Difficulty, batch_margin

_FIRST_TEMPERATURE, _MOST_SCALE = 0.07, 100.0


class InfoNce(Loss):
    """Cross-entropy of each query over the gallery (and back): the positives share 1 - smoothing evenly, and all
    candidates share the rest; ignored ones are no candidates, and a query without a positive does not count."""

    def __init__(self, smoothing: float = 0.1, temperature: float = _FIRST_TEMPERATURE) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / temperature)))

    def forward(self, batch: Embedded) -> Tensor:
        scale = self.log_scale.exp().clamp(max=_MOST_SCALE)
        ways = [self._one_way(way, scale * (way.queries @ way.gallery.T)) for way in (batch, batch.turned())]
        return (ways[0] + ways[1]) / 2

    def _one_way(self, batch: Embedded, logits: Tensor) -> Tensor:
        candidates = batch.relation != IGNORED
        positives = batch.relation == POSITIVE
        counted = positives.any(dim=1)
        logits = self.weighed(batch, logits).masked_fill(~candidates, -torch.inf)[counted]
        candidates, positives = candidates[counted], positives[counted]
        smooth = self.smoothing * candidates / candidates.sum(dim=1, keepdim=True)
        target = (1 - self.smoothing) * positives / positives.sum(dim=1, keepdim=True) + smooth
        log_p = torch.log_softmax(logits, dim=1).masked_fill(~candidates, 0.0)
        return -(target * log_p).sum() / max(1, int(counted.sum()))

    def weighed(self, batch: Embedded, logits: Tensor) -> Tensor:
        """The logits as they stand; `ReweightedInfoNce` adds to those of hard negatives."""
        return logits


class ReweightedInfoNce(InfoNce):
    """InfoNCE in whose sum each negative counts as often as hard exemplar reweighting finds it hard.

    Weights are constants with a mean of 1 over a query's negatives, so that only their proportions matter; they enter
    as log w added to the logit. A query's distance to its positives is that of the nearest.
    """

    def __init__(
        self, smoothing: float = 0.1, temperature: float = _FIRST_TEMPERATURE, scale: float = UNIT_SCALE
    ) -> None:
        super().__init__(smoothing, temperature)
        self.scale = scale

    def weighed(self, batch: Embedded, logits: Tensor) -> Tensor:
        """See `InfoNce.weighed`."""
        with torch.no_grad():
            weights = negative_weights(batch, self.scale)
        return logits + torch.where(batch.relation == NEGATIVE, weights, torch.ones_like(weights)).log()


def negative_weights(batch: Embedded, scale: float) -> Tensor:
    """(N, M) weights of the negatives of each query, with a mean of 1 over them; what is no negative has 0."""
    difficulty = Difficulty(batch_margin(batch.queries, batch.gallery, scale))
    distances = squared_distances(scale * batch.queries, scale * batch.gallery)
    nearest = distances.masked_fill(batch.relation != POSITIVE, torch.inf).amin(dim=1, keepdim=True)
    negatives = batch.relation == NEGATIVE
    weights = difficulty.weights(nearest, distances, EASY_WEIGHT / len(batch.gallery)) * negatives
    count = negatives.sum(dim=1, keepdim=True)
    return weights * count / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
