"""A tower of torch as something to export."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from export.source import Source
from export.writer import exported
from runtime.errors import BundleError
from runtime.values import Vectors
from train.tower import Tower


def of_tower(tower: Tower, size_px: int) -> Source:
    """A tower; its batch norms are folded in a copy, in float32, so that a later cast rounds once."""
    tower = tower.eval()

    def embed(images: NDArray[np.uint8]) -> Vectors:
        with torch.inference_mode(), _one_thread():
            parts = [tower(torch.from_numpy(images[i : i + 1]))[0].numpy() for i in range(len(images))]
        vectors: Vectors = np.concatenate(parts)
        if not np.isfinite(vectors).all():
            raise BundleError("the tower itself gives numbers that are not finite: its weights are damaged.")
        return vectors

    def graph(opset: int) -> onnx.ModelProto:
        copied = copy.deepcopy(tower)
        copied.backbone.fuse_()
        with torch.inference_mode():
            grid = copied(torch.zeros((1, size_px, size_px, 3), dtype=torch.uint8))[1]
        return exported(copied, size_px, opset, ("embedding",) if grid is None else ("embedding", "map"))

    return Source(graph, embed, "torch fp32")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in the same order on every machine's number of cores, so that the same input gives the same bytes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
