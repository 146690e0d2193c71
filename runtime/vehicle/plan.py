"""The way to the target as files that ground stations open: QGroundControl's .plan and the .waypoints of QGC WPL 110.

A plan holds no take-off, landing or mode: the drone is in the air, and the pilot decides who flies it. It goes from
here in a straight line, at the height of now, and circles nothing: it ends in LOITER_UNLIM over the target.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import StorageError
from runtime.geodesy import north_east_m, offset
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight

_LEG_M = 200.0
_ABSOLUTE = 2  # QGroundControl's AltitudeMode: above mean sea level
_FIRMWARE = {"ardupilot": mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, "px4": mavlink.MAV_AUTOPILOT_PX4}


@dataclass(frozen=True, slots=True)
class Plan:
    """Waypoints at one AMSL height, the last of them the target; ``home`` is where relative heights refer to."""

    home: GeoHeight
    waypoints: tuple[GeoPoint, ...]
    altitude_amsl_m: float
    stack: str = "ardupilot"

    @property
    def items(self) -> tuple[tuple[int, GeoPoint], ...]:
        """(MAV_CMD, point) of every item: the waypoints, then an endless loiter over the target."""
        ways = tuple((mavlink.MAV_CMD_NAV_WAYPOINT, point) for point in self.waypoints)
        return (*ways, (mavlink.MAV_CMD_NAV_LOITER_UNLIM, self.waypoints[-1]))


def plan_to(
    start: GeoPoint, target: GeoPoint, altitude_amsl_m: float, home: GeoHeight, stack: str = "ardupilot"
) -> Plan:
    """A straight way from ``start`` to ``target``, cut into legs of at most 200 m so that it can be watched."""
    north_m, east_m = north_east_m(start, target)
    legs = max(1, math.ceil(math.hypot(north_m, east_m) / _LEG_M))
    between = [offset(start, north_m * i / legs, east_m * i / legs) for i in range(1, legs)]
    return Plan(home, (*between, target), altitude_amsl_m, stack)


def write_plan(plan: Plan, path: Path) -> None:
    """Write QGroundControl's .plan (JSON, version 1). Raises StorageError."""
    home = [plan.home.position.latitude_deg, plan.home.position.longitude_deg, plan.home.altitude_amsl_m]
    items = [_simple_item(i, command, point, plan) for i, (command, point) in enumerate(plan.items, start=1)]
    document = {
        "fileType": "Plan",
        "version": 1,
        "groundStation": "QGroundControl",
        "mission": {
            "version": 2,
            "firmwareType": _FIRMWARE.get(plan.stack, mavlink.MAV_AUTOPILOT_GENERIC),
            "vehicleType": mavlink.MAV_TYPE_QUADROTOR,
            "cruiseSpeed": 15,
            "hoverSpeed": 5,
            "globalPlanAltitudeMode": _ABSOLUTE,
            "plannedHomePosition": home,
            "items": items,
        },
        "geoFence": {"version": 2, "circles": [], "polygons": []},
        "rallyPoints": {"version": 2, "points": []},
    }
    _write(path, json.dumps(document, indent=4) + "\n")


def _simple_item(number: int, command: int, point: GeoPoint, plan: Plan) -> dict[str, Any]:
    # param 4, the yaw, is null: keep the nose as the autopilot likes
    parameters = [0, 0, 0, None, point.latitude_deg, point.longitude_deg, plan.altitude_amsl_m]
    return {
        "type": "SimpleItem",
        "doJumpId": number,
        "command": command,
        "frame": mavlink.MAV_FRAME_GLOBAL,
        "autoContinue": True,
        "params": parameters,
        "Altitude": plan.altitude_amsl_m,
        "AltitudeMode": _ABSOLUTE,
        "AMSLAltAboveTerrain": None,
    }


def write_waypoints(plan: Plan, path: Path) -> None:
    """Write a .waypoints file (QGC WPL 110), as Mission Planner and MAVProxy read it; item 0 is home."""
    lines = ["QGC WPL 110", _line(0, mavlink.MAV_CMD_NAV_WAYPOINT, plan.home.position, plan.home.altitude_amsl_m)]
    for number, (command, point) in enumerate(plan.items, start=1):
        lines.append(_line(number, command, point, plan.altitude_amsl_m))
    _write(path, "\n".join(lines) + "\n")


def _line(number: int, command: int, point: GeoPoint, altitude_amsl_m: float) -> str:
    fields = [
        str(number),
        str(int(number == 0)),  # current
        str(mavlink.MAV_FRAME_GLOBAL),
        str(command),
        *["0.000000"] * 4,
        f"{point.latitude_deg:.8f}",
        f"{point.longitude_deg:.8f}",
        f"{altitude_amsl_m:.6f}",
        "1",  # autocontinue
    ]
    return "\t".join(fields)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise StorageError(f"the plan cannot be written to {path}: {error.strerror or error}") from error
