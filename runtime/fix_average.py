"""One place from the keyframes that passed: an average, since each has an error of its own that it shares with none.

A common adjustment over all pairs would take the keyframes' errors of a few metres for the camera's tilt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.verify import Ground, Verified

_AGREES = 0.25  # of the footprint: keyframes further apart disagree
_COURSE_RAD = 0.3  # keyframes flown on the query's course share its lag and wind; others count for little
_OTHER_COURSE = 1e-3


@dataclass(frozen=True, slots=True)
class Place:
    """East and south metres of the aircraft and of the ground at the image's centre; ``agreeing`` keyframes."""

    aircraft_es_m: tuple[float, float]
    ground_es_m: tuple[float, float]
    sigma_m: float
    agreeing: int


def place_of(passed: Sequence[Verified], middle_ray: tuple[float, float]) -> Place:
    """The weighted mean over the keyframes that agree with the strongest."""
    strongest = max(passed, key=lambda one: one.inliers)
    own = _aircraft(strongest)
    reach_m = _AGREES * strongest.keyframe.footprint_m
    agreeing = [one for one in passed if np.linalg.norm(_aircraft(one) - own) <= reach_m]
    weights = np.array([_weight(one) for one in agreeing])
    weights /= weights.sum()
    aircraft = np.array([_aircraft(one) for one in agreeing])
    ground = np.array([one.pose.ground_of(np.array([middle_ray]))[0] for one in agreeing])
    mean, at = weights @ aircraft, weights @ ground
    sigma_m = _sigma(agreeing, aircraft, weights)
    return Place((float(mean[0]), float(mean[1])), (float(at[0]), float(at[1])), sigma_m, len(agreeing))


def _aircraft(one: Verified) -> NDArray[np.float64]:
    """(2,) east and south of what the keyframe's flight would have called this position."""
    forward, right = one.keyframe.lever_m
    heading = one.pose.heading_rad
    sine, cosine = math.sin(heading), math.cos(heading)
    east = one.pose.east_m + forward * sine + right * cosine
    south = one.pose.south_m - forward * cosine + right * sine
    return np.array([east, south])


def _weight(one: Verified) -> float:
    """More pairs, more common ground, more of the error in common; so also on the same course."""
    return one.inliers**3 * (_course(one.keyframe, one.pose.heading_rad) + _OTHER_COURSE)


def _course(keyframe: Ground, heading_rad: float) -> float:
    if keyframe.heading_rad is None or keyframe.lever_m == (0.0, 0.0):
        return 1.0
    apart = math.remainder(heading_rad - keyframe.heading_rad, math.tau)
    return math.exp(-((apart / _COURSE_RAD) ** 2) / 2)


def _sigma(agreeing: Sequence[Verified], aircraft: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """1-sigma per axis: each pose's own, each keyframe's georeference (half of which neighbours share), and how far
    the keyframes lie apart."""
    own = np.array([one.pose.sigma_m for one in agreeing])
    georeference = np.array([min(one.keyframe.sigma_m, 50.0) for one in agreeing])
    independent = float(np.sum(weights**2 * (own**2 + georeference**2 / 2)))
    shared = float(np.sum(weights * georeference**2)) / 2
    centred = aircraft - weights @ aircraft
    spread = float(np.sum(weights * (centred**2).mean(axis=1))) * float(np.sum(weights**2))
    return math.sqrt(independent + shared + spread)
