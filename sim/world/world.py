"""The procedural world: a layout from a seed on geodetic ground, seen on one of two dates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Protocol

import numpy as np

from runtime.values import GeoPoint
from sim.world.dates import Date, at_date, make_date
from sim.world.generate import generate
from sim.world.ground import GroundRaster, paint
from sim.world.layout import Layout
from sim.world.meshes import Mesh, build

ORIGIN = GeoPoint(60.4, 22.4)  # somewhere near Turku; nothing depends on it


@dataclass(frozen=True, slots=True)
class Scene:
    """A world on a date, ready to be rendered: flat ground at z = 0 and triangles above it (NED)."""

    date: Date
    layout: Layout
    mesh: Mesh
    ground: GroundRaster


class AnyWorld(Protocol):
    """What the simulator needs of a world."""

    @property
    def origin(self) -> GeoPoint: ...
    @property
    def size_m(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def registration_ne_m(self) -> tuple[float, float]: ...
    @property
    def recipe(self) -> str | None:
        """All that the world follows from; None where its layout was given."""

    def scene(self, date: str) -> Scene: ...


class World:
    """A procedural world of size_m by size_m, centred on `origin`; north x, east y, down z from there."""

    def __init__(
        self, seed: int, size_m: float, layout: Layout | None = None, origin: GeoPoint = ORIGIN, dates: int = 0
    ) -> None:
        self.seed = seed
        self.size_m = size_m
        self.origin = origin
        self._generating = Lock()
        self._layout = layout  # None: the one that follows from seed and size, once somebody asks for it
        # What a world that follows from numbers alone is made from; None where its layout is given.
        self.recipe = f"seed {seed}, {size_m!r} m, dates {dates}" if layout is None else None
        self.dates = dates  # which pair of them: `pair` of `make_date`
        self._scenes: dict[str, Scene] = {}

    @classmethod
    def generate(cls, seed: int, size_m: float = 900.0, origin: GeoPoint = ORIGIN, dates: int = 0) -> World:
        """The world of a seed, put where a vehicle stands that is elsewhere; equal arguments give an equal world."""
        return cls(seed, size_m, None, origin, dates)

    @property
    def layout(self) -> Layout:
        """What stands where, on either date."""
        with self._generating:  # both dates may be prepared at once
            if self._layout is None:
                self._layout = generate(self.seed, self.size_m)
        return self._layout

    @cached_property
    def registration_ne_m(self) -> tuple[float, float]:
        """How far the satellite image is displaced: its pixel for p shows the ground at p plus this (1 to 3 m)."""
        return registration(self.seed)

    def date(self, name: str) -> Date:
        """The date of that name, "satellite", "flight" or "dusk".

        Raises:
            UsageError: there is no such date.
        """
        return make_date(self.seed, name, self.dates)

    def scene(self, date: str) -> Scene:
        """The world on a date, "satellite", "flight" or "dusk"; made once and kept.

        Raises:
            UsageError: there is no such date.
        """
        if date not in self._scenes:
            day = self.date(date)
            layout = at_date(self.layout, self.seed, day)
            self._scenes[date] = Scene(day, layout, build(layout, day), paint(layout, day, self.seed))
        return self._scenes[date]


def registration(seed: int) -> tuple[float, float]:
    """North, east displacement of a world's satellite image: 1 to 3 m in a direction of its own."""
    rng = np.random.default_rng([seed, 8])
    distance, direction = rng.uniform(1.0, 3.0), rng.uniform(0, 2 * math.pi)
    return float(distance * math.cos(direction)), float(distance * math.sin(direction))
