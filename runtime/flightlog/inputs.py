"""The records of what came in: every input of the daemon with its instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from runtime.flightlog.record import Record

Direction = Literal["in", "out"]


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
