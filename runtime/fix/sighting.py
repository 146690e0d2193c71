"""A query frame as sight rays, and the poses that it may have been taken from where telemetry does not say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.fix.local_features import extract, extract_upright
from runtime.fix.planar_pose import Prior
from runtime.fix.verify import Sighting
from runtime.rotations import ned_from_euler, quaternion, rotation
from runtime.values import Frame, ImageRGB, Measured, Pose
from runtime.view import MAX_TILT_RAD, GroundPlane, rectify

HEADINGS = 12  # tried where north is unknown: 30 degrees apart, the towers stand half of that
_FEATURE_SIDE_PX = 640  # longer side of the frame that features are looked for in
_FEATURES = 800
UPRIGHT_FEATURES = 180
_LEVEL_SIGMA_RAD = math.radians(10.0)  # a camera of which only the mounting is known, on a craft that banks
_TILT_SIGMA_RAD = math.radians(2.0)  # a measured attitude
_MIN_COVERAGE = 0.8  # of a crop to be compared: keyframes have 0.9 of theirs
_HEADING_SLACK_RAD = math.radians(3.0)  # a compass is rarely better than this, whatever it claims


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the camera: ``pose`` with attitude (heading 0 where unknown), and which parts are real."""

    camera: CameraModel
    pose: Pose
    heading: bool
    height: bool

    @property
    def posed(self) -> bool:
        """Whether a north-up crop of known scale can be cut."""
        return self.heading and self.height

    @property
    def heading_rad(self) -> float:
        """Of the pose; 0 where it is unknown."""
        return self.pose.heading.value if self.heading and self.pose.heading else 0.0

    @property
    def turn(self) -> NDArray[np.float64]:
        """(3, 3) from the camera to the frame x east, y south, z down."""
        assert self.pose.ned_from_body is not None
        ned = rotation(self.pose.ned_from_body) * rotation(self.camera.body_from_camera)
        east_south_from_north_east = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        return np.asarray(east_south_from_north_east @ ned.as_matrix())

    @property
    def prior(self) -> Prior:
        """For verification."""
        height, heading = self.pose.height_agl_m, self.pose.heading
        tilt_sigma_rad = _TILT_SIGMA_RAD if self.pose.attitude_measured else _LEVEL_SIGMA_RAD
        return Prior(
            tilt_sigma_rad=tilt_sigma_rad,
            heading_sigma_rad=max(heading.sigma, _HEADING_SLACK_RAD) if self.heading and heading else math.inf,
            height_m=height.value if self.height and height else 1.0,
            height_sigma_m=max(height.sigma, 0.03 * height.value) if self.height and height else math.inf,
        )


def known_of(frame: Frame, camera: CameraModel, pose: Pose, any_heading: bool) -> Known:
    """What ``pose`` says, position and time left out; a heading is distrusted on request."""
    camera = camera.scaled_to(frame.image.shape[1], frame.image.shape[0])
    heading = pose.heading if not any_heading else None
    attitude = pose.ned_from_body
    if heading is None:
        attitude = ned_from_euler(0.0, 0.0, 0.0) if attitude is None else _northward(attitude)
    elif attitude is None:
        attitude = ned_from_euler(0.0, 0.0, heading.value)
    height = pose.height_agl_m if pose.height_agl_m is not None and pose.height_agl_m.value > 0 else None
    bare = Pose(
        t_ns=0, height_agl_m=height, ned_from_body=attitude, heading=heading,
        attitude_measured=pose.attitude_measured and pose.ned_from_body is not None,
    )  # fmt: skip
    return Known(camera, bare, heading is not None, height is not None)


def sight(frame: Frame, known: Known) -> Sighting:
    """The frame's local features with the rays they were seen along."""
    height, width = frame.image.shape[:2]
    scale = min(1.0, _FEATURE_SIDE_PX / max(height, width))
    small = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    features = extract(np.asarray(small, dtype=np.uint8), _FEATURES)
    pixels = features.points.astype(np.float64) / [small.shape[1] / width, small.shape[0] / height]
    return Sighting(features, rays_of(known, pixels), known.prior)


def sight_upright(look: Look, known: Known) -> Sighting:
    """The features of a north-up crop, where height and heading are known; much faster."""
    features = extract_upright(look.crop, UPRIGHT_FEATURES)
    plane = GroundPlane.of(known.camera, known.pose)
    assert plane is not None
    north, east = plane.ground_of_axis()
    metres = (features.points.astype(np.float64) / look.crop.shape[0] - 0.5) * look.footprint_m + [east, -north]
    return Sighting(features, metres / plane.height_agl_m, known.prior)


def rays_of(known: Known, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) rays of (N, 2) pixels."""
    if len(pixels) == 0:
        return np.zeros((0, 2))
    flat = cv2.undistortPoints(
        pixels.reshape(-1, 1, 2), known.camera.matrix, np.array(known.camera.distortion)
    ).reshape(-1, 2)
    turned = np.hstack([flat, np.ones((len(flat), 1))]) @ known.turn.T
    return np.asarray(turned[:, :2] / np.maximum(turned[:, 2:], 0.05))


@dataclass(frozen=True, slots=True)
class Look:
    """A crop to be embedded: of ``footprint_m`` if the camera stood as ``pose`` says."""

    footprint_m: float
    pose: Pose
    crop: ImageRGB


def looks(
    frame: Frame,
    known: Known,
    rungs: Sequence[float],
    chosen: Callable[[Sequence[float]], Sequence[float]],
    seen_footprints_m: Sequence[float],
    size_px: int,
) -> list[Look]:
    """The crops to compare: one where height and heading are known, else one for each to be tried; largest first.

    ``chosen`` picks from the rungs that the camera covers those that must be compared. ``seen_footprints_m``:
    visible footprints to try where the height is unknown.
    """
    if not rungs:
        return []
    poses = [turned for tall in _heights(known, seen_footprints_m) for turned in _headings(known, tall)]
    found = []
    for pose in poses:
        plane = GroundPlane.of(known.camera, pose)
        if plane is None or plane.tilt_rad > MAX_TILT_RAD * 2:
            continue
        for rung in chosen(_covered(rungs, plane)):
            small = _shrunk(frame, plane, rung, size_px)
            found.append(Look(rung, pose, rectify(small, known.camera, pose, rung, size_px).image))
    return found


def _shrunk(frame: Frame, plane: GroundPlane, rung_m: float, size_px: int) -> Frame:
    """The frame averaged down to about the crop's own pixels: the crop is then cut at a quarter of the cost."""
    share = size_px / (rung_m / plane.height_agl_m * plane.camera.fx_px) * _LESS
    if share > _WORTH:
        return frame
    if share < _COARSE:
        small = cv2.resize(frame.image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    else:  # a sixth of the time, and no more alias than a pixel's share
        small = cv2.resize(cv2.blur(frame.image, (3, 3)), None, fx=share, fy=share, interpolation=cv2.INTER_LINEAR)
    return replace(frame, image=np.asarray(small, dtype=np.uint8))


_LESS = 0.95  # than one pixel a pixel: else a tilted crop is cut twice as fine, and averaged again
_WORTH = 0.9
_COARSE = 0.4  # of a frame's side: below, three pixels averaged are too few


def _covered(rungs: Sequence[float], plane: GroundPlane) -> list[float]:
    """Those that the camera covers well enough, the largest first; the smallest where it covers none."""
    north, east = plane.ground_of_axis()
    for number, rung in enumerate(largest_first := sorted(rungs, reverse=True)):
        steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * rung - rung / 2
        across = np.stack(np.meshgrid(steps + north, steps + east), axis=-1).reshape(-1, 2)
        pixels = plane.pixels_of(across)
        inside = (pixels >= 0).all(axis=1) & (pixels <= [plane.camera.width_px, plane.camera.height_px]).all(axis=1)
        if inside.mean() >= _MIN_COVERAGE:
            return largest_first[number:]
    return largest_first[-1:]


_SAMPLES = 8  # along each side of a crop, to see how much of it the camera covers


def _heights(known: Known, seen_footprints_m: Sequence[float]) -> list[Pose]:
    if known.height:
        return [known.pose]
    unit = replace(known.pose, height_agl_m=Measured(1.0, 1.0, "tried"))
    plane = GroundPlane.of(known.camera, unit)
    per_metre = plane.visible_footprint_m() if plane is not None else 0.0
    if per_metre <= 0.0:
        return []
    return [
        replace(known.pose, height_agl_m=Measured(side / per_metre, 0.2 * side / per_metre, "tried"))
        for side in seen_footprints_m
    ]


def _headings(known: Known, pose: Pose) -> list[Pose]:
    if known.heading:
        return [pose]
    assert pose.ned_from_body is not None
    turned = []
    for step in range(HEADINGS):
        yaw = math.remainder(step * math.tau / HEADINGS, math.tau)
        attitude = quaternion(rotation(ned_from_euler(0.0, 0.0, yaw)) * rotation(pose.ned_from_body))
        turned.append(replace(pose, ned_from_body=attitude, heading=Measured(yaw, 0.3, "tried")))
    return turned


def _northward(attitude: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The attitude turned about the vertical until its nose points north."""
    forward = rotation(attitude).apply([1.0, 0.0, 0.0])
    yaw = math.atan2(forward[1], forward[0])
    return quaternion(rotation(ned_from_euler(0.0, 0.0, -yaw)) * rotation(attitude))
