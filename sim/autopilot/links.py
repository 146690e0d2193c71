"""Peers: the bytes to each, the streams it asked for, and ArduPilot's routing between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sim.autopilot.wire import Message, mavlink

BUFFER_BYTES = 1 << 20  # of a peer that does not read; what comes after is dropped, as a full UART does
UNROUTED = frozenset({"RADIO", "RADIO_STATUS"})


@dataclass(slots=True)
class Stream:
    """One message wanted at an interval."""

    interval_ns: int
    next_ns: int


@dataclass(slots=True)
class Link:
    """One peer's channel, with sequence numbers of its own."""

    index: int
    packer: Message
    parser: Message
    out: bytearray = field(default_factory=bytearray)
    streams: dict[int, Stream] = field(default_factory=dict)
    due_ns: int = 0  # the earliest stream
    dropped: int = 0

    def send(self, message: Message) -> None:
        """Queues a message of the autopilot's own."""
        self.forward(message.pack(self.packer))
        self.packer.seq = (self.packer.seq + 1) % 256

    def forward(self, data: bytes) -> None:
        """Queues bytes as they are."""
        if len(self.out) + len(data) > BUFFER_BYTES:
            self.dropped += 1
        else:
            self.out += data

    def want(self, message_id: int, interval_ns: int, now_ns: int) -> None:
        """Sends a message at an interval; 0 or less stops it."""
        if interval_ns > 0:
            self.streams[message_id] = Stream(interval_ns, now_ns + interval_ns)
        else:
            self.streams.pop(message_id, None)
        self.due_ns = 0

    def take_due(self, now_ns: int) -> list[int]:
        """Ids of the messages to send now."""
        if now_ns < self.due_ns or not self.streams:
            return []
        due = []
        for message_id, stream in self.streams.items():
            if stream.next_ns <= now_ns:
                due.append(message_id)
                stream.next_ns += stream.interval_ns
                if stream.next_ns <= now_ns:  # late by more than an interval: skip, do not burst
                    stream.next_ns = now_ns + stream.interval_ns
        self.due_ns = min(stream.next_ns for stream in self.streams.values())
        return due


class Links:
    """All peers. ``handle`` gets each message that is for the autopilot, with the link it came by."""

    def __init__(self, system_id: int, component_id: int, handle: Callable[[Message, Link], None]) -> None:
        self._id = (system_id, component_id)
        self._handle = handle
        self._links: dict[int, Link] = {}
        self._routes: dict[tuple[int, int], int] = {}  # (system, component) -> link
        self.bad_data = 0

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def link(self, index: int) -> Link:
        """The peer's channel; it opens when first used."""
        if index not in self._links:
            packer, parser = mavlink.MAVLink(None, *self._id), mavlink.MAVLink(None)
            parser.robust_parsing = True
            self._links[index] = Link(index, packer, parser)
        return self._links[index]

    def close(self, index: int) -> None:
        """Forgets a peer."""
        self._links.pop(index, None)
        self._routes = {source: link for source, link in self._routes.items() if link != index}

    def broadcast(self, message: Message) -> None:
        """Sends to every peer."""
        for link in self._links.values():
            link.send(message)

    def receive(self, data: bytes, index: int) -> None:
        """Takes bytes from a peer: routes, and hands on what is for the autopilot."""
        link = self.link(index)
        for message in link.parser.parse_buffer(data) or ():
            if message.get_type() == "BAD_DATA":
                self.bad_data += 1
            elif self._route(message, link):
                self._handle(message, link)

    def _route(self, message: Message, link: Link) -> bool:
        """ArduPilot's MAVLink_routing::check_and_forward: True where the message is for the autopilot itself."""
        if message.get_type() in UNROUTED:
            return True
        source = (message.get_srcSystem(), message.get_srcComponent())
        if source == self._id:
            return False  # its own words, come back through a loop
        self._routes[source] = link.index
        if message.get_type() == "HEARTBEAT":
            self._forward(message, {other for other in self._links if other != link.index})
            return True
        system, component = getattr(message, "target_system", 0), getattr(message, "target_component", 0)
        ours = system in (0, self._id[0])
        if ours and component == self._id[1] and system != 0:
            return True
        targets = {
            other
            for (its_system, its_component), other in self._routes.items()
            if other != link.index
            and (system == 0 or (system == its_system and (component in (0, its_component) or not ours)))
        }
        self._forward(message, targets)
        # A component that nobody has heard of: the autopilot executes the message itself.
        return system == 0 or ours and (component in (0, self._id[1]) or not targets)

    def _forward(self, message: Message, targets: set[int]) -> None:
        data = bytes(message.get_msgbuf())
        for target in sorted(targets):
            self._links[target].forward(data)
