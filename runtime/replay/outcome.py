"""What followed from what a daemon was given: its records and the bytes that it sent, logged or replayed."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from dataclasses import dataclass, field

from runtime.debrief.flown import Flown, Logged
from runtime.debrief.wire import Wire
from runtime.flightlog.flightlog import LogState
from runtime.flightlog.inputs import Direction, FrameRecord, JobRecord, RequestRecord, TickRecord
from runtime.flightlog.record import Record
from runtime.values import ImageRGB

_GIVEN = ("frame", "request", "job", "truth", "log")  # channels of what came in, and of what nothing follows from


@dataclass(slots=True)
class Outcome:
    """``records`` by channel in their order; ``sent``: (t_ns, link, bytes)."""

    records: dict[str, list[Logged]] = field(default_factory=lambda: defaultdict(list))
    sent: list[tuple[int, str, bytes]] = field(default_factory=list)

    def until(self, t_ns: int) -> Outcome:
        """What followed by an instant."""
        found = Outcome()
        for channel, records in self.records.items():
            found.records[channel] = [one for one in records if one[0] <= t_ns]
        found.sent = [one for one in self.sent if one[0] <= t_ns]
        return found


def flown_again(flown: Flown, outcome: Outcome) -> Flown:
    """A logged flight with what followed in a replay of it in place of what followed then; what came in stays."""
    given = {channel: records for channel, records in flown.records.items() if channel in _GIVEN}
    wire = Wire(received=flown.wire.received, stamps=flown.wire.stamps)
    for t_ns, link, data in outcome.sent:
        wire.sent(t_ns, link, data)
    return dataclasses.replace(flown, records=defaultdict(list, {**outcome.records, **given}), wire=wire)


class OutcomeJournal:
    """A `Journal` into an `Outcome`: each record as it comes back from a log, without inputs."""

    state = LogState(False, "", 0, 0, 0, 0)

    def __init__(self) -> None:
        self.outcome = Outcome()

    def write(self, t_ns: int, record: Record) -> None:
        """Keeps a record of what followed."""
        if not isinstance(record, TickRecord | FrameRecord | RequestRecord | JobRecord):
            self.outcome.records[record.channel].append((t_ns, json.loads(record.encoded())))

    def frame(self, t_ns: int, record: FrameRecord, image: ImageRGB) -> None:
        """An input."""

    def link(self, link: str, data: bytes, t_ns: int, direction: Direction) -> None:
        """Keeps the bytes that were sent."""
        if direction == "out":
            self.outcome.sent.append((t_ns, link, data))
