"""Of all scales and headings that a target may have, the one or two that it is worth being read in.

Every attempt's vector is compared with all keyframes. How similar the nearest is does not tell: read at a wrong scale
or heading a target is blurred or plain, and resembles much. What counts is how far the nearest stands out from the
others. Of the attempts where it does most, the middle's map is laid on the few nearest keyframes, each by itself; of
those that fit best, on them and their neighbours together, as a target is; and where that stands out most the whole
target is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from runtime.place.areas import fits
from runtime.place.attempt import Attempt, are_beside
from runtime.place.gallery import Rung
from runtime.place.hypothesis import TargetHypothesis, compare
from runtime.place.versions import Layer

_AMONG = 20  # keyframes that resemble an attempt most: among so many the nearest stands out
_NEAREST = 6  # of them that it is laid on
_MAX_LAID, _MAX_LAID_TOGETHER = 32, 8  # attempts
_RIVAL = 0.6  # of how far the best stands out


def likeliest(
    attempts: Sequence[Attempt], vectors: NDArray[np.float32], rungs: Mapping[float, Rung],
    layer_of: Callable[[int], Layer],
) -> list[Attempt]:  # fmt: skip
    """The attempt whose middle stands out most on the ground, and, where one that is no neighbour of it does nearly as
    much, that one.

    ``vectors`` (N, D): of each attempt's middle. ``rungs``: the attempts' first ones, by their footprint. ``layer_of``:
    gives the middle of the attempt of a number, with its map.
    """
    sides_m = np.array([one.footprints_m[0] for one in attempts])
    stands_out, nearest = np.zeros(len(attempts), np.float32), np.full((len(attempts), _NEAREST), -1)
    for side_m, rung in rungs.items():
        own = np.flatnonzero(sides_m == side_m)  # together: one by one they would each read all vectors
        rows, similarity = rung.index.roughly(vectors[own], _AMONG)
        stands_out[own] = similarity[:, 0] - similarity[:, -1]
        nearest[own, : rows.shape[1]] = rows[:, :_NEAREST]
    laid = np.argsort(stands_out)[::-1][:_MAX_LAID]
    fit = np.full(len(attempts), -np.inf, np.float32)
    for side_m in rungs:
        own = laid[sides_m[laid] == side_m]
        if len(own):
            rows = np.unique(nearest[own])
            fit[own] = fits([layer_of(int(n)) for n in own], rows[rows >= 0]).max(axis=1)
    fitting = [int(n) for n in np.argsort(fit)[::-1][: min(len(laid), _MAX_LAID_TOGETHER)]]
    together = [_together(attempts[n], nearest[n], layer_of(n)) for n in fitting]
    best, *others = sorted(together, key=lambda one: -one.contrast)
    rivals = (
        one for one in others
        if one.contrast >= _RIVAL * best.contrast and not are_beside(one.attempt, best.attempt)
    )  # fmt: skip
    return [one.attempt for one in (best, *islice(rivals, 1))]


def _together(attempt: Attempt, nearest: NDArray[np.int64], layer: Layer) -> TargetHypothesis:
    return compare(attempt, [layer], layer.rung.about(nearest[nearest >= 0]), 1)
