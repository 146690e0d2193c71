"""The autopilot as the doctor sees it, over a link of its own or through the daemon that holds the link."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runtime.clock import Clock
from runtime.control.client import ask
from runtime.errors import VehicleError
from runtime.values import AidingRoute
from runtime.vehicle.airframe import airframe
from runtime.vehicle.link.link import WaitingLink
from runtime.vehicle.parameters.reading import Parameter, ParametersRead
from runtime.vehicle.telemetry.state import VehicleState
from runtime.vehicle.telemetry.streams import StreamHealth
from runtime.vehicle.vehicle import Vehicle

_WAKE_S = 0.02  # the vehicle room wants to be ticked ten times a second or more
_SETTLE_NS = 4_500_000_000  # until streams that were just asked for have shown their rates
_ASK_EVERY_S = 0.3
_ANSWER_WITHIN_S = 15.0  # for all parameters: 60 names, 20 of them missing, take 9 s
_HEARTBEAT_NS = 3_000_000_000  # an older heartbeat says nothing of whether it is armed


@dataclass(frozen=True, slots=True)
class Seen:
    """What was learned. ``armed`` None: it does not say; ``airframe``: "copter", "plane" or "other"; ``rivals``: a
    second autopilot, or another companion with our id, is on the link; ``routes``: by which its estimator may be fed,
    the best first; ``round_trip_s`` of TIMESYNC, and ``ahead_s``, by how much this computer's wall clock is ahead of
    its: None is not known."""

    stack: str
    system_id: int
    armed: bool | None
    airframe: str
    rivals: bool
    routes: tuple[AidingRoute, ...]
    streams: tuple[StreamHealth, ...]
    parameters: dict[str, Parameter]
    missing: frozenset[str]
    round_trip_s: float | None = None
    ahead_s: float | None = None


class Autopilot(Protocol):
    """Whoever can be asked."""

    def look(self, names: Iterable[str], rates: bool = False) -> Seen:
        """Reads these parameters, and what else there is; ``rates``: once every stream has shown its own.

        Raises VehicleError where the autopilot does not answer.
        """
        ...


class ThroughDaemon:
    """Asks the daemon at ``socket``, the only one that talks to the autopilot."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def look(self, names: Iterable[str], rates: bool = False) -> Seen:
        """As `Autopilot` has it; the daemon's rates are there. ControlError where the daemon does not answer."""
        request = {"command": "autopilot", "parameters": sorted(names)}
        until = time.monotonic() + _ANSWER_WITHIN_S
        answer = ask(self._socket, request)
        while answer["pending"] and time.monotonic() < until:
            time.sleep(_ASK_EVERY_S)
            answer = ask(self._socket, request)
        if not answer["connected"] or answer["pending"]:
            raise VehicleError("the daemon runs and hears no autopilot; `homing status` says what it does hear.")
        return _told(answer)


def _told(answer: dict[str, Any]) -> Seen:
    return Seen(
        stack=answer["stack"],
        system_id=answer["system_id"],
        armed=answer["armed"],
        airframe=answer["airframe"],
        rivals=answer["rivals"],
        routes=tuple(AidingRoute(route) for route in answer["routes"]),
        streams=tuple(StreamHealth(**stream) for stream in answer["streams"]),
        parameters={name: Parameter(name, one["value"], one["kind"]) for name, one in answer["parameters"].items()},
        missing=frozenset(answer["missing"]),
        round_trip_s=answer.get("timesync_rtt_s"),
        ahead_s=_ahead_s(answer.get("unix_offset_ns"), time.monotonic_ns()),
    )


def _ahead_s(unix_offset_ns: int | None, now_ns: int) -> float | None:
    """``unix_offset_ns``: the autopilot's UTC less our monotonic clock, which stands at ``now_ns``."""
    return None if unix_offset_ns is None else time.time() - (now_ns + unix_offset_ns) * 1e-9


class Direct:
    """Talks to the autopilot itself, over ``lines`` that are open, by name; ``uri`` names them in words."""

    def __init__(
        self, vehicle: Vehicle, lines: Mapping[str, WaitingLink], uri: str, clock: Clock, answer_within_s: float
    ) -> None:
        self._vehicle, self._lines, self._clock = vehicle, dict(lines), clock
        self._first = next(iter(self._lines.values()))
        self._uri = uri
        self._answer_within_s = answer_within_s
        self._connected_ns: int | None = None

    @property
    def state(self) -> VehicleState:
        """As of the last look."""
        return self._vehicle.state

    def look(self, names: Iterable[str], rates: bool = False) -> Seen:
        """As `Autopilot` has it."""
        wanted = tuple(names)
        self._connect()
        assert self._connected_ns is not None
        until_ns = self._clock.now_ns() + round(_ANSWER_WITHIN_S * 1e9)
        read = self._vehicle.read_parameters(wanted, again=True)
        while read.pending or (rates and self._clock.now_ns() - self._connected_ns < _SETTLE_NS):
            if self._clock.now_ns() > until_ns:
                raise VehicleError(f"the autopilot at {self._uri} does not answer when its parameters are read.")
            self.turn()
            read = self._vehicle.read_parameters(())
        return self._seen(read)

    def _connect(self) -> None:
        until_ns = self._clock.now_ns() + round(self._answer_within_s * 1e9)
        while not self._vehicle.state.connected:
            if self._clock.now_ns() > until_ns:
                raise VehicleError(
                    f"no autopilot answered at {self._uri} within {self._answer_within_s:g} s; is it powered, and is "
                    "the link another program's?"
                )
            self.turn()
        if self._connected_ns is None:
            self._connected_ns = self._clock.now_ns()

    def turn(self, more: bytes = b"") -> None:
        """Sends ``more`` and what is due, and takes what comes."""
        self._first.wait(_WAKE_S)
        for name, line in self._lines.items():
            for data, arrived_ns in line.read():
                self._vehicle.receive(data, arrived_ns, name)
        now_ns = self._clock.now_ns()
        self._vehicle.feed_heartbeat(now_ns)
        self._vehicle.tick(now_ns)
        for name, line in self._lines.items():
            line.write(more + self._vehicle.outgoing(name))

    def now_ns(self) -> int:
        """The link's time."""
        return self._clock.now_ns()

    def parameters(self) -> ParametersRead:
        """What is known by now."""
        return self._vehicle.read_parameters(())

    def read_again(self, name: str) -> None:
        """Asks for one parameter anew."""
        self._vehicle.read_parameters((name,), again=True)

    def refusal(self) -> str | None:
        """Why no parameter may be set now, in words; None where one may."""
        state = self._vehicle.state
        if not state.connected or state.heartbeat_t_ns is None:
            return "the autopilot does not answer"
        if state.other_autopilot is not None or state.companion_conflict:
            return "a second autopilot, or another companion with our id, is on the link"
        if self._clock.now_ns() - state.heartbeat_t_ns > _HEARTBEAT_NS or state.telemetry.armed is None:
            return "it is not known whether the vehicle is armed"
        return "the vehicle is armed" if state.telemetry.armed else None

    def _seen(self, read: ParametersRead) -> Seen:
        state = self._vehicle.state
        if state.stack is None or state.system_id is None:
            raise VehicleError(f"the autopilot at {self._uri} went away.")
        return Seen(
            stack=state.stack,
            system_id=state.system_id,
            armed=state.telemetry.armed,
            airframe=airframe(state.telemetry.vehicle_type),
            rivals=state.other_autopilot is not None or state.companion_conflict,
            routes=state.aiding_routes,
            streams=state.streams,
            parameters=read.known,
            missing=read.missing,
            round_trip_s=state.timesync_rtt_s,
            ahead_s=_ahead_s(state.telemetry.unix_offset_ns, self._clock.now_ns()),
        )
