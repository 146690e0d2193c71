"""Several lines to one vehicle, where no router joins them: one is believed and commands, the others are listened to.

Telemetry of two lines is not mixed: on the slower one a mode that is over would look like the pilot's switch. What a
line may do that is not believed is take away: its own news that the vehicle left the guided mode, or was disarmed,
counts at once. A line that falls silent is replaced when the link is lost by it, which ends every authority; the
preferred line is taken again on the ground only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from runtime.events import VEHICLE_LINK
from runtime.mavlink.framing import Packet, PacketReader, PacketWriter
from runtime.vehicle.link.order import Order, Sequences, content

_ALIVE_NS = 2_500_000_000  # a line whose last heartbeat is older does not carry
_STEADY_NS = 10_000_000_000  # the preferred line must have carried for so long to be taken again
_REMEMBERED = 64  # of the packets that we sent: an echo comes within a second


@dataclass(frozen=True, slots=True)
class LineHealth:
    """``believed``: the line that commands; ``heartbeat_age_s``: of the autopilot's on this line, None before one."""

    name: str
    believed: bool
    heartbeat_age_s: float | None
    packets: int
    bad_packets: int


@dataclass(slots=True)
class Line:
    """One line: its own framing both ways, and what the autopilot's heartbeats said on it."""

    name: str
    writer: PacketWriter
    packets: PacketReader = field(default_factory=PacketReader)
    order: Sequences = field(default_factory=Sequences)
    beat_ns: int | None = None
    steady_ns: int | None = None  # since when no heartbeat failed to come
    said: tuple[bool, bool] | None = None  # guided, armed

    def alive(self, t_ns: int) -> bool:
        """Whether the autopilot's heartbeat was heard here lately."""
        return self.beat_ns is not None and t_ns - self.beat_ns <= _ALIVE_NS

    def beat(self, guided: bool, armed: bool, t_ns: int) -> bool:
        """A heartbeat of the autopilot; whether this line saw it leave the guided mode, or be disarmed."""
        if not self.alive(t_ns):
            self.steady_ns = t_ns
        before, self.said, self.beat_ns = self.said, (guided, armed), t_ns
        return before is not None and any(was and not now for was, now in zip(before, self.said, strict=True))


class Lines:
    """The lines by name, the preferred one first."""

    def __init__(self, names: tuple[str, ...], component_id: int) -> None:
        self._lines = {name: Line(name, PacketWriter(component_id)) for name in names}
        self._all = Sequences()
        self._sent: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._own = component_id
        self.believed = self._lines[names[0]]
        self.copies = self.overtaken = self.echoes = self.unbelieved = 0

    def __getitem__(self, name: str) -> Line:
        return self._lines[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all lines."""
        return tuple(self._lines)

    @property
    def system_id(self) -> int:
        """The source system of what is sent."""
        return self.believed.writer.system_id

    @system_id.setter
    def system_id(self, system_id: int) -> None:
        for line in self._lines.values():
            line.writer.system_id = system_id

    # --- in -------------------------------------------------------------------------------------------------

    def place(self, packet: Packet, line: Line, autopilot: bool, t_ns: int) -> Order:
        """Where ``packet`` stands on its ``line``; for whoever is not the ``autopilot``, among those of all lines."""
        if self._is_echo(packet):
            self.echoes += 1
            return Order.COPY
        order = line.order.place(packet, t_ns)
        if order is not Order.COPY and not autopilot and len(self._lines) > 1:
            order = Order.COPY if self._all.place(packet, t_ns) is Order.COPY else order
        self.copies += order is Order.COPY
        self.overtaken += order is Order.OVERTAKEN
        return order

    def _is_echo(self, packet: Packet) -> bool:
        """Whether it is one that we sent: routers, and autopilots with two lines, send what they hear on."""
        ours = (packet.system_id, packet.component_id) == (self.system_id, self._own)
        return ours and content(packet) in self._sent

    # --- out ------------------------------------------------------------------------------------------------

    def put(self, message: Any) -> None:
        """Queue a message on the believed line; a heartbeat of ours on all: it is how the others know us."""
        lines = self._lines.values() if message.get_type() == "HEARTBEAT" else (self.believed,)
        for line in lines:
            line.writer.put(message)

    def take(self, name: str) -> bytes:
        """The packets that wait for a line."""
        packets = self._lines[name].writer.take()
        if packets:
            self._sent.extend(packet[4 : 10 + packet[1]] for packet in packets)
        return b"".join(packets)

    # --- which one ------------------------------------------------------------------------------------------

    def better(self, t_ns: int, lost: bool, on_ground: bool) -> Line | None:
        """The line to believe from now on, where it is another: one that carries, once the believed one is ``lost``;
        or the preferred one again, ``on_ground``, after it has carried for a while."""
        for line in self._lines.values():
            if line is self.believed:
                if not lost:
                    return None
                continue
            steady = line.steady_ns is not None and t_ns - line.steady_ns >= _STEADY_NS
            if line.alive(t_ns) and (lost or (on_ground and steady)):
                return line
        return None

    def health(self, t_ns: int) -> tuple[LineHealth, ...]:
        """Every line's."""
        return tuple(
            LineHealth(
                line.name,
                line is self.believed,
                None if line.beat_ns is None else (t_ns - line.beat_ns) * 1e-9,
                line.packets.packets,
                line.packets.bad_packets,
            )
            for line in self._lines.values()
        )

    def counted(self, what: str) -> int:
        """A counter of the packet readers, over all lines."""
        return sum(getattr(line.packets, what) for line in self._lines.values())


def link_names(count: int) -> tuple[str, ...]:
    """The names of so many links to the vehicle, in the order of the configuration: vehicle, vehicle2, vehicle3."""
    return (VEHICLE_LINK, *(f"{VEHICLE_LINK}{number}" for number in range(2, count + 1)))[:count]
