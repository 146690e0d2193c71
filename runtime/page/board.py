"""Where the deciding thread puts what is to be seen, and the page's thread looks at it.

Neither waits for the other: what is put down is a value that is never changed afterwards, by one assignment, and what
has not been looked at meanwhile is gone. There is no lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runtime.clock import Now
from runtime.debrief.narrator import Narrator, Said
from runtime.flightlog.beliefs import EstimateRecord
from runtime.flightlog.record import Record
from runtime.page.track import Track
from runtime.values import Snapshot

_EVENTS = 50
_RATE_OVER_NS = 5_000_000_000  # a rate is of the last so many seconds
_RATED = ("frames", "odometry", "fix", "no_fix", "keyframes", "setpoints")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``seq`` counts them, ``severity`` is "good", "news" or "warning"."""

    seq: int
    t_ns: int
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class _Counted:
    t_ns: int
    counts: dict[str, int]


class Board:
    """Written by the deciding thread (`show`, `write`), read by any."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._narrator = Narrator()
        self._counted: deque[_Counted] = deque()
        self._seen = 0
        self.track = Track()
        self.snapshot: Snapshot | None = None
        self.events: tuple[Event, ...] = ()  # the last ones, oldest first
        self.rates_hz: dict[str, float] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Puts the newest snapshot down."""
        self.rates_hz = self._rates(snapshot)
        self.snapshot = snapshot

    def write(self, t_ns: int, record: Record) -> None:
        """Takes from a record of the flight log what is to be seen of it."""
        if type(record) is EstimateRecord:
            self.track.add(t_ns, record)
        self._tell(t_ns, self._narrator.said(record))

    def now_s(self) -> float:
        """The present on the clock of the events, in seconds."""
        return self._now() * 1e-9

    def age_s(self) -> float | None:
        """How long ago the daemon last showed itself, None before it did."""
        snapshot = self.snapshot
        return None if snapshot is None else max(0.0, (self._now() - snapshot.t_ns) * 1e-9)

    def _tell(self, t_ns: int, said: Iterable[Said]) -> None:
        for text, severity in said:
            self._seen += 1
            self.events = (*self.events, Event(self._seen, t_ns, severity, text))[-_EVENTS:]

    def _rates(self, snapshot: Snapshot) -> dict[str, float]:
        """What was counted in the last seconds, a second."""
        counts: dict[str, Any] = snapshot.status["counts"]
        newest = _Counted(snapshot.t_ns, {name: counts.get(name, 0) for name in _RATED})
        self._counted.append(newest)
        while len(self._counted) > 2 and newest.t_ns - self._counted[1].t_ns >= _RATE_OVER_NS:
            self._counted.popleft()
        oldest = self._counted[0]
        elapsed_s = (newest.t_ns - oldest.t_ns) * 1e-9
        if elapsed_s <= 0:
            return {}
        return {name: round((newest.counts[name] - oldest.counts[name]) / elapsed_s, 2) for name in _RATED}
