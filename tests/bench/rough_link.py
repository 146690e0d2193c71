"""A flight over a link that loses, copies, delays and alters packets, with a referee that reads both directions."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import FrameArrived, LinkBytes, LinkData, Tick
from runtime.geodesy import offset
from runtime.mavlink.framing import PacketReader
from runtime.vehicle.events import VehicleEvent
from runtime.vehicle.telemetry.state import LinkCounters
from tests.runtime.daemon.cockpit import HOME, STEP_NS, Cockpit

MS = 1_000_000
SECOND = 1_000_000_000
GUIDED = 4
TARGET = "SET_POSITION_TARGET_GLOBAL_INT"
HARMLESS = frozenset({"HEARTBEAT", "TIMESYNC", "STATUSTEXT", "NAMED_VALUE_FLOAT", "ONBOARD_COMPUTER_STATUS"})
ASKING = frozenset({mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, mavlink.MAV_CMD_REQUEST_MESSAGE})
CAUSES = frozenset(  # of an end; what else is unknown or missing then follows from them
    {
        "mode_changed", "foreign_target", "link_lost", "rebooted", "second_autopilot", "second_companion",
        "stream_missing", "mode_stale", "estimate_stale", "disarmed",
    }
)  # fmt: skip


@dataclass
class Channel:
    """One direction: whole packets in, and out when they are due."""

    chance: random.Random
    loss: float = 0.0
    copies: float = 0.0
    jitter_ns: int = 0
    garbage: float = 0.0  # before a packet
    cut: bool = False
    held: frozenset[str] = frozenset()  # messages that never arrive
    late_ns: dict[str, int] = field(default_factory=dict)
    shift_ns: int = 0  # of the sender's clock

    def __post_init__(self) -> None:
        self._reader = PacketReader()
        self._queue: list[tuple[int, int, bytes]] = []
        self._count = 0

    def put(self, data: bytes, t_ns: int) -> None:
        for packet in self._reader.feed(data):
            if self.cut or packet.name in self.held or self.chance.random() < self.loss:
                continue
            raw = shifted(packet.raw, packet.message, self.shift_ns) if self.shift_ns else packet.raw
            if self.chance.random() < self.garbage:
                raw = self.chance.randbytes(self.chance.randrange(40)) + b"\xfd" + raw
            delay_ns = self.chance.randrange(self.jitter_ns + 1) + self.late_ns.get(packet.name, 0)
            self._push(t_ns + delay_ns, raw)
            if self.chance.random() < self.copies:
                self._push(t_ns + delay_ns + self.chance.randrange(100 * MS), raw)

    def inject(self, data: bytes, t_ns: int) -> None:
        """Somebody else's bytes."""
        self._push(t_ns, data)

    def _push(self, due_ns: int, raw: bytes) -> None:
        self._count += 1
        heapq.heappush(self._queue, (due_ns, self._count, raw))

    def due(self, t_ns: int) -> bytes:
        out = b""
        while self._queue and self._queue[0][0] <= t_ns:
            out += heapq.heappop(self._queue)[2]
        return out


def shifted(raw: bytes, message: Any, shift_ns: int) -> bytes:
    """The packet as a sender says it whose clock was set on by so much."""
    name = message.get_type()
    if name == "TIMESYNC":
        message.tc1 += shift_ns if message.tc1 else 0
        message.ts1 += 0 if message.tc1 else shift_ns
    elif hasattr(message, "time_boot_ms"):
        message.time_boot_ms = max(0, message.time_boot_ms + shift_ns // MS)
    else:
        return raw
    codec = mavlink.MAVLink(None, message.get_srcSystem(), message.get_srcComponent())
    codec.seq = raw[4]
    return bytes(message.pack(codec))


class Referee:
    """What ends authority by the bytes that were delivered, and what was sent afterwards; knows no code of guidance."""

    def __init__(self, aiding: frozenset[str] = frozenset()) -> None:
        """``aiding``: messages that feed an estimator, where the operator has it fed."""
        self._aiding = aiding
        self._ear, self._mouth = mavlink.MAVLink(None), mavlink.MAVLink(None)
        self._ear.robust_parsing = self._mouth.robust_parsing = True
        self._boot_ms = 0
        self.watching = False
        self.ended_ns: int | None = None
        self.targets = self.forbidden = 0

    def delivered(self, data: bytes, t_ns: int) -> None:
        for message in self._ear.parse_buffer(data) or []:
            if self.watching and self._ends(message) and self.ended_ns is None:
                self.ended_ns = t_ns

    def _ends(self, message: Any) -> bool:
        name, sender = message.get_type(), (message.get_srcSystem(), message.get_srcComponent())
        if name == "HEARTBEAT" and (sender == (1, 191) or (sender != (1, 1) and message.autopilot != 8)):
            return True
        if sender != (1, 1):
            return False
        boot_ms, before = getattr(message, "time_boot_ms", None), self._boot_ms
        self._boot_ms = max(before, boot_ms or 0)
        if boot_ms is not None and boot_ms < before - 2000:
            return True
        return bool(name == "HEARTBEAT" and message.custom_mode != GUIDED)

    def sent(self, data: bytes) -> None:
        for message in self._mouth.parse_buffer(data) or []:
            name = message.get_type()
            if name == TARGET:
                self.targets += 1
                self.forbidden += self.ended_ns is not None
            elif name not in HARMLESS | self._aiding and not (name == "COMMAND_LONG" and message.command in ASKING):
                self.forbidden += 1


class RoughFlight(Cockpit):
    """A cockpit whose bytes pass through two channels; ``events`` are what the vehicle room told the daemon."""

    def __init__(self, seed: int = 1, frame_period_ns: int = 10**15, **more: Any) -> None:
        self.down, self.up = Channel(random.Random(seed)), Channel(random.Random(seed + 1))
        self.referee = Referee()
        self.since_ns, self.counted = 0, LinkCounters()
        super().__init__(**more)
        self.frame_period_ns = frame_period_ns

    def step(self) -> None:
        self.down.put(self.heard_after(STEP_NS), self.t_ns)
        data = self.down.due(self.t_ns)
        if data:
            self.referee.delivered(data, self.t_ns)
            self._out(self.daemon.step(LinkData(self.t_ns, data)))
        if self.t_ns % self.frame_period_ns == 0:
            self._out(self.daemon.step(FrameArrived(self.t_ns, self.expose())))
        for done in self.workers.finished(self.t_ns):
            self._out(self.daemon.step(done))
        self._out(self.daemon.step(Tick(self.t_ns)))
        self.autopilot.receive(self.up.due(self.t_ns), 0)

    def _out(self, out: Sequence[LinkBytes]) -> None:
        for _, data in out:
            self.wire += data
            self.referee.sent(data)
            self.up.put(data, self.t_ns)

    def under_way(self) -> RoughFlight:
        """Engaged and flying north, with a minute to go."""
        self.to_ready(offset(HOME, 330.0, 0.0))
        self.autopilot.pilot_set_mode("GUIDED")
        self.fly(3.0)
        assert self.engaged
        self.referee.watching = True
        return self

    @property
    def engaged(self) -> bool:
        return self.daemon.rooms.guidance.last.state.value == "engaged"

    @property
    def pauses(self) -> bool:
        """Whether there is a reason why no target goes out, other than that none is due."""
        return any(reason.value != "not_due" for reason in self.daemon.rooms.guidance.last.reasons)

    @property
    def why(self) -> str:
        """Why the flight ended, by the log; empty while it has not."""
        ended = [record for record in self.journal.of("guidance") if record["state"] == "yielded"]
        return ", ".join(reason for reason in ended[0]["reasons"] if reason in CAUSES) if ended else ""

    @property
    def well(self) -> bool:
        """Whether the link may carry commands."""
        return self.vehicle.state.problems == ()

    def told(self, kind: type[VehicleEvent]) -> bool:
        """Whether the vehicle room told of such a thing since ``since_ns``."""
        records = ((t_ns, record) for name, t_ns, record in self.journal.records if name == "vehicle")
        return any(record["event"] == kind.__name__ for t_ns, record in records if t_ns > self.since_ns)
