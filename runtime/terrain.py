"""The ground's heights about a flight, from an elevation model: what a camera stands above, instead of level ground.

Heights above the sea (orthometric) and above the ellipsoid differ by tens of metres, and a drone's own altitude by as
much again from both. So what counts first is how far the ground lies above or below the take-off, of which every model
says the same; an altitude above the sea is held only against a model that says such heights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import north_east_m, offset
from runtime.values import GeoPoint, Measured, Position

MODEL_SIGMA_M = 4.0  # of a height: what models of 30 m cells err by over open ground, buildings and trees in them
SOURCE = "elevation model"
_BESIDE = ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
_ROUNDS = 4  # of looking where a sight line ahead meets the ground: each divides the error by more than two


class Datum(str, Enum):
    """What an elevation model's heights are above."""

    ORTHOMETRIC = "orthometric"  # the sea (the geoid): what altitudes of cameras and autopilots claim to be
    ELLIPSOIDAL = "ellipsoidal"  # WGS-84's ellipsoid

    def __str__(self) -> str:
        """As it is typed."""
        return self.value


@dataclass(frozen=True, slots=True)
class Terrain:
    """``heights_m`` (N, N) float32 at nodes ``step_m`` apart, north-up about ``centre``; NaN where nothing is known."""

    centre: GeoPoint
    step_m: float
    heights_m: NDArray[np.float32]
    datum: Datum

    def height_m(self, at: GeoPoint) -> float | None:
        """The ground's height at a place, bilinear between the nodes; None where the model does not reach."""
        north, east = north_east_m(self.centre, at)
        half = (len(self.heights_m) - 1) / 2
        row, column = half - north / self.step_m, half + east / self.step_m
        top, left = math.floor(row), math.floor(column)
        if not (0 <= top < len(self.heights_m) - 1 and 0 <= left < len(self.heights_m) - 1):
            return None
        (a, b), (c, d) = self.heights_m[top : top + 2, left : left + 2].astype(float).tolist()
        down, right = row - top, column - left
        height = (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down
        return height if math.isfinite(height) else None

    def highest_m(self, way: Sequence[GeoPoint], beside_m: float) -> float | None:
        """The highest ground under a way through some corners, and within ``beside_m`` of it; None where the model does
        not reach all of that."""
        corners = np.array([north_east_m(self.centre, corner) for corner in way]) / self.step_m
        half, reach = (len(self.heights_m) - 1) / 2, beside_m / self.step_m
        low, high = corners.min(axis=0) - reach, corners.max(axis=0) + reach
        if (np.concatenate([low, -high]) < -half).any():
            return None
        first, last = np.floor(low + half).astype(int), np.ceil(high + half).astype(int)
        north, east = (np.arange(first[axis], last[axis] + 1) - half for axis in (0, 1))
        nodes = np.stack(np.meshgrid(north, east, indexing="ij"), axis=-1).reshape(-1, 2)
        near = _distance(nodes, corners) <= reach + math.sqrt(0.5)  # the cells that the way's border passes through too
        row, column = np.rint(half - nodes[near, 0]).astype(int), np.rint(half + nodes[near, 1]).astype(int)
        heights = self.heights_m[row, column]
        return float(heights.max()) if np.isfinite(heights).all() else None

    def spread_m(self, at: GeoPoint, sigma_m: float) -> float:
        """1-sigma of the height at a place that is known to ``sigma_m`` per axis: the root mean square of how far the
        ground one sigma to each side lies above or below it; 0 where the model does not reach."""
        here = self.height_m(at)
        beside = [self.height_m(offset(at, sigma_m * north, sigma_m * east)) for north, east in _BESIDE]
        apart = [height - here for height in beside if height is not None and here is not None]
        return math.sqrt(sum(one**2 for one in apart) / len(apart)) if apart else 0.0

    def range_m(self) -> tuple[float, float]:
        """The lowest and the highest of all heights."""
        return float(np.nanmin(self.heights_m)), float(np.nanmax(self.heights_m))

    def level(self, places: Sequence[GeoPoint] = ()) -> tuple[float, float]:
        """The mean height of the ground at some places, or of all where the model knows none of them, and the standard
        deviation: all that is known below somebody who may be at any of them."""
        known = [height for height in map(self.height_m, places) if height is not None] or self.heights_m
        return float(np.nanmean(known)), float(np.nanstd(known))


@dataclass(frozen=True, slots=True)
class Above:
    """A camera's height over one level that the terrain knows: ``level_m`` in the model's heights, ``sigma_m``."""

    level_m: float
    sigma_m: float

    @classmethod
    def takeoff(cls, terrain: Terrain, place: GeoPoint, height_takeoff: Measured) -> Above | None:
        """From the height above the take-off, and where that was."""
        ground_m = terrain.height_m(place)
        return None if ground_m is None else cls(ground_m + height_takeoff.value, height_takeoff.sigma)

    @classmethod
    def sea(cls, terrain: Terrain, altitude_amsl: Measured) -> Above | None:
        """From an altitude above the sea; None where the model's heights are others."""
        if terrain.datum is not Datum.ORTHOMETRIC:
            return None
        return cls(altitude_amsl.value, altitude_amsl.sigma)


def _distance(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) from each of (N, 2) points to the nearest of the lines between (M, 2) corners."""
    nearest = np.hypot(*(points - corners[0]).T)
    for start, end in itertools.pairwise(corners):
        along = end - start
        share = np.clip((points - start) @ along / max(float(along @ along), 1e-9), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(*(points - start - share[:, None] * along).T))
    return np.asarray(nearest, np.float64)


def height_over(
    terrain: Terrain, above: Above, position: Position, ahead: tuple[float, float] | None = None
) -> Measured | None:
    """Height in metres above the ground that a camera sees, at level of that ground.

    Args:
        ahead: (north, east) metres, a metre above the ground, to where the camera looks; None: straight down.

    Returns:
        None where the model does not reach, or the camera would stand below the ground.
    """
    ground_m = terrain.height_m(position.point)
    for _ in range(_ROUNDS if ahead is not None else 0):
        if ground_m is None or above.level_m <= ground_m:
            return None
        height_m = above.level_m - ground_m
        ground_m = terrain.height_m(offset(position.point, ahead[0] * height_m, ahead[1] * height_m))  # type: ignore[index]
    if ground_m is None or above.level_m <= ground_m:
        return None
    return Measured(above.level_m - ground_m, math.hypot(above.sigma_m, MODEL_SIGMA_M), SOURCE)
