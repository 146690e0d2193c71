"""The tower: a backbone's feature map, centred and whitened, as one layout-keeping vector and one small map.

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
    """Centring and whitening of a stride's channels: ``mean`` (C,), ``projection`` (K, C), both float32."""

    stride: int
    cells: int
    mean: NDArray[np.float32]
    projection: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write as a plain array file: no clock and no path in its bytes."""
        packed = np.concatenate([self.mean[None], self.projection]).astype(np.float32)
        header = np.zeros((1, packed.shape[1]), np.float32)
        header[0, :2] = self.stride, self.cells
        np.save(path, np.concatenate([header, packed]))

    @classmethod
    def load(cls, path: Path) -> HeadWeights:
        """Read what `save` wrote.

        Raises:
            BundleError: the file is missing or is no such file.
        """
        try:
            packed = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BundleError(f"{path} does not hold the weights of a head: {error}") from error
        if packed.ndim != 2 or len(packed) < 3:
            raise BundleError(f"{path} does not hold the weights of a head.")
        return cls(int(packed[0, 0]), int(packed[0, 1]), packed[1], packed[2:])


class LayoutHead(nn.Module):
    """(N, C, h, w) features to ``embedding`` (N, K * cells²) unit rows and ``map`` (N, K, h, w) unit along K."""

    def __init__(self, weights: HeadWeights) -> None:
        super().__init__()
        channels, inputs = weights.projection.shape
        self.whiten = nn.Conv2d(inputs, channels, 1)
        self.whiten.weight.data = torch.from_numpy(weights.projection.copy())[:, :, None, None]
        self.whiten.bias = nn.Parameter(torch.from_numpy(-(weights.projection @ weights.mean)))
        self.cells = weights.cells

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        grid = _unit(self.whiten(features))
        side = grid.shape[-1] // self.cells
        cells = functional.avg_pool2d(grid, side)
        return _unit(cells.flatten(1)), grid


class Backbone(nn.Module):
    """(N, S, S, 3) uint8 RGB to {stride: (N, C, S/stride, S/stride)} float32; `train.weights` has them.

    ``dtype`` is what it computes in between; its ends are float32 whatever that is.
    """

    dtype: torch.dtype = torch.float32

    def fuse_(self) -> None:
        """Fold batch norms into their convolutions, in float32, so that a later cast rounds once."""

    def half_(self) -> None:
        """Weights and activations in float16."""
        self.half()
        self.dtype = torch.float16


class Tower(nn.Module):
    """uint8 (N, S, S, 3) RGB crops, north up, to (embedding, map), both float32; everything inside the graph."""

    def __init__(self, backbone: Backbone, head: nn.Module, stride: int) -> None:
        super().__init__()
        self.backbone: Backbone = backbone
        self.head, self.stride = head, stride

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        embedding, grid = self.head(self.backbone(crops)[self.stride])
        return embedding, grid


def _unit(x: Tensor) -> Tensor:
    """Unit length along dimension 1; a sum and a square root, so that any precision of it is ours to choose."""
    return x / torch.sqrt((x * x).sum(dim=1, keepdim=True) + EPSILON)
