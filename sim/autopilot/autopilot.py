"""The built-in autopilot: bytes in, bytes out, and simulated time pushed from outside.

Nothing here reads a clock or draws from an unseeded source: the same calls with the same configuration give the
same bytes.
"""

from __future__ import annotations

import random

from runtime.rotations import ned_from_euler
from sim.autopilot.config import AutopilotConfig, Vector, VehicleTruth
from sim.autopilot.failsafe import Failsafes
from sim.autopilot.flight import Flight
from sim.autopilot.links import Link, Links
from sim.autopilot.modes import Mode
from sim.autopilot.parameters import Parameters
from sim.autopilot.physics import Body
from sim.autopilot.plan import Mission
from sim.autopilot.protocol import Protocol
from sim.autopilot.state import State
from sim.autopilot.vehicle import Home, Vehicle
from sim.autopilot.wire import Message

READY_CLOCK_NS = 60_000_000_000  # how long an autopilot that is ready at boot has been on


class Autopilot:
    """One simulated vehicle and its MAVLink links (0 the companion, 1 a ground station, more as used)."""

    def __init__(self, config: AutopilotConfig) -> None:
        self.config = config
        self.parameters = Parameters({"BATT_CAPACITY": config.battery_capacity_mah, **config.parameters})
        self._links = Links(config.system_id, config.component_id, self._handle)
        self._links.link(0)
        self._body = Body(config, random.Random(f"{config.seed} wind"))
        self._t_ns = 0
        self._boots = 0
        self._boot_t_ns = -config.clock_offset_ns - (READY_CLOCK_NS if config.ready_at_boot else 0)
        self._boot()
        if config.ready_at_boot:
            self._settle()

    def _boot(self) -> None:
        """Everything a power-up makes anew; the body and the parameters stay."""
        self._boots += 1
        config = self.config
        seed = random.Random(f"{config.seed} sensors {self._boots}")
        self._mission = Mission()
        vehicle = Vehicle(config, self.parameters, self._body, seed, self._say)
        flight = Flight(vehicle, self._mission)
        self._state = State(vehicle, flight, Failsafes(flight), self._mission, self.parameters)
        self._state.boot_us = (self._t_ns - self._boot_t_ns) // 1000
        self._protocol = Protocol(self._state, self._links, self._reboot)

    def _reboot(self) -> None:
        self._boot_t_ns = self._t_ns
        for link in self._links:
            link.streams.clear()
        self._boot()

    def _settle(self) -> None:
        vehicle = self._state.vehicle
        vehicle.t_s = self._state.boot_us / 1e6
        vehicle.estimator.settle(vehicle.t_s, self._body)
        if vehicle.estimator.origin_ne is not None:
            vehicle.set_home(Home(*vehicle.estimator.origin_ne, 0.0))
        vehicle.home_news = 0  # long ago; peers ask for it

    def _say(self, severity: int, text: str) -> None:
        self._protocol.say(severity, text)

    def _handle(self, message: Message, link: Link) -> None:
        self._protocol.handle(message, link)

    @property
    def t_ns(self) -> int:
        """Simulated monotonic time that has been reached."""
        return self._t_ns

    def advance(self, t_ns: int) -> None:
        """Runs fixed steps up to simulated monotonic time ``t_ns``; earlier times do nothing."""
        step_ns = self.config.step_ns
        dt = step_ns / 1e9
        while self._t_ns + step_ns <= t_ns:
            self._t_ns += step_ns
            self._step(dt)

    def _step(self, dt: float) -> None:
        state = self._state
        boot_ns = self._t_ns - self._boot_t_ns
        state.boot_us = boot_ns // 1000
        state.flight.step(dt)
        state.vehicle.step(dt, boot_ns / 1e9)
        state.failsafes.step(dt)
        self._protocol.step(boot_ns)

    def receive(self, data: bytes, link: int = 0) -> None:
        """Bytes from a peer; answers wait in `transmit` at once."""
        self._links.receive(data, link)

    def transmit(self, link: int = 0) -> bytes:
        """Takes the bytes that wait for a peer."""
        out = self._links.link(link).out
        data = bytes(out)
        out.clear()
        return data

    def close_link(self, link: int) -> None:
        """Forgets a peer that has left: its streams, its routes, the bytes that wait for it."""
        self._links.close(link)

    @property
    def truth(self) -> VehicleTruth:
        """What really is, for the simulator's camera and referee."""
        body = self._body
        return VehicleTruth(
            self._t_ns,
            (body.n, body.e, body.d),
            (body.vn, body.ve, body.vd),
            ned_from_euler(body.roll, body.pitch, body.yaw),
            body.rates,
        )

    @property
    def mode(self) -> str:
        """The flight mode's name."""
        return self._state.flight.mode.name

    @property
    def armed(self) -> bool:
        """Whether the motors turn."""
        return self._state.vehicle.armed

    def pilot_set_mode(self, name: str) -> bool:
        """The pilot's mode switch: no MAVLink, it simply changes; False where ArduCopter refuses."""
        return self._state.flight.set_mode(Mode[name])

    def pilot_set_throttle(self, pwm: int) -> None:
        """The pilot's throttle stick, 1000 to 2000; between 1400 and 1600 it asks for nothing."""
        self._state.vehicle.throttle_pwm = pwm

    def set_parameter(self, name: str, value: float) -> None:
        """Sets a parameter as PARAM_SET does, e.g. SIM_GPS1_ENABLE; raises KeyError for an unknown one."""
        if not self.parameters.set(name, value):
            raise KeyError(name)
        self._protocol.parameters.announce(name)

    def drag_gps(self, north_m_s: float, east_m_s: float) -> None:
        """Somebody forges the receiver's signals and drags it away at this velocity; zeros leave it where it is."""
        self._state.vehicle.sources.gps.forgery.drag(north_m_s, east_m_s)

    def step_gps(self, north_m: float, east_m: float) -> None:
        """The receiver's position leaps by so much, on top of what it was dragged."""
        forgery = self._state.vehicle.sources.gps.forgery
        forgery.n, forgery.e = forgery.n + north_m, forgery.e + east_m

    @property
    def gps_offset_ne_m(self) -> tuple[float, float]:
        """How far off the truth forgery and glitch put the receiver now, north and east."""
        gps = self._state.vehicle.sources.gps
        return gps.offset_n, gps.offset_e

    def carry(self, north_m: float, east_m: float) -> None:
        """Moves the vehicle while nobody tells it: its estimate stays where it was, until a source says otherwise."""
        self._body.n, self._body.e = self._body.n + north_m, self._body.e + east_m
        self._state.vehicle.estimator.carried(north_m, east_m)

    def start_in_flight(self, position_ned_m: Vector, mode: str, yaw_rad: float = 0.0) -> None:
        """Places the vehicle in a hover, armed, its EKF ready: for runs that begin after a survey."""
        self._body.place(*position_ned_m, yaw_rad)
        if not self._state.vehicle.estimator.initialised:
            self._boot_t_ns = self._t_ns - READY_CLOCK_NS
            self._boot()
            self._settle()
        vehicle = self._state.vehicle
        vehicle.estimator.publish(self._body)
        self._state.flight.place()
        self._state.flight.set_mode(Mode[mode])
        vehicle.drive.restart()
