"""The camera as geometry: intrinsics with distortion, how it sits in the body, and its delay."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.errors import UsageError
from runtime.rotations import quaternion, rotation
from runtime.values import Quaternion

_VERTICAL = 1.0 - 1e-9  # sine of a pitch within 3 thousandths of a degree of straight up or down


def body_from_mount(pitch_deg: float, roll_deg: float = 0.0, yaw_deg: float = 0.0) -> Quaternion:
    """How a camera sits in the body: pitch 0 looks forward, -90 straight down with the image's top forward."""
    from scipy.spatial.transform import Rotation  # a quarter of a second, which reading a configuration need not wait

    body_from_gimbal = Rotation.from_euler("ZYX", [yaw_deg, pitch_deg, roll_deg], degrees=True)
    # A camera looking forward: its x (right) is body y, its y (down) body z, its z (axis) body x.
    gimbal_from_camera = Rotation.from_matrix([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return quaternion(body_from_gimbal * gimbal_from_camera)


def mount_of(body_from_camera: Quaternion) -> tuple[float, float, float]:
    """Pitch, roll and yaw in degrees of which `body_from_mount` makes this mount. Straight down, roll and yaw are one
    axis, and a tilt to the side shows as large numbers of both."""
    gimbal = rotation(body_from_camera) * rotation(body_from_mount(0.0)).inv()
    m = gimbal.as_matrix()
    pitch = math.asin(max(-1.0, min(1.0, -m[2, 0])))
    if abs(m[2, 0]) > _VERTICAL:
        return math.degrees(pitch), 0.0, math.degrees(math.atan2(-m[0, 1], m[1, 1]))
    roll, yaw = math.atan2(m[2, 1], m[2, 2]), math.atan2(m[1, 0], m[0, 0])
    return math.degrees(pitch), math.degrees(roll), math.degrees(yaw)


@dataclass(frozen=True, slots=True)
class CameraModel:
    """Pinhole with OpenCV distortion (k1, k2, p1, p2, k3); ``delay_s`` from exposure to the frame's stamp."""

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    body_from_camera: Quaternion = field(default_factory=lambda: body_from_mount(-90.0))
    delay_s: float = 0.0

    @classmethod
    def from_hfov(
        cls, width_px: int, height_px: int, hfov_deg: float, pitch_deg: float = -90.0, delay_s: float = 0.0
    ) -> CameraModel:
        """A distortion-free camera of a horizontal field of view.

        Raises:
            UsageError: the field of view is not between 1 and 179 degrees.
        """
        if not 1.0 <= hfov_deg <= 179.0:
            raise UsageError(f"horizontal field of view {hfov_deg:g} deg is not between 1 and 179 deg.")
        focal_px = width_px / 2 / math.tan(math.radians(hfov_deg) / 2)
        return cls(
            width_px, height_px, focal_px, focal_px, width_px / 2, height_px / 2,
            body_from_camera=body_from_mount(pitch_deg), delay_s=delay_s,
        )  # fmt: skip

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) float64 intrinsics."""
        return np.array([[self.fx_px, 0, self.cx_px], [0, self.fy_px, self.cy_px], [0, 0, 1]], dtype=np.float64)

    def scaled_to(self, width_px: int, height_px: int) -> CameraModel:
        """The same camera delivering another resolution of the same field of view."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        return CameraModel(
            width_px, height_px, self.fx_px * sx, self.fy_px * sy, self.cx_px * sx, self.cy_px * sy,
            self.distortion, self.body_from_camera, self.delay_s,
        )  # fmt: skip
