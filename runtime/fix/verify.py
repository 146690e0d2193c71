"""Geometric verification: whether a keyframe shows the query's ground, and where on it the camera stood.

Pairs of local features are filtered by a robust map from the query's sight rays to the keyframe's ground, and the
map must be one that a camera above flat ground could make: not mirrored, not folded, upright and of a scale that
agrees with what is known, with inliers spread over the view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.fix.local_features import Features, Kind, pair
from runtime.fix.planar_pose import PlanarPose, Prior, solve

Array = NDArray[np.float64]

_RARER_BY_PAIR = 6.0  # a pair more that agrees by chance, between foreign photos (tests/bench/chance_pairs.py)
_MAX_MISS = 0.012  # of the keyframe's footprint: how far an inlier's ray may pass its point
_MIN_SPREAD = 0.06  # of the keyframe's footprint: standard deviation of the inliers along their narrower axis
_MAX_TILT_RAD = math.radians(35.0)
_MAX_HEIGHT_RATIO = 1.35  # of the solved height to a known one, or the other way
_MAX_VOTE_SCATTER = 0.06  # of the footprint: 3 % of height and 3 degrees of heading move a vote at its edge as far
_MAX_PAIRS_SOLVED = 60  # of a keyframe: with more a pose gets slower, not better
NOISE = 0.003  # of the footprint: 1-sigma of a pair, a pixel of a 320 px crop


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a query gives to verification: ``features`` of a ``kind``, the ``rays`` (N, 2) they were seen along (x, y of
    (x, y, 1) in the query's frame), and what is known of the camera beforehand."""

    kind: Kind
    features: Features
    rays: Array
    prior: Prior


@dataclass(frozen=True, slots=True)
class ObliqueCamera:
    """Where a keyframe's camera was, (2,) metres east and south: there its ground errs by ``sigma_m`` alone, away from
    there by the errors of its heading, ``turn_sigma_rad``, and of its scale too."""

    place: Array
    sigma_m: float
    turn_sigma_rad: float


@dataclass(frozen=True, slots=True)
class Ground:
    """A keyframe's features on the ground: ``points`` (N, 2) metres east and south of the map's origin, around
    ``centre`` (2,). ``height_m`` of its camera above it; infinite where it was cut from a map. ``scale_sigma``: 1-sigma
    of its scale as a share, that of its camera's height. ``heading_rad`` of the nose as it was seen; None: a map's,
    or nobody knows. ``camera`` of an oblique view, which its errors turn and stretch the ground about; None: they do so
    about its centre."""

    keyframe_id: int
    flight: str
    features: Features
    points: Array
    centre: Array
    height_m: float
    footprint_m: float
    sigma_m: float
    scale_sigma: float = 0.0
    heading_rad: float | None = None
    camera: ObliqueCamera | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A keyframe that passed, how many pairs agree, and the pose of the query's camera that it alone gives through
    ``rays`` and ``ground`` (N, 2), at most sixty of the pairs."""

    keyframe: Ground
    inliers: int
    pose: PlanarPose
    rays: Array
    ground: Array


@dataclass(frozen=True, slots=True)
class Refused:
    """A keyframe that did not pass, the most pairs that agreed, and why it is not enough."""

    keyframe_id: int
    inliers: int
    reason: str


def verify(query: Sighting, keyframe: Ground) -> Verified | Refused:
    """Whether a keyframe shows the query's ground, from pairs of their local features that agree on one camera pose."""
    pairs, least = pair(query.features, keyframe.features, query.kind.max_ratio), query.kind.least_inliers
    if len(pairs) < least:
        return Refused(keyframe.keyframe_id, len(pairs), "too few similar features")
    rays, ground = query.rays[pairs[:, 0]], keyframe.points[pairs[:, 1]]
    near: PlanarPose | None = None
    if query.prior.posed:
        inside, near = agreeing_posed(rays, ground, query.prior, keyframe.footprint_m)
    else:
        inside = agreeing(rays, ground, _MAX_MISS * keyframe.footprint_m)
    count = int(inside.sum())
    if count < least:
        return Refused(keyframe.keyframe_id, count, "too few features agree on one place")
    rays, ground = _thinned(rays[inside]), _thinned(ground[inside])
    pose = solve(rays, ground, NOISE * keyframe.footprint_m, query.prior, start=near)
    reason = implausible(pose, query.prior, ground, keyframe.footprint_m)
    if reason:
        return Refused(keyframe.keyframe_id, count, reason)
    return Verified(keyframe, count, pose, rays, ground)


def log_likelihood_ratio(inliers: int, kind: Kind) -> float:
    """Natural log of how much rarer so many agreeing pairs are between foreign views than the most that chance made
    there once in 3,432; 0 for so few that chance makes them too."""
    return max(0, inliers - kind.chance_pairs) * math.log(_RARER_BY_PAIR)


def implausible(pose: PlanarPose, prior: Prior, ground: Array, footprint_m: float) -> str:
    """Why no camera above flat ground, known as it is, makes this map; empty when one could."""
    if pose.tilt_rad > _MAX_TILT_RAD:
        return "the camera would have to be tilted too far"
    if pose.residual_m > _MAX_MISS * footprint_m:
        return "the features do not lie as on flat ground"
    if math.isfinite(prior.heading_sigma_rad) and abs(pose.heading_rad) > 4 * prior.heading_sigma_rad:
        return "the heading disagrees"
    ratio = pose.height_m / prior.height_m
    if math.isfinite(prior.height_sigma_m) and not 1 / _MAX_HEIGHT_RATIO < ratio < _MAX_HEIGHT_RATIO:
        return "the height disagrees"
    narrow = math.sqrt(max(float(np.linalg.eigvalsh(np.cov(ground.T))[0]), 0.0))
    if narrow < _MIN_SPREAD * footprint_m:
        return "the features that agree lie too close together"
    return ""


def _thinned(rows: Array) -> Array:
    """At most sixty of the rows, evenly picked."""
    return rows[:: -(-len(rows) // _MAX_PAIRS_SOLVED)]


def agreeing_posed(
    rays: Array, ground: Array, prior: Prior, footprint_m: float
) -> tuple[NDArray[np.bool_], PlanarPose | None]:
    """(N,) which pairs agree, where height and heading are known, and a pose through about those: each pair votes
    for a position, the thickest group of votes is taken, and what a pose through it explains is what agrees. No
    sampling, so no chance in it."""
    votes = ground - rays * prior.height_m
    apart = np.linalg.norm(votes[:, None] - votes[None], axis=2)
    near = apart <= _MAX_VOTE_SCATTER * footprint_m
    inside = near[int(near.sum(axis=1).argmax())]
    pose: PlanarPose | None = None
    if inside.sum() < 4:
        return np.asarray(inside), pose
    for tolerance in (2.5 * _MAX_MISS, _MAX_MISS):  # the first pose is bent by votes that only happened to be near
        chosen = _thinned(rays[inside]), _thinned(ground[inside])
        pose = solve(*chosen, NOISE * footprint_m, prior, rounds=3, start=pose)
        missed = np.linalg.norm(pose.ground_of(rays) - ground, axis=1)
        inside = missed <= tolerance * footprint_m
        if inside.sum() < 4:
            break
    return np.asarray(inside), pose


def agreeing(rays: Array, ground: Array, tolerance_m: float) -> NDArray[np.bool_]:
    """(N,) which pairs agree with one unfolded homography from rays to the ground."""
    centre = ground.mean(axis=0)  # keeps the numbers small for the solver
    found, mask = cv2.findHomography(
        rays * _RAY_SCALE, ground - centre, cv2.USAC_MAGSAC, tolerance_m, maxIters=1000, confidence=0.999
    )
    if np.ndim(found) != 2:  # None: no homography
        return np.zeros(len(rays), bool)
    inside = mask.ravel().astype(bool)
    depth = np.hstack([rays * _RAY_SCALE, np.ones((len(rays), 1))]) @ found[2]
    determinant = np.linalg.det(found) / np.where(np.abs(depth) > 1e-9, depth, np.nan) ** 3
    return np.asarray(inside & (determinant > 0))  # positive: keeps the handedness of the ground there


_RAY_SCALE = 100.0  # makes rays numbers of the size of metres: USAC normalises by pixels
