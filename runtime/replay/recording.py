"""A flight log taken apart for a replay: what the daemon was given, in order, and what followed."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from runtime.errors import TelemetryError
from runtime.events import ControlRequest, Event, FrameArrived, JobKind, LinkData, Tick
from runtime.flightlog.keeper import FRAMES, TARGETS
from runtime.flightlog.read import Attached, missing_records, read_all, read_flightlog
from runtime.flightlog.start import START, FlightStart
from runtime.guidance.reasons import Reason
from runtime.replay.outcome import Outcome
from runtime.replay.workers import LoggedJob
from runtime.values import Frame

_INPUTS = ("tick", "link", "frame", "request", "job", "release")
_KINDS = {kind.value: kind for kind in JobKind}


@dataclass(frozen=True, slots=True)
class Lost(Event):
    """A frame that the daemon was given and the log could not keep."""


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The daemon was closed."""


Given = Event | LoggedJob  # a `LoggedJob` stands where its event was taken


@dataclass(frozen=True, slots=True)
class Recording:
    """One log: what its daemon ``start``ed with, its ``jobs``, what ``followed``, and how many records it lost, or are
    damaged."""

    path: Path
    start: FlightStart
    jobs: tuple[LoggedJob, ...]
    followed: Outcome
    lost_records: int
    first_t_ns: int
    last_t_ns: int

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Reads all but the frames; also of a log that was cut off anywhere.

        Raises:
            TelemetryError: it is no flight log, or holds too little for a replay.
        """
        start = _start_of(path)
        jobs, followed, lost, stamps = [], Outcome(), 0, []
        damaged = missing_records(path)
        for channel, t_ns, record in read_flightlog(path):
            with _understood(path, channel):
                if channel == "tick":
                    stamps.append(t_ns)
                elif channel == "job":
                    job = _job(t_ns, record)
                    jobs += [] if job is None else [job]
                elif channel == "link" and record["direction"] == "out":
                    followed.sent.append((t_ns, record["link"], _bytes(record["data"])))
                elif channel == "log":
                    lost = int(record["lost_records"])
                elif channel not in _INPUTS or channel == "release":
                    followed.records[channel].append((t_ns, record))
        if not stamps:
            raise TelemetryError(f"{path} holds no flight: its daemon took no step.")
        return cls(path, start, tuple(jobs), followed, lost + damaged, stamps[0], stamps[-1])

    def given(self, folder: Path) -> Iterator[Given]:
        """What the daemon was given, in order; the images that its operator named are written to ``folder``.

        It ends where a frame was not written any more, and before another daemon goes on in the same log.
        """
        waiting: deque[tuple[str, int, dict[str, Any]]] = deque()
        files: dict[tuple[str, int], bytes] = {}
        began_ns: int | None = None
        until_ns: int | None = None
        for item in read_all(self.path, _INPUTS):
            if not isinstance(item, Attached):
                waiting.append(item)
            elif item.name == START:
                until_ns = item.t_ns if began_ns is not None and until_ns is None else until_ns
                began_ns = item.t_ns if began_ns is None else began_ns
            elif item.name.startswith((FRAMES, TARGETS)):
                files[item.name, item.t_ns] = item.data
            while waiting and _ready(waiting[0], files):
                channel, t_ns, record = waiting.popleft()
                if until_ns is not None and t_ns >= until_ns:
                    return
                data = files.pop((record["kept"], t_ns), b"") if record.get("kept") else b""
                with _understood(self.path, channel):
                    one = _given(channel, t_ns, record, data, folder)
                if one is not None:
                    yield one


def _start_of(path: Path) -> FlightStart:
    for item in read_all(path, ()):
        if isinstance(item, Attached) and item.name == START:
            try:
                start = FlightStart.decoded(item.data)
            except ValueError:
                raise TelemetryError(f"what {path} says of its start cannot be read.") from None
            if start.frames == "pictures":
                raise TelemetryError(
                    f"{path} keeps reduced pictures alone, which cannot be fixed again; "
                    'log a flight that is to be replayed with frames = "all" in [log].'
                )
            return start
    raise TelemetryError(
        f"{path} does not say what its daemon began with: it was written by an earlier version, or cut off at once."
    )


def _job(t_ns: int, record: dict[str, Any]) -> LoggedJob | None:
    kind = _KINDS.get(record["kind"])  # of another version, perhaps
    if kind is None or record.get("started_t_ns") is None:
        return None
    return LoggedJob(kind, int(record["started_t_ns"]), t_ns, int(record["elapsed_ns"]))


def _ready(item: tuple[str, int, dict[str, Any]], files: dict[tuple[str, int], bytes]) -> bool:
    _, t_ns, record = item
    return not record.get("kept") or (record["kept"], t_ns) in files


@contextmanager
def _understood(path: Path, channel: str) -> Iterator[None]:
    """Turns what a record of another make raises into a sentence."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError):
        raise TelemetryError(f"{path} holds records of {channel} that this version does not understand.") from None


def _given(channel: str, t_ns: int, record: dict[str, Any], data: bytes, folder: Path) -> Given | None:
    """What a record says that the daemon was given; None where it says something else."""
    if channel == "tick":
        return Tick(t_ns)
    if channel == "link" and record["direction"] == "in":
        return LinkData(t_ns, _bytes(record["data"]), record["link"])
    if channel == "frame":
        return _frame(t_ns, record, data)
    if channel == "request":
        return ControlRequest(t_ns, _request(record, data, folder), lambda answer: None)
    if channel == "job":
        return _job(t_ns, record)
    if channel == "release" and record["cause"] == Reason.SHUT_DOWN.value:
        return Ended(t_ns)
    return None


def _frame(t_ns: int, record: dict[str, Any], data: bytes) -> FrameArrived | Lost:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        return Lost(t_ns)
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    return FrameArrived(t_ns, Frame(rgb, record["stamped_t_ns"], record["source"], record["index"]), record["dropped"])


def _request(record: dict[str, Any], data: bytes, folder: Path) -> dict[str, Any]:
    """The request; an image that the log holds is asked for where it lies now."""
    request = dict(record["request"])
    if data:
        place = folder / f"{len(list(folder.iterdir()))}-{Path(request['image']).name}"
        place.write_bytes(data)
        request["image"] = str(place)
    return request


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)
