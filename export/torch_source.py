"""A tower of torch as something to export."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.source import Source
from export.writer import exported
from runtime.errors import BundleError
from runtime.values import Vectors
from train.tower import Tower

_HALF_ULP = 2.0**-11  # of float16, relative: the most that storing a number rounds it by
_MOVED_BY_ROUNDING = 0.001  # of a similarity, half of what the parity gate allows: the other half is the network's


def of_tower(tower: Tower, size_px: int) -> Source:
    """A tower; its batch norms are folded in a copy, in float32, so that a later cast rounds once."""
    tower = tower.eval()

    def embed(images: NDArray[np.uint8]) -> Vectors:
        with torch.inference_mode(), _one_thread():
            pairs = [_embedded(tower, images[i : i + 1]) for i in range(len(images))]
        vectors, rounded = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
        if not np.isfinite(vectors).all():
            raise BundleError("the tower itself gives numbers that are not finite: its weights are damaged.")
        decided = np.abs((rounded - vectors) @ vectors.T).max(axis=1) <= _MOVED_BY_ROUNDING
        if not decided.any():
            raise BundleError("the tower gives every image an embedding that is decided by rounding: train it longer.")
        return np.where(decided[:, None], vectors, np.float32(np.nan))

    def graph(opset: int) -> onnx.ModelProto:
        copied = copy.deepcopy(tower)
        copied.backbone.fuse_()
        with torch.inference_mode():
            grid = copied(torch.zeros((1, size_px, size_px, 3), dtype=torch.uint8))[1]
        if grid is not None:
            return exported(copied, size_px, opset, ("embedding", "map"))
        alone = EmbeddingAlone(copied.backbone, copied.head, copied.depth, copied.appearance).eval()
        return exported(alone, size_px, opset, ("embedding",))

    return Source(graph, embed, "torch fp32")


class EmbeddingAlone(Tower):
    """A tower without a map, giving one tensor: torch's exporter tells the user about every output that is None."""

    def forward(self, crops: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(crops)[0]


def _embedded(tower: Tower, image: NDArray[np.uint8]) -> tuple[Vectors, Vectors]:
    """The embedding of a (1, S, S, 3) image, and the one that it has once its features are rounded as to float16."""
    features = tower.features(image)
    signs = torch.rand(features.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return tower.of_features(features)[0].numpy(), tower.of_features(features * (1 + _HALF_ULP * signs))[0].numpy()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in the same order on every machine's number of cores, so that the same input gives the same bytes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
