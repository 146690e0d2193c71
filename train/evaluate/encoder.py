"""What embeds while measuring: a checkpoint of homing-train, or a bundle, so that what flies is what is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.errors import UsageError
from runtime.values import ViewKind
from train.data.views import Picture, Skipped, read_batches
from train.evaluate.protocol import Features, normalised
from train.precision import FP32, computing_in, device_here
from train.towers import Towers, load_towers

Crops = NDArray[np.uint8]  # (N, S, S, 3) RGB
Maps = NDArray[np.float32]  # (N, K, h, w), unit along K
Change = Callable[[Crops], Crops]  # weather, a turn, another scale: the crops as the towers get to see them

BATCH = 32


class Encoder(Protocol):
    """Crops to embeddings."""

    @property
    def size_px(self) -> int: ...
    @property
    def name(self) -> str: ...
    def embed(self, view: ViewKind, crops: Crops) -> tuple[Features, Maps | None]:
        """(N, S, S, 3) uint8 RGB to maps, or None where the model has none, and (N, D) unit rows: what views of
        different kinds share."""
        ...


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


class BundleEncoder:
    """A bundle, through the runtime's own embedder."""

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self._embedder = Embedder(bundle, threads)
        self.name, self.size_px = f"{bundle.name} ({bundle.embedding_space_id})", bundle.input_size_px

    def embed(self, view: ViewKind, crops: Crops) -> tuple[Features, Maps | None]:
        """See `Encoder.embed`."""
        found = self._embedder.embed(view, crops)
        return normalised(found.vectors[:, : self._embedder.bundle.shared_dim]), found.maps


def open_encoder(checkpoint: Path | None, bundle: Path | None) -> Encoder:
    """The encoder of a checkpoint, on the GPU where there is one, or of a bundle; neither is the bundle that ships.

    Raises:
        UsageError: both are named.
        BundleError: it cannot be read.
    """
    if checkpoint is not None and bundle is not None:
        raise UsageError("--checkpoint and --bundle exclude each other.")
    if checkpoint is not None:
        towers, notes = load_towers(checkpoint)
        return TowersEncoder(towers.to(device_here()), f"{checkpoint.name} ({notes['digest'][:8]})")
    return BundleEncoder(Bundle.load(bundle))


@dataclass(frozen=True, slots=True)
class Embedded:
    """Pictures and what became of them, row by row."""

    pictures: tuple[Picture, ...]
    features: Features
    maps: Maps | None

    @property
    def names(self) -> list[str]:
        """The place of each row."""
        return [picture.place for picture in self.pictures]


def embed_pictures(
    encoder: Encoder,
    view: ViewKind,
    pictures: Sequence[Picture],
    skipped: Skipped,
    flip: bool = False,
    change: Change | None = None,
    keep_maps: bool = False,
) -> Embedded:
    """Embed pictures in batches; with ``flip``, the sum of a picture's and its mirror's, as the official test does.

    Raises:
        UsageError: no picture could be read.
    """
    kept: list[Picture] = []
    features: list[Features] = []
    maps: list[Maps] = []
    for batch, crops in read_batches(pictures, encoder.size_px, BATCH, skipped):
        crops = crops if change is None else change(crops)
        vectors, grid = encoder.embed(view, crops)
        if flip:
            vectors = normalised(vectors + encoder.embed(view, np.ascontiguousarray(crops[:, :, ::-1]))[0])
        kept += batch
        features.append(vectors)
        if keep_maps and grid is not None:
            maps.append(grid.astype(np.float16).astype(np.float32))  # what a history keeps
    if not kept:
        raise UsageError("none of the pictures could be read.")
    return Embedded(tuple(kept), np.concatenate(features), np.concatenate(maps) if maps else None)
