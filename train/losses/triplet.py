"""The two plain triplet losses, on pytorch-metric-learning's own: a hinge, and the weighted soft margin of CVM-Net."""

from __future__ import annotations

import torch
from torch import Tensor

from train.losses.embedded import NEGATIVE, Embedded, Loss
from train.torchvision_ops import declare_missing_operators


class Triplet(Loss):
    """max(0, d_p - d_n + margin) over all triplets of both directions that exceed 0; d is Euclidean on unit rows."""

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        declare_missing_operators()
        from pytorch_metric_learning.losses import TripletMarginLoss

        self._loss = TripletMarginLoss(margin=margin)

    def forward(self, batch: Embedded) -> Tensor:
        return _both_ways(self._loss, batch, 1.0)


class SoftMargin(Loss):
    """log(1 + exp(alpha (d_p - d_n))), d squared: the weighted soft-margin ranking loss of Hu, Feng, Nguyen and Lee,
    "CVM-Net", CVPR 2018; over all triplets of both directions."""

    def __init__(self, alpha: float = 10.0) -> None:
        super().__init__()
        declare_missing_operators()
        from pytorch_metric_learning.distances import LpDistance
        from pytorch_metric_learning.losses import TripletMarginLoss
        from pytorch_metric_learning.reducers import MeanReducer

        distance = LpDistance(normalize_embeddings=False, p=2, power=2)
        self._loss = TripletMarginLoss(margin=0.0, smooth_loss=True, distance=distance, reducer=MeanReducer())
        self._scale = alpha**0.5  # of the features: alpha of their squared distances

    def forward(self, batch: Embedded) -> Tensor:
        return _both_ways(self._loss, batch, self._scale)


def triplets(relation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every (anchor, positive, negative) of an (N, M) relation: rows, and two columns of each."""
    rows, columns = torch.nonzero(relation > 0, as_tuple=True)
    pair, negative = torch.nonzero(relation[rows] == NEGATIVE, as_tuple=True)
    return rows[pair], columns[pair], negative


def _both_ways(loss: torch.nn.Module, batch: Embedded, scale: float) -> Tensor:
    total = batch.queries.new_zeros(())
    for way in (batch, batch.turned()):
        queries, gallery = scale * way.queries, scale * way.gallery
        total = total + loss(queries, indices_tuple=triplets(way.relation), ref_emb=gallery) / 2
    return total
