"""The records of what was believed: poses, fixes, motion, keyframes, and where the aircraft was by whose word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.flightlog.record import Record
from runtime.values import Covariance, Displacement, GeoPoint, Hypothesis, Quaternion, Velocity


@dataclass(frozen=True, slots=True)
class PoseRecord(Record):
    """The autopilot's state at the exposure of a frame; None is unknown."""

    channel: ClassVar[str] = "pose"
    frame: int
    exposed_t_ns: int
    position: GeoPoint | None
    position_sigma_m: float
    position_source: str | None
    altitude_amsl_m: float | None
    height_takeoff_m: float | None
    height_agl_m: float | None
    heading_rad: float | None
    ned_from_body: Quaternion | None


@dataclass(frozen=True, slots=True)
class DifferenceRecord:
    """Fix minus autopilot at one exposure."""

    t_ns: int
    north_m: float
    east_m: float
    distance_m: float


@dataclass(frozen=True, slots=True)
class FixRecord(Record):
    """A fix, or an honest no, with the likeliest places considered; beside it the autopilot's word of the exposure."""

    channel: ClassVar[str] = "fix"
    t_ns: int
    decision: str
    aircraft: GeoPoint | None
    ground: GeoPoint | None
    covariance_m2: Covariance | None
    sigma_m: float | None
    keyframe_id: int | None
    inliers: int
    verified: int
    reason: str
    exposed_t_ns: int
    frame: int
    autopilot: GeoPoint | None
    difference: DifferenceRecord | None
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True)
class OdometryRecord(Record):
    """What one frame said of the motion since its reference picture; ``faults``: why it said nothing."""

    channel: ClassVar[str] = "odometry"
    frame: int
    exposed_t_ns: int
    displacement: Displacement | None
    faults: tuple[str, ...]
    tracked: int
    agreeing: int


@dataclass(frozen=True, slots=True)
class KeyframeRecord(Record):
    """What became of a frame that was offered to the recorder."""

    channel: ClassVar[str] = "record"
    keyframe: int | None
    reason: str
    exposed_t_ns: int


@dataclass(frozen=True, slots=True)
class EstimateRecord(Record):
    """Where the aircraft is believed to be, by the word that is flown; ``measured_t_ns``: the instant of the
    measurement that the belief rests on, ``believed_t_ns``: the one that the position is of."""

    channel: ClassVar[str] = "estimate"
    state: str
    position: GeoPoint | None
    covariance_m2: Covariance
    sigma_m: float
    velocity_ned_m_s: Velocity | None
    heading_rad: float | None
    trusted: bool
    source: str
    reason: str
    measured_t_ns: int
    believed_t_ns: int


@dataclass(frozen=True, slots=True)
class VisionRecord(EstimateRecord):
    """Where the aircraft is by the camera alone, whatever is flown: one for each frame of odometry."""

    channel: ClassVar[str] = "vision"


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """Since when the receiver disagrees with the camera, by how much, and in words."""

    t_ns: int
    offset_m: float
    sigmas: float
    reason: str


@dataclass(frozen=True, slots=True)
class NavigationRecord(Record):
    """Whose word is flown, and what is thought of the satellite receiver: on a change. ``alarm``: why it is doubted."""

    channel: ClassVar[str] = "navigation"
    source: str
    gps: str
    alarm: AlarmRecord | None
