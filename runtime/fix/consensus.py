"""One place from the keyframes that passed: those that agree, adjusted together.

Each keyframe lies some metres off, a little turned and stretched, by errors of its own camera's pose. Alone, its pairs
cover a part of the image, and a pose through them trades tilt for position; all pairs together pin the tilt, if the
keyframes may move against each other. Tiles of one map may not: their errors are the map's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.fix.planar_pose import PlanarPose, Prior, solve
from runtime.fix.sheets import Sheets
from runtime.fix.verify import NOISE, Ground, Verified

Array = NDArray[np.float64]

_AGREES_WITHIN = 0.25  # of the footprint: keyframes further apart disagree
_MAX_SIGMA_M = 50.0  # a georeference that says nothing says at least this
_POSE_SIGMA = np.array([math.radians(3.0), 0.03, math.radians(2.0), math.radians(2.0)])  # of recorded poses, see Sheets
_OWN_SHARE = 0.5  # of the variance of a recorded keyframe's georeference; the rest it shares with its neighbours


@dataclass(frozen=True, slots=True)
class Consensus:
    """The camera's pose through all ``members`` (the keyframes that agree), its (2, 2) ``covariance_m2`` north and east
    with the keyframes' georeference, and the ``strongest`` of them, with the most pairs."""

    pose: PlanarPose
    covariance_m2: Array
    members: tuple[Verified, ...]
    strongest: Verified

    @property
    def agreeing(self) -> int:
        """How many keyframes it rests on."""
        return len(self.members)

    @property
    def sigma_m(self) -> float:
        """Horizontal 1-sigma per axis."""
        return math.sqrt(float(np.trace(self.covariance_m2)) / 2)


def consensuses_of(passed: Sequence[Verified], middle_ray: tuple[float, float], prior: Prior) -> list[Consensus]:
    """The keyframes that passed, in groups that agree on a place: the largest, then the largest of the rest, and so on.
    See `consensus_of`."""
    found: list[Consensus] = []
    left = list(passed)
    while left:
        found.append(consensus_of(left, middle_ray, prior))
        spoken_for = {id(one) for one in found[-1].members}
        left = [one for one in left if id(one) not in spoken_for]
    return found


def consensus_of(passed: Sequence[Verified], middle_ray: tuple[float, float], prior: Prior) -> Consensus:
    """Of the largest group of keyframes, counted by pairs, that agree on the ground that ``middle_ray`` meets."""
    middle = np.array([middle_ray])
    ground = np.array([one.pose.ground_of(middle)[0] for one in passed])
    pairs = np.array([one.inliers for one in passed], dtype=np.float64)
    reach_m = _AGREES_WITHIN * np.array([one.keyframe.footprint_m for one in passed])
    near = np.linalg.norm(ground[:, None] - ground[None], axis=2) <= reach_m[:, None]
    group = near[int(np.argmax(near @ pairs))]
    agreeing = [one for one, inside in zip(passed, group, strict=True) if inside]
    strongest = max(agreeing, key=lambda one: one.inliers)
    pose = _adjusted(agreeing, strongest, prior)
    return Consensus(pose, _covariance(agreeing, pose, ground[group]), tuple(agreeing), strongest)


def _adjusted(agreeing: Sequence[Verified], strongest: Verified, prior: Prior) -> PlanarPose:
    if len(agreeing) == 1:
        return strongest.pose
    return solve(
        np.concatenate([one.rays for one in agreeing]),
        np.concatenate([one.ground for one in agreeing]),
        NOISE * strongest.keyframe.footprint_m,
        prior,
        start=strongest.pose,
        sheets=_sheets(agreeing),
    )


def _sheets(agreeing: Sequence[Verified]) -> Sheets:
    shift_m = np.sqrt(_own_share(agreeing)) * _georeference(agreeing)
    recorded = np.array([[math.isfinite(one.keyframe.height_m)] for one in agreeing])
    return Sheets(
        of=np.repeat(np.arange(len(agreeing)), [len(one.rays) for one in agreeing]),
        centres_m=np.array([one.keyframe.centre for one in agreeing]),
        heights_m=np.array([one.keyframe.height_m for one in agreeing]),
        sigma=np.hstack([shift_m[:, None], shift_m[:, None], recorded * _POSE_SIGMA]),
    )


def _covariance(agreeing: Sequence[Verified], pose: PlanarPose, places: Array) -> Array:
    """(2, 2) m2, north and east: the pose's own, the part of the georeference that neighbours share, how far the
    keyframes lie apart, and what the camera's way from them is off by, since the error of their heights, and so of
    their scale, is one they share. An oblique view is sure of the ground below its own camera and not of what it shows,
    so the way is from there. ``places`` (N, 2): east and south."""
    weights = np.array([one.inliers for one in agreeing], dtype=np.float64)
    weights /= weights.sum()
    georeference, own_share = _georeference_at_pivot(agreeing), _own_share(agreeing)
    own = float(own_share[0] * georeference[0] ** 2) if len(agreeing) == 1 else 0.0  # of several it is in the pose's
    shared = float(weights @ ((1.0 - own_share) * georeference**2))
    centred = places - weights @ places
    spread = (centred.T * weights) @ centred * float(np.sum(weights**2))
    away = np.array([pose.east_m, pose.south_m]) - weights @ np.array([_pivot(one.keyframe) for one in agreeing])
    across = np.array([-away[1], away[0]])
    stretch = float(weights @ np.array([one.keyframe.scale_sigma**2 for one in agreeing])) * np.outer(away, away)
    turn = float(weights @ np.array([_turn_sigma_rad(one.keyframe) ** 2 for one in agreeing]))
    east_south = pose.covariance_m2 + spread + stretch + turn * np.outer(across, across) + np.eye(2) * (own + shared)
    return np.asarray(_NORTH_EAST_FROM_EAST_SOUTH @ east_south @ _NORTH_EAST_FROM_EAST_SOUTH.T)


_NORTH_EAST_FROM_EAST_SOUTH = np.array([[0.0, -1.0], [1.0, 0.0]])


def _own_share(agreeing: Sequence[Verified]) -> Array:
    """(N,) shares of the variance of the keyframes' places that each has for itself; tiles of one map have none."""
    return np.array([_OWN_SHARE if math.isfinite(one.keyframe.height_m) else 0.0 for one in agreeing])


def _georeference(agreeing: Sequence[Verified]) -> Array:
    """(N,) 1-sigma of the keyframes' places."""
    return np.array([min(one.keyframe.sigma_m, _MAX_SIGMA_M) for one in agreeing])


def _pivot(keyframe: Ground) -> Array:
    return keyframe.centre if keyframe.camera is None else keyframe.camera.place


def _turn_sigma_rad(keyframe: Ground) -> float:
    return 0.0 if keyframe.camera is None else keyframe.camera.turn_sigma_rad


def _georeference_at_pivot(agreeing: Sequence[Verified]) -> Array:
    """(N,) 1-sigma of the keyframes' ground, of oblique ones below their cameras."""
    centres, cameras = _georeference(agreeing), [one.keyframe.camera for one in agreeing]
    return np.array([
        sigma_m if camera is None else min(sigma_m, camera.sigma_m)
        for sigma_m, camera in zip(centres, cameras, strict=True)
    ])  # fmt: skip
