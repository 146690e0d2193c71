"""What a simulated flight meets beyond its site: the date that the camera sees, wind, height, GPS or none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from runtime.camera_model import CameraModel
from sim.camera import CameraFaults, default_camera
from sim.scenario.plan import HEIGHT_M, Point

# GPS first, and a second source set that flies by what the companion feeds; as a vehicle is set up for a fallback.
_DELAY = {"VISO_TYPE": 1.0, "VISO_DELAY_MS": 90.0}  # from exposure to ODOMETRY: the camera's 60 ms, odometry, the link
FALLBACK = {**_DELAY, "EK3_SRC2_POSXY": 6.0, "EK3_SRC2_VELXY": 6.0, "EK3_SRC2_YAW": 1.0}
# No receiver at all: what the companion feeds is the first and only source.
NO_RECEIVER = {**_DELAY, "GPS1_TYPE": 0.0, "EK3_SRC1_POSXY": 6.0, "EK3_SRC1_VELXY": 6.0}
STRAIGHT_DOWN_DEG = -90.0  # a camera's pitch; 0 looks at the horizon
LITTLE_LIGHT = CameraFaults(exposure_s=0.010, noise=6.0)  # long exposures and gain, an hour before night


class Hills(Enum):
    """What the ground does below the flight, and whether the daemon has an elevation model of it."""

    NONE = "level ground"
    KNOWN = "hills, with their elevation model"
    UNKNOWN = "hills that nobody has told of"


@dataclass(frozen=True, slots=True)
class Conditions:
    """One flight's. ``receiver``: it has a GPS at all; ``fed``: the daemon may feed the autopilot's estimator.

    ``date`` is a date of the world: "flight", "satellite" (another season and sun, and what changed since), "dusk".
    """

    date: str = "flight"
    wind_m_s: float = 4.0
    gust_m_s: float = 0.7
    height_m: float = HEIGHT_M
    receiver: bool = True
    fed: bool = False
    faults: CameraFaults = CameraFaults()
    camera_pitch_deg: float = field(default=STRAIGHT_DOWN_DEG, repr=False)
    hills: Hills = field(default=Hills.NONE, repr=False)

    @property
    def named(self) -> str:
        """All of it, by which a kept survey is known; the camera's mount where it does not look straight down, and the
        ground where it is not level."""
        ahead = "" if self.camera_pitch_deg == STRAIGHT_DOWN_DEG else f", camera at {self.camera_pitch_deg:g} deg"
        over = "" if self.hills is Hills.NONE else f", {self.hills.value}"
        return f"{self!r}{ahead}{over}"

    @property
    def camera(self) -> CameraModel:
        """As it is mounted."""
        return default_camera(self.camera_pitch_deg)

    @property
    def parameters(self) -> dict[str, float]:
        """Of the autopilot."""
        if not self.fed:
            return {}
        return FALLBACK if self.receiver else NO_RECEIVER

    def wind_ne_m_s(self, seed: int) -> Point:
        """The steady wind, (north, east), from a direction that follows from the flight's seed."""
        direction = math.radians(seed * 37 % 360)
        return self.wind_m_s * math.cos(direction), self.wind_m_s * math.sin(direction)
