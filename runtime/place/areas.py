"""Of many areas of ground, strewn over a wide map by what resembles a target, the spots that it is worth being laid on.

A shortlist of a history of a hundred square kilometres lies in some fifty places far from one another. Laying a target
and what chance makes of it on all of them, with every keyframe about each, costs fifty times as much as on one. So one
or a few keyframes of each are asked first how sharply each version of the target fits them. Those about a spot stay
where it is among the best for any version, so that chance keeps its best places as the target does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.matching.alignment import Sought
from runtime.place.gallery import Rung
from runtime.place.versions import Layer

Rows = NDArray[np.int64]

FEW = 12  # areas: of so many all are laid on
_TARGET_SPOTS, _WRONG_SPOTS = 10, 3  # spots that stay for the target, and for each copy whose layout is wrong
_REACH = 0.5  # of the footprint, north and east: keyframes no farther from a spot show its middle
_LEAST_OVERLAP = 0.5  # of a full one
_AT_ONCE = 16  # keyframes whose surfaces are held


def worth_laying_on(versions: Sequence[Sequence[Layer]], rows: Rows) -> Rows:
    """Those of the ``rows`` of the first layer's rung that lie about a spot worth it; all where the areas are few.

    ``versions``: of a target's layers, the first as the target is, the others what chance makes of it.
    """
    rung = versions[0][0].rung
    groups = rung.groups(rows)
    if len(groups) <= FEW:
        return rows
    asked = np.concatenate([_asked(rung, group) for group in groups])
    scores = fits([_middle(version[0]) for version in versions], asked)  # (versions, asked)
    counts = [_TARGET_SPOTS, *(_WRONG_SPOTS for _ in scores[1:])]
    spots = [_spots(rung, asked, one, count) for one, count in zip(scores, counts, strict=True)]
    away_m = np.abs(rung.ne_m[rows][:, None] - rung.ne_m[np.unique(np.concatenate(spots))][None]).max(axis=2)
    return np.asarray(rows[(away_m <= _REACH * rung.footprint_m).any(axis=1)])


def _middle(layer: Layer) -> Layer:
    """One crop of a target at a rung, in or about its middle: its neighbours share most of its ground."""
    middle = len(layer.crops) // 2
    return replace(layer, crops=[layer.crops[middle]], queries=layer.queries[middle : middle + 1])


def _spots(rung: Rung, rows: Rows, scores: NDArray[np.float32], count: int) -> Rows:
    """So many rows with the highest scores, no two nearer to each other than a footprint."""
    found: list[int] = []
    order = np.argsort(-scores, kind="stable")
    while len(order) and len(found) < count:
        found.append(int(rows[order[0]]))
        order = order[np.abs(rung.ne_m[rows[order]] - rung.ne_m[found[-1]]).max(axis=1) >= rung.footprint_m]
    return np.array(found, np.int64)


def _asked(rung: Rung, group: Rows) -> Rows:
    """Keyframes of an area about as far apart as they see, from its middle on."""
    ne_m = rung.ne_m[group]
    left = np.argsort(np.linalg.norm(ne_m - ne_m.mean(axis=0), axis=1), kind="stable")
    found = []
    while len(left):
        found.append(group[left[0]])
        left = left[np.abs(ne_m[left] - ne_m[left[0]]).max(axis=1) > rung.footprint_m / 2]
    return np.array(found, np.int64)


def fits(layers: Sequence[Layer], rows: Rows) -> NDArray[np.float32]:
    """(layers, rows): by how much the best translation of any crop of a layer, over one keyframe, stands out of all
    translations. Layers are of one rung, whose ``rows`` are asked."""
    rung = layers[0].rung
    weights = np.stack([crop.weights for layer in layers for crop in layer.crops])
    queries = np.concatenate([layer.queries for layer in layers])
    sought = Sought(queries, queries.shape[-1] // 2, weights)
    best = np.zeros((len(queries), len(rows)), np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        maps = rung.maps(rows[start : start + _AT_ONCE])
        if maps is None:
            continue  # whoever lays the target says so
        for number, one in enumerate(sought.surfaces(maps)):
            overlapping = one.counts >= _LEAST_OVERLAP * one.counts.max()
            means = one.means[:, overlapping]
            best[number, start : start + _AT_ONCE] = means.max(axis=1) - means.mean(axis=1)
    ends = np.cumsum([len(layer.crops) for layer in layers])
    return np.stack([part.max(axis=0) for part in np.split(best, ends[:-1])])
