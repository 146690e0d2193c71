"""The other side of an exchange: the built-in autopilot on the simulated clock, or a real one on a line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.clock import MonotonicClock
from runtime.vehicle.link.link import MavlinkLink
from sim.autopilot.autopilot import Autopilot
from sim.scenario.dialect import Script
from sim.scenario.station import GroundStation
from sim.sitl.firmware import CENTRED, Firmware, Reception
from sim.sitl.receiver import PlayedReceiver

_STEP_S = 0.02
_ACK_S = 3.0
SILENCE = "silence"


class Peer(GroundStation):
    """Keeps everything that the autopilot says; the sticks rest at their centres where somebody has to hold them."""

    def __init__(self, firmware: Firmware, sticks: bool) -> None:
        super().__init__(firmware.dialect)
        self.firmware = firmware
        self.heard: list[Any] = []
        self.each: list[Callable[[int], None]] = []  # asked whenever bytes go out: something to say again and again
        self._sticks = sticks
        self._clock = MonotonicClock()
        self._receiver = PlayedReceiver(firmware)

    def outgoing(self, t_ns: int) -> bytes:
        for say in list(self.each):
            say(t_ns)
        if self._sticks:
            self.send(self.firmware.sticks(CENTRED, self.armed))
        return self._receiver.outgoing(self._clock.now_ns()) + super().outgoing(t_ns)

    def lose_gps(self, lost: bool) -> None:
        """The simulator's receiver, or the one that is played in its place, silenced or heard again."""
        self._receiver.reception = Reception(heard=not lost)
        for name, value in self.firmware.receiver(heard=not lost).items():
            self.send(self.firmware.parameter_set(name, value))

    def send(self, message: Any) -> None:
        """Any message."""
        self._send(message)

    def _on_message(self, message: Any) -> None:
        self.heard.append(message)
        state = self.firmware.true_state(message)
        if state is not None:
            self._receiver.learn(state, self._clock.now_ns())


class Line(Protocol):
    """Lets time pass while bytes go to and fro."""

    def step(self, peer: Peer) -> None: ...


class BuiltInLine:
    """Simulated time."""

    def __init__(self, autopilot: Autopilot) -> None:
        self.autopilot = autopilot

    def step(self, peer: Peer) -> None:
        """20 ms of it."""
        t_ns = self.autopilot.t_ns + int(_STEP_S * 1e9)
        self.autopilot.receive(peer.outgoing(t_ns))
        self.autopilot.advance(t_ns)
        peer.receive(self.autopilot.transmit())


class RealLine:
    """The wall's time."""

    def __init__(self, uri: str) -> None:
        self._clock = MonotonicClock()
        self.link = MavlinkLink.open(uri, self._clock)

    def step(self, peer: Peer) -> None:
        """20 ms of it."""
        time.sleep(_STEP_S)
        for data, _ in self.link.read():
            peer.receive(data)
        self.link.write(peer.outgoing(self._clock.now_ns()))


class Side:
    """What an exchange is written with."""

    def __init__(self, peer: Peer, line: Line) -> None:
        self.peer, self._line = peer, line

    def run(self, seconds: float) -> list[Any]:
        """Lets time pass; what was heard meanwhile."""
        before = len(self.peer.heard)
        for _ in range(round(seconds / _STEP_S)):
            self._line.step(self.peer)
        return self.peer.heard[before:]

    def until(self, condition: Callable[[], bool], most_s: float) -> float | None:
        """Seconds until it holds; None if it does not in time."""
        for steps in range(round(most_s / _STEP_S)):
            if condition():
                return steps * _STEP_S
            self._line.step(self.peer)
        return None

    def follow(self, script: Script, most_s: float) -> bool:
        """Whether a script ends in time."""
        for _ in range(round(most_s / _STEP_S)):
            try:
                next(script)
            except StopIteration:
                return True
            self._line.step(self.peer)
        return False

    def answer(self, message: Any, kind: str, most_s: float = _ACK_S) -> Any:
        """Sends, and gives the first answer of a kind; None if none comes."""
        before = len(self.peer.heard)
        self.peer.send(message)
        self.until(lambda: any(m.get_type() == kind for m in self.peer.heard[before:]), most_s)
        return next((m for m in self.peer.heard[before:] if m.get_type() == kind), None)

    def parameter(self, message: Any, most_s: float = _ACK_S) -> Any:
        """Sends what reads or sets a parameter, and gives the first PARAM_VALUE of that name; None if none comes. PX4
        tells of others meanwhile, and of what was set more than once."""
        before, name = len(self.peer.heard), _name(message)

        def values() -> list[Any]:
            return [m for m in self.peer.heard[before:] if m.get_type() == "PARAM_VALUE" and _name(m) == name]

        self.peer.send(message)
        self.until(lambda: bool(values()), most_s)
        return next(iter(values()), None)

    def command(self, number: int, *parameters: float) -> str:
        """COMMAND_LONG: its result, IN_PROGRESS left out."""
        padded = [*parameters, *[0.0] * (7 - len(parameters))]
        return self._result(mavlink.MAVLink_command_long_message(1, 1, number, 0, *padded), number)

    def command_int(self, number: int, frame: int, x: int, y: int, z: float, *parameters: float) -> str:
        """COMMAND_INT, likewise."""
        p = [*parameters, *[0.0] * (4 - len(parameters))]
        return self._result(mavlink.MAVLink_command_int_message(1, 1, frame, number, 0, 0, *p, x, y, z), number)

    def set_mode(self, name: str) -> str:
        """DO_SET_MODE by ArduCopter's name for it."""
        return self.command(mavlink.MAV_CMD_DO_SET_MODE, *self.peer.dialect.set_mode(name))

    def last(self, kind: str) -> Any:
        """The newest message of a kind; None before the first."""
        return next((m for m in reversed(self.peer.heard) if m.get_type() == kind), None)

    def _result(self, message: Any, number: int) -> str:
        before = len(self.peer.heard)
        self.peer.send(message)

        def results() -> list[int]:
            acks = (m for m in self.peer.heard[before:] if m.get_type() == "COMMAND_ACK" and m.command == number)
            return [m.result for m in acks if m.result != mavlink.MAV_RESULT_IN_PROGRESS]

        self.until(lambda: bool(results()), _ACK_S)
        found = results()
        return SILENCE if not found else mavlink.enums["MAV_RESULT"][found[0]].name.removeprefix("MAV_RESULT_")


def _name(message: Any) -> str:
    """The parameter that a message is about."""
    name = message.param_id
    return name if isinstance(name, str) else bytes(name).rstrip(b"\0").decode()
