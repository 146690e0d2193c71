"""A picture with how its camera was turned and how high it was, as its pose says or as has to be assumed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from runtime.odometry.picture import Picture
from runtime.odometry.plane_motion import Prior
from runtime.rotations import ned_from_euler, rotation
from runtime.values import Measured, Pose, yaw_of

Array = NDArray[np.float64]

_TILT_SIGMA_RAD = math.radians(1.0)  # of a measured attitude with how the camera is mounted, per axis
_LEVEL_SIGMA_RAD = math.radians(8.0)  # of level flight that is only assumed
_RELATIVE_SHARE = 0.5  # of it is left between two pictures: the mount and slow errors are in both
_RELATIVE_HEADING_RAD = math.radians(1.0)  # of the turn between two pictures by one compass and gyroscope
_TERRAIN_SLOPE = math.tan(math.radians(3.0))  # of ground that is called level
_SINK_SIGMA = 0.05  # of the height: what a range finder jumps by over roofs; the change of scale says it far better
THINGS_M = 4.0  # 1-sigma of how high that stands above the ground which is tracked: trees, roofs
_MOST_RELIEF = 0.1  # of the height: any higher, and anything goes
_LEAST_FALL = math.sin(math.radians(15.0))  # of a ray: beyond, a pixel is many metres and hills stand in the way


@dataclass(frozen=True, slots=True)
class PosedPicture:
    """``ned_from_camera`` (3, 3), with ``yaw_rad`` of the nose in it; ``height_m`` above ground with its sigma.

    ``tilt_sigma_rad`` per axis and ``heading_sigma_rad``, which is infinite where the heading is unknown.
    """

    t_ns: int
    picture: Picture
    ned_from_camera: Array
    yaw_rad: float
    height_m: float
    height_sigma_m: float
    tilt_sigma_rad: float
    heading_sigma_rad: float

    @classmethod
    def of(cls, t_ns: int, picture: Picture, pose: Pose, height: Measured, unknown_yaw_rad: float) -> PosedPicture:
        """By what the pose says; level where it says nothing, and turned by ``unknown_yaw_rad`` where it says no
        heading."""
        known = pose.ned_from_body is not None and pose.heading is not None
        attitude = pose.ned_from_body if pose.ned_from_body is not None else ned_from_euler(0.0, 0.0, 0.0)
        turn = rotation(attitude)
        if not known:
            turn = Rotation.from_euler("z", unknown_yaw_rad - yaw_of(attitude)) * turn
        ned_from_camera = (turn * rotation(picture.camera.body_from_camera)).as_matrix()
        return cls(
            t_ns=t_ns,
            picture=picture,
            ned_from_camera=ned_from_camera,
            yaw_rad=yaw_of(attitude) if known else unknown_yaw_rad,
            height_m=height.value,
            height_sigma_m=height.sigma,
            tilt_sigma_rad=_TILT_SIGMA_RAD if pose.attitude_measured else _LEVEL_SIGMA_RAD,
            heading_sigma_rad=pose.heading.sigma if known and pose.heading is not None else math.inf,
        )

    def level(self, rays: Array) -> tuple[Array, NDArray[np.bool_]]:
        """(N, 2) tangents north and east of (N, 2) rays of the camera, and whether each falls steeply enough."""
        turned = np.hstack([rays, np.ones((len(rays), 1))]) @ self.ned_from_camera.T
        fall = turned[:, 2] / np.linalg.norm(turned, axis=1)
        usable = fall > _LEAST_FALL
        return turned[:, :2] / np.where(usable, turned[:, 2], 1.0)[:, None], usable

    def ground_share(self) -> float:
        """Share of the picture that shows ground steeply enough from above."""
        width, height = self.picture.size_px
        columns, rows = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 7))
        return float(self.level(self.picture.rays(np.stack([columns.ravel(), rows.ravel()], axis=1)))[1].mean())


def prior_between(first: PosedPicture, second: PosedPicture) -> Prior:
    """What the two poses, and terrain as it usually is, say of the motion before a pixel is looked at."""
    tilt_rad = max(first.tilt_sigma_rad, second.tilt_sigma_rad)
    turned = 2.0 * abs(math.sin((second.yaw_rad - first.yaw_rad) / 2))  # a mount's error turns with the nose
    unknown = math.isinf(first.heading_sigma_rad) or math.isinf(second.heading_sigma_rad)
    return Prior(
        tilt_sigma_rad=tilt_rad * math.hypot(_RELATIVE_SHARE, turned),
        heading_sigma_rad=math.inf if unknown else _RELATIVE_HEADING_RAD,
        sink=1.0 - second.height_m / first.height_m,
        sink_sigma=_SINK_SIGMA,
        slope_sigma=math.hypot(_TERRAIN_SLOPE, tilt_rad),
        relief=min(THINGS_M / first.height_m, _MOST_RELIEF),
    )
