"""Rotations between frames: scipy's `Rotation` in our order (w, x, y, z), and aerospace Euler angles.

A rotation ``a_from_b`` takes vectors of frame b to frame a. NED is north, east, down; body FRD is forward, right, down.
What runs for every message in flight is plain arithmetic.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runtime.values import Quaternion, yaw_of

if TYPE_CHECKING:  # scipy.spatial takes a quarter of a second to import: where a rotation is made, it is there already
    from scipy.spatial.transform import Rotation

_NOSE_VERTICAL = 1.0 - 1e-9  # sine of a pitch within 3 thousandths of a degree of vertical, where yaw and roll are one


def rotation(quaternion: Quaternion) -> Rotation:
    """scipy's rotation of our (w, x, y, z); scipy before 1.14 knows only the scalar-last order."""
    from scipy.spatial.transform import Rotation

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


def euler_of(ned_from_body: Quaternion) -> tuple[float, float, float]:
    """Roll, pitch and yaw in radians, those of `ned_from_euler`; with the nose straight up or down, where only their
    sum or difference is known, the roll is 0."""
    w, x, y, z = ned_from_body
    sine = 2 * (w * y - x * z)
    if abs(sine) >= _NOSE_VERTICAL:
        return 0.0, math.copysign(math.pi / 2, sine), math.copysign(2.0, -sine) * math.atan2(x, w)
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    return roll, math.asin(sine), yaw_of(ned_from_body)


def turned_about_vertical(ned_from_body: Quaternion, clockwise_rad: float) -> Quaternion:
    """The attitude with its heading changed by ``clockwise_rad``, its tilt kept."""
    return quaternion(rotation(ned_from_euler(0.0, 0.0, clockwise_rad)) * rotation(ned_from_body))


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
