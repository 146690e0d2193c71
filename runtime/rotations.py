"""Rotations between frames: scipy's `Rotation` in our order (w, x, y, z), and aerospace Euler angles.

A rotation ``a_from_b`` takes vectors of frame b to frame a. NED is north, east, down; body FRD is forward, right, down.
What runs for every message in flight is plain arithmetic.
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
    """Attitude from aerospace Euler angles (yaw, then pitch, then roll), as MAVLink's ATTITUDE carries them."""
    cr, sr = math.cos(roll_rad / 2), math.sin(roll_rad / 2)
    cp, sp = math.cos(pitch_rad / 2), math.sin(pitch_rad / 2)
    cy, sy = math.cos(yaw_rad / 2), math.sin(yaw_rad / 2)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def yaw_of(ned_from_body: Quaternion) -> float:
    """Heading of the nose in radians clockwise from north, in (-pi, pi]."""
    w, x, y, z = ned_from_body
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def turned_by_rates(q: Quaternion, rates_rad_s: tuple[float, float, float], dt_s: float) -> Quaternion:
    """``q`` turned for ``dt_s`` by constant body rates."""
    rate = math.sqrt(sum(r * r for r in rates_rad_s))
    if rate * abs(dt_s) < 1e-12:
        return q
    half = rate * dt_s / 2
    s = math.sin(half) / rate
    bw, bx, by, bz = math.cos(half), *(r * s for r in rates_rad_s)
    w, x, y, z = q
    return (
        w * bw - x * bx - y * by - z * bz,
        w * bx + x * bw + y * bz - z * by,
        w * by - x * bz + y * bw + z * bx,
        w * bz + x * by - y * bx + z * bw,
    )
