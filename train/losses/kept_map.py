"""What keeps the map general: in any weather it must be what the untrained towers made of the same window in clear air.

Learning without forgetting (Li and Hoiem, ECCV 2016), with the beginning as teacher: the worlds that are trained on are
poorer than what the backbone has seen before, and a map that fits itself to them is worth less over real ground.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from runtime.errors import UsageError
from train.losses.embedded import Embedded, Loss


class KeptMap(Loss):
    """One less the mean cosine between each cell and the teacher's, over both views."""

    def forward(self, batch: Embedded) -> Tensor:
        """Raises UsageError when the batch has no maps or nothing to hold them against."""
        sides = ((batch.query_maps, batch.query_targets), (batch.gallery_maps, batch.gallery_targets))
        apart = []
        for maps, targets in sides:
            if maps is None or targets is None:
                raise UsageError("the loss kept_map needs a head with a map: set map_channels.")
            apart.append(1.0 - functional.cosine_similarity(maps, targets, dim=1).mean())
        return (apart[0] + apart[1]) / 2
