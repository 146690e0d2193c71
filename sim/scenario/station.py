"""A ground station that speaks MAVLink: sans-IO, like everything the simulated clock drives; bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.scenario.copter import COPTER
from sim.scenario.dialect import Dialect

_SYSTEM, _COMPONENT = 255, 190  # a ground station
_HEARTBEAT_NS = 1_000_000_000


class GroundStation:
    """A ground station at 255/190 on a link of its own, that speaks an autopilot's dialect."""

    def __init__(self, dialect: Dialect = COPTER) -> None:
        self.dialect = dialect
        self._mavlink = mavlink.MAVLink(None, srcSystem=_SYSTEM, srcComponent=_COMPONENT)
        self._mavlink.robust_parsing = True
        self._out = bytearray()
        self._mission: list[Any] = []
        self._next_heartbeat_ns = 0
        self.t_ns = 0
        self.mode: int | None = None
        self.armed = False
        self.has_position = False  # by the estimator's own word; see `watch_estimator`
        self.relative_height_m = 0.0
        self.ground_amsl_m: float | None = None  # of home, by the autopilot's own word
        self.mission_accepted = False
        self.reached: set[int] = set()
        self.texts: list[str] = []

    def receive(self, data: bytes) -> None:
        """Bytes from the vehicle."""
        for message in self._mavlink.parse_buffer(data) or []:
            if message.get_srcComponent() != mavlink.MAV_COMP_ID_AUTOPILOT1:
                continue
            self._on_message(message)
            if message.get_msgId() == self.dialect.estimator_message:
                self.has_position = self.dialect.has_position(message)
            handler = getattr(self, f"_on_{message.get_type().lower()}", None)
            if handler is not None:
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
        """As the ground station's button does; modes go by ArduCopter's names, see `Dialect`."""
        self.command(mavlink.MAV_CMD_DO_SET_MODE, *self.dialect.set_mode(name))

    def is_in(self, name: str) -> bool:
        """Whether the vehicle says that it is in this mode."""
        return self.mode == self.dialect.modes[name]

    def watch_estimator(self) -> None:
        """Ask for the estimator's flags, and for the height."""
        for message_id, period_us in ((self.dialect.estimator_message, 500_000),
                                      (mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, 200_000)):  # fmt: skip
            self.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, message_id, period_us)

    def go_to(self, point: GeoPoint, height_m: float) -> None:
        """A position target of the ground station's own."""
        self._send(self.dialect.target(self, point, height_m))

    def upload(self, items: Sequence[Any]) -> None:
        """Offer a mission; the items go out as the vehicle asks for them."""
        self._mission, self.mission_accepted = list(items), False
        self._send(mavlink.MAVLink_mission_count_message(1, 1, len(items)))

    def _send(self, message: Any) -> None:
        self._out += message.pack(self._mavlink)

    def _on_message(self, message: Any) -> None:
        """Every message of the autopilot, before what its kind has a method for."""

    def _on_heartbeat(self, message: Any) -> None:
        self.mode = message.custom_mode
        self.armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)

    def _on_global_position_int(self, message: Any) -> None:
        self.relative_height_m = message.relative_alt / 1000.0
        self.ground_amsl_m = (message.alt - message.relative_alt) / 1000.0

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
