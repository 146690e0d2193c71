"""The people of a flight: scripts for what they do when, each of which waits by yielding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import offset
from runtime.values import GeoPoint
from sim.scenario.dialect import Script
from sim.scenario.plan import Point

if TYPE_CHECKING:
    from sim.scenario.station import GroundStation

_ARM_AGAIN_NS = 3_000_000_000


def until(condition: Callable[[], bool]) -> Script:
    """Wait for a condition."""
    while not condition():
        yield


def arm(station: GroundStation) -> Script:
    """Press the button until it works: the checks before arming go on for a while after the EKF has a position."""
    due_ns = 0
    while not station.armed:
        if station.t_ns >= due_ns:
            station.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1.0)
            due_ns = station.t_ns + _ARM_AGAIN_NS
        yield


def take_off(station: GroundStation, height_m: float) -> Script:
    """From the ground to ``height_m``, as soon as the estimator has a position."""
    station.watch_estimator()
    yield from until(lambda: station.has_position)
    yield from station.dialect.take_off(station, height_m)


def take_off_and_survey(
    station: GroundStation, origin: GeoPoint, path: Sequence[Point], far_side: Point, height_m: float, speed_m_s: float
) -> Script:
    """Arm, climb, fly the survey as a mission and on to the far side; ends there."""
    station.watch_estimator()
    yield from until(lambda: station.has_position)
    items = survey_mission(origin, [*path, far_side], height_m, speed_m_s, station.dialect.home_item)
    station.upload(items)
    yield from until(lambda: station.mission_accepted)
    yield from station.dialect.take_off(station, height_m)
    yield from station.dialect.fly_mission(station)
    yield from until(lambda: len(items) - 1 in station.reached)


def survey_mission(
    origin: GeoPoint, path: Sequence[Point], height_m: float, speed_m_s: float, home_item: bool = True
) -> list[Any]:
    """Mission items: home where that is one, speed, then each corner of the path at ``height_m`` above take-off."""
    items = [_item(0, mavlink.MAV_CMD_NAV_WAYPOINT, mavlink.MAV_FRAME_GLOBAL, origin, 0.0)] if home_item else []
    speed = 1.0, speed_m_s, -1.0
    items.append(_item(len(items), mavlink.MAV_CMD_DO_CHANGE_SPEED, mavlink.MAV_FRAME_MISSION, None, 0.0, *speed))
    for north, east in path:
        corner = offset(origin, north, east)
        items.append(_item(len(items), mavlink.MAV_CMD_NAV_WAYPOINT, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT,
                           corner, height_m))  # fmt: skip
    return items


def _item(seq: int, command: int, frame: int, point: GeoPoint | None, height_m: float, *parameters: float) -> Any:
    p1, p2, p3, p4 = [*parameters, *[0.0] * (4 - len(parameters))]
    x = 0 if point is None else round(point.latitude_deg * 1e7)
    y = 0 if point is None else round(point.longitude_deg * 1e7)
    return mavlink.MAVLink_mission_item_int_message(1, 1, seq, frame, command, 0, 1, p1, p2, p3, p4, x, y, height_m)
