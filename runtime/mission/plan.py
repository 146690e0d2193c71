"""The way to the target as a mission.

It holds no take-off, landing or mode: the drone is in the air, and the pilot decides who flies it. It goes from here in
a straight line, at the height of now, and circles nothing: it ends in LOITER_UNLIM over the target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.geodesy import north_east_m, offset
from runtime.mavlink.dialect import mavlink
from runtime.mission.items import Mission, MissionItem
from runtime.values import GeoPoint
from runtime.vehicle.telemetry.state import GeoHeight

_LEG_M = 200.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Waypoints at one AMSL height, the last of them the target; ``home`` is where relative heights refer to."""

    home: GeoHeight
    waypoints: tuple[GeoPoint, ...]
    altitude_amsl_m: float
    stack: str = "ardupilot"

    @property
    def mission(self) -> Mission:
        """The waypoints, then an endless loiter over the target; the nose as the autopilot likes."""
        commands = [mavlink.MAV_CMD_NAV_WAYPOINT] * len(self.waypoints) + [mavlink.MAV_CMD_NAV_LOITER_UNLIM]
        places = (*self.waypoints, self.waypoints[-1])
        return Mission(
            tuple(
                MissionItem(
                    command,
                    mavlink.MAV_FRAME_GLOBAL,
                    (0.0, 0.0, 0.0, math.nan),
                    place.latitude_deg,
                    place.longitude_deg,
                    self.altitude_amsl_m,
                )
                for command, place in zip(commands, places, strict=True)
            ),
            self.home,
            self.stack,
        )


def plan_to(
    start: GeoPoint, target: GeoPoint, altitude_amsl_m: float, home: GeoHeight, stack: str = "ardupilot"
) -> Plan:
    """A straight way from ``start`` to ``target``, cut into legs of at most 200 m so that it can be watched."""
    north_m, east_m = north_east_m(start, target)
    legs = max(1, math.ceil(math.hypot(north_m, east_m) / _LEG_M))
    between = [offset(start, north_m * i / legs, east_m * i / legs) for i in range(1, legs)]
    return Plan(home, (*between, target), altitude_amsl_m, stack)
