"""Solves what a folder of photos does not say (height, heading, tilt) from its overlaps and position tags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runtime.camera_model import CameraModel
from runtime.geodesy import north_east_m, offset
from runtime.rotations import quaternion, rotation
from runtime.survey.adjust import Adjusted, Array, adjust, turn
from runtime.survey.anchor import FLAG, MIN_TAG_SIGMA_M, SOURCE, Tagged, anchored, observed, tags_m, ties_of
from runtime.survey.heights import SeenHeight, seen_heights
from runtime.survey.mosaic import Ties, assemble, components, within, without_false
from runtime.survey.overlaps import Overlap
from runtime.survey.rays import tilt_of
from runtime.values import Attitude, Measured, Pose, Position, PositionSource

MIN_PHOTOS = 4  # fewer leave scale and heading to the noise of their tags
_MIN_SOLVED_SIGMA_M = 1.0  # what the adjustment's own sigma leaves out: ground that is not flat
_MIN_SPAN = 4.0  # of the tags' sigma: nearer together they say nothing of scale

@dataclass(frozen=True, slots=True)
class Solved:
    """One photo: the camera's ``pose``, with height, heading and attitude, and its ``position``; ``tag_residual_m`` how
    far its tag lies from where lever and drift would put it."""

    pose: Pose
    position: Position
    tag_residual_m: float


@dataclass(frozen=True, slots=True)
class Solution:
    """``photos`` in the order given, None where a photo could not be tied in, with ``reasons`` for those.

    ``lever_m``: forward and right from the camera to what the tags mean, ``lag_s`` the receiver's lag that would
    look the same; ``drift_m_s`` of the tags, north and east. The solved positions are free of both: overlaps tie the
    cameras to one another, and the tags' mean at the middle of the flight says where on the Earth all of them lie.
    ``misfit_m``: median distance of points that two photos both show. ``heights``: what was seen of the heights
    that the photos said.
    """

    photos: tuple[Solved | None, ...]
    reasons: tuple[str, ...]
    pairs: int
    lever_m: tuple[float, float]
    drift_m_s: tuple[float, float]
    lag_s: float | None
    misfit_m: float
    heights: tuple[SeenHeight | None, ...] = ()

    @property
    def residuals_m(self) -> Array:
        """(M,) distances between the tags and what the solution says of them."""
        return np.array([photo.tag_residual_m for photo in self.photos if photo is not None])

    @property
    def heights_m(self) -> Array:
        """(M,) heights above ground."""
        return np.array([p.pose.height_agl_m.value for p in self.photos if p and p.pose.height_agl_m])

    def summary(self) -> str:
        """How good it is, in one line for people."""
        if not len(self.residuals_m):
            return "nothing could be solved from overlaps"
        median, worst = float(np.median(self.residuals_m)), float(self.residuals_m.max())
        heights = np.percentile(self.heights_m, [5, 50, 95])
        lag = f", about {self.lag_s:.1f} s of lag" if self.lag_s is not None else ""
        return (
            f"solved {len(self.residuals_m)} of {len(self.photos)} photos from {self.pairs} overlaps, which agree to "
            f"{self.misfit_m:.2f} m: height {heights[1]:.1f} m (5-95 %: {heights[0]:.1f}-{heights[2]:.1f}), tags off "
            f"by {median:.1f} m in the middle and {worst:.1f} m at worst, {math.hypot(*self.lever_m):.1f} m from the "
            f"camera in a body-fixed direction{lag}, drifting {math.hypot(*self.drift_m_s):.2f} m/s"
        )


def solve(told: Sequence[Tagged], cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]) -> Solution:
    """Heights, headings and tilts of photos that overlap, from where they overlap and where they were tagged.

    Args:
        told: by the photos; a height, heading or attitude that is there is taken as a measurement.
        cameras: one per photo.
        overlaps: as `runtime.survey.overlaps` finds them.
    """
    ties = without_false(len(told), ties_of(told, cameras, overlaps))
    photos: list[Solved | None] = [None] * len(told)
    heights: list[SeenHeight | None] = [None] * len(told)
    reasons = ["overlaps with no other photo"] * len(told)
    largest: Adjusted | None = None
    for group in components(len(told), ties):
        members = [told[k] for k in group]
        refused = refusal(members)
        for k in group:
            reasons[k] = reasons[k] if len(group) == 1 else refused
        if refused:
            continue
        own = within(ties, group)
        seen = seen_heights(members, own)
        members = [_doubted(one, height) for one, height in zip(members, seen, strict=True)]
        adjusted = _solve_group(members, own)
        largest = largest or adjusted
        for k, solved, height in zip(group, _solved(members, adjusted), seen, strict=True):
            photos[k], heights[k] = solved, height
    lever = (float(largest.lever_m[0]), float(largest.lever_m[1])) if largest else (0.0, 0.0)
    drift = (float(largest.drift_m_s[0]), float(largest.drift_m_s[1])) if largest else (0.0, 0.0)
    lag_s = _lag(photos, lever[0])
    misfit_m = float(np.median(largest.tie_misfit) * np.exp(np.median(largest.photos[:, 2]))) if largest else 0.0
    pairs = len(np.unique(ties.overlap))
    return Solution(tuple(photos), tuple(reasons), pairs, lever, drift, lag_s, misfit_m, tuple(heights))


def refusal(told: Sequence[Tagged]) -> str:
    """Why photos that overlap say too little to solve their heights and headings; empty when they say enough."""
    if len(told) < MIN_PHOTOS:
        return f"overlaps with too few others ({len(told) - 1}) to solve its height and heading"
    span_m = float(np.linalg.norm(np.ptp(tags_m(told), axis=0)))
    known = all(one.pose.height_agl_m is not None and one.pose.heading is not None for one in told)
    if span_m < _MIN_SPAN * MIN_TAG_SIGMA_M and not known:
        return f"its flight's tags span {span_m:.0f} m, too little to solve height and heading"
    return ""


def _doubted(one: Tagged, seen: SeenHeight | None) -> Tagged:
    """The photo without a height that is contradicted, or with that doubt in it; what the user says stays."""
    if seen is None or not seen.contradicted or seen.said.source == FLAG:
        return one
    return replace(one, pose=replace(one.pose, height_agl_m=None if seen.solved else seen.height))


def _solve_group(told: Sequence[Tagged], ties: Ties) -> Adjusted:
    seen = observed(told)
    mosaic = assemble(len(told), ties)
    start = anchored(mosaic, seen)
    return adjust(start.photos, start.common, ties, seen)


def _solved(told: Sequence[Tagged], adjusted: Adjusted) -> list[Solved]:
    residual = np.linalg.norm(adjusted.tags_missed_m, axis=1)
    attitudes = turn(adjusted.photos)
    found = []
    for k, (one, photo, sigma) in enumerate(zip(told, adjusted.photos, adjusted.sigma, strict=True)):
        height_m = math.exp(photo[2])
        pose = replace(
            one.pose,
            height_agl_m=Measured(height_m, height_m * float(sigma[2]), SOURCE),
            attitude=Attitude(quaternion(attitudes[k] * rotation(tilt_of(one.pose))), float(sigma[3]), SOURCE),
        )
        point = offset(told[0].tag.point, float(photo[0]), float(photo[1]))
        sigma_m = float(max(math.hypot(sigma[0], sigma[1]) / math.sqrt(2), _MIN_SOLVED_SIGMA_M))
        found.append(Solved(pose, Position.circular(point, sigma_m, PositionSource.SURVEY), float(residual[k])))
    return found


def _lag(photos: Sequence[Solved | None], lever_forward_m: float) -> float | None:
    """The lag of the tags that a lever backwards stands for, by the speed between consecutive photos."""
    found = [photo for photo in photos if photo is not None]
    speeds = []
    for a, b in zip(found, found[1:], strict=False):
        if a.pose.t_ns is None or b.pose.t_ns is None:
            continue
        elapsed_s = (b.pose.t_ns - a.pose.t_ns) * 1e-9
        if elapsed_s > 0:
            speeds.append(math.hypot(*north_east_m(a.position.point, b.position.point)) / elapsed_s)
    speed = float(np.median(speeds)) if speeds else 0.0
    return -lever_forward_m / speed if speed > 0.5 and lever_forward_m < -1.0 else None
