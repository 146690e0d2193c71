"""The part of a GeoTIFF that serves as a target: north-up, in metres, without empty corners."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.errors import GeoreferenceError, ImageError
from runtime.sources.geotiff import Picture, open_geotiff
from runtime.values import GeoPoint, ImageRGB

_SPECKS = 0.002  # of the picture: so little without data is no corner


@dataclass(frozen=True, slots=True)
class NorthUp:
    """``image`` (H, W, 3) uint8 RGB, row 0 north; square pixels of ``gsd_m``; ``centre`` at its middle."""

    image: ImageRGB
    gsd_m: float
    centre: GeoPoint


def read_geotiff(path: Path, largest_side_px: int) -> NorthUp | None:
    """The picture, coarser than the file where a side would have more than ``largest_side_px``; None where the file has
    no georeference and is only a picture.

    Raises:
        ImageError: it cannot be read, or has no data at its centre.
        HomingError: rasterio is not installed.
    """
    try:
        with open_geotiff(path, largest_side_px=largest_side_px) as raster:
            image = _inscribed(raster.read())
            if min(image.shape[:2]) == 0:
                raise ImageError(f"{path}: has nothing at its centre (no data there).")
            return NorthUp(image, raster.gsd_m, raster.middle)
    except GeoreferenceError:
        return None


def _inscribed(picture: Picture) -> ImageRGB:
    """The largest centred part, in the picture's proportions, without holes at the turned corners."""
    height, width = picture.seen.shape
    missing = np.zeros((height + 1, width + 1), np.int32)  # above and left of each corner of the pixels
    np.cumsum(~picture.seen, axis=0, out=missing[1:, 1:])
    np.cumsum(missing[1:, 1:], axis=1, out=missing[1:, 1:])
    for share in np.linspace(1.0, 0.0, 101):
        top, left = (int(round(side * (1 - share) / 2)) for side in (height, width))
        bottom, right = height - top, width - left
        holes = missing[bottom, right] - missing[top, right] - missing[bottom, left] + missing[top, left]
        if holes <= _SPECKS * (bottom - top) * (right - left):
            return np.ascontiguousarray(picture.image[top:bottom, left:right])
    return picture.image[:0, :0]
