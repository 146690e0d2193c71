"""Where the scenario flies and what it asks for: survey lines, the far side, targets and strangers, from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float]  # (north, east) metres from the world's origin

HEIGHT_M = 100.0
TARGET_SIDE_M = 90.0
TARGETS, STRANGERS = 20, 30
_LINE_SPACING_M = 45.0  # half a view: neighbouring lines see the same ground
_LINES, _LINE_LENGTH_M = 8, 300.0
_TARGET_INSET_M = 5.0  # targets lie this far inside the outermost lines
_NEAR_OUTSIDE_M = (60.0, 110.0)  # beyond the outermost lines: their crops overlap what was flown, their centres do not
_FAR_OUTSIDE_M = 110.0
_MIN_APART_M = 18.0  # two targets of one kind are two places


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A north-up rectangle of ground."""

    south_m: float
    north_m: float
    west_m: float
    east_m: float

    def outside_m(self, point: Point) -> float:
        """Distance from the rectangle; negative inside, the distance to its nearest edge."""
        dn = max(self.south_m - point[0], point[0] - self.north_m)
        de = max(self.west_m - point[1], point[1] - self.east_m)
        if dn <= 0 and de <= 0:
            return max(dn, de)
        return math.hypot(max(dn, 0.0), max(de, 0.0))


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """The flown rectangle is that of the survey's lines; ``home`` is where it takes off."""

    home: Point
    survey: Rectangle
    survey_path: tuple[Point, ...]
    far_side: Point
    targets: tuple[Point, ...]
    strangers: tuple[Point, ...]
    near_strangers: int  # the first so many of the strangers lie just outside what was flown


def make_plan(seed: int, world_side_ne_m: tuple[float, float], small: bool = False) -> ScenarioPlan:
    """A plan for a world of ``world_side_ne_m`` (north, east) centred on its origin.

    ``small``: a third of the survey and of the questions, for tests. A narrow world gets fewer, shorter lines.
    """
    rng = np.random.default_rng([seed, 23])
    half_n, half_e = world_side_ne_m[0] / 2 - 60.0, world_side_ne_m[1] / 2 - 60.0  # a view must stay on the map
    lines, length = (3, 150.0) if small else (_LINES, _LINE_LENGTH_M)
    length = min(length, 1.2 * half_n)
    lines = min(lines, int(1.1 * half_e / _LINE_SPACING_M) + 1)
    south, west = -length / 2, -half_e + 0.12 * half_e
    east = west + (lines - 1) * _LINE_SPACING_M
    survey = Rectangle(south, south + length, west, east)
    far_side = (float(rng.uniform(-0.6, 0.6) * half_n), float(min(half_e, east + 0.65 * (half_e - east))))
    counts = (TARGETS, STRANGERS) if not small else (6, 9)
    near = counts[1] // 3
    inset = Rectangle(south + _TARGET_INSET_M, south + length - _TARGET_INSET_M, west + _TARGET_INSET_M,
                      east - _TARGET_INSET_M)  # fmt: skip
    world = Rectangle(-half_n, half_n, -half_e, half_e)
    targets = _scatter(rng, counts[0], inset, lambda point: True)
    close = _scatter(rng, near, world, lambda p: _NEAR_OUTSIDE_M[0] <= survey.outside_m(p) <= _NEAR_OUTSIDE_M[1])
    far = _scatter(rng, counts[1] - near, world, lambda p: survey.outside_m(p) > _FAR_OUTSIDE_M)
    return ScenarioPlan(
        home=(south - 20.0, west - 10.0),
        survey=survey,
        survey_path=_lawnmower(survey, lines),
        far_side=far_side,
        targets=tuple(targets),
        strangers=tuple(close + far),
        near_strangers=near,
    )


def _lawnmower(area: Rectangle, lines: int) -> tuple[Point, ...]:
    path: list[Point] = []
    for index in range(lines):
        east = area.west_m + index * _LINE_SPACING_M
        ends = [(area.south_m, east), (area.north_m, east)]
        path += ends if index % 2 == 0 else ends[::-1]
    return tuple(path)


def _scatter(rng: np.random.Generator, count: int, area: Rectangle, allowed: Callable[[Point], bool]) -> list[Point]:
    points: list[Point] = []
    for _ in range(20_000):
        if len(points) == count:
            return points
        point = (float(rng.uniform(area.south_m, area.north_m)), float(rng.uniform(area.west_m, area.east_m)))
        if allowed(point) and all(math.dist(point, other) >= _MIN_APART_M for other in points):
            points.append(point)
    raise ValueError(f"the world has no room for {count} places of this kind; make it larger.")
