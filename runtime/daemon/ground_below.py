"""The height above ground of a live frame that no range finder measured: over level ground, or over an elevation model.

Every room takes the ground that a frame shows for a plane; over hills, what matters is how far below the camera that
plane lies where the camera looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from runtime.camera_model import CameraModel
from runtime.heights import above_flat_ground, above_level
from runtime.terrain import Above, Terrain, height_over
from runtime.values import Estimate, GeoPoint, Measured, Pose, Position
from runtime.view import ahead_per_m

_MOST_RELIEF = 0.15  # of the height: beyond it the scale of what is seen is better found than taken from it

Where = Callable[[], Estimate]  # asked only by those who need it


class GroundBelow(Protocol):
    """What knows how far below the aircraft the ground lies."""

    def height_agl_m(self, pose: Pose, where: Where, takeoff: GeoPoint | None) -> Measured | None:
        """Metres above the ground that the camera sees; None where nothing says it.

        ``where``: the estimate that is flown. ``takeoff``: where the heights above take-off count from, None where no
        receiver says it.
        """
        ...


@dataclass(frozen=True, slots=True)
class UnknownGround:
    """Where the operator says that the ground is not level, and has no model of it."""

    def height_agl_m(self, pose: Pose, where: Where, takeoff: GeoPoint | None) -> Measured | None:
        """None: only a range finder tells."""
        return None


@dataclass(frozen=True, slots=True)
class FlatGround:
    """Level ground, ``takeoff_above_m`` below the take-off point."""

    takeoff_above_m: float = 0.0

    def height_agl_m(self, pose: Pose, where: Where, takeoff: GeoPoint | None) -> Measured | None:
        """The height above take-off, that much more, with what ground that is called level may do."""
        height = pose.height_takeoff_m
        return None if height is None else above_flat_ground(replace(height, value=height.value + self.takeoff_above_m))


@dataclass(frozen=True, slots=True)
class OverTerrain:
    """The ground of an elevation model below what ``camera`` sees; ``otherwise`` where the model does not reach, or
    nothing says how high above it the aircraft is. ``remembered``: the mean height and the relief (1-sigma) of the
    ground that can be recognised."""

    terrain: Terrain
    camera: CameraModel
    otherwise: GroundBelow
    remembered: tuple[float, float]

    def height_agl_m(self, pose: Pose, where: Where, takeoff: GeoPoint | None) -> Measured | None:
        """By the height above a take-off whose place is known, else by the altitude above the sea.

        What the ground does within the position's own sigma is in the height's. An aircraft that may be anywhere can
        be recognised only over what is remembered: it stands above the mean of that ground, with its relief in the
        sigma; where that is more than a small part of the height, the height is unknown.
        """
        above = self._above(pose, takeoff)
        if above is None:
            return self.otherwise.height_agl_m(pose, where, takeoff)
        estimate = where()
        position = estimate.position
        if position is None:
            mean_m, relief_m = self.remembered
            over_mean = Measured(above.level_m - mean_m, above.sigma_m, "elevation model's mean,")
            return above_level(over_mean, relief_m) if relief_m < _MOST_RELIEF * over_mean.value else None
        place = Position(position, estimate.covariance_m2, estimate.source)
        height = height_over(self.terrain, above, place, ahead_per_m(self.camera, pose))
        if height is None:
            return self.otherwise.height_agl_m(pose, where, takeoff)
        spread_m = self.terrain.spread_m(position, place.sigma_m) if math.isfinite(place.sigma_m) else 0.0
        return replace(height, sigma=math.hypot(height.sigma, spread_m))

    def _above(self, pose: Pose, takeoff: GeoPoint | None) -> Above | None:
        above = None
        if takeoff is not None and pose.height_takeoff_m is not None:
            above = Above.takeoff(self.terrain, takeoff, pose.height_takeoff_m)
        if above is None and pose.altitude_amsl_m is not None:
            above = Above.sea(self.terrain, pose.altitude_amsl_m)
        return above
