"""Where places are, and which of them show the same ground: what makes neighbours of one area hard negatives.

A folder in University-1652's layout may carry ``places.csv`` beside train/ and test/, one line a place::

    place,area,north_m,east_m,side_m

Positions are of the picture's middle, from the origin of its area; places of different areas never overlap.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import UsageError
from train.losses.embedded import IGNORED, NEGATIVE, POSITIVE

FILE = "places.csv"
COLUMNS = ("place", "area", "north_m", "east_m", "side_m")
_SAME_SIDE = 1e-9  # relative: what a number loses on its way through places.csv and back
SAME, OTHER = 0.5, 0.15  # shares of the ground in common: above the first the same place, below the second another
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Square:
    """A north-up square of ground."""

    area: str
    north_m: float
    east_m: float
    side_m: float


def read_places(root: Path) -> dict[str, Square] | None:
    """The places of a folder by name, None where it has no ``places.csv``.

    Raises:
        UsageError: the file is there but cannot be used; the message names the line.
    """
    path = root / FILE
    if not path.is_file():
        return None
    squares: dict[str, Square] = {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames is None or not set(COLUMNS) <= set(rows.fieldnames):
            raise UsageError(f"{path} needs the columns {', '.join(COLUMNS)}.")
        for row in rows:
            try:
                values = [float(row[name]) for name in COLUMNS[2:]]
            except (TypeError, ValueError):
                raise UsageError(f"{path} line {rows.line_num} holds something that is no number.") from None
            squares[row["place"]] = Square(row["area"], *values)
    return squares


def write_places(root: Path, squares: Mapping[str, Square]) -> None:
    """Write what `read_places` reads."""
    with (root / FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for place, square in squares.items():
            numbers = (f"{value:.3f}" for value in (square.north_m, square.east_m, square.side_m))
            writer.writerow([place, square.area, *numbers])


def overlaps(a: Sequence[Square], b: Sequence[Square]) -> Array:
    """(N, M) shares of the smaller square's ground that both squares hold."""
    ours, theirs = _rows(a), _rows(b)
    shared = np.ones((len(a), len(b)))
    for axis in (0, 1):
        low = np.maximum(ours[:, None, axis] - ours[:, None, 2] / 2, theirs[None, :, axis] - theirs[None, :, 2] / 2)
        high = np.minimum(ours[:, None, axis] + ours[:, None, 2] / 2, theirs[None, :, axis] + theirs[None, :, 2] / 2)
        shared *= np.clip(high - low, 0.0, None)
    return np.asarray(shared / np.minimum(ours[:, None, 2], theirs[None, :, 2]) ** 2 * _same_area(a, b))


def related(
    rows: NDArray[np.int64], columns: NDArray[np.int64], ours: Sequence[Square | None], theirs: Sequence[Square | None]
) -> NDArray[np.int8]:
    """(N, M) of crops of numbered places and the ground they show: 1 the same place, or more than half of its ground,
    -1 another, 0 a little in common."""
    same = rows[:, None] == columns[None]
    found = np.where(same, POSITIVE, NEGATIVE).astype(np.int8)
    known = [np.array([s is not None for s in side]) for side in (ours, theirs)]
    if known[0].any() and known[1].any():
        shares = overlaps([s for s in ours if s is not None], [s for s in theirs if s is not None])
        found[np.ix_(*known)] = np.where(same[np.ix_(*known)], POSITIVE, relation(shares))
    return found


def displaced(ours: Sequence[Square | None], theirs: Sequence[Square | None]) -> NDArray[np.float32]:
    """(N, M, 2) rows and columns, in sides of a crop, from where something lies in one to where in the other; not a
    number where it is unknown or the sides differ."""
    out = np.full((len(ours), len(theirs), 2), np.nan, np.float32)
    rows, columns = (np.flatnonzero([s is not None for s in side]) for side in (ours, theirs))
    a, b = ([s for s in side if s is not None] for side in (ours, theirs))
    here, there = _rows(a)[:, None], _rows(b)[None]
    apart = (there - here)[..., :2] * [1.0, -1.0] / here[..., 2:]
    known = _same_area(a, b) & np.isclose(here[..., 2], there[..., 2], rtol=_SAME_SIDE, atol=0.0)
    out[np.ix_(rows, columns)] = np.where(known[..., None], apart, np.nan)
    return out


def relation(shares: Array) -> NDArray[np.int8]:
    """(N, M) overlaps to 1 the same place, -1 another, 0 neither."""
    signs = np.where(shares > SAME, POSITIVE, np.where(shares < OTHER, NEGATIVE, IGNORED))
    return signs.astype(np.int8)


def _rows(squares: Sequence[Square]) -> Array:
    return np.array([(s.north_m, s.east_m, s.side_m) for s in squares], np.float64).reshape(-1, 3)


def _same_area(a: Sequence[Square], b: Sequence[Square]) -> NDArray[np.bool_]:
    """(N, M): whether two squares are of one area."""
    ours, theirs = (np.array([s.area for s in side], object) for side in (a, b))
    return np.asarray(ours[:, None] == theirs[None], bool)
