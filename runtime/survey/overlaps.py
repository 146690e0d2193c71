"""Which photos of a flight show the same ground, and where: SIFT matches that a homography explains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from runtime.matching.rootsift import detect, pairs_of
from runtime.survey.rays import Look, meets_ground, on_ground
from runtime.values import ImageRGB

_LONG_SIDE_PX = 800  # SIFT on more costs time and gives no better poses
_FEATURES = 1500
_MAX_RATIO = 0.8  # Lowe's ratio test
_MAX_REPROJECTION_PX = 4.0  # in the small image: terrain that is not flat moves this much
_MIN_INLIERS = 20
_MIN_SPREAD = 0.05  # of the long side: inliers on one roof say nothing of scale and heading
_MIN_SCALE, _MAX_SCALE = 0.3, 3.0  # between two photos of one ground
_MAX_SIMILARITY_MISFIT = 0.02  # of the long side: median misfit of a similarity between two nearly nadir photos
_LEAST_BELOW = 5  # points below the horizon: one more than a homography needs
_MAX_POINTS = 8  # per pair of photos: as many as a homography needs, and as many again
NEIGHBOURS = 14  # nearest by tag
CONSECUTIVE = 4  # in file order, whatever the tags say


@dataclass(frozen=True, slots=True)
class Features:
    """Keypoints (N, 2) in pixels of the full image, descriptors (N, 128) float32 (RootSIFT), image's long side."""

    points: NDArray[np.float64]
    descriptors: NDArray[np.float32]
    long_side_px: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Ground seen by two photos: ``first_px`` and ``second_px`` (K, 2) show the same K points."""

    first: int
    second: int
    first_px: NDArray[np.float64]
    second_px: NDArray[np.float64]
    inliers: int

    def thinned(self) -> Overlap:
        """With at most eight of the points, far from one another."""
        kept = _spread(self.first_px, _MAX_POINTS)
        return replace(self, first_px=self.first_px[kept], second_px=self.second_px[kept])


def features_of(image: ImageRGB) -> Features:
    """RootSIFT on a copy of at most 800 px."""
    long_side = max(image.shape[:2])
    shrink = min(1.0, _LONG_SIDE_PX / long_side)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if shrink < 1.0:
        grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    points, descriptors = detect(grey, _FEATURES)
    if len(points) < _MIN_INLIERS:
        return Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32), long_side)
    return Features(points.astype(np.float64) / shrink, descriptors, long_side)


def candidate_pairs(
    positions_ne_m: NDArray[np.float64], neighbours: int = NEIGHBOURS, consecutive: int = CONSECUTIVE
) -> list[tuple[int, int]]:
    """Pairs (i < j) worth matching: the next few in order, and the nearest few by tag. (N, 2) metres."""
    count = len(positions_ne_m)
    pairs = {(i, j) for i in range(count) for j in range(i + 1, min(i + 1 + consecutive, count))}
    if count > 1:
        _, nearest = cKDTree(positions_ne_m).query(positions_ne_m, k=min(neighbours + 1, count))
        pairs |= {(min(i, int(j)), max(i, int(j))) for i in range(count) for j in nearest[i] if int(j) != i}
    return sorted(pairs)


def matched(first: int, second: int, features: Sequence[Features]) -> Overlap | None:
    """All points that a homography explains between two photos, however they looked; None where they share none."""
    a, b = features[first], features[second]
    if len(a.points) < _MIN_INLIERS or len(b.points) < _MIN_INLIERS:
        return None
    pairs = pairs_of(a.descriptors, b.descriptors, _MAX_RATIO, mutual=False)
    if len(pairs) < _MIN_INLIERS:
        return None
    first_px, second_px = a.points[pairs[:, 0]], b.points[pairs[:, 1]]
    long_side_px = max(a.long_side_px, b.long_side_px)
    inside = _consistent(first_px, second_px, long_side_px)
    if inside is None:
        return None
    return Overlap(first, second, first_px[inside], second_px[inside], int(inside.sum()))


def alike(overlap: Overlap, features: Sequence[Features], looks: Sequence[Look] | None = None) -> bool:
    """Whether what two photos show of the same points is nearly a similarity, once each is laid on level ground by how
    it looked (``looks``), as far as it does not lie near a horizon."""
    a, b = overlap.first_px, overlap.second_px
    most_px = _MAX_SIMILARITY_MISFIT * max(features[one].long_side_px for one in (overlap.first, overlap.second))
    if looks is None:
        scale, _, misfit_px = similarity(a, b)
    else:
        misfit, scale = ground_misfit(looks[overlap.first], looks[overlap.second], a, b)
        misfit_px = misfit * looks[overlap.second].focal_px
    return _MIN_SCALE < scale < _MAX_SCALE and misfit_px <= most_px


def _consistent(
    first_px: NDArray[np.float64], second_px: NDArray[np.float64], long_side_px: int
) -> NDArray[np.bool_] | None:
    """Inliers of a homography, spread over both photos."""
    threshold_px = _MAX_REPROJECTION_PX * max(1.0, long_side_px / _LONG_SIDE_PX)
    homography, mask = cv2.findHomography(first_px, second_px, cv2.USAC_MAGSAC, threshold_px)
    if homography is None or int(mask.sum()) < _MIN_INLIERS:
        return None
    inside = mask.ravel().astype(bool)
    a, b = first_px[inside], second_px[inside]
    if min(a.std(axis=0).min(), b.std(axis=0).min()) < _MIN_SPREAD * long_side_px:
        return None
    return inside


def ground_misfit(
    first: Look, second: Look, first_px: NDArray[np.float64], second_px: NDArray[np.float64]
) -> tuple[float, float]:
    """Median misfit in radians, and scale, of the similarity between points of two photos on level ground; infinite
    where too few of them lie below the horizon."""
    a, b = first.rays(first_px), second.rays(second_px)
    below = meets_ground(a) & meets_ground(b)
    if below.sum() < _LEAST_BELOW:
        return math.inf, 0.0
    a, b = a[below], b[below]
    weight = np.minimum(a[:, 2], b[:, 2]) ** 2  # a radian covers the square of the secant
    places = [np.stack([at.real, at.imag], axis=1) for at in (on_ground(a), on_ground(b))]
    scale, _, misfit = similarity(places[0], places[1], weight)
    return misfit, scale


def similarity(
    first: NDArray[np.float64], second: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> tuple[float, float, float]:
    """Least-squares similarity from (N, 2) to (N, 2): scale, turn from x towards y in radians, median misfit; with
    (N,) weights, one over each point's sigma, the misfit too is weighted by them."""
    w = np.ones(len(first)) if weight is None else weight
    a, b = _complex(first), _complex(second)
    a, b = a - np.average(a, weights=w**2), b - np.average(b, weights=w**2)
    a, b = a * w, b * w
    ratio = np.vdot(a, b) / max(float(np.vdot(a, a).real), 1e-12)
    misfit = np.median(np.abs(ratio * a - b))
    return float(np.abs(ratio)), float(np.angle(ratio)), float(misfit)


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(points[:, 0] + 1j * points[:, 1], dtype=np.complex128)


def _spread(points: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Indices of ``count`` points far from one another (farthest-point sampling from the centre outwards)."""
    chosen = [int(np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1)))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen, dtype=np.int64)
