"""The loss and gradients of a whole batch, however it is cut: into micro-batches, or among processes.

Embeddings are computed in parts without a graph, the loss is taken over all of them at once, and each part is computed
again to carry the loss's gradient on (gradient caching: Gao, Zhang, Han and Callan, RepL4NLP 2021). Contrastive losses
do not add up from parts: this is what makes a batch of parts, or of processes, equal to a batch in one piece. Batch
statistics are frozen, as the towers are kept in evaluation mode, so that a crop's embedding knows no other crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from runtime.values import ViewKind
from train.losses.catalogue import WeightedSum
from train.losses.embedded import Embedded
from train.towers import Towers

Scale = Callable[[Tensor], Tensor]  # of a value before its backward pass: fp16's gradient scaler, or nothing


@dataclass(frozen=True, slots=True)
class Sides:
    """A whole batch: which tower sees which crops, and on every process what `Embedded` has of all N places; but of the
    ``own`` of them alone (all by default) crops of both views (n, S, S, 3) uint8."""

    query: ViewKind
    gallery: ViewKind
    query_crops: Tensor
    gallery_crops: Tensor
    relation: Tensor
    places: Tensor
    shifts: Tensor  # (N, N, 2) in sides of a crop
    query_targets: Tensor | None = None
    gallery_targets: Tensor | None = None
    own: slice | None = None


class Processes:
    """The processes that share a batch: this one's rows, and sums over all; a single process shares with none."""

    def __init__(self, accelerator: Any | None = None) -> None:
        self._accelerator = accelerator
        self.count = accelerator.num_processes if accelerator is not None else 1
        self.index = accelerator.process_index if accelerator is not None else 0

    def rows(self, total: int) -> slice:
        """The part of a batch's rows that is this process's; parts differ by one row at most."""
        edges = [total * i // self.count for i in range(self.count + 1)]
        return slice(edges[self.index], edges[self.index + 1])

    def whole(self, part: Tensor, own: slice, total: int) -> Tensor:
        """All ``total`` rows, from everyone's ``own``: no graph goes through it."""
        if self._accelerator is None or self.count == 1:
            return part
        full = torch.zeros((total, *part.shape[1:]), dtype=part.dtype, device=part.device)
        full[own] = part
        summed: Tensor = self._accelerator.reduce(full, reduction="sum")
        return summed

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Add up the gradients of parameters over all processes."""
        if self._accelerator is None or self.count == 1:
            return
        for parameter in parameters:
            if parameter.requires_grad:
                own = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
                parameter.grad = self._accelerator.reduce(own, reduction="sum")


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gave: the ``loss`` and the gallery's ``embeddings`` (N, D) of its ``places`` (N,)."""

    loss: float
    embeddings: Tensor
    places: Tensor


def backward(
    towers: Towers,
    loss: WeightedSum,
    sides: Sides,
    micro_batch: int = 0,
    processes: Processes | None = None,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    scale: Scale = lambda value: value,
) -> Step:
    """Add the gradients of the whole batch to the towers' and the loss's parameters, equal on every process."""
    group = processes or Processes()
    total = len(sides.relation)
    own = sides.own or slice(0, total)
    parts = [_Part(towers, view, crops, micro_batch or total, autocast) for view, crops in
             ((sides.query, sides.query_crops), (sides.gallery, sides.gallery_crops))]  # fmt: skip
    leaves = [[_leaf(group.whole(tensor, own, total)) for tensor in part.outputs()] for part in parts]
    value = loss(_embedded(sides, leaves))
    scale(value).backward()
    for part, tensors in zip(parts, leaves, strict=True):
        part.backward([None if t.grad is None else t.grad[own] for t in tensors])
    group.sum_gradients(list(towers.parameters()))
    return Step(float(value.detach()), leaves[1][0].detach(), sides.places)


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


def _embedded(sides: Sides, leaves: Sequence[Sequence[Tensor]]) -> Embedded:
    maps = [tensors[1] if len(tensors) > 1 else None for tensors in leaves]
    shifts = sides.shifts * maps[0].shape[-1] if maps[0] is not None else None
    return Embedded(
        leaves[0][0], leaves[1][0], sides.relation, sides.places, sides.places, maps[0], maps[1], shifts,
        sides.query_targets, sides.gallery_targets,
    )  # fmt: skip


class _Part:
    """One view's rows of this process, embedded a micro-batch at a time; in one piece, the graph is kept instead."""

    def __init__(
        self, towers: Towers, view: ViewKind, crops: Tensor, micro_batch: int,
        autocast: Callable[[], AbstractContextManager[Any]],
    ) -> None:  # fmt: skip
        self._towers, self._view, self._autocast = towers, view, autocast
        self._chunks = [crops[i : i + micro_batch] for i in range(0, max(1, len(crops)), micro_batch)]
        self._kept: list[Tensor] | None = None

    def outputs(self) -> list[Tensor]:
        """Embeddings, and maps where there are any, of all rows."""
        if len(self._chunks) == 1:
            self._kept = self._embed(self._chunks[0])
            return [tensor.detach() for tensor in self._kept]
        with torch.no_grad():
            parts = [self._embed(chunk) for chunk in self._chunks]
        return [torch.cat(tensors) for tensors in zip(*parts, strict=True)]

    def backward(self, gradients: Sequence[Tensor | None]) -> None:
        """Carry the gradients of `outputs` on to the parameters."""
        start = 0
        for chunk in self._chunks:
            outputs = self._kept if self._kept is not None else self._embed(chunk)
            pairs = [
                (out, gradient[start : start + len(chunk)])
                for out, gradient in zip(outputs, gradients, strict=True)
                if gradient is not None
            ]
            torch.autograd.backward([out for out, _ in pairs], [gradient for _, gradient in pairs])
            start += len(chunk)

    def _embed(self, crops: Tensor) -> list[Tensor]:
        tower = self._towers.tower(self._view)
        with self._autocast():
            features = tower.backbone(crops)[tower.depth]
        outputs = tower.head(features.float())  # similarities need more than a half's eight bits
        return [tensor for tensor in outputs if tensor is not None]
