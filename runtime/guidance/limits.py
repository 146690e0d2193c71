"""The operator's limits: a polygon, a floor and ceiling, a maximum distance, a battery reserve, and what he waives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely import LineString, Polygon
from shapely.validation import explain_validity

from runtime.errors import CommandingError
from runtime.geodesy import distance_m, north_east_m
from runtime.guidance.reasons import Reason
from runtime.values import GeoPoint


class Area:
    """The inside of the operator's polygon; its border belongs to it."""

    def __init__(self, corners: Sequence[GeoPoint]) -> None:
        """Raises CommandingError when the corners do not enclose one simple area."""
        if len(corners) < 3:
            raise CommandingError(f"the operator's polygon has {len(corners)} corners; give at least 3.")
        self._origin = corners[0]
        self._polygon = Polygon([self._local(corner) for corner in corners])
        if not self._polygon.is_valid:
            flaw = explain_validity(self._polygon)
            raise CommandingError(f"the operator's polygon is not a simple area ({flaw}); reorder its corners.")
        if self._polygon.area < 1.0:
            raise CommandingError("the operator's polygon encloses less than a square metre; check its corners.")
        shapely.prepare(self._polygon)

    def contains(self, point: GeoPoint) -> bool:
        """Whether a point is inside or on the border."""
        return bool(shapely.intersects_xy(self._polygon, *self._local(point)))  # an eighth of `covers` of a Point

    def contains_path(self, start: GeoPoint, end: GeoPoint) -> bool:
        """Whether the straight line between two points never leaves the area."""
        return bool(self._polygon.covers(LineString([self._local(start), self._local(end)])))

    def _local(self, point: GeoPoint) -> tuple[float, float]:
        # Metres about the first corner: edges are straight in the plane the aircraft flies in.
        north, east = north_east_m(self._origin, point)
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

    def within_distance(self, home: GeoPoint, point: GeoPoint) -> bool:
        """Whether a point is no farther from home than the operator allows."""
        return distance_m(home, point) <= self.max_distance_m
