"""Recorded flights as a companion would have heard them.

The ArduCopter ones lie in ``tests/data/mavlink`` as they were recorded. The two of PX4 are thinned to the messages and
rates that an onboard link needs (in ``data`` here): nothing in them is changed.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runtime.mavlink.framing import Packet, PacketReader
from runtime.vehicle.events import VehicleEvent
from runtime.vehicle.telemetry.state import VehicleState
from runtime.vehicle.vehicle import Vehicle

FOLDERS = (Path(__file__).parents[2] / "data" / "mavlink", Path(__file__).parent / "data")
TICK_NS = 100_000_000


def packets_of(name: str) -> Iterator[tuple[int, Packet]]:
    """(nanoseconds since the start, packet) of both directions."""
    path = next(folder / f"{name}.tlog.gz" for folder in FOLDERS if (folder / f"{name}.tlog.gz").exists())
    data, at, first = gzip.decompress(path.read_bytes()), 0, None
    while at < len(data):
        (stamp,) = struct.unpack(">Q", data[at : at + 8])
        first = stamp if first is None else first
        flags = data[at + 10] if data[at + 8] == 0xFD else 0
        end = at + 8 + data[at + 9] + (12 if data[at + 8] == 0xFD else 8) + (13 if flags & 1 else 0)
        (packet,) = PacketReader().feed(data[at + 8 : end])
        yield (stamp - first) * 1000, packet
        at = end


@dataclass
class Flight:
    """What came of a recording: every event, and the state at the end of each second."""

    vehicle: Vehicle
    events: list[VehicleEvent] = field(default_factory=list)
    seconds: list[VehicleState] = field(default_factory=list)

    def of(self, *kinds: type) -> list[VehicleEvent]:
        return [event for event in self.events if isinstance(event, kinds)]

    def at(self, t_s: float) -> VehicleState:
        return next(state for state in self.seconds if state.t_ns >= t_s * 1e9)


def fly(name: str, vehicle: Vehicle | None = None) -> Flight:
    """Play the autopilot's side of a recording to a vehicle, with a tick every 100 ms."""
    flight = Flight(vehicle or Vehicle())
    ticked_ns = shown_ns = 0
    for t_ns, packet in packets_of(name):
        while ticked_ns + TICK_NS <= t_ns:
            ticked_ns += TICK_NS
            flight.vehicle.feed_heartbeat(ticked_ns)
            flight.events += flight.vehicle.tick(ticked_ns)
        if packet.component_id == 1:
            flight.events += flight.vehicle.receive(packet.raw, t_ns)
        if t_ns - shown_ns >= 1_000_000_000:
            shown_ns = t_ns
            flight.seconds.append(flight.vehicle.state)
    flight.vehicle.outgoing()
    return flight
