"""What stands where: the objects of a world, apart from what they look like on a date.

North and east in metres from the world's origin, yaw in radians clockwise from north.
"""

from dataclasses import dataclass
from enum import IntEnum

Outline = tuple[tuple[float, float], ...]  # (north_m, east_m) corners, not closed


class Material(IntEnum):
    """What a patch of ground is made of."""

    MEADOW = 0
    LAWN = 1
    CROP = 2
    FOREST_FLOOR = 3
    ASPHALT = 4
    GRAVEL = 5
    PAVING = 6
    WATER = 7
    REED = 8
    PAINT = 9
    SAND = 10
    BED = 11
    RAIL_BALLAST = 12


@dataclass(frozen=True, slots=True)
class House:
    """A building: a box of length (along yaw) by width, with a roof: gable, hip, shed or flat."""

    key: int
    north_m: float
    east_m: float
    yaw_rad: float
    length_m: float
    width_m: float
    wall_m: float
    rise_m: float
    roof: str
    tint: int


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree or bush; its crown is an ellipsoid-like lump from a little above ground to height_m."""

    key: int
    north_m: float
    east_m: float
    radius_m: float
    height_m: float
    conifer: bool


@dataclass(frozen=True, slots=True)
class Car:
    """A slot where a car may stand (parked, or on a road); which are taken depends on the date."""

    key: int
    north_m: float
    east_m: float
    yaw_rad: float
    length_m: float
    width_m: float
    tint: int


@dataclass(frozen=True, slots=True)
class Patch:
    """A polygon of one ground material; row_yaw_rad is the direction of crop rows or mowing."""

    key: int
    material: Material
    outline: Outline
    row_yaw_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A strip of one ground material of constant width along a polyline: road, path, ditch, marking."""

    key: int
    material: Material
    points: Outline
    width_m: float


@dataclass(frozen=True, slots=True)
class Layout:
    """All objects of a world; `ground` is in paint order, later over earlier."""

    half_m: float  # the laid-out square reaches this far from the origin, the margin included
    ground: tuple[Patch | Line, ...]
    houses: tuple[House, ...]
    trees: tuple[Tree, ...]
    cars: tuple[Car, ...]
