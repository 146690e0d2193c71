"""Vehicles that hold a mission, each behind a link on one simulated clock that loses what the test says."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.mission.items import MissionItem, as_message, of_message
from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from tests.runtime.vehicle.peer import Voice

HOME = GeoPoint(60.4, 22.1)
SECOND = 1_000_000_000
STEP_NS = 20_000_000


@dataclass
class Line:
    """A `WaitingLink` and a `Clock`: waiting is what lets time pass."""

    loss: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    t_ns: int = 60 * SECOND
    sent: list[Any] = field(default_factory=list)
    waiting: bytes = b""

    def __post_init__(self) -> None:
        self._ours, self._theirs = PacketReader(), PacketReader()

    def now_ns(self) -> int:
        return self.t_ns

    def wait(self, timeout_s: float) -> bool:
        self.t_ns += STEP_NS
        data = self.after(self.t_ns)
        kept = [p.raw for p in self._theirs.feed(data) if p.name == "HEARTBEAT" or self.chance.random() >= self.loss]
        self.waiting += b"".join(kept)
        return bool(self.waiting)

    def read(self) -> list[tuple[bytes, int]]:
        data, self.waiting = self.waiting, b""
        return [(data, self.t_ns)] if data else []

    def write(self, data: bytes) -> None:
        for packet in self._ours.feed(data):
            self.sent.append(packet.message)
            if self.chance.random() >= self.loss:
                self.given(packet.raw, packet.message)

    def counts(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        """Nothing is held open."""

    def names(self) -> list[str]:
        return [message.get_type() for message in self.sent]

    def after(self, t_ns: int) -> bytes:
        raise NotImplementedError

    def given(self, raw: bytes, message: Any) -> None:
        raise NotImplementedError


@dataclass
class Copter(Line):
    """The built-in autopilot: asks with MISSION_REQUEST, home is item 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.autopilot = Autopilot(AutopilotConfig(HOME, ready_at_boot=True))

    def after(self, t_ns: int) -> bytes:
        self.autopilot.advance(t_ns)
        return self.autopilot.transmit(0)

    def given(self, raw: bytes, message: Any) -> None:
        self.autopilot.receive(raw, 0)


@dataclass
class Px4(Line):
    """As PX4 does: no home, MISSION_REQUEST_INT, nothing changes before the last item. ``spoils`` what it keeps."""

    held: list[MissionItem] = field(default_factory=list)
    armed: bool = False
    spoils: int = 0  # the first uploads it keeps wrongly
    refuses: int | None = None  # a MAV_MISSION_RESULT for every upload
    deaf: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._voice = Voice(1, 1)
        self._out: list[Any] = []
        self._new: list[MissionItem] = []
        self._count = 0
        self._beat_ns = self._asked_ns = 0

    def after(self, t_ns: int) -> bytes:
        if t_ns - self._beat_ns >= SECOND:
            self._beat_ns = t_ns
            base = 0x1D | (0x80 if self.armed else 0)
            self._out.append(mavlink.MAVLink_heartbeat_message(2, mavlink.MAV_AUTOPILOT_PX4, base, 0x03040000, 3, 3))
        if self._count and t_ns - self._asked_ns > SECOND // 4:
            self._ask()
        out, self._out = self._out, []
        return b"".join(self._voice.say(message) for message in out)

    def _ask(self) -> None:
        self._asked_ns = self.t_ns
        self._out.append(mavlink.MAVLink_mission_request_int_message(1, 190, len(self._new), 0))

    def _done(self, result: int) -> None:
        self._count = 0
        self._out.append(mavlink.MAVLink_mission_ack_message(1, 190, result, 0))

    def given(self, raw: bytes, message: Any) -> None:
        name = message.get_type()
        if self.deaf and name != "HEARTBEAT":
            return
        if name == "MISSION_COUNT":
            self._new, self._count = [], message.count
            self._ask() if self.refuses is None else self._done(self.refuses)
        elif name == "MISSION_ITEM_INT" and self._count and message.seq == len(self._new):
            self._new.append(of_message(message))
            self._finish() if len(self._new) == self._count else self._ask()
        elif name == "MISSION_ITEM_INT" and not self._count:
            self._done(0)  # the last one again: our word was lost
        elif name == "MISSION_REQUEST_LIST":
            self._out.append(mavlink.MAVLink_mission_count_message(1, 190, len(self.held), 0))
        elif name == "MISSION_REQUEST_INT":
            self._out.append(as_message(self.held[message.seq], message.seq, (1, 190)))
        elif name == "MISSION_CLEAR_ALL":
            self.held = []
            self._done(0)

    def _finish(self) -> None:
        self.held = self._new[:-1] + self._new[:1] if self.spoils > 0 else self._new
        self.spoils -= 1
        self._done(0)
