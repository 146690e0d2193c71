"""Ground station and pilot of a real autopilot: told the truth by its simulator, with the sticks in his hands."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.clock import MonotonicClock
from runtime.geodesy import north_east_m, offset
from runtime.rotations import turned_by_rates
from runtime.values import GeoPoint
from sim.autopilot.config import VehicleTruth
from sim.scenario.plan import Point
from sim.scenario.station import GroundStation
from sim.sitl.belief import Belief
from sim.sitl.firmware import CENTRED, Firmware, Stand, Sticks
from sim.sitl.receiver import PlayedReceiver

_STICKS_NS = 50_000_000  # firmware takes sticks that rest longer than some tenths of a second for lost
_RELEASE_TYPES = {0: "-dev", 64: "-alpha", 128: "-beta", 192: "-rc", 255: ""}  # FIRMWARE_VERSION_TYPE


class Pilot(GroundStation):
    """The thread of the links passes his bytes while the caller commands, so both take turns.

    Positions are metres from ``reference``: where the vehicle stood when it was first heard, until somebody knows
    better.
    """

    def __init__(self, firmware: Firmware) -> None:
        super().__init__(firmware.dialect)
        self.firmware = firmware
        self.sticks: Sticks = CENTRED
        self.reference: Stand | None = None
        self.version: str | None = None  # AUTOPILOT_VERSION in words
        self.parameters: dict[str, float] = {}
        self.truths: deque[VehicleTruth] = deque()
        self.beliefs: list[Belief] = []
        self._turn = threading.RLock()
        self._sticks_due_ns = 0
        self._clock = MonotonicClock()
        self._said: VehicleTruth | None = None
        self._receiver = PlayedReceiver(firmware)

    def ask_for_truth(self) -> None:
        """A stream of what the simulator knows, and one of what the autopilot believes; once, what it is."""
        for message_id, rate_hz in self.firmware.streams_hz.items():
            self.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, message_id, 1e6 / rate_hz)
        self.command(mavlink.MAV_CMD_REQUEST_MESSAGE, mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION)

    def set_parameters(self, parameters: Mapping[str, float]) -> None:
        """The autopilot's answers show in ``parameters``."""
        for name, value in parameters.items():
            self._send(self.firmware.parameter_set(name, value))

    def read_parameter(self, name: str) -> None:
        """As `set_parameters`, without setting it."""
        self._send(mavlink.MAVLink_param_request_read_message(1, 1, name.encode("ascii"), -1))

    def lose_gps(self, lost: bool) -> None:
        """The simulator's receiver, silenced or heard again."""
        with self._turn:
            self._receiver.reception = replace(self._receiver.reception, heard=not lost)
        self.set_parameters(self.firmware.receiver(heard=not lost))

    def forge_gps(self, offset_ne_m: Point, rate_ne_m_s: Point) -> None:
        """The simulator's receiver, put off the truth by an offset that grows at a rate; zeros are honest."""
        with self._turn:
            off = replace(self._receiver.reception, offset_ne_m=offset_ne_m, rate_ne_m_s=rate_ne_m_s)
            self._receiver.reception = off
        self.set_parameters(self.firmware.forged(offset_ne_m, self.place))

    def fly_by_gps(self) -> None:
        """The pilot's own switch back, after the estimator flew by what it was fed."""
        for message in self.firmware.fly_by_gps():
            self._send(message)

    def reboot(self) -> None:
        """Of the autopilot, on the ground."""
        self.command(mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1.0)

    @property
    def truth(self) -> VehicleTruth:
        """What the simulator said last, carried on to now."""
        said, now_ns = self._said, self._clock.now_ns()
        assert said is not None
        dt_s = (now_ns - said.t_ns) * 1e-9
        (x, y, z), (u, v, w) = said.position_ned_m, said.velocity_ned_m_s
        turned = turned_by_rates(said.ned_from_body, said.body_rates_rad_s, dt_s)
        moved = (x + u * dt_s, y + v * dt_s, z + w * dt_s)
        return replace(said, t_ns=now_ns, position_ned_m=moved, ned_from_body=turned)

    @property
    def place(self) -> GeoPoint:
        """Where that is."""
        assert self.reference is not None
        return offset(self.reference.position, *self.truth.position_ned_m[:2])

    def receive(self, data: bytes) -> None:
        """Bytes from the vehicle; they may come from another thread."""
        with self._turn:
            super().receive(data)

    def outgoing(self, t_ns: int) -> bytes:
        """Bytes to the vehicle, the sticks among them."""
        with self._turn:
            if t_ns >= self._sticks_due_ns:
                self._sticks_due_ns = t_ns + _STICKS_NS
                self._send(self.firmware.sticks(self.sticks, self.armed))
            return self._receiver.outgoing(t_ns) + super().outgoing(t_ns)

    def _send(self, message: Any) -> None:
        with self._turn:
            super()._send(message)

    def _on_message(self, message: Any) -> None:
        state = self.firmware.true_state(message)
        if state is None:
            return
        self._receiver.learn(state, self._clock.now_ns())
        if self.reference is None:
            self.reference = Stand(state.position, state.altitude_amsl_m)
        north, east = north_east_m(self.reference.position, state.position)
        position = (north, east, self.reference.altitude_amsl_m - state.altitude_amsl_m)
        self._said = VehicleTruth(
            self._clock.now_ns(), position, state.velocity_ned_m_s, state.ned_from_body, state.body_rates_rad_s
        )
        self.truths.append(self._said)

    def _on_param_value(self, message: Any) -> None:
        self.parameters[message.param_id] = self.firmware.parameter_value(message)

    def _on_autopilot_version(self, message: Any) -> None:
        self.version = version_in_words(message.flight_sw_version, bytes(message.flight_custom_version))

    def _on_global_position_int(self, message: Any) -> None:
        super()._on_global_position_int(message)
        if self._said is None or self.reference is None or (message.lat, message.lon) == (0, 0):
            return
        truth = self.truth
        north, east = north_east_m(self.reference.position, GeoPoint(message.lat * 1e-7, message.lon * 1e-7))
        off = north - truth.position_ned_m[0], east - truth.position_ned_m[1]
        self.beliefs.append(Belief(truth.t_ns, *off))


def version_in_words(version: int, custom: bytes) -> str:
    """``flight_sw_version`` and ``flight_custom_version`` of AUTOPILOT_VERSION, as people write them.

    ArduPilot writes the commit as text, PX4 as a number of eight bytes, the lowest first.
    """
    major, minor, patch, kind = (version >> shift & 0xFF for shift in (24, 16, 8, 0))
    commit = custom.rstrip(b"\0")
    name = commit.decode("ascii") if commit and commit.isascii() and commit.isalnum() else custom[::-1].hex()[:8]
    return f"{major}.{minor}.{patch}{_RELEASE_TYPES.get(kind, '')} ({name})"
