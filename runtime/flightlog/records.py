"""What the flight log holds: one dataclass a record, from which its JSON and its schema are made.

Every input of the daemon is among them with its instant (`TickRecord`, `LinkRecord`, `FrameRecord`, `RequestRecord`,
`JobRecord` with the record of what the job made), and everything that followed. Times are the daemon's monotonic
nanoseconds; a record's own instant is the message's. NaN and infinity, which JSON has not, become null; bytes become
base64 of the URL-safe alphabet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter

from runtime.values import Covariance, Displacement, GeoPoint, Hypothesis, Quaternion, Velocity

Direction = Literal["in", "out"]


class Record:
    """Base of all records; ``channel`` is the topic that it is logged under."""

    __slots__ = ()
    channel: ClassVar[str]
    __pydantic_config__: ClassVar[Any] = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="null"
    )

    def encoded(self) -> bytes:
        """Compact JSON.

        Raises:
            ValueError: a value has no place in JSON.
        """
        adapter = _adapter(type(self))
        try:
            return adapter.dump_json(self, warnings=False)
        except ValueError:  # a file's name that is not UTF-8 holds lone surrogates, which JSON can only escape
            plain = adapter.dump_python(self, mode="json", warnings=False)
            return json.dumps(plain, separators=(",", ":")).encode()

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The JSON schema of what `encoded` gives."""
        return _adapter(cls).json_schema(mode="serialization")


_ADAPTERS: dict[str, TypeAdapter[Any]] = {}


def _adapter(kind: type[Record]) -> TypeAdapter[Any]:
    """Made once for each kind of record: making one takes a millisecond, using it a microsecond."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in _ADAPTERS:
        _ADAPTERS[name] = TypeAdapter(kind)
    return _ADAPTERS[name]


# What came in


@dataclass(frozen=True, slots=True)
class TickRecord(Record):
    """Time passed, and guidance decided."""

    channel: ClassVar[str] = "tick"


@dataclass(frozen=True, slots=True)
class LinkRecord(Record):
    """Bytes of a link as they were read or written, whole packets or not."""

    channel: ClassVar[str] = "link"
    link: str
    direction: Direction
    data: bytes


@dataclass(frozen=True, slots=True)
class FrameRecord(Record):
    """A frame that came; ``jpeg``: reduced, and only of a frame every so often (`[log] picture_interval_s`); ``kept``:
    the attachment that holds it whole (`[log] frames`)."""

    channel: ClassVar[str] = "frame"
    index: int
    source: str
    stamped_t_ns: int
    dropped: int
    camera: str
    width_px: int
    height_px: int
    jpeg: bytes | None
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class RequestRecord(Record):
    """What an operator asked for; ``kept``: the attachment that holds the named image, where frames are kept."""

    channel: ClassVar[str] = "request"
    request: dict[str, Any]
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord(Record):
    """A worker has finished; what it made is a record of its own. ``exposed_t_ns``: of the frame that it was about;
    ``started_t_ns``: when the job was handed out."""

    channel: ClassVar[str] = "job"
    kind: str
    elapsed_ns: int
    exposed_t_ns: int | None
    failed: bool
    started_t_ns: int | None = None


# What followed


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
    ReleaseRecord, VehicleRecord, ControlRecord, ErrorRecord, TruthRecord, LogRecord,
)  # fmt: skip
