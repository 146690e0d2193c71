"""GUIDED: take-off, a place, a velocity, or both, as commands and position targets ask."""

from __future__ import annotations

from dataclasses import dataclass

from sim.autopilot.vehicle import Vehicle

ARMING_DELAY_S = 2.0  # motors stand still for so long after arming
SPOOL_UP_S = 1.1  # recorded: lift-off 3.4 s after arming with the take-off already commanded; thrust lags the rest
ARRIVED_M = 0.1  # the climb is done this close below its height


@dataclass(frozen=True, slots=True)
class Place:
    """A position target in the launch point's frame; ``vn, ve`` move it until ``until_s``."""

    n: float
    e: float
    h: float
    vn: float = 0.0
    ve: float = 0.0
    from_s: float = 0.0
    until_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Velocity:
    """A velocity target (m/s, up positive) that ends at ``until_s``."""

    vn: float
    ve: float
    vu: float
    until_s: float


class Climb:
    """A take-off: spool up, straight up to a height in the launch point's frame; shared with AUTO."""

    def __init__(self, vehicle: Vehicle, h: float) -> None:
        here = vehicle.estimator
        self.h = h
        self._at = (here.n, here.e)
        self._lift_s = max(vehicle.t_s, vehicle.armed_s + ARMING_DELAY_S) + SPOOL_UP_S
        self.lifted = False

    def step(self, vehicle: Vehicle) -> bool:
        """Demands the climb; True once it is done."""
        drive = vehicle.drive
        if vehicle.t_s < self._lift_s:
            drive.idle()
            return False
        if not self.lifted:
            self.lifted = True
            drive.restart()
        drive.to(*self._at, speed=1.0)
        drive.height(self.h, vehicle.speed_up(), vehicle.speed_down())
        return vehicle.estimator.h >= self.h - ARRIVED_M


class Guided:
    """The GUIDED mode. Until a target comes it stops and stays; on the ground it waits for a take-off."""

    landing = False

    def __init__(self, vehicle: Vehicle) -> None:
        vehicle.drive.restart()
        self.target: Place | Velocity | None = None
        self._climb: Climb | None = None
        self._yaw: float | None = None
        self._yaw_rate = 0.0

    @property
    def taking_off(self) -> bool:
        """Whether a commanded take-off is not yet at its height."""
        return self._climb is not None

    def take_off(self, vehicle: Vehicle, height: float) -> None:
        """Climb to ``height`` above home."""
        base = vehicle.home.h if vehicle.home else 0.0
        self._climb, self.target = Climb(vehicle, base + height), None

    def set_target(
        self, vehicle: Vehicle, target: Place | Velocity | None, yaw: float | None, rate: float = 0.0
    ) -> None:
        """Replaces what the mode does; a take-off in progress is cancelled without a word, as ArduCopter does."""
        if self._climb is not None:
            self._climb = None
            vehicle.drive.restart()
        self.target, self._yaw, self._yaw_rate = target, yaw, rate

    def face(self, yaw: float) -> None:
        """MAV_CMD_CONDITION_YAW."""
        self._yaw, self._yaw_rate = yaw, 0.0

    def step(self, vehicle: Vehicle) -> None:
        """Demands what was asked for last."""
        if self._climb is not None:
            if self._climb.step(vehicle):
                here = vehicle.drive
                self.target = Place(here.horizontal.pn, here.horizontal.pe, self._climb.h)
                self._climb = None
            return
        if vehicle.landed:  # a target does not lift a vehicle off the ground
            vehicle.drive.idle()
            return
        self._fly(vehicle)
        self._point(vehicle)

    def _fly(self, vehicle: Vehicle) -> None:
        drive, target = vehicle.drive, self.target
        if isinstance(target, Place):
            moved = min(vehicle.t_s, target.until_s) - target.from_s if target.until_s else 0.0
            n, e = target.n + target.vn * moved, target.e + target.ve * moved
            drive.to(n, e, vehicle.speeds["WPNAV_SPEED"])
            drive.height(target.h, vehicle.speed_up(), vehicle.speed_down())
        elif isinstance(target, Velocity) and vehicle.t_s < target.until_s:
            drive.velocity(target.vn, target.ve)
            drive.climb(target.vu)
        else:
            drive.velocity(0.0, 0.0)
            drive.climb(0.0)

    def _point(self, vehicle: Vehicle) -> None:
        drive = vehicle.drive
        if self._yaw is not None:
            drive.face(self._yaw)
        elif self._yaw_rate:
            drive.turn(self._yaw_rate)
        elif self.target is not None and vehicle.parameters["WP_YAW_BEHAVIOR"] != 0:
            drive.face_course()
