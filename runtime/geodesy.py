"""Offsets and distances on WGS-84: of many points by pymap3d, of one, which is asked most, by what it computes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pymap3d
from numpy.typing import NDArray

from runtime.values import GeoPoint

_AHEAD_DEG = 1e-4  # some 11 m to the north
_WGS84 = pymap3d.Ellipsoid.from_name("wgs84")
_A_M, _B_M = _WGS84.semimajor_axis, _WGS84.semiminor_axis
_ECCENTRICITY_2 = (_A_M * _A_M - _B_M * _B_M) / (_A_M * _A_M)
_SECOND_ECCENTRICITY_2 = (_A_M * _A_M - _B_M * _B_M) / (_B_M * _B_M)


def offset(origin: GeoPoint, north_m: float, east_m: float) -> GeoPoint:
    """The point ``north_m``, ``east_m`` from ``origin`` in its local tangent plane.

    As `offsets` says it to a millionth of a millimetre, in a thirtieth of the time: it is asked some thousand times a
    minute. The latitude by Bowring's formula (Survey Review 23, 1976).
    """
    plane = _plane_at(origin)
    outward_m = plane.outward_m - plane.sin_latitude * north_m
    x_m = plane.cos_longitude * outward_m - plane.sin_longitude * east_m
    y_m = plane.sin_longitude * outward_m + plane.cos_longitude * east_m
    z_m = plane.z_m + plane.cos_latitude * north_m
    axis_m = math.hypot(x_m, y_m)
    reduced = math.atan2(z_m * _A_M, axis_m * _B_M)
    for _ in range(2):  # the first is good to a tenth of a micrometre up to some kilometres above the ellipsoid
        latitude = math.atan2(
            z_m + _SECOND_ECCENTRICITY_2 * _B_M * math.sin(reduced) ** 3,
            axis_m - _ECCENTRICITY_2 * _A_M * math.cos(reduced) ** 3,
        )
        reduced = math.atan2(_B_M * math.sin(latitude), _A_M * math.cos(latitude))
    return GeoPoint(math.degrees(latitude), math.degrees(math.atan2(y_m, x_m)))


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
    plane, (x_m, y_m, z_m) = _plane_at(origin), _from_centre_m(point)
    x_m, y_m, z_m = x_m - plane.x_m, y_m - plane.y_m, z_m - plane.z_m
    outward_m = plane.cos_longitude * x_m + plane.sin_longitude * y_m
    east_m = plane.cos_longitude * y_m - plane.sin_longitude * x_m
    return float(plane.cos_latitude * z_m - plane.sin_latitude * outward_m), float(east_m)


@dataclass(frozen=True, slots=True)
class _Plane:
    """A local tangent plane: its origin from the earth's centre and axis, and which way it is turned."""

    x_m: float
    y_m: float
    z_m: float
    outward_m: float
    sin_latitude: float
    cos_latitude: float
    sin_longitude: float
    cos_longitude: float


@lru_cache(maxsize=64)  # an origin is asked of ten times a second or more; half of the work is its own
def _plane_at(origin: GeoPoint) -> _Plane:
    latitude, longitude = math.radians(origin.latitude_deg), math.radians(origin.longitude_deg)
    x_m, y_m, z_m = _from_centre_m(origin)
    turned = math.sin(latitude), math.cos(latitude), math.sin(longitude), math.cos(longitude)
    return _Plane(x_m, y_m, z_m, math.hypot(x_m, y_m), *turned)


def _from_centre_m(point: GeoPoint) -> tuple[float, float, float]:
    """A point of the ellipsoid, from the earth's centre: towards 0 and 90 degrees east on the equator, and north."""
    latitude, longitude = math.radians(point.latitude_deg), math.radians(point.longitude_deg)
    sin_latitude, cos_latitude = math.sin(latitude), math.cos(latitude)
    normal_m = _A_M / math.sqrt(1.0 - _ECCENTRICITY_2 * sin_latitude * sin_latitude)
    outward_m, z_m = normal_m * cos_latitude, normal_m * (1.0 - _ECCENTRICITY_2) * sin_latitude
    return outward_m * math.cos(longitude), outward_m * math.sin(longitude), z_m


def north_east_array_m(
    origin: GeoPoint, latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Like `north_east_m` for N points: (N, 2) float64, columns north and east."""
    east, north, _ = pymap3d.geodetic2enu(
        latitude_deg, longitude_deg, np.zeros_like(latitude_deg), origin.latitude_deg, origin.longitude_deg, 0.0
    )
    return np.stack([np.asarray(north), np.asarray(east)], axis=-1).astype(np.float64)


def north_at(origin: GeoPoint, point: GeoPoint) -> float:
    """Where north is at a point, in radians clockwise of the origin's north on its plane: meridians lean together."""
    north_m, east_m = north_east_m(origin, point)
    ahead_m = north_east_m(origin, GeoPoint(min(90.0, point.latitude_deg + _AHEAD_DEG), point.longitude_deg))
    return math.atan2(ahead_m[1] - east_m, ahead_m[0] - north_m)


def distance_m(a: GeoPoint, b: GeoPoint) -> float:
    """Horizontal distance; good to a millimetre per kilometre at the ranges of a flight."""
    return math.hypot(*north_east_m(a, b))
