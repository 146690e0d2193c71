"""How the ground moved between two pictures, without a pose: a plane's homography, as four points and where they went.

Eight numbers and their covariance stand for the hundred features that they were solved from, so that a whole flight is
adjusted in a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.odometry.picture import Picture
from runtime.odometry.plane_motion import design_effect
from runtime.odometry.tracks import guess_by_descriptors, track

Array = NDArray[np.float64]

_FEWEST = 30  # features that move as one plane
_PLANE_PX = 2.0  # from the homography that most of them agree on
_LEAST_SIGMA_PX = 0.1  # of a tracked feature
_ROUNDS = 4  # of Gauss-Newton, with the weights of Huber
_NORMAL_MEDIAN = 0.6745 * 1.7460  # median length of a two-dimensional error over its sigma
_EDGE = (5.0, 95.0)  # percentiles of the features, between which the four points stand


@dataclass(frozen=True, slots=True)
class Seen:
    """``at`` (4, 2): tangents of four rays of the first camera; ``to`` (4, 2): of the same points' rays in the second;
    ``covariance`` (8, 8) of ``to``, row by row. ``first_s`` and ``second_s``: when the pictures were stamped."""

    first_s: float
    second_s: float
    at: Array
    to: Array
    covariance: Array


def seen_between(first: Picture, second: Picture, first_s: float, second_s: float) -> Seen | None:
    """What two pictures of the same ground say; None where too little of the first is found in the second."""
    guess = guess_by_descriptors(first, second)
    if guess is None:
        return None
    features = first.corners()
    tracks = track(first, features, second, guess)
    if len(tracks.index) < _FEWEST:
        return None
    rays, there = first.rays(features[tracks.index]), second.rays(tracks.pixels)
    focal_px = first.camera.fx_px
    found, mask = cv2.findHomography(rays, there, cv2.USAC_MAGSAC, _PLANE_PX / focal_px)
    if np.ndim(found) != 2 or int(mask.sum()) < _FEWEST:
        return None
    inside = mask.ravel().astype(bool)
    at = _corners_of(rays[inside])
    least_sigma = _LEAST_SIGMA_PX / focal_px
    to, covariance = _refined(np.asarray(found, np.float64), rays[inside], there[inside], at, least_sigma)
    return Seen(first_s, second_s, at, to, covariance)


def _corners_of(rays: Array) -> Array:
    low, high = np.percentile(rays, _EDGE, axis=0)
    return np.array([(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])])


def _refined(found: Array, rays: Array, there: Array, at: Array, least_sigma: float) -> tuple[Array, Array]:
    """Where the four points go by all features, and how well that is known."""
    matrix = found / found[2, 2]
    for _ in range(_ROUNDS):
        told, slopes = _mapped(matrix, rays)
        missed = told - there
        lengths = np.linalg.norm(missed, axis=1)
        sigma = max(least_sigma, float(np.median(lengths)) / _NORMAL_MEDIAN)
        weight = np.minimum(1.0, 2.0 * sigma / np.maximum(lengths, 1e-12)) / sigma**2
        flat = slopes.reshape(-1, 8)
        normal = flat.T @ (flat * np.repeat(weight, 2)[:, None])
        pull = flat.T @ (missed.ravel() * np.repeat(weight, 2))
        matrix = matrix - np.append(np.linalg.solve(normal, pull), 0.0).reshape(3, 3)
    correlated = design_effect(missed, there, sigma)  # neighbours share what relief does to them
    to, slopes = _mapped(matrix, at)
    by_matrix = slopes.reshape(8, 8)
    return to, by_matrix @ np.linalg.inv(normal) @ by_matrix.T * correlated


def _mapped(matrix: Array, rays: Array) -> tuple[Array, Array]:
    """(N, 2) rays through a homography, and (N, 2, 8) the slopes by its first eight numbers."""
    ones = np.hstack([rays, np.ones((len(rays), 1))])
    x, y, z = (ones @ row for row in matrix)
    told = np.stack([x / z, y / z], axis=1)
    slopes = np.zeros((len(rays), 2, 8))
    slopes[:, 0, 0:3] = slopes[:, 1, 3:6] = ones / z[:, None]
    slopes[:, :, 6:8] = -told[:, :, None] * (rays / z[:, None])[:, None, :]
    return told, slopes
