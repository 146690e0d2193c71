"""What happens to the daemon: the values that `Daemon.step` takes, each with the instant at which it happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.values import Frame

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Base: ``t_ns`` is the monotonic instant of arrival, not of exposure or measurement."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """Time passes; guidance decides on ticks."""


@dataclass(frozen=True, slots=True)
class LinkData(Event):
    """Bytes from the vehicle link."""

    data: bytes


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
class ErrandDone(Event):
    """Something that was done aside has ended; ``finish`` brings it home."""

    finish: Callable[[], None]
