"""What photos say of themselves, and a mosaic of them laid onto their position tags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.geodesy import north_east_m
from runtime.survey.adjust import Array, Observed
from runtime.survey.mosaic import Mosaic, Ties
from runtime.survey.overlaps import Overlap
from runtime.survey.rays import Look, meets_ground
from runtime.values import Measured, Pose, Position

Complex = NDArray[np.complex128]

SOURCE = "solved from overlaps"  # of heights and headings
FLAG = "flag"  # source of what the user says, which is not replaced
_MIN_HEIGHT_M = 1e-6  # of a first guess: tags all in one place give a scale of zero
MIN_TAG_SIGMA_M = 4.0  # tags of one flight err together; their own claim is too good
_TILT_SIGMA_RAD = math.radians(6.0)  # a copter that flies and brakes with a fixed camera
_MEASURED_TILT_SIGMA_RAD = math.radians(1.5)
_LEVER_SIGMA_M, _DRIFT_SIGMA_M_S = 6.0, 0.1


@dataclass(frozen=True, slots=True)
class Tagged:
    """What a photo's file says: its ``tag``, and of height, heading and attitude what is known."""

    pose: Pose
    tag: Position


@dataclass(frozen=True, slots=True)
class Anchored:
    """A first guess of N poses and of what is common to their tags, as `adjust` takes both: ``photos`` (N, 6) and
    ``common`` (4,). ``sigma`` of the scale as a share and of the turn in radians, alike, as the tags give them."""

    photos: Array
    common: Array
    sigma: float


def without_heading(pose: Pose) -> Pose:
    """The pose with its tilt alone."""
    attitude = pose.attitude
    return pose if attitude is None else replace(pose, attitude=replace(attitude, heading_sigma_rad=math.inf))


def ties_of(told: Sequence[Tagged], cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]) -> Ties:
    """Overlaps in pixels as pairs of sight rays in the level frame; what lies near a photo's horizon is left out."""
    looks = [Look.of(camera, one.pose) for camera, one in zip(cameras, told, strict=True)]
    first, second, number = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    rays: tuple[list[Array], list[Array]] = ([np.zeros((0, 3))], [np.zeros((0, 3))])
    for k, overlap in enumerate(overlaps):
        a, b = looks[overlap.first].rays(overlap.first_px), looks[overlap.second].rays(overlap.second_px)
        below = meets_ground(a) & meets_ground(b)
        count = int(below.sum())
        first.append(np.full(count, overlap.first))
        second.append(np.full(count, overlap.second))
        number.append(np.full(count, k))
        rays[0].append(a[below])
        rays[1].append(b[below])
    return Ties(
        np.concatenate(first), np.concatenate(second), np.concatenate(rays[0]), np.concatenate(rays[1]),
        np.concatenate(number),
    )  # fmt: skip


def tags_m(told: Sequence[Tagged]) -> Array:
    """(N, 2) north and east of the tags from the first."""
    return np.array([north_east_m(told[0].tag.point, one.tag.point) for one in told])


def observed(told: Sequence[Tagged]) -> Observed:
    """What photos say of themselves as numbers, in metres from the first one's tag and seconds from their middle."""
    nan, poses = math.nan, [one.pose for one in told]
    time_s = _times_s(poses)
    heights = [pose.height_agl_m or Measured(nan, nan, "") for pose in poses]
    headings = [pose.heading or Measured(nan, nan, "") for pose in poses]
    return Observed(
        tag_ne_m=tags_m(told),
        tag_sigma_m=np.maximum([one.tag.sigma_m for one in told], MIN_TAG_SIGMA_M),
        time_s=time_s - (time_s.max() + time_s.min()) / 2,
        log_height=np.log([height.value for height in heights]),
        log_height_sigma=np.array([height.sigma / height.value for height in heights]),
        heading_rad=np.array([heading.value for heading in headings]),
        heading_sigma_rad=np.array([heading.sigma for heading in headings]),
        tilt_sigma_rad=np.array([_MEASURED_TILT_SIGMA_RAD if p.attitude_measured else _TILT_SIGMA_RAD for p in poses]),
    )


def _times_s(poses: Sequence[Pose]) -> Array:
    """(N,) seconds; all zero where a photo's time is unknown, so that no drift is seen in their order."""
    known = [pose.t_ns for pose in poses if pose.t_ns is not None]
    times_ns = known if len(known) == len(poses) else [0] * len(poses)
    return np.array(times_ns, dtype=np.float64) * 1e-9


def anchored(mosaic: Mosaic, seen: Observed) -> Anchored:
    """The mosaic turned, scaled and shifted to the tags by complex least squares, reweighted; where heights or headings
    are known they give scale and turn instead."""
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
    photos[:, 2] = np.log(np.maximum(np.abs(mosaic.factor * factor), _MIN_HEIGHT_M))
    photos[:, 3] = np.angle(mosaic.factor * factor)
    lever *= np.exp(-1j * np.angle(factor))  # the fit's nose still pointed along the mosaic's own north
    common = np.array([lever.real, lever.imag, drift.real, drift.imag])
    weighted = np.asarray(design * weight[:, None], dtype=np.complex128)
    return Anchored(photos, common, _share(weighted, ridge, misfit, complex(found[0]), photos, seen))


def _share(rows: Complex, ridge: Complex, misfit: Array, scale: complex, photos: Array, seen: Observed) -> float:
    """1-sigma of the fit's complex scale, as a share of it: from the tags' scatter, the larger one of the expected and
    the found, and from unknown tilts, which shift a camera against the ground below it."""
    information = rows.conj().T @ rows + ridge.conj().T @ ridge
    variance = float(np.linalg.pinv(information, hermitian=True)[0, 0].real)
    scatter = float(np.sum(misfit**2 / np.sqrt(1.0 + misfit**2))) / max(2 * len(misfit) - 4, 1)
    off_m = np.exp(photos[:, 2]) * seen.tilt_sigma_rad
    tilts = float(np.median(off_m / seen.tag_sigma_m)) ** 2
    return math.sqrt(max(variance, 0.0) * (max(1.0, scatter) + tilts)) / max(abs(scale), 1e-12)


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


