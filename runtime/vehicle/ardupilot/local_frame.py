"""ArduPilot's local frame: north and east by one length for every degree, which is right nowhere but at the equator.

`Location::get_distance_NE` and `offset_latlng`. Against the ellipsoid's metres it is 0.3 % off in latitude 35: 1.7 m at
500 m. What is told in its frame must be told in its metres.
"""

from __future__ import annotations

import math

from runtime.values import GeoPoint

_METRES_PER_DEGREE = 0.011131884502145034 * 1e7  # LATLON_TO_M, of 1e-7 degrees


def north_east_m(origin: GeoPoint, point: GeoPoint) -> tuple[float, float]:
    """(north, east) of ``point`` as ArduPilot reckons them."""
    middle_rad = math.radians((origin.latitude_deg + point.latitude_deg) / 2)
    turn_deg = math.remainder(point.longitude_deg - origin.longitude_deg, 360.0)
    north_m = (point.latitude_deg - origin.latitude_deg) * _METRES_PER_DEGREE
    return north_m, turn_deg * _METRES_PER_DEGREE * max(0.01, math.cos(middle_rad))


def point_at(origin: GeoPoint, north_m: float, east_m: float) -> GeoPoint:
    """The point that ArduPilot means by metres from its origin."""
    latitude_deg = origin.latitude_deg + north_m / _METRES_PER_DEGREE
    middle_rad = math.radians((origin.latitude_deg + latitude_deg) / 2)
    turn_deg = east_m / (_METRES_PER_DEGREE * max(0.01, math.cos(middle_rad)))
    return GeoPoint(latitude_deg, math.remainder(origin.longitude_deg + turn_deg, 360.0))
