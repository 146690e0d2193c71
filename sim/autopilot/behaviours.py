"""The flight modes that need no plan: what each asks of the vehicle, entered once and stepped on."""

from __future__ import annotations

import math
from typing import Protocol

from sim.autopilot.vehicle import Vehicle

RTL_PAUSE_S = 1.0  # recorded: before it sets off, even at its height already


class Behaviour(Protocol):
    """A flight mode at work; ``landing`` is what EXTENDED_SYS_STATE calls landing, likewise ``taking_off``."""

    @property
    def landing(self) -> bool: ...

    @property
    def taking_off(self) -> bool: ...

    def step(self, vehicle: Vehicle) -> None:
        """Sets the demands of the next step."""


class Sticks:
    """STABILIZE, ALT_HOLD: level, the throttle stick climbs and sinks; wind carries it away."""

    landing = taking_off = False

    def __init__(self, vehicle: Vehicle) -> None:
        vehicle.drive.restart()

    def step(self, vehicle: Vehicle) -> None:
        """Level, with the pilot's climb rate."""
        vehicle.drive.level()
        climb_by_stick(vehicle)


class Loiter:
    """LOITER, POSHOLD: brakes, then holds the place; the throttle stick climbs and sinks."""

    landing = taking_off = False

    def __init__(self, vehicle: Vehicle) -> None:
        vehicle.drive.restart()

    def step(self, vehicle: Vehicle) -> None:
        """Stop, with the pilot's climb rate."""
        vehicle.drive.velocity(0.0, 0.0, hard=True)
        climb_by_stick(vehicle)


class Brake:
    """BRAKE: stops and stays, whatever the sticks say."""

    landing = taking_off = False

    def __init__(self, vehicle: Vehicle) -> None:
        vehicle.drive.restart()

    def step(self, vehicle: Vehicle) -> None:
        """Stop."""
        vehicle.drive.velocity(0.0, 0.0, hard=True)
        if vehicle.landed:
            vehicle.drive.idle()
        else:
            vehicle.drive.climb(0.0)


class Land:
    """LAND: straight down, slowly below LAND_ALT_LOW; blind where there is no position."""

    landing = True
    taking_off = False

    def __init__(self, vehicle: Vehicle, pause_s: float = 0.0) -> None:
        vehicle.drive.restart()
        self._from_s = vehicle.t_s + pause_s
        self.uses_position = True  # until the first step finds none, as HEARTBEAT shows it

    def step(self, vehicle: Vehicle) -> None:
        """Stop over the place, then sink."""
        drive = vehicle.drive
        self.uses_position = vehicle.estimator.position_ok
        if self.uses_position:
            drive.velocity(0.0, 0.0)
        else:
            drive.level()
        if vehicle.landed:
            drive.idle()
        elif vehicle.t_s < self._from_s:
            drive.climb(0.0)
        else:
            descend(vehicle)


class Rtl:
    """RTL: climb, fly home, wait, land."""

    taking_off = False

    def __init__(self, vehicle: Vehicle) -> None:
        vehicle.drive.restart()
        here, home = vehicle.estimator, vehicle.home or vehicle.home_here()
        self._home = home
        away = math.hypot(here.n - home.n, here.e - home.e)
        self._height = home.h + _return_height(vehicle, away)
        self._stage = "climb"
        self._from_s = vehicle.t_s + RTL_PAUSE_S
        self._wait_until_s = 0.0
        self.landing = False

    def step(self, vehicle: Vehicle) -> None:
        """The next stage when the present one is done."""
        drive, here = vehicle.drive, vehicle.estimator
        if vehicle.landed:
            drive.idle()
            return
        speed = vehicle.parameters["RTL_SPEED"] / 100.0 or vehicle.speeds["WPNAV_SPEED"]
        drive.height(self._height, vehicle.speed_up(), vehicle.speed_down())
        if self._stage == "climb":
            drive.velocity(0.0, 0.0)
            if here.h > self._height - 0.3 and vehicle.t_s >= self._from_s:
                self._stage = "return"
        elif self._stage == "return":
            drive.along(self._home.n, self._home.e, speed)
            if math.hypot(here.n - self._home.n, here.e - self._home.e) < 2.0 and drive.stopped:
                self._stage = "wait"
                self._wait_until_s = vehicle.t_s + vehicle.parameters["RTL_LOIT_TIME"] / 1000.0
        elif self._stage == "wait":
            if vehicle.t_s >= self._wait_until_s:
                self._stage, self.landing = "land", True
        else:
            descend(vehicle)


def _return_height(vehicle: Vehicle, away_m: float) -> float:
    """Height above home of the way back: RTL_ALT, less near home (RTL_CONE_SLOPE), never below the present."""
    parameters, height = vehicle.parameters, vehicle.height
    wanted = max(parameters["RTL_ALT"] / 100.0, height + parameters["RTL_CLIMB_MIN"] / 100.0)
    if parameters["RTL_CONE_SLOPE"] > 0.0:
        wanted = min(wanted, max(away_m * parameters["RTL_CONE_SLOPE"], height + 1.0))
    return max(wanted, height)


def descend(vehicle: Vehicle) -> None:
    """Sinks at LAND_SPEED_HIGH, then at LAND_SPEED from LAND_ALT_LOW on, braking in time."""
    parameters = vehicle.parameters
    fast = parameters["LAND_SPEED_HIGH"] / 100.0 or vehicle.speed_down()
    slow = parameters["LAND_SPEED"] / 100.0
    left = vehicle.height - parameters["LAND_ALT_LOW"] / 100.0 - 0.4  # slow on reaching it, not after
    brake = math.sqrt(slow * slow + 2.0 * 0.8 * left) if left > 0.0 else slow  # 0.8 m/s^2, recorded
    vehicle.drive.climb(-max(slow, min(fast, brake)))


def climb_by_stick(vehicle: Vehicle) -> None:
    """The throttle stick as a climb rate; it also lifts the vehicle off, and leaves it down."""
    rate = vehicle.stick_climb()
    if vehicle.landed and rate <= 0.0:
        vehicle.drive.idle()
    else:
        vehicle.drive.climb(rate)
