"""Solves what a folder of photos does not say (height, heading, tilt) from its overlaps and position tags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.geodesy import north_east_m, offset
from runtime.rotations import euler_of, quaternion, rotation
from runtime.survey.adjust import Adjusted, Array, Observed, adjust, tag_of, turn
from runtime.survey.mosaic import Mosaic, Ties, assemble, components, within, without_false
from runtime.survey.overlaps import Overlap
from runtime.values import Attitude, Measured, Pose, Position, PositionSource

SOURCE = "solved from overlaps"  # of heights and headings
MIN_PHOTOS = 4  # fewer leave scale and heading to the noise of their tags
_MIN_TAG_SIGMA_M = 4.0  # tags of one flight err together; their own claim is too good
_MIN_SOLVED_SIGMA_M = 1.0  # what the adjustment's own sigma leaves out: ground that is not flat
_MIN_SPAN = 4.0  # of the tags' sigma: nearer together they say nothing of scale
_TILT_SIGMA_RAD = math.radians(6.0)  # a copter that flies and brakes with a fixed camera
_MEASURED_TILT_SIGMA_RAD = math.radians(1.5)
_LEVER_SIGMA_M, _DRIFT_SIGMA_M_S = 6.0, 0.1


@dataclass(frozen=True, slots=True)
class Tagged:
    """What a photo's file says: its ``tag``, and of height, heading and attitude what is known."""

    pose: Pose
    tag: Position


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
    ``misfit_m``: median distance of points that two photos both show.
    """

    photos: tuple[Solved | None, ...]
    reasons: tuple[str, ...]
    pairs: int
    lever_m: tuple[float, float]
    drift_m_s: tuple[float, float]
    lag_s: float | None
    misfit_m: float

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
    ties = without_false(len(told), ties_of(cameras, overlaps))
    photos: list[Solved | None] = [None] * len(told)
    reasons = ["overlaps with no other photo"] * len(told)
    largest: Adjusted | None = None
    for group in components(len(told), ties):
        members = [told[k] for k in group]
        refusal = _refusal(members)
        for k in group:
            reasons[k] = reasons[k] if len(group) == 1 else refusal
        if refusal:
            continue
        adjusted = _solve_group(members, within(ties, group))
        largest = largest or adjusted
        for k, solved in zip(group, _solved(members, adjusted), strict=True):
            photos[k] = solved
    lever = (float(largest.lever_m[0]), float(largest.lever_m[1])) if largest else (0.0, 0.0)
    drift = (float(largest.drift_m_s[0]), float(largest.drift_m_s[1])) if largest else (0.0, 0.0)
    lag_s = _lag(photos, lever[0])
    misfit_m = float(np.median(largest.tie_misfit) * np.exp(np.median(largest.photos[:, 2]))) if largest else 0.0
    return Solution(tuple(photos), tuple(reasons), len(np.unique(ties.overlap)), lever, drift, lag_s, misfit_m)


def seen_headings(
    told: Sequence[Tagged], cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]
) -> list[float | None]:
    """Where the image tops really point, from overlaps and tags alone, good to some ten degrees; None: unseen.

    What a file says of its heading is not looked at: software that turns pixels leaves such tags as they were.
    """
    bare = [Tagged(replace(one.pose, attitude=None), one.tag) for one in told]
    ties = without_false(len(bare), ties_of(cameras, overlaps))
    found: list[float | None] = [None] * len(bare)
    for group in components(len(bare), ties):
        members = [bare[k] for k in group]
        if _refusal(members):
            continue
        start, _ = _anchored(assemble(len(members), within(ties, group)), _observed(members))
        for k, heading in zip(group, start[:, 3], strict=True):
            found[k] = math.remainder(float(heading), math.tau)
    return found


def ties_of(cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]) -> Ties:
    """Overlaps in pixels as pairs of sight rays in the body frame."""
    first, second, number = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    rays: tuple[list[Array], list[Array]] = ([np.zeros((0, 3))], [np.zeros((0, 3))])
    for k, overlap in enumerate(overlaps):
        count = len(overlap.first_px)
        first.append(np.full(count, overlap.first))
        second.append(np.full(count, overlap.second))
        number.append(np.full(count, k))
        rays[0].append(body_rays(cameras[overlap.first], overlap.first_px))
        rays[1].append(body_rays(cameras[overlap.second], overlap.second_px))
    return Ties(
        np.concatenate(first), np.concatenate(second), np.concatenate(rays[0]), np.concatenate(rays[1]),
        np.concatenate(number),
    )  # fmt: skip


def body_rays(camera: CameraModel, pixels: NDArray[np.float64]) -> Array:
    """(N, 3) sight rays in the body frame (forward, right, down) of (N, 2) pixels."""
    flat = cv2.undistortPoints(
        pixels.reshape(-1, 1, 2).astype(np.float64), camera.matrix, np.array(camera.distortion)
    ).reshape(-1, 2)
    return np.asarray(rotation(camera.body_from_camera).apply(np.hstack([flat, np.ones((len(flat), 1))])))


def _tags_m(told: Sequence[Tagged]) -> Array:
    """(N, 2) north and east of the tags from the first."""
    return np.array([north_east_m(told[0].tag.point, one.tag.point) for one in told])


def _refusal(told: Sequence[Tagged]) -> str:
    if len(told) < MIN_PHOTOS:
        return f"overlaps with too few others ({len(told) - 1}) to solve its height and heading"
    span_m = float(np.linalg.norm(np.ptp(_tags_m(told), axis=0)))
    known = all(one.pose.height_agl_m is not None and one.pose.heading is not None for one in told)
    if span_m < _MIN_SPAN * _MIN_TAG_SIGMA_M and not known:
        return f"its flight's tags span {span_m:.0f} m, too little to solve height and heading"
    return ""


def _solve_group(told: Sequence[Tagged], ties: Ties) -> Adjusted:
    observed = _observed(told)
    mosaic = assemble(len(told), ties)
    start, common = _anchored(mosaic, observed)
    return adjust(start, common, ties, observed)


def _observed(told: Sequence[Tagged]) -> Observed:
    nan, poses = math.nan, [one.pose for one in told]
    time_s = _times_s(poses)
    tilts = [_tilt(pose) for pose in poses]
    heights = [pose.height_agl_m or Measured(nan, nan, "") for pose in poses]
    headings = [pose.heading or Measured(nan, nan, "") for pose in poses]
    return Observed(
        tag_ne_m=_tags_m(told),
        tag_sigma_m=np.maximum([one.tag.sigma_m for one in told], _MIN_TAG_SIGMA_M),
        time_s=time_s - (time_s.max() + time_s.min()) / 2,
        log_height=np.log([height.value for height in heights]),
        log_height_sigma=np.array([height.sigma / height.value for height in heights]),
        heading_rad=np.array([heading.value for heading in headings]),
        heading_sigma_rad=np.array([heading.sigma for heading in headings]),
        tilt_rad=np.array([tilt[:2] for tilt in tilts]),
        tilt_sigma_rad=np.array([tilt[2] for tilt in tilts]),
    )


def _times_s(poses: Sequence[Pose]) -> Array:
    """(N,) seconds; all zero where a photo's time is unknown, so that no drift is seen in their order."""
    known = [pose.t_ns for pose in poses if pose.t_ns is not None]
    times_ns = known if len(known) == len(poses) else [0] * len(poses)
    return np.array(times_ns, dtype=np.float64) * 1e-9


def _tilt(pose: Pose) -> tuple[float, float, float]:
    """Pitch, roll and their sigma."""
    if pose.ned_from_body is None:
        return 0.0, 0.0, _TILT_SIGMA_RAD
    roll, pitch, _ = euler_of(pose.ned_from_body)
    return pitch, roll, _MEASURED_TILT_SIGMA_RAD if pose.attitude_measured else _TILT_SIGMA_RAD


def _anchored(mosaic: Mosaic, seen: Observed) -> tuple[Array, Array]:
    """The mosaic turned, scaled and shifted to the tags (complex least squares, reweighted): (N, 6), (4,)."""
    tags = seen.tag_ne_m[:, 0] + 1j * seen.tag_ne_m[:, 1]
    nose = mosaic.factor / np.abs(mosaic.factor)
    place = mosaic.place - mosaic.place.mean()
    one = np.ones(len(tags), np.complex128)
    design = np.stack([place, one, nose, seen.time_s.astype(np.complex128)], axis=1)
    ridge = np.diag([0.0, 0.0, 1 / _LEVER_SIGMA_M, 1 / _DRIFT_SIGMA_M_S]).astype(np.complex128)
    weight = 1.0 / seen.tag_sigma_m
    for _ in range(30):
        rows = np.vstack([design * weight[:, None], ridge])
        found = np.linalg.lstsq(rows, np.append(tags * weight, np.zeros(4)), rcond=None)[0]
        misfit = np.abs(design @ found - tags) / seen.tag_sigma_m
        weight = 1.0 / seen.tag_sigma_m / np.sqrt(1.0 + misfit**2)
    factor, shift, lever, drift = _with_known(complex(found[0]), mosaic, seen), *found[1:]
    photos = np.zeros((len(tags), 6))
    at = place * factor + shift
    photos[:, 0], photos[:, 1] = at.real, at.imag
    photos[:, 2] = np.log(np.abs(mosaic.factor * factor))
    photos[:, 3] = np.angle(mosaic.factor * factor)
    photos[:, 4:6] = seen.tilt_rad
    lever *= np.exp(-1j * np.angle(factor))  # the fit's nose still pointed along the mosaic's own north
    return photos, np.array([lever.real, lever.imag, drift.real, drift.imag])


def _with_known(factor: complex, mosaic: Mosaic, seen: Observed) -> complex:
    """The fit's scale and turn, each replaced by what heights or headings say where they are known."""
    size, angle = abs(factor), float(np.angle(factor))
    known = np.isfinite(seen.log_height)
    if known.any():
        size = float(np.exp(np.median(seen.log_height[known] - np.log(np.abs(mosaic.factor[known])))))
    known = np.isfinite(seen.heading_rad)
    if known.any():
        turns = np.exp(1j * seen.heading_rad[known]) * np.conj(mosaic.factor[known])
        angle = float(np.angle(np.sum(turns / np.abs(turns))))
    return complex(size * np.exp(1j * angle))


def _solved(told: Sequence[Tagged], adjusted: Adjusted) -> list[Solved]:
    seen = _observed(told)
    common = np.append(adjusted.lever_m, adjusted.drift_m_s)
    residual = np.linalg.norm(tag_of(adjusted.photos, seen.time_s, common) - seen.tag_ne_m, axis=1)
    attitudes = turn(adjusted.photos)
    found = []
    for k, (one, photo, sigma) in enumerate(zip(told, adjusted.photos, adjusted.sigma, strict=True)):
        height_m = math.exp(photo[2])
        pose = replace(
            one.pose,
            height_agl_m=Measured(height_m, height_m * float(sigma[2]), SOURCE),
            attitude=Attitude(quaternion(attitudes[k]), float(sigma[3]), SOURCE),
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
