"""The first words to an autopilot: its streams are asked for as soon as it is heard, while all else still loads.

A stream is believed once it has flowed for a while, and what the daemon needs takes a second to load: so that the one
need not wait for the other. Nothing is concluded from what is heard here; the vehicle room hears all of it again.
"""

from __future__ import annotations

from runtime.events import VEHICLE_LINK
from runtime.mavlink.framing import Packet
from runtime.vehicle.commands import CommandQueue, is_for
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.link.lines import Line, Lines
from runtime.vehicle.roster import Roster
from runtime.vehicle.telemetry.streams import StreamKeeper


class FirstRequests:
    """Asks for streams and for nothing else; used as `Vehicle` is: `receive`, `tick`, then `outgoing`."""

    def __init__(self, config: VehicleConfig) -> None:
        self._config = config
        self._lines = Lines(config.links, config.component_id)
        self._roster = Roster(config)
        self._commands = CommandQueue(self._lines.put, config.command_timeout_s, config.command_attempts)
        self._streams = StreamKeeper(self._commands.submit)

    def receive(self, data: bytes, t_ns: int, link: str = VEHICLE_LINK) -> None:
        """Take ``data``, which arrived at ``t_ns`` over ``link``."""
        line = self._lines[link]
        for packet in line.packets.feed(data):
            sender = (packet.system_id, packet.component_id)
            if packet.name == "HEARTBEAT" and self._roster.heartbeat(sender, packet.message, t_ns)[0]:
                self._adopt(sender, line)
            if sender == self._roster.autopilot and line is self._lines.believed:
                self._heard(packet, t_ns)

    def tick(self, t_ns: int) -> None:
        """Ask for what is due."""
        if self._roster.autopilot is not None:
            self._streams.tick(t_ns)
            self._streams.concluded(self._commands.tick(t_ns))

    def outgoing(self, link: str = VEHICLE_LINK) -> bytes:
        """All that is to be sent over a line since the last call."""
        return self._lines.take(link)

    def _adopt(self, autopilot: tuple[int, int], line: Line) -> None:
        self._lines.system_id = autopilot[0]
        self._lines.believed = line
        self._commands.target = autopilot
        self._streams.start(self._roster.stack.streams(self._config))

    def _heard(self, packet: Packet, t_ns: int) -> None:
        self._streams.seen(packet.message_id, t_ns)
        answer = packet.message if packet.name == "COMMAND_ACK" else None
        if answer is not None and is_for(answer, self._lines.system_id, self._config.component_id):
            self._streams.concluded(self._commands.acknowledged(answer.command, answer.result, t_ns))
