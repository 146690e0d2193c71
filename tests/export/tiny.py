"""Towers of a few hundred weights, so that exporting takes a second and needs no wheel."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from export.assemble import Recipe
from export.torch_source import of_tower
from export.writer import exported
from runtime.machine import cache_directory
from runtime.values import ViewKind
from train.embedding_head import EmbeddingHead, HeadSpec
from train.scaling import Scaling
from train.tower import Backbone, Tower

SIZE_PX = 64
CHANNELS = 12
DEPTH = 1


class TinyBackbone(Backbone):
    """Two strided convolutions to a sixteenth of the side; ``gain`` scales what comes out."""

    def __init__(self, seed: int = 0, gain: float = 1.0, standardise: bool = False) -> None:
        super().__init__(Scaling((0.0,) * 3, (255.0,) * 3, standardise))
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, CHANNELS, 4, stride=4)
        self.gain = gain

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x = self.first(self.scaling(crops))
        return {DEPTH: (self.second(torch.relu(x)) * self.gain).to(torch.float32)}


class TinyTransformer(Backbone):
    """Patches, one block of attention with its norms and its softmax, and back to a grid."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(Scaling((127.5,) * 3, (127.5,) * 3))
        torch.manual_seed(seed)
        self.patches = nn.Conv2d(3, CHANNELS, 16, stride=16)
        self.before, self.after = nn.LayerNorm(CHANNELS), nn.LayerNorm(CHANNELS)
        self.attention = nn.Linear(CHANNELS, 3 * CHANNELS)
        self.inner = nn.Sequential(nn.Linear(CHANNELS, 24), nn.GELU(), nn.Linear(24, CHANNELS))

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x = self.patches(self.scaling(crops))
        tokens = x.flatten(2).transpose(1, 2)
        queries, keys, values = self.attention(self.before(tokens)).chunk(3, dim=-1)
        weights = torch.softmax(queries @ keys.transpose(1, 2) / CHANNELS**0.5, dim=-1)
        tokens = tokens + weights @ values
        tokens = tokens + self.inner(self.after(tokens))
        return {DEPTH: tokens.transpose(1, 2).unflatten(2, x.shape[2:])}


def tiny_head(seed: int = 0) -> EmbeddingHead:
    """Random numbers: 2 x 2 cells, a map of 6 channels."""
    rng = np.random.default_rng(seed)
    head = EmbeddingHead(HeadSpec(map_channels=6), CHANNELS)
    assert head.whiten is not None
    head.whiten.weight.data = torch.from_numpy(rng.normal(size=(6, CHANNELS, 1, 1))).float()
    return head


def tiny_tower(seed: int = 0, gain: float = 1.0) -> Tower:
    """A whole tower: (N, 64, 64, 3) uint8 to (N, 48) and (N, 6, 4, 4)."""
    return Tower(TinyBackbone(seed, gain), tiny_head(seed), DEPTH).eval()


def tiny_graph(seed: int = 0, gain: float = 1.0) -> onnx.ModelProto:
    """That tower's graph by `exported`, traced once for all processes of a session: torch takes seconds for each."""
    path = cache_directory() / "tiny" / f"{seed}-{gain:g}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(exported(tiny_tower(seed, gain), SIZE_PX).SerializeToString(deterministic=True))
        draft.replace(path)
    return onnx.load(path)


def tiny_transformer() -> Tower:
    """The same of a transformer."""
    return Tower(TinyTransformer(), tiny_head(), DEPTH).eval()


def recipe(
    drone: Tower, satellite: Tower, precisions: tuple[str, ...] = ("fp32",), space: str = "tiny.1",
    graph: onnx.ModelProto | None = None,
) -> Recipe:  # fmt: skip
    """A bundle of two towers, or of one used twice; ``graph``: the one's, where it was traced before."""
    sources = {id(tower): of_tower(tower, SIZE_PX) for tower in (drone, satellite)}
    if graph is not None:
        (source,) = sources.values()
        sources = {id(drone): replace(source, graph=lambda opset: graph)}
    return Recipe(
        name="tiny",
        licence="none: random weights",
        embedding_space_id=space,
        input_size_px=SIZE_PX,
        footprints_m=(40.0, 80.0),
        towers={ViewKind.DRONE: sources[id(drone)], ViewKind.SATELLITE: sources[id(satellite)]},
        precisions=precisions,
    )
