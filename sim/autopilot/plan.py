"""A stored mission and AUTO, which flies it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum

from sim.autopilot.behaviours import Behaviour, Land, Rtl
from sim.autopilot.guided import Climb
from sim.autopilot.vehicle import INFO, Vehicle

WAYPOINT, LOITER_UNLIMITED, LOITER_TIME, RTL, LAND, TAKEOFF = 16, 17, 19, 20, 21, 22  # MAV_CMD_NAV_*
DO_CHANGE_SPEED = 178
NAMES = {
    WAYPOINT: "WP", LOITER_UNLIMITED: "LoitUnlim", LOITER_TIME: "LoitTime", RTL: "RTL", LAND: "Land",
    TAKEOFF: "Takeoff", DO_CHANGE_SPEED: "SetSpeed",
}  # fmt: skip
HAS_PLACE = frozenset({WAYPOINT, LOITER_UNLIMITED, LOITER_TIME, LAND})
GLOBAL, GLOBAL_RELATIVE = 0, 3  # MAV_FRAME


class MissionState(IntEnum):
    """MISSION_STATE of MISSION_CURRENT."""

    NO_MISSION = 1
    NOT_STARTED = 2
    ACTIVE = 3
    PAUSED = 4
    COMPLETE = 5


@dataclass(frozen=True, slots=True)
class Item:
    """One mission item, as stored: frame GLOBAL or GLOBAL_RELATIVE, position in 1e-7 degrees."""

    command: int
    frame: int
    parameters: tuple[float, float, float, float]
    x: int
    y: int
    z: float


class Mission:
    """The items (number 0 is home) and how far they were flown."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.current = 0
        self.state = MissionState.NO_MISSION
        self.reached: list[int] = []  # for MISSION_ITEM_REACHED, emptied by whoever sends it

    @property
    def empty(self) -> bool:
        """Whether there is nothing to fly."""
        return len(self.items) < 2

    def replace(self, items: list[Item]) -> None:
        """A newly uploaded mission."""
        self.items = items
        self.restart()

    def restart(self) -> None:
        """Back to the beginning."""
        self.current = 0
        self.state = MissionState.NO_MISSION if self.empty else MissionState.NOT_STARTED

    def starts_with_takeoff(self) -> bool:
        """Whether the first item that moves the vehicle is a take-off."""
        first = next((item for item in self.items[1:] if item.command != DO_CHANGE_SPEED), None)
        return first is not None and first.command == TAKEOFF


class Auto:
    """The AUTO mode. ``cleared`` says that a take-off may begin: MISSION_START came, or it already flies."""

    def __init__(self, vehicle: Vehicle, mission: Mission) -> None:
        vehicle.drive.restart()
        self._mission = mission
        self._climb: Climb | None = None
        self._inner: Behaviour | None = None
        self._wait_until_s: float | None = None
        self.cleared = not vehicle.landed or bool(int(vehicle.parameters["AUTO_OPTIONS"]) & 2)
        if vehicle.parameters["MIS_RESTART"] or mission.state is MissionState.COMPLETE:
            mission.restart()
        self._begun = False

    @property
    def landing(self) -> bool:
        """Whether the item under way is on its last way down."""
        return self._inner is not None and self._inner.landing

    @property
    def taking_off(self) -> bool:
        """Whether the item under way is a take-off."""
        return self._climb is not None

    def jump(self, vehicle: Vehicle, index: int) -> None:
        """Makes another item the one under way."""
        if self._begun:
            self._start(vehicle, index)

    def step(self, vehicle: Vehicle) -> None:
        """Flies the item under way."""
        mission = self._mission
        if not vehicle.armed:
            vehicle.drive.idle()
            return
        if not self._begun:
            self._begun = True
            self._start(vehicle, max(1, mission.current))
        if mission.state is MissionState.COMPLETE and self._inner is None:
            _hover(vehicle)
        elif self._inner is not None:
            self._inner.step(vehicle)
        elif self._climb is not None:
            self._take_off(vehicle)
        else:
            self._travel(vehicle)

    def landed(self, vehicle: Vehicle) -> None:
        """The vehicle has landed by the mission's own item."""
        self._mission.reached.append(self._mission.current)
        self._mission.current = 0
        self._mission.state = MissionState.COMPLETE

    def place(self, vehicle: Vehicle) -> tuple[float, float, float] | None:
        """Where the item under way leads, (n, e, h) in the launch point's frame."""
        mission = self._mission
        if (
            mission.state is not MissionState.ACTIVE
            or mission.items[mission.current].command not in HAS_PLACE
        ):
            return None
        return item_place(vehicle, mission.items[mission.current])

    def _start(self, vehicle: Vehicle, index: int) -> None:
        mission = self._mission
        self._climb, self._inner, self._wait_until_s = None, None, None
        while index < len(mission.items) and mission.items[index].command == DO_CHANGE_SPEED:
            vehicle.speeds.command("WPNAV_SPEED", mission.items[index].parameters[1])
            index += 1
        if index >= len(mission.items):
            mission.state = MissionState.COMPLETE
            return
        mission.current, mission.state = index, MissionState.ACTIVE
        item = mission.items[index]
        vehicle.say(INFO, f"Mission: {index} {NAMES[item.command]}")
        if item.command == TAKEOFF and vehicle.landed:
            self._climb = Climb(vehicle, _height(vehicle, item))
        elif item.command == RTL:
            self._inner = Rtl(vehicle)
        elif item.command == LAND and (item.x, item.y) == (0, 0):
            self._inner = Land(vehicle)

    def _take_off(self, vehicle: Vehicle) -> None:
        climb = self._climb
        assert climb is not None
        if not self.cleared:
            vehicle.drive.idle()
            self._climb = replace_climb(vehicle, climb)
        elif climb.step(vehicle):
            self._next(vehicle, spoken=False)

    def _travel(self, vehicle: Vehicle) -> None:
        item = self._mission.items[self._mission.current]
        if vehicle.landed:
            vehicle.drive.idle()
            return
        here, drive = vehicle.estimator, vehicle.drive
        n, e, h = (
            item_place(vehicle, item) if item.command != TAKEOFF else (here.n, here.e, _height(vehicle, item))
        )
        drive.along(n, e, vehicle.speeds["WPNAV_SPEED"])
        drive.height(h, vehicle.speed_up(), vehicle.speed_down())
        if vehicle.parameters["WP_YAW_BEHAVIOR"] != 0:
            drive.face_course()
        near = vehicle.parameters["WPNAV_RADIUS"] / 100.0
        passing = self._passes() or drive.stopped
        if passing and math.hypot(n - here.n, e - here.e) < near and abs(h - here.h) < near:
            self._arrive(vehicle, item)

    def _passes(self) -> bool:
        """Whether the item under way is flown through: a waypoint without a delay before another waypoint."""
        items, index = self._mission.items, self._mission.current
        return (
            items[index].command == WAYPOINT
            and not items[index].parameters[0]
            and index + 1 < len(items)
            and items[index + 1].command == WAYPOINT
        )

    def _arrive(self, vehicle: Vehicle, item: Item) -> None:
        if item.command == LAND:
            self._inner = self._inner or Land(vehicle)
            return
        if item.command == LOITER_UNLIMITED:
            return
        if self._wait_until_s is None:
            self._wait_until_s = vehicle.t_s + (item.parameters[0] if item.command != TAKEOFF else 0.0)
        if vehicle.t_s >= self._wait_until_s:
            self._next(vehicle, spoken=True)

    def _next(self, vehicle: Vehicle, spoken: bool) -> None:
        mission = self._mission
        mission.reached.append(mission.current)
        if spoken:
            vehicle.say(INFO, f"Reached command #{mission.current}")
        self._start(vehicle, mission.current + 1)


def replace_climb(vehicle: Vehicle, climb: Climb) -> Climb:
    """The same climb, its spool-up counted from now."""
    return Climb(vehicle, climb.h)


def _hover(vehicle: Vehicle) -> None:
    if vehicle.landed:
        vehicle.drive.idle()
    else:
        vehicle.drive.velocity(0.0, 0.0)
        vehicle.drive.climb(0.0)


def _height(vehicle: Vehicle, item: Item) -> float:
    if item.frame == GLOBAL:
        return item.z - vehicle.estimator.origin_amsl_m
    return item.z + (vehicle.home.h if vehicle.home else 0.0)


def item_place(vehicle: Vehicle, item: Item) -> tuple[float, float, float]:
    """(n, e, h) of an item in the launch point's frame; 0, 0 is where the vehicle is."""
    if (item.x, item.y) == (0, 0):
        n, e = vehicle.estimator.n, vehicle.estimator.e
    else:
        n, e = vehicle.frame.north_east(item.x * 1e-7, item.y * 1e-7)
    return n, e, _height(vehicle, item)


def home_item(vehicle: Vehicle) -> Item:
    """Item 0, as every read-back shows it."""
    home = vehicle.home or vehicle.home_here()
    latitude, longitude = vehicle.frame.geodetic(home.n, home.e)
    altitude = vehicle.estimator.origin_amsl_m + home.h
    return Item(
        WAYPOINT, GLOBAL, (0.0, 0.0, 0.0, 0.0), round(latitude * 1e7), round(longitude * 1e7), altitude
    )


def stored(item: Item) -> Item:
    """An uploaded item as ArduCopter keeps it: relative frames become 3, items without a place frame 0."""
    frame = GLOBAL_RELATIVE if item.frame in (3, 6) else GLOBAL
    if item.command in (RTL, DO_CHANGE_SPEED):
        frame = GLOBAL
    return replace(item, frame=frame)
