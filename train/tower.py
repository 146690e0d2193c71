"""The tower: pixels in, a backbone's features, and what a head makes of them: one vector and one small map."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.appearance import Appearance
from train.scaling import Scaling

EPSILON = 1e-6  # keeps the norm of an all-zero cell finite


class Backbone(nn.Module):
    """(N, S, S, 3) uint8 RGB to {depth: (N, C, h, w) float32 features}; ``scaling`` is its first step."""

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.scaling = scaling

    def fuse_(self) -> None:
        """Fold batch norms into their convolutions, in float32, so that a later cast rounds once."""

class Tower(nn.Module):
    """uint8 (N, S, S, 3) RGB crops, north up, to (embedding, map), both float32; everything inside the graph.

    The embedding is the head's vector, followed by the ``appearance`` where there is one; each of the two has half the
    say in a similarity. The map is None where the head has none.
    """

    def __init__(self, backbone: Backbone, head: nn.Module, depth: int, appearance: Appearance | None = None) -> None:
        super().__init__()
        self.backbone: Backbone = backbone
        self.head, self.depth = head, depth
        self.appearance = appearance

    def features(self, crops: NDArray[np.uint8]) -> Tensor:
        """What the backbone makes of (n, S, S, 3) crops, (n, C, h, w); no graph."""
        device = next((p.device for p in self.backbone.parameters()), torch.device("cpu"))
        with torch.inference_mode():
            found: Tensor = self.backbone(torch.from_numpy(crops).to(device))[self.depth]
        return found.float()

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.of_features(self.backbone(crops)[self.depth])

    def of_features(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, C, h, w) features of the backbone to what `forward` gives."""
        vector, grid = self.head(features)
        if self.appearance is None:
            return vector, grid
        return unit(torch.cat([vector, unit(self.appearance(features))], dim=1)), grid


def unit(x: Tensor) -> Tensor:
    """Unit length along dimension 1; a sum and a square root, so that any precision of it is ours to choose."""
    return x / torch.sqrt((x * x).sum(dim=1, keepdim=True) + EPSILON)
