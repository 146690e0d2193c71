"""A tower of a few hundred weights, so that exporting takes a second and needs no wheel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from export.assemble import Recipe
from runtime.values import ViewKind
from train.tower import Backbone, HeadWeights, LayoutHead, Tower

SIZE_PX = 64
CHANNELS = 12
DEPTH = 1


class TinyBackbone(Backbone):
    """Two strided convolutions to a sixteenth of the side; ``gain`` scales what comes out."""

    def __init__(self, seed: int = 0, gain: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, CHANNELS, 4, stride=4)
        self.gain = gain

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x = (crops.to(torch.float32) / 255).permute(0, 3, 1, 2).to(self.dtype)
        return {DEPTH: (self.second(torch.relu(self.first(x))) * self.gain).to(torch.float32)}


def head_weights(seed: int = 0) -> HeadWeights:
    """Random numbers of the right shapes: 2 x 2 cells, a map of 6 channels."""
    rng = np.random.default_rng(seed)
    mean, projection = rng.normal(size=CHANNELS), rng.normal(size=(6, CHANNELS))
    return HeadWeights(DEPTH, 2, (0.01 * mean).astype(np.float32), projection.astype(np.float32))


def tiny_tower(seed: int = 0, gain: float = 1.0) -> Tower:
    """A whole tower: (N, 64, 64, 3) uint8 to (N, 48) and (N, 6, 4, 4)."""
    return Tower(TinyBackbone(seed, gain), LayoutHead(head_weights(seed)), DEPTH).eval()


def recipe(drone: Tower, satellite: Tower, precisions: tuple[str, ...] = ("fp32",), space: str = "tiny.1") -> Recipe:
    """A bundle of two towers, or of one used twice."""
    return Recipe(
        name="tiny",
        licence="none: random weights",
        embedding_space_id=space,
        input_size_px=SIZE_PX,
        footprints_m=(40.0, 80.0),
        towers={ViewKind.DRONE: drone, ViewKind.SATELLITE: satellite},
        precisions=precisions,
    )
