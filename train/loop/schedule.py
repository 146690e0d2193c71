"""How fast to learn, and the mean of the weights on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from train.towers import Towers


def factor(step: int, steps: int, warm_up: float) -> float:
    """Of the learning rate at a step, from 0: a linear warm-up over that share of the steps, then half a cosine."""
    warming = warm_up * steps
    if step < warming:
        return (step + 1) / (warming + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warming) / max(1.0, steps - warming)))


def optimizer(
    towers: Towers, loss: nn.Module, rate: float, backbone_factor: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW: backbones at their share of the rate, heads and what the loss learns at the whole; vectors and scalars
    (norms, biases, means, temperatures) are not decayed."""
    groups = []
    for parameters, share in ((_backbones(towers), backbone_factor), (_rest(towers, loss), 1.0)):
        for decays in (True, False):
            chosen = [p for p in parameters if (p.ndim > 1 and p.shape[0] > 1) == decays and share > 0]
            if chosen:
                decay = weight_decay if decays else 0.0
                groups.append({"params": chosen, "lr": rate * share, "weight_decay": decay, "share": share})
    return torch.optim.AdamW(groups, lr=rate)


def freeze_unused(towers: Towers, backbone_factor: float) -> None:
    """Backbones that do not learn need no gradients."""
    for parameter in _backbones(towers):
        parameter.requires_grad_(backbone_factor > 0)


def set_rate(chosen: torch.optim.Optimizer, rate: float) -> None:
    """The rate of a step, each group at its share."""
    for group in chosen.param_groups:
        group["lr"] = rate * group["share"]


class Average:
    """The exponential mean of the towers' weights (Polyak and Juditsky, 1992), in float32.

    It begins like a plain mean, for the first weights are no better than the others.
    """

    def __init__(self, towers: Towers, decay: float) -> None:
        self._decay, self.count = decay, 0
        self.weights = {name: value.detach().clone() for name, value in towers.state_dict().items()}

    @torch.no_grad()
    def take(self, towers: Towers) -> None:
        """Count in the weights as they are now."""
        self.count += 1
        keep = min(self._decay, (1 + self.count) / (10 + self.count)) if self._decay else 0.0
        for name, value in towers.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - keep)
            else:
                self.weights[name].copy_(value)

    def load(self, count: int, weights: Mapping[str, Tensor]) -> None:
        """Go on from a mean that was saved."""
        self.count = count
        for name, value in weights.items():
            self.weights[name].copy_(value)


def _backbones(towers: Towers) -> list[nn.Parameter]:
    return [p for name, p in towers.named_parameters() if ".backbone." in name]


def _rest(towers: Towers, loss: nn.Module) -> list[nn.Parameter]:
    return [p for name, p in towers.named_parameters() if ".backbone." not in name] + list(loss.parameters())
