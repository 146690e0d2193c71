"""The operator's limits: a polygon, a floor and ceiling, a maximum distance, a battery reserve, and what he waives.

Polygon and distance are kept with `MARGIN_SIGMA` of the position to spare, in the direction of the border: a position
that is known well across the border and badly along it may come near.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LinearRing, LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from runtime.errors import CommandingError
from runtime.geodesy import north_east_m
from runtime.guidance.reasons import Reason
from runtime.values import Covariance, GeoPoint, circular

MARGIN_SIGMA = 2.0  # of an estimate this far inside one straight border, 2.3 % lie outside
EXACT = circular(0.0)
_LEAST_SIGMA_M = 1e-3  # keeps the scaling by sigma finite; a millimetre moves no border


class Area:
    """The inside of the operator's polygon; its border belongs to it."""

    def __init__(self, corners: Sequence[GeoPoint]) -> None:
        """Raises CommandingError when the corners do not enclose one simple area."""
        if len(corners) < 3:
            raise CommandingError(f"the operator's polygon has {len(corners)} corners; give at least 3.")
        self.corners = tuple(corners)
        self._polygon = Polygon([self._local(corner) for corner in corners])
        if not self._polygon.is_valid:
            flaw = explain_validity(self._polygon)
            raise CommandingError(f"the operator's polygon is not a simple area ({flaw}); reorder its corners.")
        if self._polygon.area < 1.0:
            raise CommandingError("the operator's polygon encloses less than a square metre; check its corners.")
        self._border = self._polygon.exterior
        self._border_m = np.array(self._border.coords)
        shapely.prepare(self._polygon)
        shapely.prepare(self._border)

    def contains(self, point: GeoPoint, covariance_m2: Covariance = EXACT) -> bool:
        """Whether a point is inside or on the border, and, where it is known to ``covariance_m2`` only, no border is
        nearer than `MARGIN_SIGMA`."""
        here = self._local(point)
        inside = bool(shapely.intersects_xy(self._polygon, *here))  # an eighth of `covers` of a Point
        return inside and self._spared([here], covariance_m2)

    def contains_path(self, start: GeoPoint, end: GeoPoint, covariance_m2: Covariance = EXACT) -> bool:
        """Whether the straight line between two points never leaves the area, with the same to spare."""
        ends = [self._local(start), self._local(end)]
        return bool(self._polygon.covers(LineString(ends))) and self._spared(ends, covariance_m2)

    def _spared(self, way: list[tuple[float, float]], covariance_m2: Covariance) -> bool:
        """Whether ``way``, of one or two points, keeps its distance: in a plane that is scaled by the position's sigma
        in each direction, its error is a circle of radius 1 and the border is still a polygon."""
        widest_m = MARGIN_SIGMA * largest_sigma_m(covariance_m2)
        if widest_m == 0.0 or not shapely.dwithin(self._border, _line(way), widest_m):
            return True
        scale = _whitening(covariance_m2)
        if scale is None:
            return False
        scaled = _line(np.array(way) @ scale.T)
        return bool(LinearRing(self._border_m @ scale.T).distance(scaled) >= MARGIN_SIGMA)

    def _local(self, point: GeoPoint) -> tuple[float, float]:
        # Metres about the first corner: edges are straight in the plane the aircraft flies in.
        north, east = north_east_m(self.corners[0], point)
        return east, north


@dataclass(frozen=True, slots=True)
class Limits:
    """What must hold for the aircraft and for every target. Heights are above the take-off point."""

    area: Area
    floor_height_takeoff_m: float
    ceiling_height_takeoff_m: float
    max_distance_m: float  # from the autopilot's home
    battery_reserve_percent: float
    waived: frozenset[Reason] = frozenset()  # of `WAIVABLE`: what need not be known

    def within_distance(self, home: GeoPoint, point: GeoPoint, covariance_m2: Covariance = EXACT) -> bool:
        """Whether a point is no farther from home than the operator allows, with `MARGIN_SIGMA` of its own sigma along
        that direction to spare."""
        north, east = north_east_m(home, point)
        distance_m = math.hypot(north, east)
        if distance_m == 0.0:
            return True
        margin_m = MARGIN_SIGMA * sigma_along_m(covariance_m2, (north / distance_m, east / distance_m))
        return distance_m + margin_m <= self.max_distance_m

    def region(self, origin: GeoPoint, home: GeoPoint | None, margin_m: float) -> BaseGeometry:
        """What area and distance allow, ``margin_m`` inside, as a shape of metres (north, east) of the plane at
        ``origin``; the circle about home is drawn from within."""
        inside: BaseGeometry = Polygon([north_east_m(origin, corner) for corner in self.area.corners]).buffer(-margin_m)
        if home is not None:
            circle = Point(north_east_m(origin, home)).buffer(max(0.0, self.max_distance_m - margin_m), quad_segs=32)
            inside = inside.intersection(circle)
        return inside


def sigma_along_m(covariance_m2: Covariance, direction: tuple[float, float]) -> float:
    """1-sigma of a position along a unit vector (north, east)."""
    (nn, ne), (_, ee) = covariance_m2
    north, east = direction
    return math.sqrt(max(0.0, nn * north**2 + 2.0 * ne * north * east + ee * east**2))


def largest_sigma_m(covariance_m2: Covariance) -> float:
    """1-sigma of a position along the direction in which it is known worst; infinite where the covariance is none."""
    (nn, ne), (_, ee) = covariance_m2
    if not math.isfinite(nn + ee + ne) or min(nn, ee) < 0.0 or ne**2 > nn * ee + _LEAST_SIGMA_M**4:
        return math.inf
    return math.sqrt(max(0.0, (nn + ee) / 2.0 + math.hypot((nn - ee) / 2.0, ne)))


def _whitening(covariance_m2: Covariance) -> NDArray[np.float64] | None:
    """(2, 2): metres (east, north) into sigmas, by the inverse of the covariance's Cholesky factor; None where it is
    none, or infinite."""
    (nn, ne), (_, ee) = covariance_m2
    matrix = np.array([[ee, ne], [ne, nn]]) + np.eye(2) * _LEAST_SIGMA_M**2
    if not np.isfinite(matrix).all() or np.linalg.det(matrix) <= 0.0:
        return None
    inverse: NDArray[np.float64] = np.linalg.inv(np.linalg.cholesky(matrix))
    return inverse


def _line(way: Sequence[tuple[float, float]] | NDArray[np.float64]) -> BaseGeometry:
    return Point(way[0]) if len(way) == 1 else LineString(way)
