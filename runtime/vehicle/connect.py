"""From an address to a vehicle that answers, or one sentence that says what is wrong. Only used before the flight."""

from __future__ import annotations

from typing import Protocol

from runtime.clock import Clock
from runtime.errors import VehicleError
from runtime.vehicle.dialect import mavlink
from runtime.vehicle.events import VehicleEvent
from runtime.vehicle.link import Link
from runtime.vehicle.vehicle import Vehicle

_STEP_S = 0.05


class WaitingLink(Link, Protocol):
    """A link that can be waited for."""

    def wait(self, timeout_s: float) -> bool:
        """Sleep until something arrives or the time is over."""


def await_vehicle(vehicle: Vehicle, link: WaitingLink, clock: Clock, within_s: float = 10.0) -> list[VehicleEvent]:
    """Exchange bytes until the autopilot's heartbeat is heard; the events of that time.

    Raises VehicleError when it is not heard in time, and says whether anything else was.
    """
    events: list[VehicleEvent] = []
    deadline_ns = clock.now_ns() + int(within_s * 1e9)
    while not vehicle.state.connected:
        now_ns = clock.now_ns()
        if now_ns > deadline_ns:
            raise VehicleError(_silence(vehicle, getattr(link, "uri", "the link"), within_s))
        vehicle.feed_heartbeat(now_ns, mavlink.MAV_STATE_BOOT)
        events += vehicle.tick(now_ns)
        link.write(vehicle.outgoing())
        link.wait(_STEP_S)
        for data, t_ns in link.read():
            events += vehicle.receive(data, t_ns)
    return events


def _silence(vehicle: Vehicle, uri: str, within_s: float) -> str:
    counters = vehicle.state.counters
    start = f"no autopilot answered on {uri} within {within_s:g} s"
    if counters.packets:
        return f"{start}, although {counters.packets} packets of others came: check its system id and the routing"
    if counters.garbage_bytes:
        return f"{start}, only {counters.garbage_bytes} bytes that are no MAVLink: check the baud rate"
    return f"{start}: check the address, the cable and that the autopilot speaks MAVLink there"
