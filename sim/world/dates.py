"""Dates of one world: which objects are there, the season, the sun, and the sensor that looks."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.errors import UsageError
from sim.world.layout import Layout

DATES = ("satellite", "flight")
DUSK = "dusk"  # the evening of the day of the flight
_SEASONS = ("spring", "summer", "dry", "autumn")

# Shares of objects that stand only at the first date, and as many only at the second.
_HOUSES_CHANGED = 0.02
_TREES_CHANGED = 0.027
_CARS_CHANGED = (0.03, 0.20)  # least and most; as many as the whole allows
_ALL_CHANGED = 0.075  # of all objects, aimed at: between 5 and 10 % must differ
_CARS_STAYING = 0.30  # parked at both dates; the remaining slots stay empty

_SHADOWS_APART_M = 0.5  # of the tips of what is a metre high: under like suns SIFT matches shadows and lit edges


@dataclass(frozen=True, slots=True)
class Sensor:
    """How a camera or satellite turns light into numbers."""

    gain: tuple[float, float, float]  # white balance, per channel
    gamma: float  # above 1 is darker middle tones
    contrast: float  # about the middle grey
    saturation: float
    haze: float  # share of airlight in the light, 0..1
    haze_colour: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Date:
    """One of the dates: its seed feeds every texture, and none but the same day's dusk has it too."""

    name: str
    seed: int
    season: str
    sun_azimuth_rad: float
    sun_elevation_rad: float
    tilt_north: float  # the satellite's view off nadir: horizontal shift per metre of height, north
    tilt_east: float
    crown_scale: float  # trees were smaller when the satellite passed
    sensor: Sensor

    @property
    def to_sun(self) -> npt.NDArray[np.float32]:
        """(3,) unit vector towards the sun in NED."""
        c = math.cos(self.sun_elevation_rad)
        return np.array(
            [
                c * math.cos(self.sun_azimuth_rad),
                c * math.sin(self.sun_azimuth_rad),
                -math.sin(self.sun_elevation_rad),
            ],
            np.float32,
        )


def make_date(world_seed: int, name: str, pair: int = 0) -> Date:
    """The date of that name in a world; `pair` counts the world's pairs of dates, each drawn anew.

    Raises:
        UsageError: there is no such date.
    """
    if name == DUSK:
        return _at_dusk(make_date(world_seed, "flight", pair))
    if name not in DATES:
        raise UsageError(f"a world has no date '{name}': use one of {', '.join((*DATES, DUSK))}.")
    rng = np.random.default_rng([world_seed, 3, pair])  # seasons and suns are drawn together so that they differ
    seasons = rng.choice(len(_SEASONS), 2, replace=False)
    azimuth_deg = rng.uniform(125, 165)  # satellites pass in the morning
    turn_deg = rng.uniform(20, 45) if rng.random() < 0.8 else -rng.uniform(20, 40)
    elevations_deg = (rng.uniform(40, 52), rng.uniform(34, 52))
    azimuths_deg = (azimuth_deg, azimuth_deg + _widened(turn_deg, elevations_deg))
    index = DATES.index(name)
    own = np.random.default_rng([world_seed, 4 + index, pair])
    tilt = own.uniform(0.03, 0.12) if name == "satellite" else 0.0
    tilt_azimuth = own.uniform(0, 2 * math.pi)
    return Date(
        name,
        int(own.integers(1 << 40)),
        _SEASONS[int(seasons[index])],
        math.radians(azimuths_deg[index]),
        math.radians(elevations_deg[index]),
        tilt * math.cos(tilt_azimuth),
        tilt * math.sin(tilt_azimuth),
        float(own.uniform(0.88, 0.96)) if name == "satellite" else 1.0,
        _satellite_sensor(own) if name == "satellite" else _flight_sensor(own),
    )


def _at_dusk(day: Date) -> Date:
    """The same things standing there, under a sun that is about to set: shadows eight times as long, little light."""
    sensor = Sensor((1.0, 0.82, 0.66), 1.45, 0.85, 0.75, 0.05, (0.42, 0.34, 0.34))
    west, low = math.radians(265.0), math.radians(7.0)
    return dataclasses.replace(day, name=DUSK, sun_azimuth_rad=west, sun_elevation_rad=low, sensor=sensor)


def _widened(turn_deg: float, elevations_deg: tuple[float, float]) -> float:
    """The turn from one sun to the other, made larger where the two would throw nearly the same shadows."""
    first, second = (1 / math.tan(math.radians(elevation)) for elevation in elevations_deg)  # shadow per height
    cosine = (first**2 + second**2 - _SHADOWS_APART_M**2) / (2 * first * second)
    return math.copysign(max(abs(turn_deg), math.degrees(math.acos(min(1.0, cosine)))), turn_deg)


def _satellite_sensor(rng: np.random.Generator) -> Sensor:
    gain = (rng.uniform(0.93, 1.0), rng.uniform(0.97, 1.03), rng.uniform(0.97, 1.06))
    gamma, contrast, saturation = rng.uniform(0.95, 1.06), rng.uniform(0.95, 1.1), rng.uniform(0.8, 0.95)
    return Sensor(gain, gamma, contrast, saturation, rng.uniform(0.04, 0.08), (0.62, 0.68, 0.74))


def _flight_sensor(rng: np.random.Generator) -> Sensor:
    gain = (rng.uniform(0.98, 1.05), rng.uniform(0.97, 1.03), rng.uniform(0.93, 1.0))
    gamma, contrast, saturation = rng.uniform(0.9, 1.0), rng.uniform(0.98, 1.12), rng.uniform(0.82, 1.0)
    return Sensor(gain, gamma, contrast, saturation, rng.uniform(0.0, 0.04), (0.70, 0.72, 0.74))


def at_date(layout: Layout, world_seed: int, date: Date) -> Layout:
    """The layout as it stood on a date: what was not there yet, or no longer, is left out."""
    keys = [o.key for group in (layout.ground, layout.houses, layout.trees, layout.cars) for o in group]
    draw = np.random.default_rng([world_seed, 2]).random(max(keys, default=0) + 1)
    index = DATES.index("flight" if date.name == DUSK else date.name)
    moving = _cars_changed(layout)

    def stands(key: int, changed: float) -> bool:
        other = 1 - index
        return not other * changed <= draw[key] < (other + 1) * changed

    def parked(key: int) -> bool:
        u = draw[key]
        return bool(u < _CARS_STAYING or index * moving <= u - _CARS_STAYING < (index + 1) * moving)

    return dataclasses.replace(
        layout,
        houses=tuple(h for h in layout.houses if stands(h.key, _HOUSES_CHANGED)),
        trees=tuple(t for t in layout.trees if stands(t.key, _TREES_CHANGED)),
        cars=tuple(c for c in layout.cars if parked(c.key)),
    )


def _cars_changed(layout: Layout) -> float:
    """Share of car slots taken at one date only (each way), so that in all _ALL_CHANGED of the objects differ."""
    trees, houses, slots = len(layout.trees), len(layout.houses), max(1, len(layout.cars))
    lasting = 2 * (_TREES_CHANGED * trees + _HOUSES_CHANGED * houses)
    target = _ALL_CHANGED * (trees + houses + _CARS_STAYING * slots)
    share = (target - lasting) / (2 * slots * (1 - _ALL_CHANGED))
    return min(max(share, _CARS_CHANGED[0]), _CARS_CHANGED[1])
