"""From a motion in heights to metres, with what is random in it apart from what all displacements share."""

from __future__ import annotations

import math

import numpy as np

from runtime.odometry.plane_motion import PlaneMotion
from runtime.odometry.posed import PosedPicture
from runtime.values import Displacement

# Over rendered towns, forests and fields, straight down and oblique, what lies across the motion errs by 1.2 to 1.5
# times what the scatter says while the motion is short, and by three thousandths of its length when it is long: what
# is tracked changes its look with the point of view.
_OPTIMISM = 1.3
_LENGTH_SHARE = 0.003
_LEAST_TURN_RAD = math.radians(0.1)  # what a tilted mount adds to a turn about the vertical
_SURFACE_M = 2.0  # 1-sigma of how high what is tracked stands above the ground that the height is of


def displacement_of(first: PosedPicture, second: PosedPicture, motion: PlaneMotion) -> Displacement:
    """The displacement between two pictures.

    Both heights speak for the scale: the second over the ratio that the pictures saw is the first once more. Where
    they differ, the scale is that much less sure.
    """
    ratio = motion.height_ratio
    by_second_m = second.height_m / ratio
    height_m = math.sqrt(first.height_m * by_second_m)
    differ = math.log(by_second_m / first.height_m) / 2
    height_sigma = math.hypot(max(first.height_sigma_m, second.height_sigma_m), _SURFACE_M) / height_m
    shift_m = height_m * motion.state[:2]
    by_pixels = height_m**2 * motion.given_slope[:2, :2]
    by_slope = height_m**2 * motion.covariance[:2, :2] - by_pixels
    by_length = (_LENGTH_SHARE * float(np.linalg.norm(shift_m))) ** 2
    by_climb = (first.tilt_sigma_rad * height_m * float(motion.state[2])) ** 2  # a climb that is not quite vertical
    random = _OPTIMISM**2 * by_pixels + np.eye(2) * (by_length + by_climb)
    along, across = _shares(shift_m, by_slope)
    return Displacement(
        from_t_ns=first.t_ns,
        to_t_ns=second.t_ns,
        north_m=float(shift_m[0]),
        east_m=float(shift_m[1]),
        random_covariance_m2=(
            (float(random[0, 0]), float(random[0, 1])),
            (float(random[0, 1]), float(random[1, 1])),
        ),
        scale_sigma=math.sqrt(height_sigma**2 + differ**2 + along),
        heading_sigma_rad=math.sqrt(first.heading_sigma_rad**2 + across),
        turn_rad=math.remainder(second.yaw_rad - first.yaw_rad + float(motion.state[5]), math.tau),
        turn_sigma_rad=math.hypot(_LEAST_TURN_RAD, _OPTIMISM * math.sqrt(float(motion.covariance[5, 5]))),
        height_ratio=ratio,
        height_ratio_sigma=motion.height_ratio_sigma,
    )


def _shares(shift_m: np.ndarray, covariance_m2: np.ndarray) -> tuple[float, float]:
    """Variances along and across a shift, as shares of its length squared; 0 for one of no length."""
    length2 = float(shift_m @ shift_m)
    if length2 < 1e-6:
        return 0.0, 0.0
    across_m = np.array([-shift_m[1], shift_m[0]])
    along, across = (max(float(axis @ covariance_m2 @ axis), 0.0) for axis in (shift_m, across_m))
    return along / length2**2, across / length2**2
