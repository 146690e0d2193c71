"""Moves a history to another embedding space: its crops are embedded again, nothing is flown again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle, rungs_within
from runtime.history.file import MAPPED_VERSION
from runtime.history.history import History, StoredEmbedding, packed, stored
from runtime.values import Embeddings, ImageRGB, Keyframe, ViewKind


class Tower(Protocol):
    """The part of an embedder that embedding again needs."""

    @property
    def bundle(self) -> Bundle:
        """The bundle behind it."""
        ...

    def embed(self, view: ViewKind, crops: ImageRGB) -> Embeddings:
        """(N, S, S, 3) uint8 RGB to embeddings."""
        ...


def reembed(history: History, embedder: Tower, step: Callable[[], None] = lambda: None) -> int:
    """Embeds every keyframe at every rung that its crop covers, then binds the history to the bundle's space.

    Interrupted, it leaves the history in its old space, whole; run again, it starts over.

    Returns:
        The number of embeddings.
    """
    bundle, count = embedder.bundle, 0
    for keyframe in history.keyframes():
        embeddings = _embedded(keyframe, embedder)
        if history.format_version >= MAPPED_VERSION:
            embeddings = packed(embeddings)
        history.add_embeddings(keyframe.keyframe_id, bundle.embedding_space_id, keyframe.view, embeddings)
        count += len(embeddings)
        step()
    history.move_to_space(bundle.embedding_space_id, bundle.name)
    return count


def _embedded(keyframe: Keyframe, embedder: Tower) -> list[StoredEmbedding]:
    bundle = embedder.bundle
    rungs = rungs_within(bundle.footprints_m, keyframe.footprint_m)
    if not rungs:
        return []
    crops = np.stack([_cut(keyframe, rung, bundle.input_size_px) for rung in rungs])
    return stored(embedder.embed(keyframe.view, crops), rungs)


def _cut(keyframe: Keyframe, rung_m: float, size_px: int) -> NDArray[np.uint8]:
    """The middle ``rung_m`` of a keyframe's crop, at the network's resolution."""
    side_px = keyframe.crop.shape[0]
    want_px = min(side_px * rung_m / keyframe.footprint_m, float(side_px))
    low = (side_px - want_px) / 2
    factor = want_px / size_px
    if factor <= 1.0:
        matrix = np.array([[factor, 0, low + factor / 2 - 0.5], [0, factor, low + factor / 2 - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(keyframe.crop, matrix, (size_px, size_px), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cut, dtype=np.uint8)
    first, last = round(low), round(low + want_px)
    cut = cv2.resize(keyframe.crop[first:last, first:last], (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cut, dtype=np.uint8)
