"""Hard exemplar reweighting as a University-1652 batch needs it: both directions, and a place seen many times.

The author's form takes every other row for a negative; 54 drone views of one building are none to each other. Here
each positive pair is an anchor with its own positive, held against the negatives of its row alone.
"""

from __future__ import annotations

from torch import Tensor

from train.losses.embedded import NEGATIVE, Embedded, Loss, squared_distances
from train.losses.hard_exemplar import EASY_WEIGHT, UNIT_SCALE, Difficulty, batch_margin, soft_triplet


class UniversityReweighting(Loss):
    """The mean of both directions; with one view a place, each is `HardExemplarReweighting`'s.

    ``detach``: whether the triplets' weights are constants, as a weight is usually meant, or part of the gradient.
    """

    def __init__(self, scale: float = UNIT_SCALE, detach: bool = True) -> None:
        super().__init__()
        self.scale, self.detach = scale, detach

    def forward(self, batch: Embedded) -> Tensor:
        difficulty = Difficulty(batch_margin(batch.queries, batch.gallery, self.scale))
        return (self._one_way(batch, difficulty) + self._one_way(batch.turned(), difficulty)) / 2

    def _one_way(self, batch: Embedded, difficulty: Difficulty) -> Tensor:
        distances = squared_distances(self.scale * batch.queries, self.scale * batch.gallery)
        rows, columns = batch.pairs()
        positive, negative = distances[rows, columns][:, None], distances[rows]  # (P, 1), (P, M)
        weights = difficulty.weights(positive, negative, EASY_WEIGHT / len(batch.gallery))
        counts = (batch.relation[rows] == NEGATIVE).to(weights.dtype)
        weights = (weights.detach() if self.detach else weights) * counts
        return (weights * soft_triplet(positive, negative)).sum() / max(1, counts.numel())
