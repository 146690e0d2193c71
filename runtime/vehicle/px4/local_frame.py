"""PX4's local frame: the azimuthal equidistant projection of a sphere (`MapProjection`)."""

from __future__ import annotations

import math

from runtime.values import GeoPoint

_RADIUS_M = 6_371_000.0  # CONSTANTS_RADIUS_OF_EARTH


def north_east_m(origin: GeoPoint, point: GeoPoint) -> tuple[float, float]:
    """(north, east) of ``point`` as PX4 reckons them."""
    at, to = math.radians(origin.latitude_deg), math.radians(point.latitude_deg)
    turn = math.radians(point.longitude_deg - origin.longitude_deg)
    north = math.cos(at) * math.sin(to) - math.sin(at) * math.cos(to) * math.cos(turn)
    east = math.cos(to) * math.sin(turn)
    sine = math.hypot(north, east)
    angle = math.atan2(sine, math.sin(at) * math.sin(to) + math.cos(at) * math.cos(to) * math.cos(turn))
    scale_m = _RADIUS_M * (angle / sine if sine > 0.0 else 1.0)
    return scale_m * north, scale_m * east


def point_at(origin: GeoPoint, north_m: float, east_m: float) -> GeoPoint:
    """The point that PX4 means by metres from its origin."""
    angle = math.hypot(north_m, east_m) / _RADIUS_M
    if angle == 0.0:
        return origin
    at = math.radians(origin.latitude_deg)
    north, east = north_m / (_RADIUS_M * angle), east_m / (_RADIUS_M * angle)
    latitude = math.asin(math.cos(angle) * math.sin(at) + north * math.sin(angle) * math.cos(at))
    turn = math.atan2(
        east * math.sin(angle), math.cos(at) * math.cos(angle) - north * math.sin(at) * math.sin(angle)
    )
    return GeoPoint(math.degrees(latitude), math.remainder(origin.longitude_deg + math.degrees(turn), 360.0))
