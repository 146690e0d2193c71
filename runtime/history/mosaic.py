"""One picture of the overlapping tiles of a map, cell by cell: each pixel from the tile whose middle is nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bounded_cache import BoundedCache
from runtime.history.mapped import Cell, fingerprint_of_pixels
from runtime.history.pictures import CELL_PX, Cut, Picture, encode_cell, pixels_of
from runtime.values import ImageRGB

_CROPS_BYTES = 256 << 20  # of decoded tiles: those along a row of cells of some two kilometres
_BLACK = 4  # levels: a tile's part without data, after a JPEG


@dataclass(frozen=True, slots=True)
class TilePlace:
    """A keyframe, and the square of the picture that it shows."""

    keyframe_id: int
    cut: Cut


class Mosaic:
    """A picture put together of tiles; ``crop`` gives a keyframe's own, None where that is damaged."""

    def __init__(self, picture: Picture, places: Sequence[TilePlace], crop: Callable[[int], ImageRGB | None]) -> None:
        self._picture = picture
        self._places = places
        self._centres_m = np.array([(one.cut.north_m, one.cut.east_m) for one in places])
        self._crop = crop
        self._kept: BoundedCache[int, ImageRGB] = BoundedCache(_CROPS_BYTES, lambda image: image.nbytes)

    def cells(self) -> Iterator[Cell]:
        """The cells that some tile shows, row by row."""
        rows, columns = self._picture.cells()
        for row in range(rows):
            for column in range(columns):
                image, seen = self._painted(row, column)
                if seen.any():
                    yield Cell(row, column, fingerprint_of_pixels(image), encode_cell(image))

    def _painted(self, row: int, column: int) -> tuple[ImageRGB, NDArray[np.bool_]]:
        image = np.zeros((CELL_PX, CELL_PX, 3), np.uint8)
        seen = np.zeros((CELL_PX, CELL_PX), np.bool_)
        for place in self._showing(row, column):
            own = self._own(place.keyframe_id)
            if own is None or own.shape[0] != place.cut.side_px:
                continue
            from_crop = pixels_of(self._picture, 0, place.cut)
            from_crop[:, 2] -= (column * CELL_PX, row * CELL_PX)
            onto = cv2.invertAffineTransform(from_crop)  # from the cell into the crop
            size, flags = (CELL_PX, CELL_PX), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            part = cv2.warpAffine(own, onto, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            inside = cv2.warpAffine(
                np.ones(own.shape[:2], np.uint8), onto, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            )
            new = (inside > 0) & (part.max(axis=2) > _BLACK) & ~seen
            image[new] = part[new]
            seen |= new
            if seen.all():
                break
        return image, seen

    def _showing(self, row: int, column: int) -> list[TilePlace]:
        """The tiles that show any of a cell, the nearest first."""
        half_m = CELL_PX * self._picture.metres_per_pixel / 2
        away_m = np.abs(self._centres_m - self._picture.cell_centre_m(row, column)).max(axis=1)
        near = np.flatnonzero(away_m < half_m + self._places[0].cut.side_m / 2)
        return [self._places[at] for at in near[np.argsort(away_m[near], kind="stable")]]

    def _own(self, keyframe_id: int) -> ImageRGB | None:
        image = self._kept.get(keyframe_id)
        if image is None and (image := self._crop(keyframe_id)) is not None:
            self._kept.put(keyframe_id, image)
        return image
