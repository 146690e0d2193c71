"""Flights whose mount and delay are known: what pairs of their pictures would show, by geometry alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from runtime.mounting.seen import Seen
from runtime.rotations import ned_from_euler, rotation
from runtime.values import Attitude, GeoPoint, Measured, NavState, Pose, Position, PositionSource, Quaternion

HEIGHT_M, SPEED_M_S = 60.0, 6.0
FOCAL_PX, PIXEL = 500.0, 0.3  # 1-sigma of a point
_CORNERS = np.array([(-0.5, -0.4), (0.5, -0.4), (0.5, 0.4), (-0.5, 0.4)])
_AREA = np.array([0.02, -0.03])  # the ground's own slope
Euler = Callable[[float], tuple[float, float, float]]  # from seconds to roll, pitch, yaw


def brisk(t_s: float) -> tuple[float, float, float]:
    """Turns to both sides, leaning into them, in gusts."""
    return 0.08 * math.sin(2.0 * t_s), 0.06 * math.sin(3.1 * t_s), 0.3 + 0.9 * math.sin(0.45 * t_s) + 0.12 * t_s


def straight(t_s: float) -> tuple[float, float, float]:
    """As if on rails."""
    return 0.0, 0.05, 0.3


class Flown:
    """What a log says of it (`state`), and what pairs of pictures show (`pairs`)."""

    def __init__(self, euler: Euler, mount: Rotation, delay_s: float, seed: int = 0) -> None:
        self._euler, self._mount, self._delay_s = euler, mount, delay_s
        self._rng = np.random.default_rng(seed)
        self._t_s = np.arange(-2.0, 60.0, 0.02)
        yaw = np.array([euler(t_s)[2] for t_s in self._t_s])
        self._way = np.cumsum(np.stack([np.cos(yaw), np.sin(yaw)], axis=1) * SPEED_M_S * 0.02, axis=0)

    def state(self, t_s: float) -> NavState | None:
        """By an autopilot whose height is 3 % off, and whose attitude is by 0.2 degrees."""
        roll, pitch, yaw = self._euler(t_s)
        wrong = 0.0035 * math.sin(1.7 * t_s), 0.0035 * math.cos(1.3 * t_s)
        attitude = Attitude(ned_from_euler(roll + wrong[0], pitch + wrong[1], yaw), 0.03, "test")
        pose = Pose(round(t_s * 1e9), height_agl_m=Measured(1.03 * HEIGHT_M, 3.0, "test"), attitude=attitude)
        velocity = SPEED_M_S * math.cos(yaw), SPEED_M_S * math.sin(yaw), 0.0
        return NavState(pose, Position.circular(GeoPoint(0.0, 0.0), 1.0, PositionSource.GPS, velocity))

    def pairs(self, number: int, apart_s: float = 0.4, every_s: float = 1.0) -> list[Seen]:
        """Pairs of pictures, stamped late by the delay."""
        return [self._pair(2.0 + k * every_s, apart_s) for k in range(number)]

    def _pair(self, stamp_s: float, apart_s: float) -> Seen:
        exposed_s = stamp_s - self._delay_s, stamp_s + apart_s - self._delay_s
        first, second = (self._camera(t_s) for t_s in exposed_s)
        rays = np.hstack([_CORNERS, np.ones((4, 1))]) @ first.T
        slope = _AREA + self._rng.normal(0.0, 0.02, 2)
        ground = rays * (HEIGHT_M / (rays[:, 2] + rays[:, :2] @ slope))[:, None]
        moved = [np.interp(exposed_s[1], self._t_s, axis) - np.interp(exposed_s[0], self._t_s, axis)
                 for axis in self._way.T]  # fmt: skip
        seen = (ground - [*moved, 0.0]) @ second
        to = seen[:, :2] / seen[:, 2:] + self._rng.normal(0.0, PIXEL / FOCAL_PX, (4, 2))
        return Seen(stamp_s, stamp_s + apart_s, _CORNERS, to, np.eye(8) * (PIXEL / FOCAL_PX) ** 2)

    def _camera(self, t_s: float) -> NDArray[np.float64]:
        roll, pitch, yaw = self._euler(t_s)
        return np.asarray((rotation(ned_from_euler(roll, pitch, yaw)) * self._mount).as_matrix())


def off_by(mount: Quaternion, north_deg: float, east_deg: float, down_deg: float) -> Rotation:
    """A mount that is turned about the body's axes from another."""
    return Rotation.from_rotvec(np.radians([north_deg, east_deg, down_deg])) * rotation(mount)
