"""What others ask of our own component: who we are, and the operator's words by radio. Everything gets one answer.

Only what names our system *and* our component is answered: a request to all is the autopilot's to answer. Whoever asks
for parameters gets none, for there are none.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import Packet
from runtime.values import GeoPoint
from runtime.vehicle.events import OperatorCommand, VehicleEvent
from runtime.vehicle.ground.speech import Companion

WORDS = {
    mavlink.MAV_CMD_USER_1: "engage",
    mavlink.MAV_CMD_USER_2: "disengage",
    mavlink.MAV_CMD_USER_3: "relocalise",
}
"""The operator's words by radio; `relocalise` carries a position, and in its first parameter a radius in metres."""

_ANSWERS_PER_S = 10  # whoever asks faster gets silence: a radio is slow
_RADIUS_M = (10.0, 5000.0)
_USUAL_RADIUS_M = 200.0
_WARNING = 4  # MAV_SEVERITY
_OF_AUTOPILOT = frozenset({mavlink.MAV_CMD_REQUEST_AUTOPILOT_CAPABILITIES, mavlink.MAV_CMD_REQUEST_MESSAGE})


class Requests:
    """Answers through ``put``; what the operator asks becomes an event, and is answered when it has been decided."""

    def __init__(
        self, put: Callable[[Any], None], companion: Companion, component_id: int, operator: int | None
    ) -> None:
        """``operator``: the system id of the one ground station whose words are taken; None: nobody's are."""
        self._put = put
        self._companion = companion
        self._component_id = component_id
        self._operator = operator
        self._answered: deque[int] = deque()
        self.unanswered = 0

    def take(self, packet: Packet, system_id: int, t_ns: int) -> list[VehicleEvent]:
        """Takes a packet of another component; ``system_id``: ours."""
        m = packet.message
        if packet.name not in ("COMMAND_LONG", "COMMAND_INT"):
            return []
        if (m.target_system, m.target_component) != (system_id, self._component_id) or not self._may_answer(t_ns):
            return []
        sender = packet.system_id, packet.component_id
        if m.command in WORDS:
            return self._word(m, sender, t_ns)
        if m.command in _OF_AUTOPILOT:
            self._request(m, sender)
        else:
            self.answer(m.command, mavlink.MAV_RESULT_UNSUPPORTED, sender)
        return []

    def answer(self, command: int, result: int, to: tuple[int, int]) -> None:
        """COMMAND_ACK to (system, component)."""
        self._put(mavlink.MAVLink_command_ack_message(command, result, 0, 0, *to))

    def _may_answer(self, t_ns: int) -> bool:
        while self._answered and t_ns - self._answered[0] >= 1_000_000_000:
            self._answered.popleft()
        if len(self._answered) >= _ANSWERS_PER_S:
            self.unanswered += 1
            return False
        self._answered.append(t_ns)
        return True

    def _request(self, m: Any, sender: tuple[int, int]) -> None:
        """AUTOPILOT_VERSION is what ground stations ask of every component; of other messages there is none to give."""
        by_id = m.command == mavlink.MAV_CMD_REQUEST_MESSAGE
        known = not by_id or m.param1 == mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION
        self.answer(m.command, mavlink.MAV_RESULT_ACCEPTED if known else mavlink.MAV_RESULT_DENIED, sender)
        if known:
            self._put(_version())

    def _word(self, m: Any, sender: tuple[int, int], t_ns: int) -> list[VehicleEvent]:
        word, place = WORDS[m.command], _place(m)
        if self._operator is None:
            refusal = "commands by radio are off"
        elif sender[0] != self._operator:
            refusal = f"no commands from system {sender[0]}"
        elif word == "relocalise" and place is None:
            refusal = "re-localise needs a position"
        else:
            near, radius_m = (place, _radius_m(m)) if word == "relocalise" else (None, None)
            return [OperatorCommand(t_ns, *sender, m.command, word, near, radius_m)]
        self.answer(m.command, mavlink.MAV_RESULT_DENIED, sender)
        self._companion.say(f"Homing: {refusal}", _WARNING, t_ns)
        return []


def _place(m: Any) -> GeoPoint | None:
    """Latitude and longitude of a command: integers of 1e-7 degrees, or degrees as float32 (half a metre coarse)."""
    if m.get_type() == "COMMAND_INT":
        latitude_deg, longitude_deg = m.x * 1e-7, m.y * 1e-7
    else:
        latitude_deg, longitude_deg = m.param5, m.param6
    inside = abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0  # False for NaN too
    return GeoPoint(latitude_deg, longitude_deg) if inside and (latitude_deg, longitude_deg) != (0.0, 0.0) else None


def _radius_m(m: Any) -> float:
    given = m.param1 if math.isfinite(m.param1) and m.param1 > 0 else _USUAL_RADIUS_M
    return float(min(max(given, _RADIUS_M[0]), _RADIUS_M[1]))


def _version() -> Any:
    """AUTOPILOT_VERSION of a component that is no autopilot: what it speaks, and no more."""
    capabilities = mavlink.MAV_PROTOCOL_CAPABILITY_MAVLINK2 | mavlink.MAV_PROTOCOL_CAPABILITY_COMMAND_INT
    none = [0] * 8
    return mavlink.MAVLink_autopilot_version_message(capabilities, 0, 0, 0, 0, none, none, none, 0, 0, 0)
