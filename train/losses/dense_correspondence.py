"""What makes the map useful: each cell must find the cell of the other view that shows the same ground.

InfoNCE over cells, as in Choy, Park and Koltun, "Fully convolutional geometric features", ICCV 2019, and in the dense
losses behind learned matching.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from runtime.errors import UsageError
from train.losses.embedded import Embedded, Loss

_NONE = -100  # torch's own mark of a row without an answer


class DenseCorrespondence(Loss):
    """For every pair of one place and known shift, cross-entropy of each query cell over all cells of the gallery
    crop, the right one being the nearest to its place plus the shift; cells that fall outside do not count."""

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, batch: Embedded) -> Tensor:
        """Raises UsageError when the batch has no maps or no shifts."""
        if batch.query_maps is None or batch.gallery_maps is None:
            raise UsageError("the dense loss needs a head with a map: set map_channels.")
        if batch.shifts is None:
            raise UsageError("the dense loss needs data that knows how its pairs are displaced.")
        rows, columns = batch.pairs()
        known = torch.isfinite(batch.shifts[rows, columns]).all(dim=1)
        rows, columns = rows[known], columns[known]
        if len(rows) == 0:
            return batch.query_maps.sum() * 0.0
        queries, gallery = batch.query_maps[rows].flatten(2), batch.gallery_maps[columns].flatten(2)  # (P, K, h w)
        logits = queries.transpose(1, 2) @ gallery / self.temperature  # (P, query cells, gallery cells)
        target = correspondence(batch.shifts[rows, columns], batch.query_maps.shape[-2], batch.query_maps.shape[-1])
        if bool((target == _NONE).all()):
            return logits.sum() * 0.0
        return functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=_NONE)


def correspondence(shifts: Tensor, height: int, width: int) -> Tensor:
    """(P, h w) int64: the flat index of the cell at each cell plus (P, 2) shift in rows and columns, -100 outside."""
    steps = shifts.round().long()
    row = torch.arange(height, device=shifts.device)[None, :, None] + steps[:, 0, None, None]
    column = torch.arange(width, device=shifts.device)[None, None, :] + steps[:, 1, None, None]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return torch.where(inside, row * width + column, torch.full_like(row, _NONE)).flatten(1)
