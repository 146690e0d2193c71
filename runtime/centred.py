"""Spatial maps less what all of their cells share: the layout of a place, apart from what it is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def centred(maps: Array) -> Array:
    """(..., C, h, w) maps less the mean of their own cells, unit along C again: what a place is made of drops out
    and its layout stays, as in normalised cross-correlation."""
    rest = maps - maps.mean(axis=(-2, -1), keepdims=True)
    return np.asarray(rest / np.maximum(np.linalg.norm(rest, axis=-3, keepdims=True), 1e-6), dtype=np.float32)
