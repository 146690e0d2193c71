"""The picture of a target: the part of a map, north-up, or of a plain picture, that has no empty corners."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.errors import ImageError
from runtime.sources.picture import opened_picture, read_pixels, upright
from runtime.sources.raster.north_up import open_raster
from runtime.sources.raster.picture import Picture
from runtime.values import GeoPoint, ImageRGB

_SPECKS = 0.002  # of the picture: so little without data is no corner
_MOST_STORED_PX = 4_000_000_000  # of a map that is read whole: half a minute of one core where it is empty, and minutes


@dataclass(frozen=True, slots=True)
class NorthUp:
    """``image`` (H, W, 3) uint8 RGB, row 0 north; square pixels of ``gsd_m``; ``centre`` at its middle."""

    image: ImageRGB
    gsd_m: float
    centre: GeoPoint


def read_placed(path: Path, largest_side_px: int) -> NorthUp:
    """The picture of a map, coarser than the file where a side would have more than ``largest_side_px``.

    Raises:
        UnplacedError: it carries no georeference, and is only a picture.
        GeoreferenceError: nobody can place it on the Earth.
        ImageError: it cannot be read, is too large, or has no data at its centre.
        HomingError: rasterio is not installed.
    """
    with open_raster(path, largest_side_px=largest_side_px) as raster:
        stored_px = raster.stored_px(raster.gsd_m)
        if stored_px > _MOST_STORED_PX:
            raise ImageError(
                f"{path}: has {stored_px / 1e6:.0f} million pixels and no overviews to read instead; make some with "
                f"`rio overview --build 2,4,8,16,32 {path.name}`, or give a part of it."
            )
        image = inscribed(raster.read())
        if min(image.shape[:2]) == 0:
            raise ImageError(f"{path}: has nothing at its centre (no data there).")
        return NorthUp(image, raster.gsd_m, raster.middle)


def read_plain(path: Path, largest_side_px: int) -> tuple[Picture, float]:
    """A plain picture as viewers show it, and how many times coarser it was read, so that no side has twice as many
    pixels as ``largest_side_px``.

    Raises:
        ImageError: it is no image, damaged, or larger than any camera's.
    """
    with opened_picture(path) as image:
        longest = max(image.size)
        factor = next((one for one in (8, 4, 2) if longest >= one * largest_side_px), 1)
        picture = upright(read_pixels(image, path, factor), image)
        return picture, longest / max(picture.seen.shape)


def inscribed(picture: Picture) -> ImageRGB:
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
