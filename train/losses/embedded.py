"""One batch as the losses see it: two sets of embeddings, and which of them show the same ground."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

POSITIVE, IGNORED, NEGATIVE = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Embedded:
    """N queries of one view and M gallery crops of the other.

    ``queries`` (N, D), ``gallery`` (M, D); ``relation`` (N, M) int8: 1 the same place, -1 another, 0 neither (the two
    overlap a little). ``query_places`` (N,) and ``gallery_places`` (M,) int64 number the places of the whole training
    set. ``query_maps`` (N, K, h, w) and ``gallery_maps`` (M, K, h, w), or None; ``shifts`` (N, M, 2) float32: what
    lies in the query's cell (r, c) lies in the gallery crop's cell (r, c) + shift, not a number where unknown.
    ``query_targets`` and ``gallery_targets``, of the maps' shapes: what the untrained towers made of the same windows
    in clear light, or None.
    """

    queries: Tensor
    gallery: Tensor
    relation: Tensor
    query_places: Tensor | None = None
    gallery_places: Tensor | None = None
    query_maps: Tensor | None = None
    gallery_maps: Tensor | None = None
    shifts: Tensor | None = None
    query_targets: Tensor | None = None
    gallery_targets: Tensor | None = None

    def turned(self) -> Embedded:
        """The same batch asked the other way round."""
        shifts = None if self.shifts is None else -self.shifts.transpose(0, 1)
        return Embedded(
            self.gallery, self.queries, self.relation.T, self.gallery_places, self.query_places,
            self.gallery_maps, self.query_maps, shifts, self.gallery_targets, self.query_targets,
        )  # fmt: skip

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Indices (P,), (P,) of every query and gallery crop of the same place."""
        rows, columns = torch.nonzero(self.relation == POSITIVE, as_tuple=True)
        return rows, columns


class Loss(nn.Module):
    """A batch to one number; what it learns itself (a temperature, a classifier) are its parameters."""

    def forward(self, batch: Embedded) -> Tensor:
        raise NotImplementedError


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(N, M) squared Euclidean distances of (N, D) and (M, D) rows."""
    return a.pow(2).sum(dim=1)[:, None] + b.pow(2).sum(dim=1)[None] - 2 * a @ b.T
