"""Each message to the part that answers it, and what is sent unasked."""

from __future__ import annotations

import math
from collections.abc import Callable

from runtime.values import GeoPoint
from runtime.vehicle.ardupilot.local_frame import point_at
from sim.autopilot import commands, setpoints
from sim.autopilot.links import Link, Links
from sim.autopilot.mission_protocol import MissionProtocol
from sim.autopilot.parameter_protocol import ParameterProtocol
from sim.autopilot.state import State
from sim.autopilot.telemetry import BUILDERS, gps_global_origin, heartbeat, home_position
from sim.autopilot.wire import Message, mavlink

HEARTBEAT_US, TIMESYNC_US = 1_000_000, 10_000_000
TEXT_CHARACTERS = 50  # of one STATUSTEXT; nothing here is longer
SET_MODE = 11  # what the acknowledgement of SET_MODE calls its command
# REQUEST_DATA_STREAM's groups (MAV_DATA_STREAM), as ArduPilot fills them, for what is covered here.
GROUPS: dict[int, tuple[int, ...]] = {
    2: (mavlink.MAVLINK_MSG_ID_SYS_STATUS, mavlink.MAVLINK_MSG_ID_GPS_RAW_INT,
        mavlink.MAVLINK_MSG_ID_MISSION_CURRENT, mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT),
    3: (mavlink.MAVLINK_MSG_ID_RC_CHANNELS,),
    6: (mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED),
    10: (mavlink.MAVLINK_MSG_ID_ATTITUDE,),
    11: (mavlink.MAVLINK_MSG_ID_VFR_HUD,),
    12: (mavlink.MAVLINK_MSG_ID_SYSTEM_TIME, mavlink.MAVLINK_MSG_ID_BATTERY_STATUS,
         mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT, mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE),
}  # fmt: skip


class Protocol:
    """The vehicle's end of every conversation."""

    def __init__(self, state: State, links: Links, reboot: Callable[[], None]) -> None:
        self._state, self._links, self._reboot = state, links, reboot
        self._missions = MissionProtocol(state)
        self.parameters = ParameterProtocol(state.parameters, links)
        self._texts: list[tuple[int, str]] = []
        self._heartbeat_us = state.boot_us + HEARTBEAT_US // 2  # recorded: half-way between seconds
        self._timesync_us = state.boot_us
        self._home_news = self._mode_news = 0
        self._mission_total = state.parameters["MIS_TOTAL"]
        self._handlers: dict[str, Callable[[Message, Link], None]] = {
            "HEARTBEAT": self._on_heartbeat,
            "COMMAND_LONG": self._on_command,
            "COMMAND_INT": self._on_command,
            "SET_MODE": self._on_set_mode,
            "SET_POSITION_TARGET_GLOBAL_INT": lambda message, link: setpoints.take(self._state, message),
            "SET_POSITION_TARGET_LOCAL_NED": lambda message, link: setpoints.take(self._state, message),
            "ODOMETRY": self._on_odometry,
            "VISION_POSITION_ESTIMATE": self._on_vision_position,
            "VISION_SPEED_ESTIMATE": self._on_vision_speed,
            "GPS_INPUT": self._on_gps_input,
            "SET_GPS_GLOBAL_ORIGIN": self._on_set_origin,
            "PARAM_SET": lambda message, link: self.parameters.handle(message),
            "PARAM_REQUEST_READ": self.parameters.read,
            "PARAM_REQUEST_LIST": lambda message, link: self.parameters.start_list(link),
            "REQUEST_DATA_STREAM": self._on_data_stream,
            "TIMESYNC": self._on_timesync,
        }

    def say(self, severity: int, text: str) -> None:
        """A STATUSTEXT to every peer, at the end of the step."""
        self._texts.append((severity, text[:TEXT_CHARACTERS]))

    def handle(self, message: Message, link: Link) -> None:
        """Answers one message."""
        handler = self._handlers.get(message.get_type())
        if handler is not None:
            handler(message, link)
        else:
            self._missions.handle(message, link)
        self._announce_mode()
        self._announce_total()

    def step(self, now_ns: int) -> None:
        """Sends what is due."""
        state = self._state
        self._missions.step()
        self.parameters.step()
        self._announce()
        now_us = state.boot_us
        if now_us >= self._heartbeat_us:
            self._heartbeat_us += HEARTBEAT_US
            self._links.broadcast(heartbeat(state))
        if now_us >= self._timesync_us + TIMESYNC_US:
            self._timesync_us += TIMESYNC_US
            self._links.broadcast(
                mavlink.MAVLink_timesync_message(0, now_us * 1000 + state.vehicle.config.system_id)
            )
        for link in self._links:
            for message_id in link.take_due(now_ns):
                message = BUILDERS[message_id](state)
                if message is not None:
                    link.send(message)

    def _announce_mode(self) -> None:
        """A new mode shows at once, after the command's acknowledgement."""
        if self._state.flight.mode_news != self._mode_news:
            self._mode_news = self._state.flight.mode_news
            self._links.broadcast(heartbeat(self._state))

    def _announce(self) -> None:
        """News: home, texts, reached items; the mission's size."""
        state, links = self._state, self._links
        self._announce_mode()
        if state.vehicle.home_news != self._home_news:
            self._home_news = state.vehicle.home_news
            for message in (gps_global_origin(state), home_position(state)):
                if message is not None:
                    links.broadcast(message)
        for index in state.mission.reached:
            links.broadcast(mavlink.MAVLink_mission_item_reached_message(index))
        state.mission.reached.clear()
        for severity, text in self._texts:
            links.broadcast(mavlink.MAVLink_statustext_message(severity, text.encode()))
        self._texts.clear()
        self._announce_total()

    def _announce_total(self) -> None:
        total = self._state.parameters["MIS_TOTAL"]
        if total != self._mission_total:
            self._mission_total = total
            self.parameters.announce("MIS_TOTAL")

    def _on_heartbeat(self, message: Message, link: Link) -> None:
        self._state.failsafes.heard_gcs(message.get_srcSystem(), self._state.vehicle.t_s)

    def _on_command(self, message: Message, link: Link) -> None:
        peer = (message.get_srcSystem(), message.get_srcComponent())
        if message.command == mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN:
            result = self._reboot_result(int(message.param1))
        else:
            result = commands.execute(self._state, message.command, commands.read(message, link))
        link.send(mavlink.MAVLink_command_ack_message(message.command, result, 0, 0, *peer))
        if message.command == mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN and result == commands.ACCEPTED:
            self._reboot()

    def _reboot_result(self, what: int) -> int:
        if self._state.vehicle.armed:
            return commands.FAILED
        return commands.ACCEPTED if what == 1 else commands.UNSUPPORTED

    def _on_set_mode(self, message: Message, link: Link) -> None:
        result = commands.set_mode(self._state, message.base_mode, message.custom_mode)
        peer = (message.get_srcSystem(), message.get_srcComponent())
        link.send(mavlink.MAVLink_command_ack_message(SET_MODE, result, 0, 0, *peer))

    def _on_data_stream(self, message: Message, link: Link) -> None:
        rate = message.req_message_rate if message.start_stop else 0
        interval_ns = 1_000_000_000 // rate if rate else 0
        groups = GROUPS if message.req_stream_id == 0 else {message.req_stream_id}
        for group in sorted(groups):
            for message_id in GROUPS.get(group, ()):
                link.want(message_id, interval_ns, self._state.boot_us * 1000)

    def _on_odometry(self, message: Message, link: Link) -> None:
        self._on_pose(message, self._state.vehicle.sources.external.take)

    def _on_vision_position(self, message: Message, link: Link) -> None:
        self._on_pose(message, self._state.vehicle.sources.external.take_vision)

    def _on_vision_speed(self, message: Message, link: Link) -> None:
        self._state.vehicle.sources.external.take_speed(message)

    def _on_pose(self, message: Message, take: Callable[..., None]) -> None:
        vehicle = self._state.vehicle
        if not vehicle.parameters["VISO_TYPE"]:
            return
        origin, least = vehicle.estimator.origin_ne or (0.0, 0.0), vehicle.parameters["VISO_QUAL_MIN"]
        delay_s, meant = vehicle.parameters["VISO_DELAY_MS"] * 1e-3, self._true_origin(origin, message)
        take(message, vehicle.t_s, meant, least, delay_s, vehicle.body)

    def _true_origin(self, origin: tuple[float, float], message: Message) -> tuple[float, float]:
        """From where the metres of a pose lead to the place that ArduPilot means: its metres are not true ones."""
        if not math.isfinite(message.x + message.y):
            return origin
        frame = self._state.vehicle.frame
        meant = point_at(GeoPoint(*frame.geodetic(*origin)), message.x, message.y)
        north, east = frame.north_east(meant.latitude_deg, meant.longitude_deg)
        return north - message.x, east - message.y

    def _on_gps_input(self, message: Message, link: Link) -> None:
        vehicle = self._state.vehicle
        for receiver in vehicle.sources.fed:
            if receiver.present and receiver.number == message.gps_id + 1:
                altitude_m = vehicle.config.home_altitude_amsl_m
                receiver.take(message, vehicle.t_s, vehicle.frame, altitude_m, vehicle.body)

    def _on_set_origin(self, message: Message, link: Link) -> None:
        vehicle = self._state.vehicle
        if max(abs(message.latitude), abs(message.longitude) / 2) > 900_000_000:
            return
        place = vehicle.frame.north_east(message.latitude * 1e-7, message.longitude * 1e-7)
        if vehicle.estimator.set_origin(*place, message.altitude / 1e3):
            link.send(gps_global_origin(self._state))

    def _on_timesync(self, message: Message, link: Link) -> None:
        if message.tc1 == 0:  # a question; answers to ours are not used
            now_ns = self._state.boot_us * 1000 + self._state.vehicle.config.system_id
            link.send(mavlink.MAVLink_timesync_message(now_ns, message.ts1))
