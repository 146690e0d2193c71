"""What is known of a query frame beforehand, and its local features with the rays that they were seen along."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.fix.local_features import INVARIANT, Kind, features_of
from runtime.fix.planar_pose import Prior
from runtime.fix.verify import Sighting
from runtime.rotations import rotation, turned_about_vertical
from runtime.values import Attitude, Frame, ImageRGB, Pose, yaw_of
from runtime.view import GroundPlane

_FEATURE_SIDE_PX = 640  # longer side of the frame that features are looked for in
_LEVEL_SIGMA_RAD = math.radians(10.0)  # a camera of which only the mounting is known, on a craft that banks
_TILT_SIGMA_RAD = math.radians(2.0)  # a measured attitude
_HEADING_SLACK_RAD = math.radians(3.0)  # a compass is rarely better than this, whatever it claims


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the camera; the attitude of ``pose`` is level where nothing was said, and points north where its
    heading is unknown."""

    camera: CameraModel
    pose: Pose

    @property
    def heading(self) -> bool:
        """Whether the heading is known."""
        return self.pose.heading is not None

    @property
    def height(self) -> bool:
        """Whether the height above ground is known."""
        return self.pose.height_agl_m is not None

    @property
    def posed(self) -> bool:
        """Whether a north-up crop of known scale can be cut."""
        return self.heading and self.height

    @property
    def heading_rad(self) -> float:
        """Of the pose; 0 where it is unknown."""
        return self.pose.heading.value if self.pose.heading else 0.0

    @property
    def turn(self) -> NDArray[np.float64]:
        """(3, 3) from the camera to the frame x east, y south, z down."""
        assert self.pose.ned_from_body is not None
        ned = rotation(self.pose.ned_from_body) * rotation(self.camera.body_from_camera)
        east_south_from_north_east = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        return np.asarray(east_south_from_north_east @ ned.as_matrix())

    @property
    def middle_ray(self) -> tuple[float, float]:
        """The ray of the image's centre."""
        middle = np.array([[self.camera.width_px / 2, self.camera.height_px / 2]])
        x, y = rays_of(self, middle)[0]
        return float(x), float(y)

    @property
    def prior(self) -> Prior:
        """What verification may count on: tilt, heading and height with their sigmas."""
        height, heading = self.pose.height_agl_m, self.pose.heading
        tilt_sigma_rad = _TILT_SIGMA_RAD if self.pose.attitude_measured else _LEVEL_SIGMA_RAD
        return Prior(
            tilt_sigma_rad=tilt_sigma_rad,
            heading_sigma_rad=max(heading.sigma, _HEADING_SLACK_RAD) if heading else math.inf,
            height_m=height.value if height else 1.0,
            height_sigma_m=max(height.sigma, 0.03 * height.value) if height else math.inf,
        )


def known_of(
    frame: Frame, camera: CameraModel, pose: Pose, any_heading: bool, any_height: bool = False
) -> Known:
    """What ``pose`` says, position and time left out; heading and height are distrusted on request."""
    camera = camera.scaled_to(frame.image.shape[1], frame.image.shape[0])
    attitude = pose.attitude or Attitude.level()
    if any_heading or attitude.heading is None:
        attitude = _northward(attitude)
    height = pose.height_agl_m
    if any_height or (height is not None and height.value <= 0):
        height = None
    return Known(camera, Pose(t_ns=0, height_agl_m=height, attitude=attitude))


def sight(frame: Frame, known: Known) -> Sighting:
    """The frame's local features with the rays they were seen along."""
    height, width = frame.image.shape[:2]
    scale = min(1.0, _FEATURE_SIDE_PX / max(height, width))
    small = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    features = features_of(np.asarray(small, dtype=np.uint8), INVARIANT, INVARIANT.of_query)
    pixels = features.points.astype(np.float64) / [small.shape[1] / width, small.shape[0] / height]
    return Sighting(INVARIANT, features, rays_of(known, pixels), known.prior)


def sight_upright(crop: ImageRGB, footprint_m: float, known: Known, kind: Kind) -> Sighting:
    """The upright features of a north-up crop of the frame, where height and heading are known; much faster."""
    features = features_of(crop, kind, kind.of_query)
    plane = GroundPlane.of(known.camera, known.pose)
    assert plane is not None
    north, east = plane.crop_centre()
    metres = (features.points.astype(np.float64) / crop.shape[0] - 0.5) * footprint_m + [east, -north]
    return Sighting(kind, features, metres / plane.height_agl_m, known.prior)


def rays_of(known: Known, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) rays of (N, 2) pixels."""
    if len(pixels) == 0:
        return np.zeros((0, 2))
    flat = cv2.undistortPoints(
        pixels.reshape(-1, 1, 2), known.camera.matrix, np.array(known.camera.distortion)
    ).reshape(-1, 2)
    turned = np.hstack([flat, np.ones((len(flat), 1))]) @ known.turn.T
    return np.asarray(turned[:, :2] / np.maximum(turned[:, 2:], 0.05))


def _northward(attitude: Attitude) -> Attitude:
    """The attitude turned about the vertical until its nose points north, its heading being unknown."""
    north = turned_about_vertical(attitude.ned_from_body, -yaw_of(attitude.ned_from_body))
    return Attitude(north, tilt_measured=attitude.tilt_measured)
