"""The pictures of whole maps that a history keeps once, in compressed cells with overviews; crops are cut from them.

A picture is north-up about its ``middle``, in square pixels, on the middle's local tangent plane. Level 0 has its own
pixels, each level after it half as many a side. A cell without data is not there, and is black.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bounded_cache import BoundedCache
from runtime.errors import CropDamagedError
from runtime.history.file import MAPPED_VERSION, ORIGIN_TABLE
from runtime.values import GeoPoint, ImageRGB

CELL_PX = 256  # a side: a keyframe's crop is cut from one to four
CELLS_BYTES = 16 << 20  # of decoded cells: 80, a square kilometre at half a metre a pixel
_JPEG_QUALITY = 90  # 36 dB and more on satellite imagery; every JetPack's OpenCV reads it, which is not so of WebP

CELL, CUT = "cell", "cut"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS picture (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, latitude_deg REAL NOT NULL, longitude_deg REAL NOT NULL,
    metres_per_pixel REAL NOT NULL, rows INTEGER NOT NULL, columns INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS cell (
    id INTEGER PRIMARY KEY AUTOINCREMENT, picture_id INTEGER NOT NULL REFERENCES picture(id), level INTEGER NOT NULL,
    cell_row INTEGER NOT NULL, cell_column INTEGER NOT NULL, fingerprint TEXT NOT NULL, image BLOB NOT NULL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS cell_key ON cell (picture_id, level, cell_row, cell_column)",
    """CREATE TABLE IF NOT EXISTS cut (
    keyframe_id INTEGER PRIMARY KEY REFERENCES keyframe(id), picture_id INTEGER NOT NULL REFERENCES picture(id),
    north_mm INTEGER NOT NULL, east_mm INTEGER NOT NULL, side_mm INTEGER NOT NULL,
    turn_rad REAL NOT NULL, side_px INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS cut_key ON cut (picture_id, north_mm, east_mm, side_mm)",
)
Ask = Callable[[str, Sequence[Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's place and size: ``rows`` x ``columns`` pixels of ``metres_per_pixel`` about ``middle``."""

    name: str
    middle: GeoPoint
    metres_per_pixel: float
    rows: int
    columns: int

    @property
    def levels(self) -> int:
        """Level 0 and its overviews, until all of it is in one cell."""
        return 1 + max(0, math.ceil(math.log2(max(self.rows, self.columns) / CELL_PX)))

    def cells(self, level: int = 0) -> tuple[int, int]:
        """Rows and columns of cells at a level."""
        side_px = CELL_PX << level
        return math.ceil(self.rows / side_px), math.ceil(self.columns / side_px)

    def cell_centre_m(self, row: int, column: int) -> tuple[float, float]:
        """(north, east) of the middle of a cell of level 0."""
        north_px, east_px = self.rows / 2 - (row + 0.5) * CELL_PX, (column + 0.5) * CELL_PX - self.columns / 2
        return north_px * self.metres_per_pixel, east_px * self.metres_per_pixel


@dataclass(frozen=True, slots=True)
class Cut:
    """A square of a picture: ``side_m`` about (north, east) of its middle, in ``side_px`` pixels a side; its upper edge
    looks ``turn_rad`` clockwise of the middle's north."""

    north_m: float
    east_m: float
    side_m: float
    turn_rad: float
    side_px: int

    @property
    def key(self) -> tuple[int, int, int]:
        """What it is known by in its picture: where it is, and its side, in whole millimetres."""
        return round(self.north_m * 1e3), round(self.east_m * 1e3), round(self.side_m * 1e3)


def has_pictures(connection: sqlite3.Connection) -> bool:
    """Whether a history's file has the tables of pictures."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'cut'").fetchone())


def make_tables(connection: sqlite3.Connection) -> None:
    """Within a transaction: makes a history of format 2 one that may hold pictures."""
    for statement in (ORIGIN_TABLE, *_TABLES):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={MAPPED_VERSION}")


def encode_cell(image: ImageRGB) -> bytes:
    """JPEG of a (`CELL_PX`, `CELL_PX`, 3) RGB cell."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)
    return encoded.tobytes()


def decode_cell(encoded: Any) -> ImageRGB | None:
    """(`CELL_PX`, `CELL_PX`, 3) RGB, None where it is damaged."""
    if not isinstance(encoded, bytes) or not encoded:
        return None
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if image is None or image.shape != (CELL_PX, CELL_PX, 3):
        return None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class PictureReader:
    """Cuts keyframes' crops from the pictures of a history, and keeps the cells decoded last, of a bounded number of
    bytes; ``ask`` runs a query. Any thread may call it."""

    def __init__(self, ask: Ask, cells_bytes: int = CELLS_BYTES) -> None:
        self._ask = ask
        self._cells: BoundedCache[int, ImageRGB] = BoundedCache(cells_bytes, lambda image: image.nbytes)

    def crop(self, keyframe_id: int) -> ImageRGB:
        """(S, S, 3) uint8 RGB of a keyframe that is cut from a picture.

        Raises:
            CropDamagedError: it is not, or what it is cut from cannot be decoded.
        """
        rows = self._ask(
            "SELECT p.id, p.name, p.latitude_deg, p.longitude_deg, p.metres_per_pixel, p.rows, p.columns, c.north_mm, "
            "c.east_mm, c.side_mm, c.turn_rad, c.side_px FROM cut c JOIN picture p ON p.id = c.picture_id "
            "WHERE c.keyframe_id = ?", (keyframe_id,),
        )  # fmt: skip
        if not rows:
            raise CropDamagedError(_damaged(keyframe_id))
        picture_id, name, latitude_deg, longitude_deg, *size, north_mm, east_mm, side_mm, turn_rad, side_px = rows[0]
        picture = Picture(name, GeoPoint(latitude_deg, longitude_deg), *size)
        cut = Cut(north_mm / 1e3, east_mm / 1e3, side_mm / 1e3, turn_rad, side_px)
        image = self.cut(picture_id, picture, cut)
        if image is None:
            raise CropDamagedError(_damaged(keyframe_id))
        return image

    def cut(self, picture_id: int, picture: Picture, cut: Cut) -> ImageRGB | None:
        """The square, from the coarsest level that has its pixels; None where a cell of it is damaged."""
        finer = cut.side_m / cut.side_px / picture.metres_per_pixel
        level = min(max(0, math.floor(math.log2(finer) + 1e-6)), picture.levels - 1)
        onto = pixels_of(picture, level, cut)
        corners = onto @ np.array([[0, 0, 1], [cut.side_px, 0, 1], [0, cut.side_px, 1], [cut.side_px] * 2 + [1]]).T
        first = np.floor(corners.min(axis=1) / CELL_PX).astype(int)  # column, row
        last = np.floor((corners.max(axis=1) + 1) / CELL_PX).astype(int)
        mosaic = self._mosaic(picture_id, level, (first[1], first[0]), (last[1], last[0]))
        if mosaic is None:
            return None
        onto[:, 2] -= first * CELL_PX
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(mosaic, onto, (cut.side_px, cut.side_px), flags=flags), np.uint8)

    def _mosaic(self, picture_id: int, level: int, first: tuple[int, int], last: tuple[int, int]) -> ImageRGB | None:
        """The cells from one (row, column) to another, both included, side by side."""
        rows, columns = last[0] - first[0] + 1, last[1] - first[1] + 1
        mosaic = np.zeros((rows * CELL_PX, columns * CELL_PX, 3), np.uint8)
        found = self._ask(
            "SELECT id, cell_row, cell_column FROM cell WHERE picture_id = ? AND level = ? "
            "AND cell_row BETWEEN ? AND ? AND cell_column BETWEEN ? AND ?",
            (picture_id, level, int(first[0]), int(last[0]), int(first[1]), int(last[1])),
        )
        for cell_id, row, column in found:
            image = self._cell(cell_id)
            if image is None:
                return None
            top, left = (row - first[0]) * CELL_PX, (column - first[1]) * CELL_PX
            mosaic[top : top + CELL_PX, left : left + CELL_PX] = image
        return mosaic

    def _cell(self, cell_id: int) -> ImageRGB | None:
        image = self._cells.get(cell_id)
        if image is None:
            rows = self._ask("SELECT image FROM cell WHERE id = ?", (cell_id,))
            image = decode_cell(rows[0][0]) if rows else None
            if image is not None:
                self._cells.put(cell_id, image)
        return image


def pixels_of(picture: Picture, level: int, cut: Cut) -> NDArray[np.float64]:
    """(2, 3): from a pixel (column, row) of a cut to the pixel (column, row) of a picture's level that shows the same
    point; both by the centres of pixels."""
    pixel_m = picture.metres_per_pixel * (1 << level)
    step = cut.side_m / cut.side_px / pixel_m
    cos, sin = math.cos(cut.turn_rad) * step, math.sin(cut.turn_rad) * step
    half = cut.side_px / 2 - 0.5
    column = cut.east_m / pixel_m + picture.columns / (2 << level) - 0.5
    row = picture.rows / (2 << level) - cut.north_m / pixel_m - 0.5
    return np.array([[cos, -sin, column - half * (cos - sin)], [sin, cos, row - half * (cos + sin)]])


def shrunk(children: Iterable[tuple[int, int, ImageRGB]]) -> ImageRGB:
    """The cell of the next level: each child with its row and column, 0 or 1, among the four."""
    four = np.zeros((2 * CELL_PX, 2 * CELL_PX, 3), np.uint8)
    for row, column, image in children:
        four[row * CELL_PX : (row + 1) * CELL_PX, column * CELL_PX : (column + 1) * CELL_PX] = image
    return np.asarray(cv2.resize(four, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _damaged(keyframe_id: int) -> str:
    return f"the picture that keyframe {keyframe_id} is cut from is damaged; record its map again."
