"""Rotations between frames: scipy's `Rotation` in our order (w, x, y, z), and aerospace Euler angles.

A rotation ``a_from_b`` takes vectors of frame b to frame a. NED is north, east, down; body FRD is forward, right, down.
"""

from __future__ import annotations

import math

from scipy.spatial.transform import Rotation

from runtime.values import Quaternion


def rotation(quaternion: Quaternion) -> Rotation:
    """scipy's rotation of our (w, x, y, z); scipy before 1.14 knows only the scalar-last order."""
    w, x, y, z = quaternion
    return Rotation.from_quat([x, y, z, w])


def quaternion(turn: Rotation) -> Quaternion:
    """Our (w, x, y, z) of scipy's rotation."""
    x, y, z, w = turn.as_quat()
    return float(w), float(x), float(y), float(z)


def ned_from_euler(roll_rad: float, pitch_rad: float, yaw_rad: float) -> Quaternion:
    """Attitude from aerospace Euler angles (yaw, then pitch, then roll)."""
    return quaternion(Rotation.from_euler("ZYX", [yaw_rad, pitch_rad, roll_rad]))


def yaw_of(ned_from_body: Quaternion) -> float:
    """Heading of the nose in radians clockwise from north."""
    forward = rotation(ned_from_body).apply([1.0, 0.0, 0.0])
    return math.atan2(forward[1], forward[0])
