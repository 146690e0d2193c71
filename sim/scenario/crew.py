"""The people of a simulated flight: a ground station that speaks MAVLink, and scripts for what they do when.

Sans-IO, like everything the simulated clock drives: bytes in, bytes out, and a script that waits by yielding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import offset
from runtime.values import GeoPoint
from sim.scenario.plan import Point

Script = Iterator[None]  # each step of the simulation resumes it once

MODES = {"STABILIZE": 0, "ALT_HOLD": 2, "AUTO": 3, "GUIDED": 4, "LOITER": 5, "RTL": 6, "LAND": 9}
POSITION_ONLY = 3576
READY_FLAGS = 0x33F  # what the EKF reports once it may fly by position
_SYSTEM, _COMPONENT = 255, 190  # a ground station
_HEARTBEAT_NS = 1_000_000_000
_ARM_AGAIN_NS = 3_000_000_000


class GroundStation:
    """A ground station at 255/190 on a link of its own."""

    def __init__(self) -> None:
        self._mavlink = mavlink.MAVLink(None, srcSystem=_SYSTEM, srcComponent=_COMPONENT)
        self._mavlink.robust_parsing = True
        self._out = bytearray()
        self._mission: list[Any] = []
        self._next_heartbeat_ns = 0
        self.t_ns = 0
        self.mode: int | None = None
        self.armed = False
        self.ekf_flags = 0
        self.relative_height_m = 0.0
        self.mission_accepted = False
        self.reached: set[int] = set()
        self.texts: list[str] = []

    def receive(self, data: bytes) -> None:
        """Bytes from the vehicle."""
        for message in self._mavlink.parse_buffer(data) or []:
            handler = getattr(self, f"_on_{message.get_type().lower()}", None)
            if handler is not None and message.get_srcComponent() == mavlink.MAV_COMP_ID_AUTOPILOT1:
                handler(message)

    def outgoing(self, t_ns: int) -> bytes:
        """Bytes to the vehicle; a heartbeat when one is due."""
        self.t_ns = t_ns
        if t_ns >= self._next_heartbeat_ns:
            self._next_heartbeat_ns = t_ns + _HEARTBEAT_NS
            kind, no_autopilot = mavlink.MAV_TYPE_GCS, mavlink.MAV_AUTOPILOT_INVALID
            self._send(mavlink.MAVLink_heartbeat_message(kind, no_autopilot, 0, 0, mavlink.MAV_STATE_ACTIVE, 3))
        data = bytes(self._out)
        self._out.clear()
        return data

    def command(self, command: int, *parameters: float) -> None:
        """COMMAND_LONG to the autopilot."""
        padded = [*parameters, *[0.0] * (7 - len(parameters))]
        self._send(mavlink.MAVLink_command_long_message(1, 1, command, 0, *padded))

    def set_mode(self, name: str) -> None:
        """As the ground station's button does."""
        self.command(mavlink.MAV_CMD_DO_SET_MODE, mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED, MODES[name])

    def go_to(self, point: GeoPoint, height_m: float) -> None:
        """A position target of the ground station's own."""
        self._send(mavlink.MAVLink_set_position_target_global_int_message(
            0, 1, 1, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT, POSITION_ONLY, round(point.latitude_deg * 1e7),
            round(point.longitude_deg * 1e7), height_m, 0, 0, 0, 0, 0, 0, 0, 0))  # fmt: skip

    def upload(self, items: Sequence[Any]) -> None:
        """Offer a mission; the items go out as the vehicle asks for them."""
        self._mission, self.mission_accepted = list(items), False
        self._send(mavlink.MAVLink_mission_count_message(1, 1, len(items)))

    def _send(self, message: Any) -> None:
        self._out += message.pack(self._mavlink)

    def _on_heartbeat(self, message: Any) -> None:
        self.mode = message.custom_mode
        self.armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)

    def _on_ekf_status_report(self, message: Any) -> None:
        self.ekf_flags = message.flags

    def _on_global_position_int(self, message: Any) -> None:
        self.relative_height_m = message.relative_alt / 1000.0

    def _on_mission_request(self, message: Any) -> None:
        if message.seq < len(self._mission):
            self._send(self._mission[message.seq])

    _on_mission_request_int = _on_mission_request

    def _on_mission_ack(self, message: Any) -> None:
        self.mission_accepted = message.type == mavlink.MAV_MISSION_ACCEPTED

    def _on_mission_item_reached(self, message: Any) -> None:
        self.reached.add(message.seq)

    def _on_statustext(self, message: Any) -> None:
        self.texts.append(message.text)


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


def take_off_and_survey(
    station: GroundStation, origin: GeoPoint, path: Sequence[Point], far_side: Point, height_m: float, speed_m_s: float
) -> Script:
    """Arm, climb, fly the survey as a mission and on to the far side; ends there."""
    for message_id, period_us in ((mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT, 500_000),
                                  (mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, 200_000)):  # fmt: skip
        station.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, message_id, period_us)
    yield from until(lambda: station.ekf_flags & READY_FLAGS == READY_FLAGS)
    items = survey_mission(origin, [*path, far_side], height_m, speed_m_s)
    station.upload(items)
    yield from until(lambda: station.mission_accepted)
    station.set_mode("GUIDED")
    yield from until(lambda: station.mode == MODES["GUIDED"])
    yield from arm(station)
    station.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, height_m)
    yield from until(lambda: station.relative_height_m > 0.98 * height_m)
    station.set_mode("AUTO")
    station.command(mavlink.MAV_CMD_MISSION_START)
    yield from until(lambda: len(items) - 1 in station.reached)


def survey_mission(origin: GeoPoint, path: Sequence[Point], height_m: float, speed_m_s: float) -> list[Any]:
    """Mission items: home, speed, then each corner of the path at ``height_m`` above take-off."""
    items = [_item(0, mavlink.MAV_CMD_NAV_WAYPOINT, mavlink.MAV_FRAME_GLOBAL, origin, 0.0)]
    items.append(_item(1, mavlink.MAV_CMD_DO_CHANGE_SPEED, mavlink.MAV_FRAME_MISSION, None, 0.0, 1.0, speed_m_s, -1.0))
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
