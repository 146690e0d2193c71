"""Small stand-ins at Homing's own seams, and images to fly over."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.values import Embeddings, ViewKind


@dataclass(frozen=True)
class FakeBundle:
    """A ladder without a network."""

    footprints_m: tuple[float, ...] = (32.0, 64.0, 128.0)
    input_size_px: int = 64
    embedding_space_id: str = "fake-space"
    name: str = "fake"
    shared_dim: int = 64


@dataclass
class FakeEmbedder:
    """Embeds a crop as its own 8x8 grey thumbnail: enough to tell places apart, and to see what was handed in."""

    bundle: FakeBundle = field(default_factory=FakeBundle)
    views: list[ViewKind] = field(default_factory=list)

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        """(N, S, S, 3) to (N, 64) unit rows and (N, 1, 8, 8) maps."""
        self.views += [view] * len(crops)
        small = [cv2.resize(crop, (8, 8), interpolation=cv2.INTER_AREA).mean(axis=2).ravel() for crop in crops]
        vectors = np.array(small, dtype=np.float32) + 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embeddings(vectors, vectors.reshape(-1, 1, 8, 8).copy())


def ground_texture(side_px: int, seed: int = 1) -> NDArray[np.uint8]:
    """(side, side, 3) uint8: noise at several scales, so that every patch differs and has corners."""
    return _texture(side_px, seed).copy()


@lru_cache(maxsize=8)  # a process that collects all tests asks for a dozen of four kinds
def _texture(side_px: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    image = np.zeros((side_px, side_px, 3), np.float32)
    for cell_px, weight in ((4, 0.35), (12, 0.3), (40, 0.2), (160, 0.15)):
        count = side_px // cell_px + 2
        noise = rng.random((count, count, 3), dtype=np.float32)
        image += weight * cv2.resize(noise, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return np.clip((image - image.min()) / np.ptp(image) * 255, 0, 255).astype(np.uint8)
