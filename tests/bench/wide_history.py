"""A history of many square kilometres, from a few: maps' histories laid beside another one again and again, changed.

What is laid down once more is another place to every step of a search that looks at all of it: each time its layout is
turned by another quarter (places, maps and crops), and each vector is changed as places differ, to
a + s (b - c) of its own and two others, s of 0.1 to 0.6. What stays the same is what is looked at last: the picture
that crops are cut from, which is kept once; and spatial maps come back in four turns.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import north_east_array_m, offset
from runtime.history.spatial_maps import map_of, pack
from runtime.matching.coarse import unit
from runtime.values import GeoPoint

_CHANGE = (0.1, 0.6)  # s
_TURNS = 4  # quarters
_GAP_M = 120.0  # between one and the next: no tile reaches over it
_MOST_MOVED_MM = 9_000  # of a crop in its picture: no two keyframes may show the same square
_CELL = "level, cell_row, cell_column, fingerprint, image"


def widened(first: Path, fillers: Sequence[Path], out: Path, km2: float, origin: GeoPoint) -> None:
    """``first`` about ``origin``, with ``fillers`` laid around it in turn until they have ``km2`` together."""
    shutil.copy(first, out)
    rng = np.random.default_rng(3)
    with sqlite3.connect(out) as connection:
        sources = [_Filler(connection, path) for path in fillers]
        apart_m = max(one.side_m for one in [_Reach.of(connection, "main"), *(one.reach for one in sources)]) + _GAP_M
        covered, number = _km2(connection), 0
        while covered < km2 - sources[number % len(sources)].km2 / 2:
            source = sources[number % len(sources)]
            row, column = _spiral(number + 1)
            place = offset(origin, row * apart_m, column * apart_m)
            source.lay(connection, place, (number // len(sources)) % _TURNS, rng)
            covered, number = covered + source.km2, number + 1
        connection.commit()
    connection.close()


def _km2(connection: sqlite3.Connection) -> float:
    """Of all pictures."""
    rows = connection.execute("SELECT metres_per_pixel, rows, columns FROM picture").fetchall()
    return sum(gsd_m**2 * height * width for gsd_m, height, width in rows) / 1e6


class _Reach:
    """The square that all keyframes of a history lie in: its middle and side."""

    def __init__(self, middle: GeoPoint, side_m: float) -> None:
        self.middle, self.side_m = middle, side_m

    @classmethod
    def of(cls, connection: sqlite3.Connection, schema: str) -> _Reach:
        query = f"SELECT ground_latitude_deg, ground_longitude_deg FROM {schema}.keyframe"
        ground = np.array(connection.execute(query).fetchall())
        middle = GeoPoint(*(float(value) for value in (ground.min(axis=0) + ground.max(axis=0)) / 2))
        return cls(middle, 2 * float(np.abs(north_east_array_m(middle, *ground.T)).max()))


class _Filler:
    """The rows of a map's history, to be laid many times; its picture is put into the wide history here."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        connection.execute("ATTACH ? AS other", (str(path),))
        columns = [row[1] for row in connection.execute("PRAGMA other.table_info(keyframe)")]
        self._at = columns.index("ground_latitude_deg"), columns.index("ground_longitude_deg")
        self._keyframes = connection.execute("SELECT * FROM other.keyframe ORDER BY id").fetchall()
        self.reach = _Reach.of(connection, "other")
        ground = np.array([[row[at] for at in self._at] for row in self._keyframes])
        self._ne_m = np.asarray(north_east_array_m(self.reach.middle, *ground.T)).reshape(-1, 2)
        self._cuts = {row[0]: row[2:] for row in connection.execute("SELECT * FROM other.cut")}
        ((_, *picture),) = connection.execute("SELECT * FROM other.picture").fetchall()
        gsd_m, rows, columns_px = picture[3:]
        self.km2 = gsd_m**2 * rows * columns_px / 1e6
        marks = ", ".join("?" * len(picture))
        self._picture = connection.execute(f"INSERT INTO picture VALUES (NULL, {marks})", picture).lastrowid
        query = f"INSERT INTO cell (picture_id, {_CELL}) SELECT ?, {_CELL} FROM other.cell"
        connection.execute(query, (self._picture,))
        self._rungs = _rungs(connection)
        connection.commit()
        connection.execute("DETACH other")

    def lay(self, connection: sqlite3.Connection, place: GeoPoint, turn: int, rng: np.random.Generator) -> None:
        """Once more, about a place, turned by so many quarters from north to east."""
        first = connection.execute("SELECT max(id) + 1 FROM keyframe").fetchone()[0]
        keyframes, cuts = [], []
        for n, (keyframe, ne_m) in enumerate(zip(self._keyframes, _turned(self._ne_m, turn), strict=True)):
            ground, changed = offset(place, *ne_m), list(keyframe)
            changed[0] = first + n
            changed[self._at[0]], changed[self._at[1]] = ground.latitude_deg, ground.longitude_deg
            keyframes.append(changed)
            north_mm, east_mm, side_mm, turn_rad, side_px = self._cuts[keyframe[0]]
            moved = rng.integers(-_MOST_MOVED_MM, _MOST_MOVED_MM, 2).tolist()
            at = north_mm + moved[0], east_mm + moved[1], side_mm, turn_rad - turn * math.pi / 2, side_px
            cuts.append((first + n, self._picture, *at))
        connection.executemany(f"INSERT INTO keyframe VALUES ({', '.join('?' * len(keyframes[0]))})", keyframes)
        connection.executemany("INSERT OR IGNORE INTO cut VALUES (?, ?, ?, ?, ?, ?, ?)", cuts)
        for footprint_mm, (fields, vectors, maps) in self._rungs.items():
            b, c = (vectors[rng.permutation(len(vectors))] for _ in range(2))
            share = rng.uniform(*_CHANGE, (len(vectors), 1)).astype(np.float32)
            other = unit(vectors + share * (b - c)).astype(np.float16)
            rows = [
                (first + nth, space, view, footprint_mm, 0, vector.tobytes(), *shape, spatial)
                for (nth, space, view, *shape), vector, spatial in zip(fields, other, maps[turn], strict=True)
            ]
            connection.executemany("INSERT INTO embedding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


_Rung = tuple[list[tuple[Any, ...]], NDArray[np.float32], list[list[bytes]]]


def _rungs(connection: sqlite3.Connection) -> dict[int, _Rung]:
    """By footprint: of each keyframe its number and other columns, its vector, and its map in each turn."""
    nth = {row[0]: n for n, row in enumerate(connection.execute("SELECT id FROM other.keyframe ORDER BY id"))}
    rungs = {}
    for (footprint_mm,) in connection.execute("SELECT DISTINCT footprint_mm FROM main.embedding").fetchall():
        rows = connection.execute(
            "SELECT keyframe_id, embedding_space_id, view, vector, map_channels, map_rows, map_columns, map "
            "FROM other.embedding WHERE footprint_mm = ? ORDER BY keyframe_id", (footprint_mm,),
        ).fetchall()  # fmt: skip
        fields = [(nth[row[0]], row[1], row[2], *row[4:7]) for row in rows]
        vectors = np.stack([np.frombuffer(row[3], np.float16).astype(np.float32) for row in rows])
        spatial = [one for row in rows if (one := map_of(row[4:], True)) is not None]
        turned = [[pack(np.rot90(one, -turn, axes=(-2, -1))).data for one in spatial] for turn in range(1, _TURNS)]
        rungs[footprint_mm] = fields, vectors, [[row[7] for row in rows], *turned]
    return rungs


def _turned(ne_m: NDArray[np.float64], turn: int) -> NDArray[np.float64]:
    """(N, 2) places turned by quarters from north to east."""
    for _ in range(turn):
        ne_m = np.stack([-ne_m[:, 1], ne_m[:, 0]], axis=1)
    return ne_m


def _spiral(steps: int) -> tuple[int, int]:
    """The square (row, column) that is reached after so many steps around (0, 0)."""
    row = column = 0
    way, length, left, corners = 0, 1, 1, 0
    for _ in range(steps):
        row, column = row + (0, 1, 0, -1)[way], column + (1, 0, -1, 0)[way]
        left -= 1
        if left == 0:
            way, corners = (way + 1) % 4, corners + 1
            length += corners % 2 == 0
            left = length
    return row, column
