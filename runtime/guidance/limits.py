"""The operator's limits: a polygon, a floor and ceiling, a maximum distance, a battery reserve, and what he waives.

Polygon and distance are kept with `MARGIN_SIGMA` of the position to spare, in the direction of the border: a position
that is known well across the border and badly along it may come near.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from runtime.errors import CommandingError
from runtime.geodesy import north_east_m
from runtime.guidance.reasons import Reason
from runtime.values import Covariance, GeoPoint, circular

MARGIN_SIGMA = 2.0  # of an estimate this far inside one straight border, 2.3 % lie outside
EXACT = circular(0.0)
_LEAST_SIGMA_M = 1e-3  # keeps the scaling by sigma finite; a millimetre moves no border
_CIRCLES = 4  # kept: a tick asks of the aircraft, of the target, and of corners between them
_ROUNDING_M = 1e-6  # two ways of computing one distance differ by less


class Area:
    """The inside of the operator's polygon without the areas that are never entered; its border belongs to it."""

    def __init__(
        self, corners: Sequence[GeoPoint], exclusions: Sequence[Sequence[GeoPoint]] = (), inset_m: float = 0.0
    ) -> None:
        """``exclusions``: the corners of each area that is never entered. ``inset_m``: how far from every border it is
        kept to; there may be pieces left of it, or nothing.

        Raises:
            CommandingError: corners do not enclose one simple area, or what is left is cut into pieces.
        """
        self.corners = tuple(corners)
        self.exclusions = tuple(tuple(ring) for ring in exclusions)
        self.inset_m = inset_m
        if len(self.corners) < 3:
            raise CommandingError(f"the operator's polygon has {len(corners)} corners; give at least 3.")
        # Metres about the first corner: edges are straight in the plane the aircraft flies in.
        self._area = self.about(self.corners[0])
        self._border = self._area.boundary
        self._convex = bool(shapely.equals(self._area, self._area.convex_hull))
        self._inside: deque[tuple[float, float, float]] = deque(maxlen=_CIRCLES)  # (east, north, radius) in metres
        shapely.prepare(self._area)
        shapely.prepare(self._border)

    def inset(self, margin_m: float) -> Area:
        """What of it lies so far from every border."""
        return Area(self.corners, self.exclusions, self.inset_m + margin_m)

    def about(self, origin: GeoPoint) -> BaseGeometry:
        """The area as a shape of metres (east, north) of the plane at ``origin``."""
        allowed: BaseGeometry = _simple("the operator's polygon", self.corners, origin)
        for number, ring in enumerate(self.exclusions):
            allowed = allowed.difference(_simple(f"exclusion {number + 1}", ring, origin))
        if not isinstance(allowed, Polygon) or allowed.is_empty:
            parts = 0 if allowed.is_empty else len(shapely.get_parts(allowed))
            raise CommandingError(
                f"the exclusions leave {parts} pieces of the operator's polygon, not one; draw the piece to fly in."
            )
        return allowed if self.inset_m == 0.0 else allowed.buffer(-self.inset_m, join_style="mitre")

    def contains(self, point: GeoPoint, covariance_m2: Covariance = EXACT) -> bool:
        """Whether a point is inside or on the border, and, where it is known to ``covariance_m2`` only, no border is
        nearer than `MARGIN_SIGMA`."""
        here = self._local(point)
        if self._encircled(here, covariance_m2):
            return True
        if not shapely.intersects_xy(self._area, *here):  # an eighth of `covers` of a Point
            return False
        place = shapely.points(here)
        self._inside.append((*here, float(shapely.distance(self._border, place))))
        return self._spared(place, covariance_m2)

    def contains_path(self, start: GeoPoint, end: GeoPoint, covariance_m2: Covariance = EXACT) -> bool:
        """Whether the straight line between two points never leaves the area, with the same to spare."""
        if self._convex:  # a line is nowhere nearer to the border than at one of its ends
            return self.contains(start, covariance_m2) and self.contains(end, covariance_m2)
        way = shapely.linestrings([self._local(start), self._local(end)])
        return bool(shapely.covers(self._area, way)) and self._spared(way, covariance_m2)

    def _encircled(self, here: tuple[float, float], covariance_m2: Covariance) -> bool:
        """Whether one of the circles that were found to lie inside holds a place with all that it has to spare. An
        aircraft is asked of many times a second and moves by less than a metre meanwhile: the border need not be."""
        reach_m = MARGIN_SIGMA * largest_sigma_m(covariance_m2) + _ROUNDING_M
        return any(
            math.hypot(here[0] - east, here[1] - north) + reach_m <= radius_m
            for east, north, radius_m in tuple(self._inside)
        )

    def _spared(self, way: BaseGeometry, covariance_m2: Covariance) -> bool:
        """Whether ``way``, a point or a line, keeps its distance: in a plane that is scaled by the position's sigma in
        each direction, its error is a circle of radius 1 and the border is still a polygon."""
        widest_m = MARGIN_SIGMA * largest_sigma_m(covariance_m2)
        if widest_m == 0.0 or not shapely.dwithin(self._border, way, widest_m):
            return True
        scale = _whitening(covariance_m2)
        if scale is None:
            return False
        scaled, border = (shapely.transform(one, lambda metres: metres @ scale.T) for one in (way, self._border))
        return bool(shapely.distance(border, scaled) >= MARGIN_SIGMA)

    def _local(self, point: GeoPoint) -> tuple[float, float]:
        north, east = north_east_m(self.corners[0], point)
        return east, north


def _simple(what: str, corners: Sequence[GeoPoint], origin: GeoPoint) -> Polygon:
    """One area of metres (east, north) about ``origin``. Raises CommandingError where the corners enclose none."""
    if len(corners) < 3:
        raise CommandingError(f"{what} has {len(corners)} corners; give at least 3.")
    polygon = Polygon([north_east_m(origin, corner)[::-1] for corner in corners])
    if not polygon.is_valid:
        raise CommandingError(f"{what} is not a simple area ({explain_validity(polygon)}); reorder its corners.")
    if polygon.area < 1.0:
        raise CommandingError(f"{what} encloses less than a square metre; check its corners.")
    return polygon


@dataclass(frozen=True, slots=True)
class Limits:
    """What must hold for the aircraft and for every target. Heights are above the take-off point."""

    area: Area
    floor_height_takeoff_m: float
    ceiling_height_takeoff_m: float
    max_distance_m: float  # from the autopilot's home
    battery_reserve_percent: float
    waived: frozenset[Reason] = frozenset()  # of `WAIVABLE`: what need not be known

    def inset(self, margin_m: float) -> Limits:
        """The same with ``margin_m`` to spare to every border and to the greatest distance."""
        return replace(self, area=self.area.inset(margin_m), max_distance_m=max(0.0, self.max_distance_m - margin_m))

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
        area = shapely.transform(self.area.about(origin), lambda metres: metres[:, ::-1])
        inside: BaseGeometry = area.buffer(-margin_m)
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
