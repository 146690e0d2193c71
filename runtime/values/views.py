"""What a camera saw: frames, crops of the ground, their embeddings, and the keyframes of a history."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from runtime.values.navigation import Pose, Position
from runtime.values.quantities import GeoPoint

ImageRGB = NDArray[np.uint8]  # (H, W, 3), RGB
Vectors = NDArray[np.float32]  # (N, D), unit rows
Maps = NDArray[np.float32]  # (N, C, h, w), unit along C


class ViewKind(str, Enum):
    """Which tower a view belongs to."""

    DRONE = "drone"
    SATELLITE = "satellite"
    GROUND = "ground"


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera image. ``image`` (H, W, 3) uint8 RGB; ``t_ns`` the instant of exposure."""

    image: ImageRGB
    t_ns: int
    source: str
    index: int


@dataclass(frozen=True, slots=True)
class View:
    """A crop of the ground: ``image`` (S, S, 3) uint8 RGB, row 0 is north when ``north_up``.

    ``footprint_m``: side of the crop on the ground, None when scale is unknown. ``rectified``: False for a plain
    centre crop. ``aircraft_ne_m``: (north, east) from the crop's centre to the point below the aircraft, when known.
    """

    image: ImageRGB
    footprint_m: float | None
    rectified: bool
    north_up: bool
    aircraft_ne_m: tuple[float, float] | None
    t_ns: int


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What a tower gives for N crops: ``vectors`` (N, D) float32 unit rows, of which views of different kinds share the
    leading numbers (`Bundle.shared_dim`); ``maps`` (N, C, h, w) float32 or None."""

    vectors: Vectors
    maps: Maps | None


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One remembered view. ``crop`` (S, S, 3) uint8 RGB, north-up where heading is known, at network resolution
    or above; ``ground`` is the WGS-84 point at the crop's centre.

    ``position`` is the camera's, of a map's tile its centre; None where it was not kept (solved keyframes of the
    history's first format). ``tag`` is what the camera's receiver wrote of the same instant, where recording found the
    camera to be elsewhere (a lag, a drift); None where ``position`` is all that was ever said.
    """

    keyframe_id: int
    flight: str
    view: ViewKind
    name: str
    pose: Pose
    position: Position | None
    ground: GeoPoint
    ground_sigma_m: float
    footprint_m: float
    crop: ImageRGB
    tag: Position | None = None

    @property
    def track_point(self) -> GeoPoint | None:
        """Where the flight's own track passes: the tag where there is one, else the camera's position."""
        said = self.tag or self.position
        return None if said is None else said.point
