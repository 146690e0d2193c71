"""The losses by name, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from runtime.errors import UsageError
from train.losses.dense_correspondence import DenseCorrespondence
from train.losses.embedded import Embedded, Loss
from train.losses.hard_exemplar import UNIT_SCALE, HardExemplarReweighting
from train.losses.info_nce import InfoNce, ReweightedInfoNce
from train.losses.instance import Instance
from train.losses.kept_map import KeptMap
from train.losses.triplet import SoftMargin, Triplet
from train.losses.university_reweighting import UniversityReweighting


@dataclass(frozen=True, slots=True)
class LossSpec:
    """A loss of `LOSSES` by ``name``, its ``weight`` in the sum, and ``options`` of its own."""

    name: str
    weight: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


class AuthorsReweighting(Loss):
    """`HardExemplarReweighting` on a batch of one view a place, in order; its other rows are taken for negatives."""

    def __init__(self, scale: float = UNIT_SCALE) -> None:
        super().__init__()
        self.loss = HardExemplarReweighting(scale)

    def forward(self, batch: Embedded) -> Tensor:
        """Raises UsageError when the batch is not one of pairs in order."""
        paired = batch.relation.shape[0] == batch.relation.shape[1] and bool((torch.diagonal(batch.relation) > 0).all())
        if not paired:
            raise UsageError("the author's form needs one view a place: use the loss university_reweighting.")
        loss: Tensor = self.loss(batch.queries, batch.gallery)
        return loss


KEPT_MAP = "kept_map"  # the one that needs a teacher
LOSSES: dict[str, Callable[..., Loss]] = {
    "hard_exemplar_reweighting": AuthorsReweighting,
    "university_reweighting": UniversityReweighting,
    "triplet": Triplet,
    "soft_margin": SoftMargin,
    "instance": Instance,
    "info_nce": InfoNce,
    "reweighted_info_nce": ReweightedInfoNce,
    "dense_correspondence": DenseCorrespondence,
    KEPT_MAP: KeptMap,
}
_CLASSIFIES = ("instance",)  # these need to know how many places there are, and of how many dimensions


class WeightedSum(Loss):
    """The sum of several losses; ``last`` holds each one's own value of the latest batch, by name."""

    def __init__(self, specs: Sequence[LossSpec], places: int, dimensions: int) -> None:
        super().__init__()
        self.specs = tuple(specs)
        self.parts = nn.ModuleList(_make(spec, places, dimensions) for spec in specs)
        self.last: dict[str, float] = {}

    def forward(self, batch: Embedded) -> Tensor:
        total = batch.queries.new_zeros(())
        for spec, part in zip(self.specs, self.parts, strict=True):
            value = part(batch)
            self.last[spec.name] = float(value.detach())
            total = total + spec.weight * value
        return total


def _make(spec: LossSpec, places: int, dimensions: int) -> Loss:
    if spec.name not in LOSSES:
        raise UsageError(f"there is no loss {spec.name}: choose {', '.join(LOSSES)}.")
    needs = {"places": places, "dimensions": dimensions} if spec.name in _CLASSIFIES else {}
    try:
        return LOSSES[spec.name](**needs, **spec.options)
    except TypeError as error:
        raise UsageError(f"the loss {spec.name} has no such option: {error}.") from error
