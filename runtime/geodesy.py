"""Offsets and distances on WGS-84, by pymap3d."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pymap3d
from numpy.typing import NDArray

from runtime.values import GeoPoint


def offset(origin: GeoPoint, north_m: float, east_m: float) -> GeoPoint:
    """The point ``north_m``, ``east_m`` from ``origin`` in its local tangent plane."""
    latitude, longitude, _ = pymap3d.enu2geodetic(east_m, north_m, 0.0, origin.latitude_deg, origin.longitude_deg, 0.0)
    return GeoPoint(float(latitude), float(longitude))


def offsets(origin: GeoPoint, north_east_m: NDArray[np.float64]) -> list[GeoPoint]:
    """Like `offset` for (N, 2) metres north and east, at the cost of one or two of it."""
    north, east = north_east_m.T
    latitudes, longitudes, _ = pymap3d.enu2geodetic(
        east, north, np.zeros_like(east), origin.latitude_deg, origin.longitude_deg, 0.0
    )
    points = zip(np.asarray(latitudes).tolist(), np.asarray(longitudes).tolist(), strict=True)
    return [GeoPoint(latitude, longitude) for latitude, longitude in points]


def north_east_m(origin: GeoPoint, point: GeoPoint) -> tuple[float, float]:
    """(north, east) in metres from ``origin`` to ``point`` in the origin's local tangent plane."""
    x_m, y_m, z_m = pymap3d.geodetic2ecef(point.latitude_deg, point.longitude_deg, 0.0)
    plane = _plane_at(origin)
    x_m, y_m, z_m = x_m - plane.x_m, y_m - plane.y_m, z_m - plane.z_m
    outward_m = plane.cos_longitude * x_m + plane.sin_longitude * y_m
    east_m = plane.cos_longitude * y_m - plane.sin_longitude * x_m
    return float(plane.cos_latitude * z_m - plane.sin_latitude * outward_m), float(east_m)


@dataclass(frozen=True, slots=True)
class _Plane:
    """A local tangent plane: its origin from the earth's centre, and which way it is turned."""

    x_m: float
    y_m: float
    z_m: float
    sin_latitude: float
    cos_latitude: float
    sin_longitude: float
    cos_longitude: float


@lru_cache(maxsize=64)  # an origin is asked of ten times a second or more; half of the work is its own
def _plane_at(origin: GeoPoint) -> _Plane:
    latitude, longitude = math.radians(origin.latitude_deg), math.radians(origin.longitude_deg)
    x_m, y_m, z_m = map(float, pymap3d.geodetic2ecef(origin.latitude_deg, origin.longitude_deg, 0.0))
    turned = math.sin(latitude), math.cos(latitude), math.sin(longitude), math.cos(longitude)
    return _Plane(x_m, y_m, z_m, *turned)


def north_east_array_m(
    origin: GeoPoint, latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Like `north_east_m` for N points: (N, 2) float64, columns north and east."""
    east, north, _ = pymap3d.geodetic2enu(
        latitude_deg, longitude_deg, np.zeros_like(latitude_deg), origin.latitude_deg, origin.longitude_deg, 0.0
    )
    return np.stack([np.asarray(north), np.asarray(east)], axis=-1).astype(np.float64)


def distance_m(a: GeoPoint, b: GeoPoint) -> float:
    """Horizontal distance; good to a millimetre per kilometre at the ranges of a flight."""
    return math.hypot(*north_east_m(a, b))
