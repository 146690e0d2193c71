"""The tower: a backbone's features as one vector of ordered cells and one small map.

Averaging a north-up view of known scale into one vector throws away what tells a place from its neighbour: where in
the view things lie. The vector therefore keeps ordered cells, and the map keeps the grid for re-ranking by
translation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from runtime.errors import BundleError

HEADS = Path(__file__).parent / "heads"  # fitted head weights, by backbone
EPSILON = 1e-6  # keeps the norm of an all-zero cell finite


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """The head's numbers: ``mean`` (C,) centres the vector's cells, ``projection`` (K, C) whitens the map's.

    ``depth`` says whose features they are (see `Backbone`); the vector has ``cells`` x ``cells`` ordered cells.
    """

    depth: int
    cells: int
    mean: NDArray[np.float32]
    projection: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write as one plain array, header row first: neither clock nor path in its bytes."""
        header = np.zeros_like(self.mean)
        header[:2] = self.depth, self.cells
        np.save(path, np.vstack([header, self.mean, self.projection]).astype(np.float32))

    @classmethod
    def load(cls, path: Path) -> HeadWeights:
        """Read what `save` wrote.

        Raises:
            BundleError: the file is missing or is no such file.
        """
        try:
            packed = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BundleError(f"{path} does not hold the weights of a head: {error}.") from error
        if packed.ndim != 2 or len(packed) < 3 or packed.dtype != np.float32:
            raise BundleError(f"{path} does not hold the weights of a head.")
        return cls(int(packed[0, 0]), int(packed[0, 1]), packed[1], packed[2:])


class LayoutHead(nn.Module):
    """(N, C, h, w) features to ``embedding`` (N, C * cells * cells) unit rows and ``map`` (N, K, h, w) unit along K.

    The map is centred on each crop's own mean before it is whitened: season, light and sensor shift a whole crop's
    features alike, and what is left is how its parts differ, which is what two dates of one place share.
    """

    def __init__(self, weights: HeadWeights) -> None:
        super().__init__()
        self.cells = weights.cells
        self.mean = nn.Parameter(torch.from_numpy(weights.mean.copy())[None, :, None, None])
        self.whiten = nn.Conv2d(weights.projection.shape[1], weights.projection.shape[0], 1, bias=False)
        self.whiten.weight.data = torch.from_numpy(weights.projection.copy())[:, :, None, None]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        cells = functional.avg_pool2d(unit(features - self.mean), features.shape[-1] // self.cells)
        contrast = features - features.mean(dim=(2, 3), keepdim=True)
        return unit(cells.flatten(1)), unit(self.whiten(contrast))


class Backbone(nn.Module):
    """(N, S, S, 3) uint8 RGB to {depth: (N, C, h, w) float32 features}; `train.weights` has them."""

    def fuse_(self) -> None:
        """Fold batch norms into their convolutions, in float32, so that a later cast rounds once."""

class Tower(nn.Module):
    """uint8 (N, S, S, 3) RGB crops, north up, to (embedding, map), both float32; everything inside the graph.

    The map is None where the head has none.
    """

    def __init__(self, backbone: Backbone, head: nn.Module, depth: int) -> None:
        super().__init__()
        self.backbone: Backbone = backbone
        self.head, self.depth = head, depth

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        embedding, grid = self.head(self.backbone(crops)[self.depth])
        return embedding, grid


def unit(x: Tensor) -> Tensor:
    """Unit length along dimension 1; a sum and a square root, so that any precision of it is ours to choose."""
    return x / torch.sqrt((x * x).sum(dim=1, keepdim=True) + EPSILON)
