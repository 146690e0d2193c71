"""Missions in files that ground stations open: QGroundControl's .plan and the .waypoints of QGC WPL 110."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from runtime.errors import MissionError, UsageError
from runtime.mavlink.dialect import mavlink
from runtime.mission.items import Mission, MissionItem
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight
from runtime.whole_file import write_whole

_FIRMWARE = {"ardupilot": mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, "px4": mavlink.MAV_AUTOPILOT_PX4}
_ALTITUDE_MODE = {0: 2, 5: 2, 3: 1, 6: 1, 10: 4, 11: 4}  # QGroundControl's, by frame: above the sea, home, terrain
_LARGEST_BYTES = 8_000_000  # thousands of items
_NESTED = "TransectStyleComplexItem"  # surveys and corridors hold their items


def check_suffix(path: Path) -> None:
    """Raises UsageError where a name is neither of the two formats'."""
    if path.suffix not in _WRITERS:
        raise UsageError(f"{path}: a mission is a .plan (QGroundControl) or a .waypoints file; name it so.")


def write_mission(mission: Mission, path: Path) -> None:
    """Write a mission in the format that the name says. Raises UsageError or StorageError."""
    check_suffix(path)
    write_whole(path, _WRITERS[path.suffix](mission).encode("ascii"))


def read_mission(path: Path) -> Mission:
    """The mission in a file.

    Raises:
        UsageError: its name is neither format's.
        MissionError: it cannot be read, or holds something that is no mission; names the item.
    """
    check_suffix(path)
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise MissionError(f"{path} is no mission: it is larger than {_LARGEST_BYTES // 1_000_000} MB.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MissionError(f"the mission {path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise MissionError(f"the mission {path} is no text.") from None
    mission = _of_plan(path, text) if path.suffix == ".plan" else _of_waypoints(path, text)
    if not mission.items:
        raise MissionError(f"{path} holds no item to fly; `homing mission clear` empties a vehicle's mission.")
    for number, item in enumerate(mission.items, start=1):
        fault = item.fault()
        if fault is not None:
            raise MissionError(f"{path}, item {number} ({item.named}): {fault}.")
    return mission


# QGroundControl's .plan: JSON, version 1


def _as_plan(mission: Mission) -> str:
    home = None
    if mission.home is not None:
        home = [mission.home.position.latitude_deg, mission.home.position.longitude_deg, mission.home.altitude_amsl_m]
    document = {
        "fileType": "Plan",
        "version": 1,
        "groundStation": "QGroundControl",
        "mission": {
            "version": 2,
            "firmwareType": _FIRMWARE.get(mission.stack, mavlink.MAV_AUTOPILOT_GENERIC),
            "vehicleType": mavlink.MAV_TYPE_QUADROTOR,
            "cruiseSpeed": 15,
            "hoverSpeed": 5,
            "globalPlanAltitudeMode": _ALTITUDE_MODE.get(mission.items[0].frame, 0) if mission.items else 0,
            "plannedHomePosition": home or [0.0, 0.0, 0.0],
            "items": [_simple_item(number, item) for number, item in enumerate(mission.items, start=1)],
        },
        "geoFence": {"version": 2, "circles": [], "polygons": []},
        "rallyPoints": {"version": 2, "points": []},
    }
    return json.dumps(document, indent=4) + "\n"


def _simple_item(number: int, item: MissionItem) -> dict[str, Any]:
    parameters = [None if math.isnan(value) else value for value in item.parameters]
    return {
        "type": "SimpleItem",
        "doJumpId": number,
        "command": item.command,
        "frame": item.frame,
        "autoContinue": True,
        "params": [*parameters, item.latitude_deg, item.longitude_deg, item.height_m],
        "Altitude": item.height_m,
        "AltitudeMode": _ALTITUDE_MODE.get(item.frame, 0),
        "AMSLAltAboveTerrain": None,
    }


def _of_plan(path: Path, text: str) -> Mission:
    try:
        document = json.loads(text)
        mission = document["mission"]
        items = [_of_simple(one) for one in _flat(mission["items"])]
        home = _home([float(value) for value in mission.get("plannedHomePosition") or ()])
    except _Unreadable as unreadable:
        raise MissionError(f"{path}: {unreadable}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise MissionError(f"{path} is no .plan of QGroundControl.") from None
    stacks = {number: name for name, number in _FIRMWARE.items()}
    return Mission(tuple(items), home, stacks.get(mission.get("firmwareType"), "other"))


class _Unreadable(Exception):
    """What a plan holds that this program does not read."""


def _flat(items: Any) -> list[Any]:
    found = []
    for item in items:
        if item["type"] == "SimpleItem":
            found.append(item)
        elif "Items" in item.get(_NESTED, ()):
            found += _flat(item[_NESTED]["Items"])
        else:
            raise _Unreadable(f"a {item.get('complexItemType', item['type'])} holds no items; save it as .waypoints")
    return found


def _of_simple(item: Any) -> MissionItem:
    values = [math.nan if value is None else float(value) for value in item["params"]]
    one, two, three, four, *place = values
    latitude, longitude, height = (0.0 if math.isnan(value) else value for value in place)
    return MissionItem(int(item["command"]), int(item["frame"]), (one, two, three, four), latitude, longitude, height)


def _home(values: list[float]) -> GeoHeight | None:
    if len(values) < 2 or (values[0], values[1]) == (0.0, 0.0):
        return None
    height = values[2] if len(values) > 2 and math.isfinite(values[2]) else 0.0
    return GeoHeight(GeoPoint(values[0], values[1]), height)


# QGC WPL 110: a line for each item, the first of them home


def _as_waypoints(mission: Mission) -> str:
    place = mission.home or GeoHeight(GeoPoint(0.0, 0.0), 0.0)
    home = MissionItem(
        mavlink.MAV_CMD_NAV_WAYPOINT,
        mavlink.MAV_FRAME_GLOBAL,
        (0.0, 0.0, 0.0, 0.0),
        place.position.latitude_deg,
        place.position.longitude_deg,
        place.altitude_amsl_m,
    )
    lines = ["QGC WPL 110", *(_line(number, item) for number, item in enumerate((home, *mission.items)))]
    return "\n".join(lines) + "\n"


def _line(number: int, item: MissionItem) -> str:
    fields = [
        str(number),
        str(int(number == 0)),  # current
        str(item.frame),
        str(item.command),
        *(f"{0.0 if math.isnan(value) else value:.6f}" for value in item.parameters),
        f"{item.latitude_deg:.8f}",
        f"{item.longitude_deg:.8f}",
        f"{item.height_m:.6f}",
        "1",  # autocontinue
    ]
    return "\t".join(fields)


def _of_waypoints(path: Path, text: str) -> Mission:
    lines = [line.split() for line in text.splitlines()]
    if not lines or lines[0] != ["QGC", "WPL", "110"]:
        raise MissionError(f"{path} is no .waypoints file: its first line is not QGC WPL 110.")
    items = []
    for number, fields in enumerate(lines[1:], start=2):
        if not fields or fields[0].startswith("#"):
            continue
        try:
            _, _, frame, command, *values = fields[:11]
            one, two, three, four, *place = map(float, values)
            items.append(MissionItem(int(command), int(frame), (one, two, three, four), place[0], place[1], place[2]))
        except (ValueError, IndexError):
            raise MissionError(f"{path} line {number} is no item of a mission.") from None
    if not items:
        return Mission(())
    return Mission(tuple(items[1:]), _home([items[0].latitude_deg, items[0].longitude_deg, items[0].height_m]))


_WRITERS = {".plan": _as_plan, ".waypoints": _as_waypoints}
