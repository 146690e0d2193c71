"""What happens to the daemon: the values that `Daemon.step` takes, each with the instant at which it happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from runtime.values import Frame

Answer = dict[str, Any]
LinkBytes = tuple[str, bytes]  # (name of the link, whole MAVLink frames to write to it)
VEHICLE_LINK = "vehicle"  # the link that the configuration's [vehicle] names


class JobKind(str, Enum):
    """The slow work that is done beside the deciding thread; one job of a kind at a time."""

    FIX = "fix"
    ODOMETRY = "odometry"
    RECORD = "record"
    LOCATE = "locate"


@dataclass(frozen=True, slots=True)
class Event:
    """Base: ``t_ns`` is the monotonic instant of arrival, not of exposure or measurement."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """Time passes; guidance decides on ticks."""


@dataclass(frozen=True, slots=True)
class LinkData(Event):
    """Bytes that came over a link; ``link``: its name."""

    data: bytes
    link: str = VEHICLE_LINK


@dataclass(frozen=True, slots=True)
class FrameArrived(Event):
    """A frame from the camera; ``dropped_before``: how many were lost on the way since the one before."""

    frame: Frame
    dropped_before: int = 0


@dataclass(frozen=True, slots=True)
class ControlRequest(Event):
    """An operator's request; ``reply`` is called exactly once, with one JSON-able object."""

    request: dict[str, Any]
    reply: Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class JobDone(Event):
    """A worker has finished: ``result`` of its work, or the ``error`` that ended it.

    ``subject``: what the job was about, as it was given to the worker. ``elapsed_ns``: how long the work took.
    ``started_t_ns``: when it was handed out.
    """

    kind: JobKind
    subject: Any
    result: Any
    error: Exception | None
    elapsed_ns: int
    started_t_ns: int = 0
