"""What the flight log holds: one dataclass a record, from which its JSON and its schema are made.

Every input of the daemon is among them with its instant (`inputs.py`), everything that was believed (`beliefs.py`), and
here everything that followed. Times are the daemon's monotonic nanoseconds; a record's own instant is the message's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from runtime.flightlog.beliefs import (
    EstimateRecord,
    FixRecord,
    KeyframeRecord,
    NavigationRecord,
    OdometryRecord,
    PoseRecord,
    VisionRecord,
)
from runtime.flightlog.inputs import FrameRecord, JobRecord, LinkRecord, RequestRecord, TickRecord
from runtime.flightlog.record import Record
from runtime.values import GeoPoint


@dataclass(frozen=True, slots=True)
class InjectionRecord(Record):
    """Whether the autopilot's estimator is fed, and why not: on a change and once a second; not where it is off.

    ``switch_to``: the EKF source set that it is told to use now. ``echoing``: what it reports as its position may be
    ours.
    """

    channel: ClassVar[str] = "injection"
    state: str
    reasons: list[str]
    switch_to: int | None
    echoing: bool


@dataclass(frozen=True, slots=True)
class GuidanceRecord(Record):
    """The state machine with every reason for not commanding, on a change and once a second."""

    channel: ClassVar[str] = "guidance"
    state: str
    phase: str
    reasons: list[str]
    consent_left_s: float | None  # null without consent, and once it was used
    waived: list[str]  # unknowns that hold and that the configuration waives
    distance_m: float | None
    position: GeoPoint | None
    sigma_m: float
    trusted: bool
    estimate_t_ns: int


@dataclass(frozen=True, slots=True)
class SetpointRecord(Record):
    """A position target; ``withheld``: why it was not sent."""

    channel: ClassVar[str] = "setpoint"
    latitude_deg: float
    longitude_deg: float
    altitude_amsl_m: float
    expires_t_ns: int
    reason: str
    sent: bool
    withheld: str | None


@dataclass(frozen=True, slots=True)
class ReleaseRecord(Record):
    """The vehicle was given back; ``hold``: with one target that holds here."""

    channel: ClassVar[str] = "release"
    cause: str
    hold: bool


@dataclass(frozen=True, slots=True)
class VehicleRecord(Record):
    """Something that the vehicle room noticed: its name and its fields."""

    channel: ClassVar[str] = "vehicle"
    event: str
    t_ns: int
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ControlRecord(Record):
    """An operator's request with its answer, when it was answered."""

    channel: ClassVar[str] = "control"
    request: dict[str, Any]
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ErrorRecord(Record):
    """Something failed, and the flight went on."""

    channel: ClassVar[str] = "error"
    stage: str
    error: str
    kind: str


@dataclass(frozen=True, slots=True)
class CameraStateRecord(Record):
    """The state of the camera, when it changed; ``error``: why no frames come, in the words of its thread."""

    channel: ClassVar[str] = "camera_state"
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class TruthRecord(Record):
    """Where the aircraft really was, of a simulated flight; nothing that flies knows it."""

    channel: ClassVar[str] = "truth"
    position: GeoPoint
    height_takeoff_m: float


@dataclass(frozen=True, slots=True)
class LogRecord(Record):
    """The log's own losses, written when it can write again."""

    channel: ClassVar[str] = "log"
    degraded: bool
    reason: str
    lost_records: int
    lost_blocks: int


RECORDS: tuple[type[Record], ...] = (
    TickRecord, LinkRecord, FrameRecord, RequestRecord, JobRecord, PoseRecord, FixRecord, KeyframeRecord,
    OdometryRecord, VisionRecord, EstimateRecord, NavigationRecord, InjectionRecord, GuidanceRecord, SetpointRecord,
    ReleaseRecord, VehicleRecord, ControlRecord, ErrorRecord, CameraStateRecord, TruthRecord,
    LogRecord,
)  # fmt: skip
