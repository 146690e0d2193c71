"""What we say of ourselves: a heartbeat that the daemon's progress feeds, and short texts for the ground station."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.config import VehicleConfig

_HEARTBEAT_NS = 1_000_000_000
_TEXT_BYTES = 50  # of one STATUSTEXT; longer ones travel in chunks (MAVLink 2)
_TEXTS_PER_S = 10


class Outbox(Protocol):
    """Where messages are put to be sent."""

    def put(self, message: Any) -> None:
        """Queue one."""


class Companion:
    """Heartbeat and texts of an onboard computer: never those of a ground station, which would feed its failsafe."""

    def __init__(self, config: VehicleConfig, writer: Outbox) -> None:
        self._feed_timeout_ns = int(config.feed_timeout_s * 1e9)
        self._writer = writer
        self._fed_ns: int | None = None
        self._status: int = mavlink.MAV_STATE_BOOT
        self._beat_ns: int | None = None
        self._said: deque[int] = deque()
        self._text_id = 0
        self.texts_dropped = 0

    def feed(self, t_ns: int, status: int) -> None:
        """Progress was made; ``status`` is what the next heartbeats say (MAV_STATE)."""
        self._fed_ns, self._status = t_ns, status

    def alive(self, t_ns: int) -> bool:
        """Whether the heartbeat goes out at ``t_ns``."""
        return self._fed_ns is not None and t_ns - self._fed_ns <= self._feed_timeout_ns

    def tick(self, t_ns: int) -> None:
        """One heartbeat a second while fed; silence otherwise: a faulty component must stop (heartbeat service)."""
        due = self._beat_ns is None or t_ns - self._beat_ns >= _HEARTBEAT_NS
        if not due or not self.alive(t_ns):
            return
        self._beat_ns = t_ns
        self._writer.put(
            mavlink.MAVLink_heartbeat_message(
                mavlink.MAV_TYPE_ONBOARD_CONTROLLER, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, self._status, 3
            )
        )

    def say(self, text: str, severity: int, t_ns: int) -> bool:
        """Queue a STATUSTEXT (MAV_SEVERITY 0..7); False and counted when ten went out within a second."""
        while self._said and t_ns - self._said[0] >= 1_000_000_000:
            self._said.popleft()
        data = text.encode("utf-8", "replace")
        chunks = [data[i : i + _TEXT_BYTES] for i in range(0, len(data), _TEXT_BYTES)] or [b""]
        if len(chunks) > 1 and len(chunks[-1]) == _TEXT_BYTES:
            chunks.append(b"")  # a full last chunk would read as "more to come"
        if len(self._said) + len(chunks) > _TEXTS_PER_S:
            self.texts_dropped += 1
            return False
        identity = 0
        if len(chunks) > 1:
            self._text_id = identity = self._text_id % 65535 + 1
        for sequence, chunk in enumerate(chunks):
            self._said.append(t_ns)
            self._writer.put(mavlink.MAVLink_statustext_message(severity, chunk, identity, sequence))
        return True
