"""A mission as every autopilot means it, and as each of the two wants it: with home in front, or without.

ArduPilot keeps its home as item 0, reads a NaN as an error and drops parameters that it has no use for; PX4 has no home
item and reads a NaN as "as you like". Both answer with other frames than they were told (6 for 3) where they mean the
same, so that a read-back is compared by its meaning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight

_SAME_FRAME = {5: 0, 6: 3, 11: 10}  # the _INT synonyms
_SAME_E7 = 2  # 2 cm: degrees that went through a double and back
_SAME_HEIGHT_M = 0.02  # ArduPilot keeps centimetres
_SAME_PARAMETER = 1e-3  # relative: float32 and 16-bit storage
_MAX_LATITUDE_E7, _MAX_LONGITUDE_E7 = 900_000_000, 1_800_000_000
_ANYWHERE = frozenset({mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH})  # the position means nothing, and is not kept
Parameters = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class MissionItem:
    """One step: a MAV_CMD with its MAV_FRAME, four parameters (NaN: as the autopilot likes) and a place.

    ``height_m`` by the frame: above the sea (0), above home (3) or above the terrain (10).
    """

    command: int
    frame: int
    parameters: Parameters
    latitude_deg: float
    longitude_deg: float
    height_m: float

    @property
    def named(self) -> str:
        """The command's name without prefix, for people."""
        entry = mavlink.enums["MAV_CMD"].get(self.command)
        return f"MAV_CMD {self.command}" if entry is None else str(entry.name).removeprefix("MAV_CMD_")

    @property
    def placed(self) -> bool:
        """Whether it says a place."""
        return self.command not in _ANYWHERE and (self.latitude_deg, self.longitude_deg) != (0.0, 0.0)

    def fault(self) -> str | None:
        """Why it can be no item of a mission; None where it can."""
        if not 0 <= self.command <= 0xFFFF or self.frame not in range(256):
            return "its command or frame is none"
        if not abs(self.latitude_deg) <= 90.0 or not abs(self.longitude_deg) <= 180.0:
            return f"it lies at {self.latitude_deg}, {self.longitude_deg}, which is no place"
        if not math.isfinite(self.height_m) or any(map(math.isinf, self.parameters)):
            return "its height or a parameter is no number"
        return None


@dataclass(frozen=True, slots=True)
class Mission:
    """The items without home; ``home``: where relative heights refer to, None where that is not said."""

    items: tuple[MissionItem, ...]
    home: GeoHeight | None = None
    stack: str = "ardupilot"


def on_the_wire(mission: Mission, stack: str) -> tuple[MissionItem, ...]:
    """The items as an autopilot of ``stack`` wants them."""
    if stack != "ardupilot":
        return mission.items
    known = mission.home or _first_place(mission.items)
    home = MissionItem(
        mavlink.MAV_CMD_NAV_WAYPOINT,
        mavlink.MAV_FRAME_GLOBAL,
        (0.0, 0.0, 0.0, 0.0),
        known.position.latitude_deg,
        known.position.longitude_deg,
        known.altitude_amsl_m,
    )
    return (home, *(replace(item, parameters=_without_nan(item.parameters)) for item in mission.items))


def off_the_wire(items: Sequence[MissionItem], stack: str) -> Mission:
    """The mission that an autopilot of ``stack`` holds, by its items."""
    if stack != "ardupilot" or not items:
        return Mission(tuple(items), None, stack)
    point = GeoPoint(items[0].latitude_deg, items[0].longitude_deg)
    return Mission(tuple(items[1:]), GeoHeight(point, items[0].height_m), stack)


def differences(sent: Sequence[MissionItem], read: Sequence[MissionItem], stack: str) -> list[str]:
    """What an autopilot read back otherwise than it was sent, in words; empty where it means the same."""
    if len(sent) != len(read):
        return [f"{len(sent)} items were sent and {len(read)} came back"]
    first = 1 if stack == "ardupilot" else 0  # home is the autopilot's own
    found = []
    for number, (ours, theirs) in enumerate(zip(sent, read, strict=True)):
        what = _difference(ours, theirs, drops_parameters=stack == "ardupilot") if number >= first else None
        if what is not None:
            found.append(f"item {number} ({ours.named}): {what}")
    return found


def _difference(ours: MissionItem, theirs: MissionItem, drops_parameters: bool) -> str | None:
    if ours.command != theirs.command:
        return f"it became {theirs.named}"
    if ours.placed:
        if _SAME_FRAME.get(ours.frame, ours.frame) != _SAME_FRAME.get(theirs.frame, theirs.frame):
            return f"its frame {ours.frame} became {theirs.frame}"
        apart = (abs(a - b) for a, b in zip(_e7(ours), _e7(theirs), strict=True))
        if max(apart) > _SAME_E7 or abs(ours.height_m - theirs.height_m) > _SAME_HEIGHT_M:
            return "its place became another"
    for number, (a, b) in enumerate(zip(ours.parameters, theirs.parameters, strict=True), start=1):
        if not _same_parameter(a, b) and not (drops_parameters and b == 0.0):
            return f"its parameter {number} of {a:g} became {b:g}"
    return None


def _same_parameter(a: float, b: float) -> bool:
    a, b = _without_nan((a, b, 0.0, 0.0))[:2]
    return abs(a - b) <= _SAME_PARAMETER * max(1.0, abs(a))


def _without_nan(parameters: Parameters) -> Parameters:
    one, two, three, four = (0.0 if math.isnan(value) else value for value in parameters)
    return (one, two, three, four)


def _e7(item: MissionItem) -> tuple[int, int]:
    return round(item.latitude_deg * 1e7), round(item.longitude_deg * 1e7)


def _first_place(items: Sequence[MissionItem]) -> GeoHeight:
    for item in items:
        if item.placed:
            return GeoHeight(GeoPoint(item.latitude_deg, item.longitude_deg), 0.0)
    return GeoHeight(GeoPoint(0.0, 0.0), 0.0)


def as_message(item: MissionItem, number: int, target: tuple[int, int]) -> Any:
    """MISSION_ITEM_INT: a place never travels as float32."""
    latitude_e7, longitude_e7 = _e7(item)
    return mavlink.MAVLink_mission_item_int_message(
        *target, number, item.frame, item.command, 0, 1, *item.parameters, latitude_e7, longitude_e7, item.height_m,
        mavlink.MAV_MISSION_TYPE_MISSION,
    )  # fmt: skip


def of_message(message: Any) -> MissionItem:
    """The item in a MISSION_ITEM_INT, or in the MISSION_ITEM of an older autopilot."""
    scale = 1e-7 if message.get_type() == "MISSION_ITEM_INT" else 1.0
    parameters = (message.param1, message.param2, message.param3, message.param4)
    return MissionItem(
        message.command, message.frame, parameters, message.x * scale, message.y * scale, float(message.z)
    )
