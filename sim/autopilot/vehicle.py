"""The state that everything else works on: body, estimate, home, arming, battery."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from sim.autopilot.battery import Battery
from sim.autopilot.config import AutopilotConfig
from sim.autopilot.drive import Drive
from sim.autopilot.estimator import Estimator
from sim.autopilot.gps import METRES_PER_GLITCH_DEGREE
from sim.autopilot.parameters import Parameters
from sim.autopilot.physics import Body
from sim.autopilot.place import LocalFrame
from sim.autopilot.sources import Sources

EMERGENCY, CRITICAL, WARNING, NOTICE, INFO = 0, 2, 4, 5, 6  # MAV_SEVERITY
STICK_DEADZONE_PWM = 100


@dataclass(frozen=True, slots=True)
class Home:
    """Where relative altitudes and RTL refer to, in the launch point's frame."""

    n: float
    e: float
    h: float


class Speeds:
    """Speeds of the modes: the parameter's (cm/s), until a command sets another; a parameter set later wins again."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._commanded: dict[str, tuple[float, float]] = {}  # parameter: (its value then, m/s)

    def __getitem__(self, name: str) -> float:
        """The speed in m/s that goes by this parameter's name."""
        value = self._parameters[name]
        then, speed = self._commanded.get(name, (None, 0.0))
        return speed if then == value else value / 100.0

    def command(self, name: str, speed_m_s: float) -> None:
        """MAV_CMD_DO_CHANGE_SPEED and its like."""
        self._commanded[name] = (self._parameters[name], speed_m_s)

    def forget(self) -> None:
        """A new mode begins with the parameters."""
        self._commanded.clear()


class Vehicle:
    """One drone. ``say`` sends a STATUSTEXT to every peer."""

    def __init__(
        self, config: AutopilotConfig, parameters: Parameters, body: Body, seed: random.Random,
        say: Callable[[int, str], None],
    ) -> None:  # fmt: skip
        self.config, self.parameters, self.body, self.say = config, parameters, body, say
        self.sources = Sources.of(config, parameters, seed, say)
        self.estimator = Estimator(config, self.sources, seed, say)
        self.drive = Drive(self.estimator)
        self.battery = Battery(parameters["BATT_CAPACITY"])
        self.frame = LocalFrame(config.home)
        self.speeds = Speeds(parameters)
        self.home: Home | None = None
        self.home_locked = False
        self.home_news = 0  # counts the changes that peers must be told of
        self.t_s = 0.0  # since boot
        self.armed = False
        self.armed_s = -math.inf
        self.landed = True
        self.throttle_pwm = config.throttle_pwm

    def step(self, dt: float, t_s: float) -> None:
        """Physics and estimate, to ``t_s`` seconds after boot."""
        self.t_s = t_s
        parameters, gps = self.parameters, self.sources.gps
        gps.enabled = parameters["SIM_GPS1_ENABLE"] != 0 and parameters["GPS1_TYPE"] != 0
        gps.glitch_n = parameters["SIM_GPS1_GLTCH_X"] * METRES_PER_GLITCH_DEGREE
        gps.glitch_e = parameters["SIM_GPS1_GLTCH_Y"] * METRES_PER_GLITCH_DEGREE * self.frame.longitude_scale
        gps.glitch_u = parameters["SIM_GPS1_GLTCH_Z"]
        self.drive.step(dt, self.body)
        self.estimator.step(dt, t_s, self.body)
        self.battery.step(dt, self.armed and not self.body.on_ground, self.estimator.vh)
        if self.home is None and self.estimator.origin_ne is not None:
            here = self.estimator  # over the ground it took off from, if it is in the air already
            self.set_home(Home(here.n, here.e, 0.0) if self.armed else Home(*self.estimator.origin_ne, 0.0))
            self.parameters.set("MIS_TOTAL", max(1, self.parameters["MIS_TOTAL"]))  # home is item 0

    def set_home(self, home: Home, locked: bool = False) -> None:
        """Moves home and tells the peers."""
        self.home = home
        self.home_locked = self.home_locked or locked
        self.home_news += 1

    def home_here(self) -> Home:
        """The estimate as a home."""
        here = self.estimator
        return Home(here.n, here.e, here.h)

    @property
    def height(self) -> float:
        """Estimated height above home, m."""
        return self.estimator.h - (self.home.h if self.home else 0.0)

    @property
    def altitude_amsl_m(self) -> float:
        """Estimated height above mean sea level."""
        return self.estimator.origin_amsl_m + self.estimator.h

    def position(self) -> tuple[float, float]:
        """Estimated (latitude, longitude) in degrees."""
        return self.frame.geodetic(self.estimator.n, self.estimator.e)

    def speed_up(self) -> float:
        """Climb rate in m/s that the modes use."""
        return self.speeds["WPNAV_SPEED_UP"]

    def speed_down(self) -> float:
        """Sink rate in m/s that the modes use."""
        return self.speeds["WPNAV_SPEED_DN"]

    def stick_climb(self) -> float:
        """Climb rate in m/s that the pilot's throttle asks for."""
        off = self.throttle_pwm - 1500
        if abs(off) <= STICK_DEADZONE_PWM:
            return 0.0
        up = self.parameters["PILOT_SPEED_UP"] / 100.0
        down = self.parameters["PILOT_SPEED_DN"] / 100.0 or up
        share = (abs(off) - STICK_DEADZONE_PWM) / (500.0 - STICK_DEADZONE_PWM)
        return share * up if off > 0 else -share * down
