"""The instance loss: every place a class, and one classifier for all views.

Zheng, Wei and Yang, "University-1652", ACM MM 2020, where the shared classifier is what draws the views together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from runtime.errors import UsageError
from train.losses.embedded import Embedded, Loss
from train.torchvision_ops import declare_missing_operators


class Instance(Loss):
    """Cross-entropy of both views against the places of the training set, as pytorch-metric-learning's normalised
    softmax: cosines to a learned direction per place, over a temperature."""

    def __init__(self, places: int, dimensions: int, temperature: float = 0.05) -> None:
        super().__init__()
        declare_missing_operators()
        from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

        self.classifier = NormalizedSoftmaxLoss(places, dimensions, temperature=temperature)

    def forward(self, batch: Embedded) -> Tensor:
        """Raises UsageError when the batch does not number its places."""
        if batch.query_places is None or batch.gallery_places is None:
            raise UsageError("the instance loss needs data whose places are numbered.")
        embeddings = torch.cat([batch.queries, batch.gallery])
        loss: Tensor = self.classifier(embeddings, torch.cat([batch.query_places, batch.gallery_places]))
        return loss
