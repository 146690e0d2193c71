"""The autopilot's clock as its messages tell it: asked by TIMESYNC, watched for reboots, and for being two.

One autopilot has one clock: two that alternate under one system and component id are two autopilots.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.telemetry.timesync import TimeSync

_BOOT_STAMPED = frozenset({"ATTITUDE", "GLOBAL_POSITION_INT", "POSITION_TARGET_GLOBAL_INT", "SYSTEM_TIME"})
_SOON_NS, _SOON_TIMES = 100_000_000, 10  # until an answer is believed; the first one may meet a loop that just begins
_STRANGE_ANSWERS = 3  # one may be a packet that was held back somewhere

_APART_NS = 2_000_000_000  # farther than packets are ever delayed or reordered
_RETURNS = 2  # a clock that was set back and set right again returns once
_WITHIN_NS = 10_000_000_000


class OneClock:
    """Watches the readings of what should be one clock, by their offsets from ours."""

    def __init__(self) -> None:
        self._now: int | None = None  # the offset that is current
        self._other: int | None = None  # the one before it
        self._returns: list[int] = []

    def alternates(self, remote_ns: int, t_ns: int) -> bool:
        """Takes a reading that arrived at ``t_ns``: whether two clocks are heard in turn."""
        offset = remote_ns - t_ns
        if self._now is None or abs(offset - self._now) < _APART_NS:
            self._now = offset
            return False
        returned = self._other is not None and abs(offset - self._other) < _APART_NS
        self._other, self._now = self._now, offset
        if not returned:
            self._returns.clear()
            return False
        self._returns = [at for at in self._returns if t_ns - at < _WITHIN_NS] + [t_ns]
        return len(self._returns) >= _RETURNS


class AutopilotClock:
    """Asks through ``put``; `reading` takes every message of the autopilot."""

    def __init__(self, config: VehicleConfig, put: Callable[[Any], None]) -> None:
        self._put = put
        self._period_ns = int(config.timesync_period_s * 1e9)
        self._asked_ns: int | None = None
        self._soon = _SOON_TIMES
        self._one = OneClock()
        self._strange = 0  # answers of another clock to what had been answered
        self.sync = TimeSync(config.timesync_max_rtt_s, config.timesync_stale_s)
        self.two = False  # for good

    def tick(self, t_ns: int) -> None:
        """Asks when it is due, at first sooner."""
        soon = self._soon > 0 and self.sync.current(t_ns) is None
        if self._asked_ns is None or t_ns - self._asked_ns >= (_SOON_NS if soon else self._period_ns):
            self._asked_ns = t_ns
            self._soon -= soon
            self._put(mavlink.MAVLink_timesync_message(0, self.sync.ask(t_ns)))

    def reading(self, name: str, message: Any, t_ns: int) -> int | None:
        """The instant on its clock that a message tells, None where it tells none; its own requests are answered."""
        remote_ns = message.time_boot_ms * 1_000_000 if name in _BOOT_STAMPED else None
        if name == "TIMESYNC":
            remote_ns = self._timesync(message, t_ns)
        if remote_ns is not None and self._one.alternates(remote_ns, t_ns):
            self.two = True
        return remote_ns

    def _timesync(self, message: Any, t_ns: int) -> int:
        if message.tc1 == 0:
            self._put(mavlink.MAVLink_timesync_message(t_ns, message.ts1))
            return int(message.ts1)
        self._strange += self.sync.answered_by_another(message.tc1, message.ts1, t_ns)
        self.two = self.two or self._strange >= _STRANGE_ANSWERS
        self.sync.answer(message.tc1, message.ts1, t_ns)
        return int(message.tc1)

    def rebooted(self, remote_ns: int) -> int | None:
        """What the clock showed before it went back, where this reading says that it did."""
        return None if self.two else self.sync.went_back(remote_ns)
