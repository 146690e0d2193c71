"""Where the scenario flies and what it asks for, from a seed: survey lines, the far side, targets, places outside."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from shapely import LineString, box
from shapely import Point as ShapelyPoint
from shapely.geometry.base import BaseGeometry

from runtime.errors import UsageError

Point = tuple[float, float]  # (north, east) metres from the world's origin

HEIGHT_M = 100.0
TARGET_SIDE_M = 90.0
TARGETS, OUTSIDE = 20, 30
_LINE_SPACING_M = 45.0  # half a view: neighbouring lines see the same ground
_LINES, _LINE_LENGTH_M = 8, 300.0
_TARGET_INSET_M = 5.0  # targets lie this far inside the outermost lines
_NEAR_M = (60.0, 110.0)  # outside what is flown: their crops overlap what was seen, their centres do not
_MIN_APART_M = 18.0  # two targets of one kind are two places


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A north-up rectangle of ground."""

    south_m: float
    north_m: float
    west_m: float
    east_m: float

    def contains(self, point: Point) -> bool:
        """Whether a point lies inside."""
        return self.south_m <= point[0] <= self.north_m and self.west_m <= point[1] <= self.east_m


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """``survey`` is the rectangle of the survey's lines; ``home`` is where it takes off."""

    home: Point
    survey: Rectangle
    survey_path: tuple[Point, ...]
    far_side: Point
    targets: tuple[Point, ...]
    outside: tuple[Point, ...]
    near_outside: int  # the first so many of those outside lie just beside what was flown

    @property
    def length_m(self) -> float:
        """Of the survey and the ways to it and on to the far side."""
        return float(LineString((self.home, *self.survey_path, self.far_side)).length)

    @property
    def flown(self) -> BaseGeometry:
        """What the drone flies over before anybody asks: the survey, and the ways to it and on to the far side."""
        return _flown(self.survey, (self.home, *self.survey_path, self.far_side))

    def outside_m(self, point: Point) -> float:
        """Distance from what is flown; 0 inside."""
        return float(self.flown.distance(ShapelyPoint(point)))


def make_plan(seed: int, world_side_ne_m: tuple[float, float], small: bool = False) -> ScenarioPlan:
    """A plan for a world of ``world_side_ne_m`` (north, east) centred on its origin.

    ``small``: a third of the survey and of the questions, for tests. A narrow world gets fewer, shorter lines.

    Raises:
        UsageError: the world is too small.
    """
    rng = np.random.default_rng([seed, 23])
    half_n, half_e = world_side_ne_m[0] / 2 - 60.0, world_side_ne_m[1] / 2 - 60.0  # a view must stay on the map
    lines, length = (3, 150.0) if small else (_LINES, _LINE_LENGTH_M)
    length = min(length, 1.2 * half_n)
    lines = min(lines, int(1.1 * half_e / _LINE_SPACING_M) + 1)
    if lines < 2 or length <= 4 * _TARGET_INSET_M:
        raise UsageError(f"a world of {world_side_ne_m[0]:.0f} by {world_side_ne_m[1]:.0f} m is too small to survey.")
    south, west = -length / 2, -half_e + 0.12 * half_e
    east = west + (lines - 1) * _LINE_SPACING_M
    survey = Rectangle(south, south + length, west, east)
    far_side = (float(rng.uniform(-0.6, 0.6) * half_n), float(min(half_e, east + 0.65 * (half_e - east))))
    counts = (TARGETS, OUTSIDE) if not small else (6, 9)
    near = counts[1] // 3
    inset = Rectangle(south + _TARGET_INSET_M, south + length - _TARGET_INSET_M, west + _TARGET_INSET_M,
                      east - _TARGET_INSET_M)  # fmt: skip
    world = Rectangle(-half_n, half_n, -half_e, half_e)
    home, path = (south - 20.0, west - 10.0), _lawnmower(survey, lines)
    flown = _flown(survey, (home, *path, far_side))
    targets = _scatter(rng, counts[0], inset, lambda distance_m: True, flown)
    close = _scatter(rng, near, world, lambda distance_m: _NEAR_M[0] <= distance_m <= _NEAR_M[1], flown)
    far = _scatter(rng, counts[1] - near, world, lambda distance_m: distance_m > _NEAR_M[1], flown)
    return ScenarioPlan(
        home=home,
        survey=survey,
        survey_path=path,
        far_side=far_side,
        targets=tuple(targets),
        outside=tuple(close + far),
        near_outside=len(close),
    )


def _lawnmower(area: Rectangle, lines: int) -> tuple[Point, ...]:
    path: list[Point] = []
    for index in range(lines):
        east = area.west_m + index * _LINE_SPACING_M
        ends = [(area.south_m, east), (area.north_m, east)]
        path += ends if index % 2 == 0 else ends[::-1]
    return tuple(path)


def _flown(survey: Rectangle, path: tuple[Point, ...]) -> BaseGeometry:
    return box(survey.south_m, survey.west_m, survey.north_m, survey.east_m).union(LineString(path))


def _scatter(
    rng: np.random.Generator, count: int, area: Rectangle, allowed: Callable[[float], bool], flown: BaseGeometry
) -> list[Point]:
    """Up to ``count`` points of an area whose distance from what is flown is ``allowed``; a small world holds fewer.

    Raises:
        UsageError: it holds none.
    """
    points: list[Point] = []
    for _ in range(4_000):
        if len(points) == count:
            return points
        point = (float(rng.uniform(area.south_m, area.north_m)), float(rng.uniform(area.west_m, area.east_m)))
        distance_m = flown.distance(ShapelyPoint(point))
        if allowed(distance_m) and all(math.dist(point, other) >= _MIN_APART_M for other in points):
            points.append(point)
    if not points:
        raise UsageError("the world has no room for places outside what is flown; take a larger one.")
    return points
