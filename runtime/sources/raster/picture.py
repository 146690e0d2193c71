"""A picture that may have holes, and a raster file as one: as it is stored, wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageError
from runtime.sources.raster.files import opened
from runtime.sources.raster.level import RGBA
from runtime.values import ImageRGB

_SEEN = 128  # of 255: a pixel is seen where half of it is data


@dataclass(frozen=True, slots=True)
class Picture:
    """``image`` (H, W, 3) uint8 RGB; ``seen`` (H, W): where there is data; what is not seen is black.

    ``damage``: what of the file could not be read there, and is not seen.
    """

    image: ImageRGB
    seen: NDArray[np.bool_]
    damage: str = ""


def read_as_stored(path: Path, factor: int) -> Picture:
    """The picture of a raster file, its first pixel first, ``factor`` times coarser; memory is bounded by what that
    takes.

    Raises:
        ImageError: it cannot be read.
        HomingError: rasterio is not installed.
    """
    with opened(path) as file:
        level = file.level((factor, factor))
        pixels, damage = level.window(0, 0, level.rows, level.columns)
        if damage:
            raise ImageError(damage)
        return Picture(*plain(pixels))


def plain(pixels: RGBA) -> tuple[ImageRGB, NDArray[np.bool_]]:
    """Colours without the coverage in them, and where there is enough of it."""
    coverage = pixels[..., 3]
    seen = coverage >= _SEEN
    colours = pixels[..., :3].copy()
    part = seen & (coverage < 255)
    if part.any():
        whole = colours[part].astype(np.float32) * (255.0 / coverage[part, None])
        colours[part] = np.minimum(whole.round(), 255)
    colours[~seen] = 0
    return colours, seen
