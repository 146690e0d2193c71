"""What embeds while measuring: a checkpoint of homing-train, or a bundle, so that what flies is what is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.errors import UsageError
from runtime.values import ViewKind
from train.data.views import Picture, Skipped, read_batches
from train.evaluate.protocol import Features, normalised

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


class BundleEncoder:
    """A bundle, through the runtime's own embedder."""

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self._embedder = Embedder(bundle, threads)
        self.name, self.size_px = f"{bundle.name} ({bundle.embedding_space_id})", bundle.input_size_px

    def embed(self, view: ViewKind, crops: Crops) -> tuple[Features, Maps | None]:
        """See `Encoder.embed`."""
        found = self._embedder.embed(view, crops)
        return normalised(found.vectors[:, : self._embedder.bundle.shared_dim]), found.maps


def open_encoder(checkpoint: Path | None, bundle: Path | None, threads: int = 2) -> Encoder:
    """The encoder of a checkpoint, on the GPU where there is one, or of a bundle; neither is the bundle that ships.

    Raises:
        UsageError: both are named.
        BundleError: it cannot be read.
    """
    if checkpoint is not None and bundle is not None:
        raise UsageError("--checkpoint and --bundle exclude each other.")
    if checkpoint is not None:
        from train.evaluate.towers_encoder import open_towers  # imports torch, which a bundle does without

        return open_towers(checkpoint)
    return BundleEncoder(Bundle.load(bundle), threads)


@dataclass(frozen=True, slots=True)
class OpenEncoder:
    """Opens the encoder of a checkpoint or of a bundle in whatever process it is sent to, one of many."""

    checkpoint: Path | None = None
    bundle: Path | None = None

    def __call__(self) -> Encoder:
        """See `open_encoder`."""
        return open_encoder(self.checkpoint, self.bundle, threads=1)


def embed_crops(encoder: Encoder, view: ViewKind, crops: Crops, flip: bool) -> tuple[Features, Maps | None]:
    """See `Encoder.embed`; with ``flip``, the sum of each crop's row and its mirror image's, as the official test
    does."""
    vectors, maps = encoder.embed(view, crops)
    if flip:
        vectors = normalised(vectors + encoder.embed(view, np.ascontiguousarray(crops[:, :, ::-1]))[0])
    return vectors, maps


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
    """Embed pictures in batches, each by `embed_crops`.

    Raises:
        UsageError: no picture could be read.
    """
    kept: list[Picture] = []
    features: list[Features] = []
    maps: list[Maps] = []
    for batch, crops in read_batches(pictures, encoder.size_px, BATCH, skipped):
        crops = crops if change is None else change(crops)
        vectors, grid = embed_crops(encoder, view, crops, flip)
        kept += batch
        features.append(vectors)
        if keep_maps and grid is not None:
            maps.append(grid.astype(np.float16).astype(np.float32))  # what a history keeps
    if not kept:
        raise UsageError("none of the pictures could be read.")
    return Embedded(tuple(kept), np.concatenate(features), np.concatenate(maps) if maps else None)
