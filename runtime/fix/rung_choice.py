"""At which footprints a query is compared: each costs a run of the network and a search, so no more than needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from runtime.matching.gallery import Rung

_MIN_ADDED_SHARE = 0.002  # of the keyframes: a rung that adds fewer is not worth another run of the network
_MAX_FEW_SHARE = 0.1  # of the keyframes compared already: a rung that adds more is compared whatever they show

FlightsOf = Callable[[NDArray[np.int64]], NDArray[np.int64]]


def fewest_rungs(rungs: Sequence[Rung], flights_of: FlightsOf) -> list[Rung]:
    """The fewest of ``rungs``, given largest first, that leave out no ground of any flight: each keyframe is compared
    at its largest, unless a larger square of its own flight that is compared shows all of it.

    So a query at survey height is not cut at every footprint that the climb to it went through. ``flights_of``: (N,)
    ids of keyframes to (N,) numbers, equal for keyframes of one flight.
    """
    least = _MIN_ADDED_SHARE * max((len(rung) for rung in rungs), default=0)
    kept: list[Rung] = []
    for rung in rungs:
        new = _new(rung, kept)
        if new.sum() <= least:
            continue
        if kept and new.sum() <= _MAX_FEW_SHARE * (len(rung) - new.sum()):
            new[new] = ~_shown(rung, new, kept, flights_of)
        if new.sum() > least:
            kept.append(rung)
    return kept


def _new(rung: Rung, kept: Sequence[Rung]) -> NDArray[np.bool_]:
    """(N,) whether each keyframe of the rung is at none of those kept."""
    new = np.ones(len(rung), np.bool_)
    for other in kept:
        new &= np.isin(rung.ids, other.ids, assume_unique=True, invert=True)
    return new


def _shown(rung: Rung, new: NDArray[np.bool_], kept: Sequence[Rung], flights_of: FlightsOf) -> NDArray[np.bool_]:
    """(M,) whether the square of each ``new`` keyframe of the rung lies in one of its own flight at those kept."""
    places_m, flights = rung.places_m[new], flights_of(rung.ids[new])
    shown = np.zeros(len(places_m), np.bool_)
    for larger in kept:
        theirs = flights_of(larger.ids)
        within_m = (larger.footprint_m - rung.footprint_m) / 2
        for flight in np.unique(flights[~shown]):
            own = flights == flight
            centres_m = larger.places_m[theirs == flight]
            if len(centres_m):
                away_m, _ = cKDTree(centres_m).query(places_m[own], p=np.inf)
                shown[own] |= away_m <= within_m
    return shown
