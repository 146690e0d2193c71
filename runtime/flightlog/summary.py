"""What a flight log holds, at a glance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from mcap.records import Attachment, Channel, Footer, Message, Metadata

from runtime.flightlog.keeper import FRAMES
from runtime.flightlog.read import raw_records
from runtime.flightlog.start import START, FlightStart


@dataclass(slots=True)
class LogSummary:
    """``began``: the date of its first instant, None where it is unknown; ``complete``: the file has an end;
    ``missing``: records gone from among the others; ``frames``: kept whole."""

    began: datetime | None = None
    duration_s: float = 0.0
    complete: bool = False
    missing: int = 0
    frames: int = 0
    records: Counter[str] = field(default_factory=Counter)
    start: FlightStart | None = None


def summary(path: Path) -> LogSummary:
    """Reads a whole MCAP file once. Raises TelemetryError when it cannot be read or is no flight log."""
    found, topics, first_ns, last_ns, sequence = LogSummary(), {}, 0, 0, 0
    for record in raw_records(path):
        if isinstance(record, Channel):
            topics[record.id] = record.topic
        elif isinstance(record, Message):
            found.records[topics.get(record.channel_id, "unknown")] += 1
            first_ns, last_ns = first_ns or record.log_time, max(last_ns, record.log_time)
            found.missing += max(0, record.sequence - sequence - 1)
            sequence = record.sequence
        elif isinstance(record, Attachment):
            _take_file(found, record)
        elif isinstance(record, Metadata) and record.name == "clock":
            unix_ns = int(record.metadata["start_unix_ns"])
            found.began = datetime.fromtimestamp(unix_ns * 1e-9, timezone.utc)
        elif isinstance(record, Footer):
            found.complete = True
    found.duration_s = (last_ns - first_ns) * 1e-9
    return found


def _take_file(found: LogSummary, record: Attachment) -> None:
    if record.name.startswith(FRAMES):
        found.frames += 1
    elif record.name == START:
        try:
            found.start = FlightStart.decoded(record.data)
        except ValueError:
            found.start = None
