"""Which keyframes of a history to keep when it is to become smaller."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import north_east_m
from runtime.history.reader import HistoryReader
from runtime.values import GeoPoint

_ALIKE = 1.25  # footprints within this ratio show the same ground at the same scale
_LEVEL = np.log(_ALIKE)


def kept(history: HistoryReader, without: Collection[str] = (), apart_m: float = 0.0) -> NDArray[np.int64]:
    """Ids (N,) of the keyframes that are of no flight in ``without``, and lie ``apart_m`` apart.

    Of two of one view and of footprints within 25 % that lie nearer, the newer stays: the ground may have changed. 0
    keeps all.
    """
    gone = {keyframe_id for keyframe_id, flight in history.flights_by_id() if flight in without}
    found: list[int] = []
    rows = history.ground_rows(0, len(history) + 1)
    place = {int(one): number for number, one in enumerate(rows.ids)}
    for view in history.views():
        ids = [one for one in reversed(history.ids(view)) if one not in gone]
        found += _apart(ids, rows.ground, rows.footprints_m, place, apart_m) if apart_m > 0.0 else ids
    return np.sort(np.array(found, dtype=np.int64))


def _apart(
    ids: list[int], ground: NDArray[np.float64], footprints_m: NDArray[np.float64], place: dict[int, int],
    apart_m: float,
) -> list[int]:  # fmt: skip
    """By cells of ``apart_m``: whatever is nearer lies in one of the nine around."""
    taken: dict[tuple[int, int, int], list[NDArray[np.float64]]] = {}
    found = []
    origin = GeoPoint(*ground[place[ids[0]]]) if ids else GeoPoint(0.0, 0.0)
    for one in ids:
        here = np.array(north_east_m(origin, GeoPoint(*ground[place[one]])))
        row, column = (int(value) for value in np.floor(here / apart_m))
        level = round(float(np.log(footprints_m[place[one]]) / _LEVEL))
        around = product((row - 1, row, row + 1), (column - 1, column, column + 1), (level - 1, level, level + 1))
        if not any(np.hypot(*(other - here)) < apart_m for cell in around for other in taken.get(cell, ())):
            taken.setdefault((row, column, level), []).append(here)
            found.append(one)
    return found
