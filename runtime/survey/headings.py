"""Holds the headings that photos say against what their overlaps and tags show of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from runtime.camera_model import CameraModel
from runtime.rotations import euler_of, quaternion, rotation
from runtime.survey.adjust import HEIGHT, Array, ground_of
from runtime.survey.anchor import FLAG, SOURCE, Tagged, anchored, observed, ties_of, without_heading
from runtime.survey.mosaic import Ties, assemble, components, within, without_false
from runtime.survey.overlaps import Overlap
from runtime.survey.rays import tilt_of
from runtime.survey.solver import refusal
from runtime.values import Attitude, Pose, Quaternion

MAX_HEADING_ERROR_RAD = math.radians(30.0)  # more than a bad compass: the pixels were turned
_SEEN_SIGMA_RAD = math.radians(5.0)  # of what a mosaic of photos taken for level shows
_SIGNIFICANT_SIGMAS = 3.0  # of both headings: less is the noise of tags that lie near together


def turned_poses(
    told: Sequence[Tagged], cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]
) -> list[Pose | None]:
    """The poses of photos whose pixels were turned after the exposure, as software for showing them does; None for all
    others.

    A heading that the user gave is not doubted. One that a file says is replaced where the overlaps contradict it by
    more than a compass errs and more than the tags' noise, and where the photo's overlaps then fit better.
    """
    bare = [Tagged(replace(without_heading(one.pose), height_agl_m=None), one.tag) for one in told]
    ties = without_false(len(bare), ties_of(bare, cameras, overlaps))
    found: list[Pose | None] = [None] * len(bare)
    for group in components(len(bare), ties):
        members = [told[k] for k in group]
        if not refusal([bare[k] for k in group]):
            for k, pose in zip(group, _turned(members, [bare[k] for k in group], within(ties, group)), strict=True):
                found[k] = pose
    return found


def _turned(told: Sequence[Tagged], bare: Sequence[Tagged], ties: Ties) -> list[Pose | None]:
    start = anchored(assemble(len(bare), ties), observed(bare))
    sigma_rad = math.hypot(start.sigma, _SEEN_SIGMA_RAD)
    seen = [math.remainder(float(heading), math.tau) for heading in start.photos[:, 3]]
    doubted = [_contradicted(one.pose, heading, sigma_rad) for one, heading in zip(told, seen, strict=True)]
    candidates = [
        _turned_to(one.pose, heading) if wrong else one.pose
        for one, heading, wrong in zip(told, seen, doubted, strict=True)
    ]
    tilts = [tilt_of(one.pose) for one in told]
    before = _misfits([one.pose for one in told], tilts, start.photos, ties)
    after = _misfits(candidates, tilts, start.photos, ties)
    better = np.array(doubted) & (after < before)
    return [pose if fits else None for pose, fits in zip(candidates, better, strict=True)]


def _contradicted(pose: Pose, seen_rad: float, sigma_rad: float) -> bool:
    if pose.heading is None or pose.heading.source == FLAG:
        return False
    apart_rad = abs(math.remainder(pose.heading.value - seen_rad, math.tau))
    significant_rad = _SIGNIFICANT_SIGMAS * math.hypot(sigma_rad, pose.heading.sigma)
    return apart_rad > max(MAX_HEADING_ERROR_RAD, significant_rad)


def _turned_to(pose: Pose, heading_rad: float) -> Pose:
    """The pose of a camera turned about its own axis until the image's top points to ``heading_rad``."""
    assert pose.heading is not None and pose.attitude is not None
    turn = Rotation.from_euler("Z", heading_rad - pose.heading.value)
    turned = quaternion(rotation(pose.attitude.ned_from_body) * turn)
    return replace(pose, attitude=Attitude(turned, _SEEN_SIGMA_RAD, SOURCE, pose.attitude.tilt_measured))


def _misfits(
    poses: Sequence[Pose], tilts: Sequence[Quaternion], placed: Array, ties: Ties
) -> NDArray[np.float64]:
    """(N,) median distance, in heights, between the two ground points of a photo's ties, with the photos' attitudes as
    they are and their places and heights as the mosaic has them. ``tilts``: those that the ties are free of."""
    photos = placed.copy()
    for k, pose in enumerate(poses):
        if pose.ned_from_body is not None:
            roll, pitch, yaw = euler_of(quaternion(rotation(pose.ned_from_body) * rotation(tilts[k]).inv()))
            photos[k, 3:6] = yaw, pitch, roll
    apart = ground_of(photos, ties.first, ties.first_ray) - ground_of(photos, ties.second, ties.second_ray)
    apart_heights = np.linalg.norm(apart, axis=1) / np.exp(placed[ties.first, HEIGHT])
    return np.array(
        [np.median(apart_heights[(ties.first == k) | (ties.second == k)]) for k in range(len(poses))]
    )
