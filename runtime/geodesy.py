"""Offsets and distances on WGS-84, by pymap3d."""

from __future__ import annotations

import math

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
    east, north, _ = pymap3d.geodetic2enu(
        point.latitude_deg, point.longitude_deg, 0.0, origin.latitude_deg, origin.longitude_deg, 0.0
    )
    return float(north), float(east)


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
