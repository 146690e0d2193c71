"""Positions that leapt away and came back: nothing flies there and back within an instant, so they were never true."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.geodesy import distance_m
from runtime.values import GeoPoint

_FASTEST_M_S = 100.0  # what moves faster between two reports has leapt
_LEAP_M = 20.0  # and further than receivers and estimators correct themselves by

Place = tuple[float, GeoPoint]
"""An instant in seconds and where the vehicle is said to have been."""


def excursions(places: Sequence[Place], step_m: float = 0.0) -> frozenset[int]:
    """Indices of the places, ascending in time, that lie between a leap away and one back to where the way goes on;
    ``step_m``: what they are written in.

    A leap that is not undone is none: which of its two sides is wrong nothing says. Neither is a time away that is
    longer than what is known before and after it.
    """
    leap_m = _LEAP_M + 2.0 * step_m
    starts = [0, *(k for k in range(1, len(places)) if not _reached(places[k - 1], places[k], leap_m)), len(places)]
    away: set[int] = set()
    k = 1
    while k + 2 < len(starts):
        before, first, after = starts[k - 1], starts[k], starts[k + 1]
        around_s = places[first - 1][0] - places[before][0] + places[starts[k + 2] - 1][0] - places[after][0]
        if _reached(places[first - 1], places[after], leap_m) and places[after - 1][0] - places[first][0] < around_s:
            away.update(range(first, after))
            k += 2
        else:
            k += 1
    return frozenset(away)


def _reached(a: Place, b: Place, leap_m: float) -> bool:
    return distance_m(a[1], b[1]) <= leap_m + _FASTEST_M_S * (b[0] - a[0])
