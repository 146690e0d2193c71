"""How far the aircraft moved between two instants by what its camera saw of the ground, and how well that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from runtime.values.quantities import Covariance


class OdometryFault(str, Enum):
    """Why the pictures say nothing of how the aircraft moved. What is seen to be wrong is not measured with."""

    NO_HEIGHT = "no_height"  # no height above ground: pixels do not become metres
    HORIZON = "horizon"  # the camera shows too little ground, or only ground that is far away
    FROZEN = "frozen"  # the same picture again, under a new stamp
    BLURRED = "blurred"  # far less sharp than the same ground was
    TEXTURELESS = "textureless"  # too few things, or too little of the picture, to go by
    NO_OVERLAP = "no_overlap"  # what the reference picture showed was not found again
    MOVES_WITH_AIRCRAFT = "moves_with_aircraft"  # the aircraft's own shadow, or dirt on the lens, not the ground
    MOVING_OBJECTS = "moving_objects"  # much of what is seen moves over the ground: cars, waves
    JUMP = "jump"  # farther than an aircraft can have moved since the last picture
    UPSIDE_DOWN = "upside_down"  # the picture turned over, and the aircraft did not
    ATTITUDE = "attitude"  # the pictures turned and tilted otherwise than the pose says


@dataclass(frozen=True, slots=True)
class Displacement:
    """Where the aircraft was at ``to_t_ns`` against ``from_t_ns``: ``north_m``, ``east_m``.

    Errors are kept apart by whether the next displacement has them too:

    - ``random_covariance_m2``, north and east, is this displacement's own;
    - ``scale_sigma``, a share of the length, comes of the height above ground, its terrain and the lens; it stays much
      the same from one to the next, so a filter may estimate it: ``slope_by_scale_m`` is the derivative;
    - ``heading_sigma_rad`` likewise turns all displacements alike: ``slope_by_heading_m``. It is infinite where the
      heading is unknown; north and east are then the axes that the first picture's pose was given in.

    ``turn_rad``: of the nose, clockwise, by the pictures. ``height_ratio``: height above ground at the end over that at
    the start, by the change of scale. Both with 1-sigma. As long as ``from_t_ns`` stays, successive displacements are
    measured against one and the same picture: they do not drift, and their errors are not independent.
    """

    from_t_ns: int
    to_t_ns: int
    north_m: float
    east_m: float
    random_covariance_m2: Covariance
    scale_sigma: float
    heading_sigma_rad: float
    turn_rad: float
    turn_sigma_rad: float
    height_ratio: float
    height_ratio_sigma: float

    @property
    def distance_m(self) -> float:
        """Its length."""
        return math.hypot(self.north_m, self.east_m)

    @property
    def slope_by_scale_m(self) -> tuple[float, float]:
        """Derivative of (north, east) by a common factor on all lengths, at 1."""
        return self.north_m, self.east_m

    @property
    def slope_by_heading_m(self) -> tuple[float, float]:
        """Derivative of (north, east) by a common clockwise turn, in metres a radian."""
        return -self.east_m, self.north_m

    @property
    def covariance_m2(self) -> Covariance:
        """All errors together, of north and east: what this one displacement is worth alone."""
        (nn, ne), (_, ee) = self.random_covariance_m2
        for (north, east), sigma in (
            (self.slope_by_scale_m, self.scale_sigma),
            (self.slope_by_heading_m, min(self.heading_sigma_rad, math.pi)),
        ):
            nn, ne, ee = nn + (north * sigma) ** 2, ne + north * east * sigma**2, ee + (east * sigma) ** 2
        return (nn, ne), (ne, ee)


@dataclass(frozen=True, slots=True)
class Odometry:
    """What one frame, exposed at ``t_ns``, says of the motion since its reference picture.

    ``displacement`` is None where ``faults`` says why, the gravest first; both are empty for the very first picture.
    ``tracked``: features of the reference that were found again; ``agreeing``: those of them that move as level ground.
    """

    t_ns: int
    displacement: Displacement | None
    faults: tuple[OdometryFault, ...] = ()
    tracked: int = 0
    agreeing: int = 0

    @property
    def healthy(self) -> bool:
        """Whether it measured."""
        return self.displacement is not None
