"""Between two samples: numbers, measured quantities, places and attitudes a ``share`` of the way from one to the other.

In plain arithmetic: in flight these run for every frame and every message.
"""

from __future__ import annotations

import math

from runtime.values import GeoPoint, Measured, Quaternion, Velocity

_SAME_RAD = 1e-6  # of half the turn between two attitudes: below, the arc is its chord


def mix(a: float, b: float, share: float) -> float:
    """The number on the line from ``a`` to ``b``."""
    return a + (b - a) * share


def mix_measured(a: Measured, b: Measured, share: float) -> Measured:
    """The value between, as unsure as the less sure of the two."""
    return Measured(mix(a.value, b.value, share), max(a.sigma, b.sigma), b.source)


def mix_velocities(a: Velocity, b: Velocity, share: float) -> Velocity:
    """The velocity between, component by component."""
    return mix(a[0], b[0], share), mix(a[1], b[1], share), mix(a[2], b[2], share)


def point_between(a: GeoPoint, b: GeoPoint, share: float) -> GeoPoint:
    """The point on the line between two that are metres apart; across the date line the short way."""
    turn_deg = math.remainder(b.longitude_deg - a.longitude_deg, 360.0)
    longitude_deg = math.remainder(a.longitude_deg + share * turn_deg, 360.0)
    return GeoPoint(mix(a.latitude_deg, b.latitude_deg, share), longitude_deg)


def slerp(a: Quaternion, b: Quaternion, share: float) -> Quaternion:
    """The rotation a ``share`` of the way from ``a`` to ``b`` along the shorter arc (Shoemake 1985)."""
    dot = sum(p * q for p, q in zip(a, b, strict=True))
    sign = -1.0 if dot < 0.0 else 1.0  # q and -q are one rotation: take the nearer
    angle_rad = math.acos(min(1.0, abs(dot)))
    if angle_rad < _SAME_RAD:
        from_a, from_b = 1.0 - share, sign * share
    else:
        from_a = math.sin((1.0 - share) * angle_rad) / math.sin(angle_rad)
        from_b = sign * math.sin(share * angle_rad) / math.sin(angle_rad)
    w, x, y, z = (from_a * p + from_b * q for p, q in zip(a, b, strict=True))
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    return w / norm, x / norm, y / norm, z / norm
