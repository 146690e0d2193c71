"""One place from the keyframes that passed: an average, since each has an error of its own that it shares with none.

A common adjustment over all pairs would take the keyframes' errors of a few metres for the camera's tilt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.fix.verify import Verified

_AGREES = 0.25  # of the footprint: keyframes further apart disagree
_MAX_SIGMA_M = 50.0  # a georeference that says nothing says at least this


@dataclass(frozen=True, slots=True)
class Place:
    """East and south metres of the camera and of the ground at the image's centre; ``turn_rad``: of the query's frame,
    clockwise; ``agreeing`` keyframes."""

    camera_es_m: tuple[float, float]
    ground_es_m: tuple[float, float]
    turn_rad: float
    sigma_m: float
    agreeing: int


def place_of(passed: Sequence[Verified], middle_ray: tuple[float, float]) -> Place:
    """The mean, weighted by pairs, over the largest group of keyframes that agree."""
    cameras = np.array([(one.pose.east_m, one.pose.south_m) for one in passed])
    ground = np.array([one.pose.ground_of(np.array([middle_ray]))[0] for one in passed])
    pairs = np.array([one.inliers for one in passed], dtype=np.float64)
    reach_m = _AGREES * np.array([one.keyframe.footprint_m for one in passed])
    near = np.linalg.norm(ground[:, None] - ground[None], axis=2) <= reach_m[:, None]
    group = near[int(np.argmax(near @ pairs))]
    weights = pairs[group] / pairs[group].sum()
    east, south = weights @ cameras[group]
    ground_east, ground_south = weights @ ground[group]
    agreeing = [one for one, inside in zip(passed, group, strict=True) if inside]
    turns = np.exp(1j * np.array([one.pose.heading_rad for one in agreeing]))
    return Place(
        (float(east), float(south)),
        (float(ground_east), float(ground_south)),
        float(np.angle(weights @ turns)),
        _sigma(agreeing, ground[group], weights),
        len(agreeing),
    )


def _sigma(agreeing: Sequence[Verified], places: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """1-sigma per axis: each pose's own, each keyframe's georeference (half of which neighbours share), and how far
    the keyframes lie apart."""
    own = np.array([one.pose.sigma_m for one in agreeing])
    georeference = np.array([min(one.keyframe.sigma_m, _MAX_SIGMA_M) for one in agreeing])
    independent = float(np.sum(weights**2 * (own**2 + georeference**2 / 2)))
    shared = float(np.sum(weights * georeference**2 / 2))
    centred = places - weights @ places
    spread = float(np.sum(weights * (centred**2).mean(axis=1))) * float(np.sum(weights**2))
    return math.sqrt(independent + shared + spread)
