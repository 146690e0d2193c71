"""The operator's floor over hills: raised by the highest ground on the way, where an elevation model tells of it.

A floor counts from the take-off. Over ground that rises it is kept to that ground, from here to the target and to both
sides; who is lower before authority has to climb by hand first, as a climb on the way may be too slow for the slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.guidance.checks import by_sight
from runtime.guidance.limits import Limits, largest_sigma_m
from runtime.guidance.situation import Situation
from runtime.terrain import Datum, Terrain
from runtime.values import Estimate, GeoPoint

_BESIDE_M = 25.0  # of the way: what a turn, a gust and the model's own cells need
_SIGMAS = 2.0  # of the position, more


@dataclass(frozen=True, slots=True)
class _Asked:
    """The way that was looked at last; it is looked at again once the aircraft has moved by some ten metres."""

    corners: tuple[GeoPoint, ...]
    beside_m: float


class Clearance:
    """Keeps the operator's floor above the ground of ``terrain``; None: the ground is taken for level."""

    def __init__(self, terrain: Terrain | None = None) -> None:
        self._terrain = terrain
        self._asked: _Asked | None = None
        self._highest_m: float | None = None

    def over_ground(
        self, limits: Limits, vehicle: Situation, estimate: Estimate, corners: Sequence[GeoPoint]
    ) -> Limits | None:
        """The limits with the floor raised for the way through ``corners`` that is left; None where the model does not
        reach all of it. Without a model, or a position, they are as they were."""
        takeoff_m = self._takeoff_m(vehicle, by_sight(estimate))
        if self._terrain is None or estimate.position is None or takeoff_m is None:
            return limits
        beside_m = _BESIDE_M + _SIGMAS * largest_sigma_m(estimate.covariance_m2)
        here = GeoPoint(round(estimate.position.latitude_deg, 4), round(estimate.position.longitude_deg, 4))
        asked = _Asked((here, *corners), float(round(beside_m, -1)))
        if asked != self._asked:
            self._asked, self._highest_m = asked, self._terrain.highest_m(asked.corners, asked.beside_m)
        if self._highest_m is None:
            return None
        rise_m = max(0.0, self._highest_m - takeoff_m)
        return replace(limits, floor_height_takeoff_m=limits.floor_height_takeoff_m + rise_m)

    def _takeoff_m(self, vehicle: Situation, by_sight_alone: bool) -> float | None:
        """The take-off's level in the model's heights: the ground under the autopilot's home. By sight that may have
        been put where it first knew its place, and the lower of that and of its own word on the sea counts."""
        if self._terrain is None or vehicle.home is None:
            return None
        levels = [self._terrain.height_m(vehicle.home)]
        if by_sight_alone and self._terrain.datum is Datum.ORTHOMETRIC:
            if vehicle.altitude_amsl_m is not None and vehicle.height_takeoff_m is not None:
                levels.append(vehicle.altitude_amsl_m - vehicle.height_takeoff_m)
        known = [level for level in levels if level is not None]
        return min(known) if known else None
