"""A flight log read once, from its first byte to its end or to where it was cut off: what a report tells of it."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

from mcap.records import Attachment, Channel, Footer, Message, Metadata

from runtime.debrief.wire import Wire
from runtime.errors import TelemetryError
from runtime.events import VEHICLE_LINK
from runtime.flightlog.read import raw_records
from runtime.flightlog.records import RECORDS
from runtime.flightlog.start import START, FlightStart

Logged = tuple[int, dict[str, Any]]  # (t_ns, the record as JSON has it)

_FIELDS = {kind.channel: frozenset(one.name for one in fields(cast(Any, kind))) for kind in RECORDS}
_SINCE = {  # fields that older logs lack, which nothing of a report needs
    "guidance": {"consent_left_s", "waived"}, "job": {"started_t_ns"}, "vehicle": {"details", "t_ns"},
    "frame": {"kept", "jpeg", "camera", "source", "width_px", "height_px"}, "fix": {"hypotheses", "t_ns", "verified"},
}  # fmt: skip


@dataclass(slots=True)
class Flown:
    """``records`` by channel in their order; ``ticks_ns``: when guidance decided; ``wire``: what went over the link.

    ``start``: what the first of its ``starts`` daemons was given, None where the log does not say. ``whole``: the log
    has its end; ``lost``: records that are gone from it.
    """

    path: Path
    start: FlightStart | None = None
    starts: int = 0
    first_t_ns: int = 0
    last_t_ns: int = 0
    clock: tuple[int, int] | None = None  # an instant, and its date in nanoseconds since 1970
    records: dict[str, list[Logged]] = field(default_factory=lambda: defaultdict(list))
    ticks_ns: list[int] = field(default_factory=list)
    wire: Wire = field(default_factory=Wire)
    whole: bool = False
    lost: int = 0
    _begun: bool = False

    @classmethod
    def open(cls, path: Path) -> Flown:
        """Reads a flight log, and where the flight went on in NAME-2.mcap, those too.

        Raises:
            TelemetryError: it is missing, no flight log, holds nothing, or was written by another version that wrote
                its records otherwise.
        """
        found = cls(path)
        clock = found._read(path)
        for more in _further(path):
            if clock and found.clock_of(more) == clock:
                found._read(more)
        if not found.ticks_ns and not any(found.records.values()):
            raise TelemetryError(f"{path} holds no flight: nothing was written before it was cut off.")
        return found

    @staticmethod
    def clock_of(path: Path) -> tuple[int, int] | None:
        """Which instant is which date, as a log says it at its front."""
        for record in raw_records(path):
            if isinstance(record, Metadata) and record.name == "clock":
                return _clock(record)
            if not isinstance(record, Message | Channel | Attachment):
                continue
            if isinstance(record, Message):
                break
        return None

    @property
    def began(self) -> datetime | None:
        """The date of its first instant, by the computer's clock."""
        if self.clock is None:
            return None
        at_ns, unix_ns = self.clock
        since = timedelta(microseconds=(unix_ns + self.first_t_ns - at_ns) / 1e3)
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + since

    @property
    def duration_s(self) -> float:
        """From its first record to its last."""
        return (self.last_t_ns - self.first_t_ns) * 1e-9

    def seconds(self, t_ns: Any) -> Any:
        """Since its beginning, of one instant or an array of them."""
        return (t_ns - self.first_t_ns) * 1e-9

    def _read(self, path: Path) -> tuple[int, int] | None:
        topics: dict[int, str] = {}
        sequence, clock = 0, None
        self.whole = False
        for record in raw_records(path):
            if isinstance(record, Channel):
                topics[record.id] = record.topic
            elif isinstance(record, Message):
                self.lost += max(0, record.sequence - sequence - 1)
                sequence = record.sequence
                if not self._take(path, topics.get(record.channel_id, ""), record.log_time, record.data):
                    break
            elif isinstance(record, Attachment) and record.name == START:
                self._started(record.data)
            elif isinstance(record, Metadata) and record.name == "clock":
                clock = self.clock = _clock(record)
            elif isinstance(record, Footer):
                self.whole = True
        return clock

    def _take(self, path: Path, channel: str, t_ns: int, data: bytes) -> bool:
        """One record; False where nothing after it is to be trusted."""
        if channel != "truth":  # written when the flight is over
            self.first_t_ns = min(self.first_t_ns, t_ns) if self._begun else t_ns
            self.last_t_ns = max(self.last_t_ns, t_ns)
            self._begun = True
        if channel == "tick":
            self.ticks_ns.append(t_ns)
            return True
        try:
            record = json.loads(data)
        except ValueError:
            return False
        needed = _FIELDS.get(channel, frozenset()) - _SINCE.get(channel, set())
        if not isinstance(record, dict) or needed - record.keys():
            raise TelemetryError(f"{path} holds records of {channel} that this version does not understand.")
        if channel == "link":
            self._link(t_ns, record)
        if channel == "log":
            self.lost = max(self.lost, int(record["lost_records"]))
        if channel != "link":
            self.records[channel].append((t_ns, record))
        return True

    def _link(self, t_ns: int, record: dict[str, Any]) -> None:
        if not record["link"].startswith(VEHICLE_LINK):
            return
        take = self.wire.sent if record["direction"] == "out" else self.wire.heard
        take(t_ns, record["link"], base64.urlsafe_b64decode(record["data"]))

    def _started(self, data: bytes) -> None:
        self.starts += 1
        if self.start is not None:
            return
        try:
            self.start = FlightStart.decoded(data)
        except ValueError:
            self.start = None


def _clock(record: Metadata) -> tuple[int, int] | None:
    try:
        return int(record.metadata["start_t_ns"]), int(record.metadata["start_unix_ns"])
    except (KeyError, ValueError):
        return None


def _further(path: Path) -> list[Path]:
    """What a log goes on in after a full disk, in order."""
    found: list[Path] = []
    while (more := path.with_name(f"{path.stem}-{len(found) + 2}{path.suffix}")).is_file():
        found.append(more)
    return found
