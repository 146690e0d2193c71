"""Points and measured quantities, with their sigmas and covariances."""

from __future__ import annotations

import math
from dataclasses import dataclass

Quaternion = tuple[float, float, float, float]  # (w, x, y, z)
Velocity = tuple[float, float, float]  # north, east, down in m/s
Slopes = tuple[tuple[float, float], tuple[float, float]]  # derivatives: rows north and east
Covariance = tuple[tuple[float, float], tuple[float, float]]  # ((nn, ne), (ne, ee)) in m2: north first, then east


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A WGS-84 position on the ground; height is carried apart, with its own datum."""

    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity with its 1-sigma and where it came from, e.g. ``Measured(92.1, 2.0, "xmp")``."""

    value: float
    sigma: float
    source: str


def circular(sigma_m: float) -> Covariance:
    """The covariance of a position that is known to ``sigma_m`` (1-sigma per axis) alike in every direction."""
    return (sigma_m**2, 0.0), (0.0, sigma_m**2)


def axis_sigma_m(covariance_m2: Covariance) -> float:
    """1-sigma per axis of a horizontal position: the root of the mean of both variances."""
    (north, _), (_, east) = covariance_m2
    return math.sqrt((north + east) / 2)
