"""Where an aircraft is and how it is turned, as telemetry, files and the localizer say it, and where it is to go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from runtime.values.attitude import Attitude
from runtime.values.quantities import Covariance, GeoPoint, Measured, Quaternion, Velocity, axis_sigma_m, circular


class PositionSource(str, Enum):
    """By what a position is known. What is recorded, compared or believed depends on it: an autopilot that is fed by
    sight must not confirm what it was fed."""

    GPS = "gps"  # a satellite receiver's own answer
    AUTOPILOT = "autopilot"  # the estimator of a flight controller, whatever it was fed with
    VISION = "vision"  # a fix, or a filter over fixes and odometry
    TAG = "tag"  # written beside a picture by the camera's receiver
    SURVEY = "survey"  # cameras of overlapping photos, adjusted to one another and to their tags
    MAP = "map"  # a georeferenced raster
    UNKNOWN = "unknown"  # recorded before sources were kept


@dataclass(frozen=True, slots=True)
class Position:
    """A horizontal position, how well it is known, and by what; make one of equal sigmas with `circular`.

    ``covariance_m2`` is infinite where nothing says how good the position is. ``velocity_ned_m_s`` is by the same
    source, None where it gives none.
    """

    point: GeoPoint
    covariance_m2: Covariance
    source: PositionSource
    velocity_ned_m_s: Velocity | None = None

    @classmethod
    def circular(
        cls, point: GeoPoint, sigma_m: float, source: PositionSource, velocity_ned_m_s: Velocity | None = None
    ) -> Position:
        """Known to ``sigma_m`` (1-sigma per axis) alike in every direction."""
        return cls(point, circular(sigma_m), source, velocity_ned_m_s)

    @property
    def sigma_m(self) -> float:
        """1-sigma per axis."""
        return axis_sigma_m(self.covariance_m2)


@dataclass(frozen=True, slots=True)
class Pose:
    """How an aircraft was turned and how high it was at ``t_ns``, apart from where (`Position`); None is unknown,
    never zero: a photo without a date has no time, only a place in its folder's order.

    ``ned_from_body`` and ``heading`` are read from the one ``attitude``; the heading is where the *nose* points, not
    the course. Of a camera seen from straight above, that is where the image's top points.
    """

    t_ns: int | None
    altitude_amsl_m: Measured | None = None
    height_takeoff_m: Measured | None = None
    height_agl_m: Measured | None = None
    attitude: Attitude | None = None

    @property
    def ned_from_body(self) -> Quaternion | None:
        """The attitude's rotation; at any heading where `heading` is None."""
        return None if self.attitude is None else self.attitude.ned_from_body

    @property
    def attitude_measured(self) -> bool:
        """Whether the tilt was measured, not taken for level."""
        return self.attitude is not None and self.attitude.tilt_measured

    @property
    def heading(self) -> Measured | None:
        """The attitude's heading in radians clockwise from true north, in (-pi, pi]."""
        return None if self.attitude is None else self.attitude.heading


@dataclass(frozen=True, slots=True)
class NavState:
    """What navigation says of one instant, ``pose.t_ns``: how the aircraft was turned and how high, and where it was;
    ``position`` None is unknown."""

    pose: Pose
    position: Position | None

    @property
    def t_ns(self) -> int:
        """The instant."""
        assert self.pose.t_ns is not None  # what moves by itself has a clock; only photos may lack one
        return self.pose.t_ns


class TrackingState(str, Enum):
    """Whether the position is to be steered by."""

    TRACKING = "tracking"  # known well enough
    SEARCHING = "searching"  # some places are possible; measurements may still decide between them
    LOST = "lost"  # nothing says where the aircraft is


@dataclass(frozen=True, slots=True)
class Vicinity:
    """Where the aircraft may be: about ``place``, with a 1-sigma per axis of ``sigma_m``."""

    place: GeoPoint
    sigma_m: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The localizer's belief; ``t_ns`` is the instant of the measurement that it rests on.

    ``reason`` says why it is not TRACKING, and is empty where it is. ``covariance_m2`` of ``position`` is infinite
    where there is none; ``velocity_ned_m_s``, its 1-sigma per axis and ``heading`` are None where they are unknown.
    ``coast_left_s``: how many seconds more it may be TRACKING if no further fix speaks for it; None where it does not
    rest on fixes.
    """

    t_ns: int
    state: TrackingState
    position: GeoPoint | None
    covariance_m2: Covariance
    source: PositionSource
    reason: str
    velocity_ned_m_s: Velocity | None = None
    heading: Measured | None = None
    velocity_sigma_m_s: float | None = None
    coast_left_s: float | None = None

    @classmethod
    def lost(cls, t_ns: int, source: PositionSource, reason: str) -> Estimate:
        """An estimate without a position, and why."""
        return cls(t_ns, TrackingState.LOST, None, circular(math.inf), source, reason)

    @property
    def trusted(self) -> bool:
        """Whether the position may be steered by."""
        return self.state is TrackingState.TRACKING

    @property
    def sigma_m(self) -> float:
        """1-sigma per axis."""
        return axis_sigma_m(self.covariance_m2)

    @property
    def vicinity(self) -> Vicinity | None:
        """Where a frame of this instant is worth looking for first; None where nothing is believed."""
        if self.position is None or not math.isfinite(self.sigma_m):
            return None
        return Vicinity(self.position, self.sigma_m)


@dataclass(frozen=True, slots=True)
class Setpoint:
    """A position target: horizontal WGS-84, height AMSL, valid until ``expires_t_ns``."""

    t_ns: int
    position: GeoPoint
    altitude_amsl_m: float
    expires_t_ns: int
    reason: str
