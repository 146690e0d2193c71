"""What came before what, by the sequence numbers of packets: copies, and packets that others have overtaken.

Each sender counts its packets modulo 256 on each line (MAVLink serialization). A copy may come from a router that knows
two ways, or from UDP; an overtaken packet tells of a moment that is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from runtime.mavlink.framing import Packet

_COPY_NS = 500_000_000  # the count comes round in about a second of a fast link
_OVERTAKEN_NS = 500_000_000  # after a longer silence the count says nothing: it may have come round
_BEHIND = 128  # of 256: more than so many ahead is behind


class Order(Enum):
    """Where a packet stands among those of its sender."""

    NEXT = "next"
    COPY = "copy"
    OVERTAKEN = "overtaken"


@dataclass(slots=True)
class _Sender:
    newest: int
    newest_ns: int
    seen: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # by sequence: arrival, and what tells it apart


class Sequences:
    """The counts of all senders on one line, or on all of them, where a message over two counts once."""

    def __init__(self) -> None:
        self._senders: dict[tuple[int, int], _Sender] = {}

    def place(self, packet: Packet, t_ns: int) -> Order:
        """Where ``packet``, which arrived at ``t_ns``, stands."""
        number, mark = packet.sequence, content(packet)
        sender = self._senders.get((packet.system_id, packet.component_id))
        if sender is None:
            sender = self._senders[packet.system_id, packet.component_id] = _Sender(number, t_ns)
        before = sender.seen.get(number)
        if before is not None and before[1] == mark and t_ns - before[0] < _COPY_NS:
            return Order.COPY
        sender.seen[number] = (t_ns, mark)
        if (number - sender.newest) % 256 >= _BEHIND and t_ns - sender.newest_ns < _OVERTAKEN_NS:
            return Order.OVERTAKEN
        sender.newest, sender.newest_ns = number, t_ns
        return Order.NEXT


def content(packet: Packet) -> bytes:
    """What is the same in every copy of a packet, signed or not: from its sequence to the end of its contents."""
    raw = packet.raw
    if raw[0] == 0xFE:
        return raw[2 : 6 + raw[1]]
    return raw[4 : 10 + raw[1]]
