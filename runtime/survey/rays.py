"""Sight rays of a photo's pixels, its known tilt taken out, and how much less an oblique one tells than one straight
down.

The level frame is forward, right, down: the body's, turned back by the pitch and roll that are known of it. So a camera
that looks ahead in its mount, and one whose gimbal does, are one thing; what is left to be solved is a small tilt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.rotations import euler_of, ned_from_euler, rotation
from runtime.values import Pose, Quaternion

Array = NDArray[np.float64]

MOST_OFF_NADIR_RAD = math.radians(70.0)  # of a sight line: beyond it a metre of relief moves the ground by three
_SHARP_SECANT2 = 1.0 / math.cos(math.radians(35.0)) ** 2  # at the edge of a common lens that looks straight down


@dataclass(frozen=True, slots=True)
class Look:
    """How a photo looked as far as that is known: its ``camera``, mounted in the body, and the body's ``tilt``, a
    rotation without heading."""

    camera: CameraModel
    tilt: Quaternion

    @classmethod
    def of(cls, camera: CameraModel, pose: Pose) -> Look:
        """By the pose's pitch and roll; a body that says none is level."""
        return cls(camera, tilt_of(pose))

    @property
    def focal_px(self) -> float:
        """Of the shorter side's axis."""
        return min(self.camera.fx_px, self.camera.fy_px)

    def rays(self, pixels: Array) -> Array:
        """(N, 3) unit rays in the level frame of (N, 2) pixels."""
        flat = cv2.undistortPoints(
            pixels.reshape(-1, 1, 2).astype(np.float64), self.camera.matrix, np.array(self.camera.distortion)
        ).reshape(-1, 2)
        turn = rotation(self.tilt) * rotation(self.camera.body_from_camera)
        rays = turn.apply(np.hstack([flat, np.ones((len(flat), 1))])) if len(flat) else np.zeros((0, 3))
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def tilt_of(pose: Pose) -> Quaternion:
    """The pose's pitch and roll, its heading taken out; level where nothing is said."""
    if pose.ned_from_body is None:
        return (1.0, 0.0, 0.0, 0.0)
    roll, pitch, _ = euler_of(pose.ned_from_body)
    return ned_from_euler(roll, pitch, 0.0)


def on_ground(rays: Array) -> NDArray[np.complex128]:
    """(N,) forward + i right, in heights, of where (N, 3) rays meet level ground."""
    return np.asarray((rays[:, 0] + 1j * rays[:, 1]) / rays[:, 2], dtype=np.complex128)


def meets_ground(rays: Array) -> NDArray[np.bool_]:
    """(N,) whether (N, 3) unit rays look down steeply enough to say where the ground is."""
    return np.asarray(rays[:, 2] > math.cos(MOST_OFF_NADIR_RAD))


def bluntness(rays: Array) -> Array:
    """(N,) how many times further (N, 3) unit rays err on the ground than those of a camera that looks straight down:
    a pixel covers the square of the secant there, and relief moves the ground by the tangent. 1 up to 35 degrees."""
    return np.asarray(np.maximum(1.0, 1.0 / (np.maximum(rays[:, 2], 0.05) ** 2 * _SHARP_SECANT2)))
