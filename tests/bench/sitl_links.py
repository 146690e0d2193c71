"""The lines of a flight with somebody else's autopilot: Homing's through our hands, and the pilot's own."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.clock import Clock, MonotonicClock
from runtime.errors import VehicleError
from runtime.geodesy import north_east_m
from runtime.rotations import ned_from_euler, turned_by_rates
from runtime.values import GeoPoint
from runtime.vehicle.link.link import MavlinkLink
from sim.autopilot.config import VehicleTruth
from sim.autopilot.endpoints import open_endpoint
from sim.scenario.crew import GroundStation
from tests.bench.sitl_belief import Belief

_POLL_S = 0.002  # of the relay: what it adds to a round trip
_STICKS_NS = 500_000_000  # an override lasts three seconds
_TRUTH_HZ, _BELIEF_HZ = 50, 10
_PORT_TRIES = 5  # a second apart


@dataclass(frozen=True, slots=True)
class Home:
    """Where the vehicle stood when it was first heard."""

    position: GeoPoint
    altitude_amsl_m: float


class Pilot(GroundStation):
    """Ground station and pilot: told the truth by the autopilot's simulator, with the sticks at their centres.

    Left alone, the simulator's throttle stick lies at the bottom, which is a descent in LOITER. The thread of the links
    passes its bytes while the caller commands, so both take turns.
    """

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.RLock()
        self._sticks_due_ns = 0
        self._clock = MonotonicClock()
        self._said: VehicleTruth | None = None
        self.home: Home | None = None
        self.parameters: dict[str, float] = {}
        self.truths: deque[VehicleTruth] = deque()
        self.beliefs: list[Belief] = []

    def ask_for_truth(self) -> None:
        """A stream of what the simulator knows, and one of what the autopilot believes."""
        for message_id, rate_hz in (
            (mavlink.MAVLINK_MSG_ID_SIM_STATE, _TRUTH_HZ),
            (mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, _BELIEF_HZ),
        ):
            self.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, message_id, 1e6 / rate_hz)

    def lose_gps(self, lost: bool) -> None:
        """The simulator's receiver, silenced or heard again; older firmware has another name for it."""
        self.set_parameter("SIM_GPS1_ENABLE", 0.0 if lost else 1.0)
        self.set_parameter("SIM_GPS_DISABLE", 1.0 if lost else 0.0)

    def use_sources(self, number: int) -> None:
        """The pilot's own switch of the EKF source set."""
        self.command(mavlink.MAV_CMD_SET_EKF_SOURCE_SET, float(number))

    def reboot(self) -> None:
        """Of the autopilot, on the ground."""
        self.command(mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1.0)

    def set_parameter(self, name: str, value: float) -> None:
        """The autopilot's answer shows in ``parameters``."""
        kind = mavlink.MAV_PARAM_TYPE_REAL32
        self._send(mavlink.MAVLink_param_set_message(1, 1, name.encode("ascii"), value, kind))

    def read_parameter(self, name: str) -> None:
        """As `set_parameter`, without setting it."""
        self._send(mavlink.MAVLink_param_request_read_message(1, 1, name.encode("ascii"), -1))

    def _on_param_value(self, m: Any) -> None:
        self.parameters[m.param_id] = m.param_value

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

    def receive(self, data: bytes) -> None:
        with self._turn:
            super().receive(data)

    def outgoing(self, t_ns: int) -> bytes:
        with self._turn:
            if t_ns >= self._sticks_due_ns:
                self._sticks_due_ns = t_ns + _STICKS_NS
                throttle = 1500 if self.armed else 1000  # "Throttle is not neutral" refuses to arm
                sticks = (1500, 1500, throttle, 1500)
                self._send(mavlink.MAVLink_rc_channels_override_message(1, 1, *sticks, *[0xFFFF] * 4))
            return super().outgoing(t_ns)

    def _send(self, message: Any) -> None:
        with self._turn:
            super()._send(message)

    def _on_global_position_int(self, message: Any) -> None:
        super()._on_global_position_int(message)
        if self._said is None or self.home is None or (message.lat, message.lon) == (0, 0):
            return
        truth = self.truth
        north, east = north_east_m(self.home.position, GeoPoint(message.lat * 1e-7, message.lon * 1e-7))
        off = north - truth.position_ned_m[0], east - truth.position_ned_m[1]
        self.beliefs.append(Belief(truth.t_ns, *off))

    def _on_sim_state(self, m: Any) -> None:
        place = GeoPoint(m.lat_int * 1e-7, m.lon_int * 1e-7)
        if self.home is None:
            self.home = Home(place, m.alt)
        north, east = north_east_m(self.home.position, place)
        self._said = VehicleTruth(
            self._clock.now_ns(),
            (north, east, self.home.altitude_amsl_m - m.alt),
            (m.vn, m.ve, m.vd),
            ned_from_euler(m.roll, m.pitch, m.yaw),
            (m.xgyro, m.ygyro, m.zgyro),
        )
        self.truths.append(self._said)


class Wires:
    """The autopilot's two ports, and the daemon's on ours; what passes is kept for the referee."""

    def __init__(self, endpoint: str, station: str) -> None:
        clock = MonotonicClock()
        self._autopilot = MavlinkLink.open(endpoint, clock)
        self._radio = _opened(station, clock)
        numbers = itertools.count()
        self._companion = open_endpoint("tcpin:127.0.0.1:0", lambda: next(numbers))
        self._clock = clock
        self.pilot = Pilot()
        self.passed: deque[tuple[str, bytes, int]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)
        self._thread.start()

    @property
    def companion_uri(self) -> str:
        """Where `homing run` finds its vehicle."""
        return "tcp:{}:{}".format(*self._companion.address)

    def close(self) -> None:
        """Let all lines go."""
        self._stop.set()
        self._thread.join()
        for line in (self._autopilot, self._radio, self._companion):
            line.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._autopilot.wait(_POLL_S)
            for data, t_ns in self._autopilot.read():
                links = self._companion.links()
                if links:
                    self.passed.append(("heard", data, t_ns))
                    self._companion.write(links[-1], data)
            for _, data in self._companion.read():
                self.passed.append(("sent", data, self._clock.now_ns()))
                self._autopilot.write(data)
            for data, _ in self._radio.read():
                self.pilot.receive(data)
            self._radio.write(self.pilot.outgoing(self._clock.now_ns()))


def _opened(uri: str, clock: Clock) -> MavlinkLink:
    """ArduPilot's simulator opens its other ports once the first has a peer."""
    for _ in range(_PORT_TRIES):
        try:
            return MavlinkLink.open(uri, clock)
        except VehicleError:
            time.sleep(1.0)
    return MavlinkLink.open(uri, clock)
