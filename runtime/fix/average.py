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
_LEVER_SHARE = 0.5  # of the lever: measured on one flight whose receiver lagged by three seconds


@dataclass(frozen=True, slots=True)
class Place:
    """East and south metres of the aircraft and of the ground at the image's centre; ``agreeing`` keyframes."""

    aircraft_es_m: tuple[float, float]
    ground_es_m: tuple[float, float]
    sigma_m: float
    agreeing: int


def place_of(passed: Sequence[Verified], middle_ray: tuple[float, float]) -> Place:
    """The mean, weighted by pairs, over the largest group of keyframes that agree."""
    aircraft = np.array([_aircraft(one) for one in passed])
    ground = np.array([one.pose.ground_of(np.array([middle_ray]))[0] for one in passed])
    pairs = np.array([one.inliers for one in passed], dtype=np.float64)
    reach_m = _AGREES * np.array([one.keyframe.footprint_m for one in passed])
    near = np.linalg.norm(ground[:, None] - ground[None], axis=2) <= reach_m[:, None]
    group = near[int(np.argmax(near @ pairs))]
    weights = pairs[group] / pairs[group].sum()
    east, south = weights @ aircraft[group]
    ground_east, ground_south = weights @ ground[group]
    agreeing = [one for one, inside in zip(passed, group, strict=True) if inside]
    return Place(
        (float(east), float(south)),
        (float(ground_east), float(ground_south)),
        _sigma(agreeing, ground[group], weights),
        len(agreeing),
    )


def _aircraft(one: Verified) -> NDArray[np.float64]:
    """(2,) east and south of what the keyframe's flight would have called this position."""
    forward, right = one.keyframe.lever_m
    heading = one.pose.heading_rad
    sine, cosine = math.sin(heading), math.cos(heading)
    east = one.pose.east_m + forward * sine + right * cosine
    south = one.pose.south_m - forward * cosine + right * sine
    return np.array([east, south])


def _sigma(agreeing: Sequence[Verified], places: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """1-sigma per axis: each pose's own, each keyframe's georeference (half of which neighbours share), how far the
    keyframes lie apart, and the lever, which stands for a lag that changes with the flight."""
    own = np.array([one.pose.sigma_m for one in agreeing])
    georeference = np.array([min(one.keyframe.sigma_m, _MAX_SIGMA_M) for one in agreeing])
    lever = np.array([math.hypot(*one.keyframe.lever_m) for one in agreeing])
    independent = float(np.sum(weights**2 * (own**2 + georeference**2 / 2)))
    shared = float(np.sum(weights * (georeference**2 / 2 + (_LEVER_SHARE * lever) ** 2)))
    centred = places - weights @ places
    spread = float(np.sum(weights * (centred**2).mean(axis=1))) * float(np.sum(weights**2))
    return math.sqrt(independent + shared + spread)
