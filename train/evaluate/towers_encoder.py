"""What embeds by towers as they were trained."""

from __future__ import annotations

from pathlib import Path

import torch

from runtime.values import ViewKind
from train.evaluate.encoder import Crops, Maps
from train.evaluate.protocol import Features
from train.precision import FP32, computing_in, device_here
from train.towers import Towers, load_towers


class TowersEncoder:
    """Towers as they were trained, on whatever device they are; ``precision`` is the backbone's."""

    def __init__(self, towers: Towers, name: str = "towers", precision: str = FP32) -> None:
        self._towers, self.name, self.size_px = towers.eval(), name, towers.spec.size_px
        self._precision = precision

    def embed(self, view: ViewKind, crops: Crops) -> tuple[Features, Maps | None]:
        """See `Encoder.embed`."""
        device, tower = next(self._towers.parameters()).device, self._towers.tower(view)
        with torch.inference_mode():
            with computing_in(self._precision, device.type):
                features = tower.backbone(torch.from_numpy(crops).to(device))[tower.depth]
            vectors, maps = tower.head(features.float())
        return vectors.float().cpu().numpy(), None if maps is None else maps.float().cpu().numpy()


def open_towers(checkpoint: Path) -> TowersEncoder:
    """The encoder of a checkpoint, on the GPU where there is one.

    Raises:
        BundleError: it cannot be read.
    """
    towers, notes = load_towers(checkpoint)
    return TowersEncoder(towers.to(device_here()), f"{checkpoint.name} ({notes['digest'][:8]})")
