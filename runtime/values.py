"""The typed values that travel between the rooms, from camera frame to setpoint.

Times are monotonic nanoseconds, angles radians, lengths metres, positions WGS-84. The body frame is FRD
(x forward, y right, z down), the local frame NED, the camera frame x right, y down, z along the optical axis.
Quaternions are (w, x, y, z); a transform ``a_from_b`` takes vectors of frame b to frame a.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

ImageRGB = NDArray[np.uint8]  # (H, W, 3), RGB
Vectors = NDArray[np.float32]  # (N, D), unit rows
Maps = NDArray[np.float32]  # (N, C, h, w), unit along C
Quaternion = tuple[float, float, float, float]  # (w, x, y, z)


class ViewKind(str, Enum):
    """Which tower a view belongs to."""

    DRONE = "drone"
    SATELLITE = "satellite"
    GROUND = "ground"


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A WGS-84 position on the ground; height is carried apart, with its own datum."""

    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity with its 1-sigma and where it came from, e.g. ``Measured(92.1, 2.0, "xmp")``."""

    value: float
    sigma: float
    source: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera image. ``image`` (H, W, 3) uint8 RGB; ``t_ns`` the instant of exposure."""

    image: ImageRGB
    t_ns: int
    source: str
    index: int


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the aircraft was and how it was turned at ``t_ns``; None is unknown, never zero.

    ``heading`` is in radians clockwise from true north and is where the *nose* points, not the course.
    ``ned_from_body`` may be set from a heading alone (level flight assumed): then ``attitude_measured`` is False.
    """

    t_ns: int
    position: GeoPoint | None = None
    position_sigma_m: float = float("inf")
    altitude_amsl_m: Measured | None = None
    height_takeoff_m: Measured | None = None
    height_agl_m: Measured | None = None
    ned_from_body: Quaternion | None = None
    attitude_measured: bool = False
    heading: Measured | None = None
    velocity_ned_m_s: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A crop of the ground: ``image`` (S, S, 3) uint8 RGB, row 0 is north when ``north_up``.

    ``footprint_m``: side of the crop on the ground, None when scale is unknown. ``rectified``: False for a plain
    centre crop. ``centre``: ground point at the crop's centre. ``aircraft_ne_m``: (north, east) from the crop's
    centre to the point below the aircraft, when known. ``coverage``: the share of the crop the camera really saw.
    """

    image: ImageRGB
    footprint_m: float | None
    rectified: bool
    north_up: bool
    centre: GeoPoint | None
    aircraft_ne_m: tuple[float, float] | None
    coverage: float
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
    or above; ``ground`` is the WGS-84 point at the crop's centre; ``pose`` is the aircraft's."""

    keyframe_id: int
    flight: str
    view: ViewKind
    name: str
    pose: Pose
    ground: GeoPoint
    ground_sigma_m: float
    footprint_m: float
    crop: ImageRGB


class Decision(str, Enum):
    """The honest answers of `locate` and `fix`."""

    MATCH = "match"
    NO_MATCH = "no_match"
    FIX = "fix"
    NO_FIX = "no_fix"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Fix:
    """Where one frame was taken, by sight alone.

    ``aircraft`` and ``ground`` (the point at the image's centre) are set when ``decision`` is FIX. ``sigma_m`` is
    1-sigma horizontal per axis. ``verified`` counts the keyframes that were verified geometrically.
    """

    t_ns: int
    decision: Decision
    aircraft: GeoPoint | None
    ground: GeoPoint | None
    sigma_m: float | None
    keyframe_id: int | None
    inliers: int
    verified: int
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A distinct place that resembles a target; ``ground`` is the estimated point at the target's centre."""

    keyframe_id: int
    ground: GeoPoint
    similarity: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class PlaceAnswer:
    """What `place` says of a target: MATCH with a place, or NO_MATCH with a reason; candidates in either case."""

    decision: Decision
    place: GeoPoint | None
    sigma_m: float | None
    probability: float | None
    candidates: tuple[Candidate, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """The localizer's belief at ``t_ns``: horizontal position, 1-sigma per axis, and whether to trust it."""

    t_ns: int
    position: GeoPoint | None
    sigma_m: float
    trusted: bool
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Setpoint:
    """A position target: horizontal WGS-84, height AMSL, valid until ``expires_t_ns``."""

    t_ns: int
    position: GeoPoint
    altitude_amsl_m: float
    expires_t_ns: int
    reason: str
