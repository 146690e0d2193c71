"""Positions, attitudes and heights in a bag, by the conventions of ROS (REP 103 and 105): east-north-up, and a body
whose axes are forward, left and up.

NavSatFix says a height above the ellipsoid, which is no height above the sea and is not taken.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from scipy.spatial.transform import Rotation

from runtime.reports import values
from runtime.rotations import quaternion
from runtime.sources.track import PlaceSample, TurnSample
from runtime.values import Quaternion

_NED_FROM_ENU = Rotation.from_matrix([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
_FLU_FROM_FRD = Rotation.from_matrix([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
_UNIT = 0.1  # what a quaternion's length may differ from one
_NEAR_S = 0.5  # from a position to the height that goes with it

Heights = Sequence[tuple[float, float]]  # (seconds, metres)


def place_of(t_s: float, message: Any) -> PlaceSample | None:
    """Of a NavSatFix; None without a fix."""
    point = values.geo_point(float(message.latitude), float(message.longitude))
    if message.status.status < 0 or point is None:
        return None
    sigma_m = None
    if message.position_covariance_type:
        east, north = float(message.position_covariance[0]), float(message.position_covariance[4])
        sigma_m = values.sigma_m(math.sqrt(max(0.0, (east + north) / 2)))
    return PlaceSample(t_s, point, sigma_m=sigma_m)


def turn_of(t_s: float, orientation: Any) -> TurnSample | None:
    """Of an orientation of Imu, Odometry or PoseStamped; None of one that is not said, as an Imu without a filter has
    it."""
    wxyz = [float(getattr(orientation, axis)) for axis in "wxyz"]
    length = math.sqrt(sum(part * part for part in wxyz))
    if not abs(length - 1.0) <= _UNIT:  # True for NaN
        return None
    return TurnSample(t_s, ned_from_ros((wxyz[0], wxyz[1], wxyz[2], wxyz[3])))


def ned_from_ros(wxyz: Quaternion) -> Quaternion:
    """The attitude of a body (forward, right, down) against north, east and down."""
    w, x, y, z = wxyz
    return quaternion(_NED_FROM_ENU * Rotation.from_quat([x, y, z, w]) * _FLU_FROM_FRD)


def with_heights(places: Sequence[PlaceSample], above_takeoff: Heights, above_ground: Heights) -> list[PlaceSample]:
    """The places, each with the nearest heights in time."""
    return [
        PlaceSample(
            place.t_s, place.position, height_takeoff_m=_nearest(above_takeoff, place.t_s),
            height_agl_m=_nearest(above_ground, place.t_s), sigma_m=place.sigma_m,
        )
        for place in places
    ]  # fmt: skip


def _nearest(heights: Heights, t_s: float) -> float | None:
    after = bisect_left(heights, (t_s, -math.inf))
    near = [heights[k] for k in (after - 1, after) if 0 <= k < len(heights)]
    at_s, height_m = min(near, key=lambda one: abs(one[0] - t_s), default=(math.inf, 0.0))
    return height_m if abs(at_s - t_s) <= _NEAR_S else None
