"""The pixels' way into a network: from uint8 crops to what its weights expect, inside the graph.

A crop may first be standardised: each of its colours gets the mean and the deviation that daylight over land has. Fog,
dusk, too much light and another sensor's white balance are nearly that, one factor and one offset for a whole crop,
and so is much of what a season does; a network that sees none of it need not learn to see past it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Of a colour over the rendered and the real training crops, roughly; what matters is that all crops have the same.
_USUAL_MEAN, _USUAL_STD = 115.0, 50.0
_FLAT = 8.0  # a deviation, in grey levels, below which there is mostly noise, which must not be blown up
_SAMPLED = 4  # every so many-th pixel in both directions is enough to know a crop's light


class Scaling(nn.Module):
    """(N, S, S, 3) uint8 RGB to (N, 3, S, S) float32, less ``mean`` and by ``std`` (grey levels, a number a colour);
    with ``standardise``, each crop's own light is taken out first."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], standardise: bool = False) -> None:
        super().__init__()
        self.standardise = standardise
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        mean, std = self.mean.float(), self.std.float()
        if not self.standardise:
            return ((crops.to(torch.float32) - mean) / std).permute(0, 3, 1, 2)
        pixels = crops.to(torch.float32).permute(0, 3, 1, 2)
        some = pixels[:, :, ::_SAMPLED, ::_SAMPLED]
        middle = some.mean(dim=(2, 3), keepdim=True)
        spread = torch.sqrt((some - middle).square().mean(dim=(2, 3), keepdim=True) + _FLAT**2)
        factor = _USUAL_STD / (spread * std[:, None, None])
        return pixels * factor + ((_USUAL_MEAN - mean) / std)[:, None, None] - middle * factor
