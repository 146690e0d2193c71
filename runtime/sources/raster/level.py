"""A raster read a whole number of times coarser than it is stored, in blocks that are read once while there is room.

Nothing is read whole: a block is made of strips of the file, each as small as memory asks for, and each pixel of it
is the mean of the stored pixels that it covers and that are data.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageError
from runtime.sources.raster.bands import Bands, coloured, read_values
from runtime.sources.raster.quiet import reading
from runtime.sources.stretch import Stretch

_BLOCK_PX = 512  # side of a block, 1 MB
_KEPT_BYTES = 192 << 20  # of blocks: a row of tiles 24 km wide at 0.3 m per pixel
_DAMAGED_PX = 64  # side of what is given up where a file cannot be read
_STRIP_BYTES = 24 << 20  # of stored values at a time; what is made of them takes some times as much

RGBA = NDArray[np.uint8]  # (H, W, 4): colours times coverage, and the share of the pixel that is data, of 255


class Level:
    """An open ``dataset``, the raster or an overview of it, in whole pixels of it that together are at most ``coarser``
    (columns, rows) times as large as those of the raster, which has ``stored_px`` (columns, rows).

    ``size``: how many of the raster's pixels make one, (columns, rows).
    """

    def __init__(
        self,
        path: Path,
        dataset: Any,
        bands: Bands,
        stretch: Stretch,
        coarser: tuple[float, float],
        stored_px: tuple[int, int],
    ) -> None:
        scale = stored_px[0] / dataset.width, stored_px[1] / dataset.height
        self.factor = max(1, int(coarser[0] / scale[0])), max(1, int(coarser[1] / scale[1]))
        self.size = self.factor[0] * scale[0], self.factor[1] * scale[1]
        self.read_px = int(dataset.width) * int(dataset.height)
        self.columns = math.ceil(dataset.width / self.factor[0])
        self.rows = math.ceil(dataset.height / self.factor[1])
        self._path = path
        self._dataset = dataset
        self._bands = bands
        self._stretch = stretch
        self._blocks: OrderedDict[tuple[int, int], RGBA] = OrderedDict()
        self._damage: dict[tuple[int, int], str] = {}
        # A file in strips is read in strips: a block less wide would decode each of them once for every block.
        strips = dataset.block_shapes[0][1] >= dataset.width
        self._side = (self.columns, max(1, _BLOCK_PX**2 // self.columns)) if strips else (_BLOCK_PX, _BLOCK_PX)

    def window(self, row: int, column: int, rows: int, columns: int) -> tuple[RGBA, str]:
        """The pixels from a row and column on, and what is damaged there; what lies outside of the raster, or cannot be
        read, is transparent black."""
        out, damage = np.zeros((rows, columns, 4), np.uint8), ""
        first, last = max(0, row), min(self.rows, row + rows)
        left, right = max(0, column), min(self.columns, column + columns)
        if first >= last or left >= right:
            return out, damage
        wide, high = self._side
        for at_row in range(first // high, (last - 1) // high + 1):
            for at_column in range(left // wide, (right - 1) // wide + 1):
                block = self._block(at_row, at_column)
                y, x = at_row * high, at_column * wide
                top, bottom = max(first, y), min(last, y + block.shape[0])
                start, end = max(left, x), min(right, x + block.shape[1])
                damage = damage or self._damage.get((at_row, at_column), "")
                part = block[top - y : bottom - y, start - x : end - x]
                out[top - row : bottom - row, start - column : end - column] = part
        return out, damage

    def _block(self, at_row: int, at_column: int) -> RGBA:
        key = (at_row, at_column)
        if key not in self._blocks:
            wide, high = self._side
            row, column = at_row * high, at_column * wide
            size = min(high, self.rows - row), min(wide, self.columns - column)
            self._blocks[key], self._damage[key] = self._read(row, column, *size)
            while sum(block.nbytes for block in self._blocks.values()) > _KEPT_BYTES and len(self._blocks) > 1:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _read(self, row: int, column: int, rows: int, columns: int) -> tuple[RGBA, str]:
        across, down = self.factor
        pixel_bytes = np.dtype(self._dataset.dtypes[self._bands.shown[0] - 1]).itemsize * len(self._bands.shown)
        wide = min(columns, max(1, _STRIP_BYTES // (across * down * pixel_bytes)))
        high = min(rows, max(1, _STRIP_BYTES // (wide * across * down * pixel_bytes)))
        block, damage = np.zeros((rows, columns, 4), np.uint8), ""
        for y in range(0, rows, high):
            for x in range(0, columns, wide):
                part = block[y : y + high, x : x + wide]
                damage = self._fill(part, row + y, column + x) or damage
        return block, damage

    def _fill(self, part: RGBA, row: int, column: int) -> str:
        """Reads a part of a block, or as much of it as can be read; what is damaged, empty where nothing is."""
        rows, columns = part.shape[:2]
        try:
            part[:] = self._strip(row, column, rows, columns)
            return ""
        except ImageError as error:
            damage = str(error)
        if max(rows, columns) > _DAMAGED_PX:
            half_row, half_column = -(-rows // 2), -(-columns // 2)
            for y in range(0, rows, half_row):
                for x in range(0, columns, half_column):
                    self._fill(part[y : y + half_row, x : x + half_column], row + y, column + x)
        return damage

    def _strip(self, row: int, column: int, rows: int, columns: int) -> RGBA:
        from rasterio.windows import Window

        across, down = self.factor
        width = min(columns * across, self._dataset.width - column * across)
        height = min(rows * down, self._dataset.height - row * down)
        with reading(self._path):
            read = read_values(self._dataset, self._bands, Window(column * across, row * down, width, height))
        planes = coloured(read.values, self._bands, self._stretch)
        if read.seen is not None:
            planes = [np.where(read.seen, plane, np.uint8(0)) for plane in planes]
        coverage = np.full((height, width), 255, np.uint8) if read.seen is None else read.seen.view(np.uint8) * 255
        # The last row and column may cover less than the others: the rest of them is no data.
        short = (0, rows * down - height, 0, columns * across - width)
        shown = [_reduced(plane, short, (columns, rows)) for plane in (*planes, coverage)]
        return np.asarray(cv2.merge(shown if len(shown) == 4 else [shown[0]] * 3 + [shown[1]]), np.uint8)


def _reduced(plane: NDArray[np.uint8], short: tuple[int, int, int, int], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    if any(short):
        plane = np.asarray(cv2.copyMakeBorder(plane, *short, cv2.BORDER_CONSTANT, value=0), np.uint8)
    if plane.shape == size_px[::-1]:
        return plane
    return np.asarray(cv2.resize(plane, size_px, interpolation=cv2.INTER_AREA), np.uint8)
