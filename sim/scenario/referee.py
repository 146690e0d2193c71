"""Counts on the wire what the companion sends, against an authority that the simulator knows by itself.

Nothing of the daemon's own account is believed: the bytes from the companion to the autopilot are parsed again here,
and authority is what the simulated pilot, operator and ground station really did.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.debrief.wire import WireCommand
from runtime.geodesy import distance_m
from runtime.mavlink.framing import PacketReader
from runtime.values import GeoPoint
from sim.scenario.copter import COPTER
from sim.scenario.dialect import Dialect

_SAME_TARGET_M = 1.0
_FOREIGN_KNOWN_NS = 1_000_000_000
_CONSENT_NS = 300_000_000_000  # the configuration's default, which the scenarios leave as it is
_MODE_NS = 1_500_000_000  # an older heartbeat says nothing of whose the vehicle is now
_PRESENT_M, _PRESENT_HEIGHT_M = 6.0, 3.0  # an idle target from the place last told: half a second of flight, and more
_SILENCE_NS = 5_000_000_000  # without a heartbeat: the companion must take the link for lost
_IN_AIR = mavlink.MAV_LANDED_STATE_IN_AIR

# What a companion may always say: who it is, what time it is, what it wants to be told, what it has to tell.
_HARMLESS_MESSAGES = frozenset(
    {"HEARTBEAT", "TIMESYNC", "STATUSTEXT", "NAMED_VALUE_FLOAT", "NAMED_VALUE_INT", "ONBOARD_COMPUTER_STATUS",
     "SYSTEM_TIME", "PING", "PARAM_REQUEST_READ", "PARAM_REQUEST_LIST", "COMMAND_ACK", "REQUEST_DATA_STREAM"}
)  # fmt: skip
_HARMLESS_COMMANDS = frozenset(
    {mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, mavlink.MAV_CMD_REQUEST_MESSAGE, mavlink.MAV_CMD_GET_MESSAGE_INTERVAL}
)
# What moves nothing by itself, and yet what the vehicle flies by: only of a companion that was told to feed it.
_FEEDING_MESSAGES = frozenset({"ODOMETRY", "GPS_INPUT", "SET_GPS_GLOBAL_ORIGIN"})
_FEEDING_COMMANDS = frozenset({mavlink.MAV_CMD_SET_EKF_SOURCE_SET})
# What of the autopilot's words begins or ends an authority: few of them, and no others are decoded.
_TELLING = frozenset(
    {mavlink.MAVLINK_MSG_ID_HEARTBEAT, mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE,
     mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT}
)  # fmt: skip
_POSITION_ONLY = 3576  # type mask of a target that says where, and nothing else


class Referee:
    """Told of everything people do; reads every byte between the companion and the autopilot.

    ``feeds``: the operator's configuration has the companion feed the autopilot's estimator; a companion that does so
    unasked commands without authority. ``idles``: the autopilot enters the companion's mode only while targets flow
    (PX4's OFFBOARD), and heeds none in any other. There a target at the vehicle's own present place is no command from
    the operator's word on until the new mode has been delivered; any other target is, and so is one without that word.

    The companion can only obey what it could have heard: authority ends when the autopilot's new mode, or its echo of
    somebody else's target, has been delivered to it (a second after such a target at the latest). The operator's word
    is for one flight: it ends when a disarming, a landing or a silence is heard of, and after five minutes. Between
    heartbeats that are too far apart authority rests.
    """

    def __init__(self, feeds: bool = False, idles: bool = False, dialect: Dialect = COPTER) -> None:
        self._feeds, self._idles, self._dialect = feeds, idles, dialect
        told = _TELLING | {mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT} if idles else _TELLING
        self._from_companion, self._to_companion = _parser(), PacketReader(told)
        self._consented_ns: int | None = None
        self._here: tuple[GeoPoint, float] | None = None  # with its AMSL height, as the companion was told
        self._engaged_ns: int | None = None
        self._guided: bool | None = None
        self._armed = self._in_air = False
        self._beat_ns: int | None = None
        self._authority = False
        self._foreign: tuple[int, GeoPoint] | None = None
        self.commands: list[WireCommand] = []
        self.harmless: Counter[str] = Counter()

    @property
    def authority(self) -> bool:
        """Whether the companion may command at this instant."""
        return self._authority

    @property
    def without_authority(self) -> int:
        """Commanding messages that were sent while nobody had granted the vehicle."""
        return sum(not command.authorised for command in self.commands)

    def operator_consented(self, t_ns: int) -> None:
        """The operator confirmed a target and engages at ``t_ns``, whether or not the daemon is ready."""
        self._consented_ns = t_ns

    def operator_engaged(self, t_ns: int) -> None:
        """The operator confirmed a target and engaged at ``t_ns``, and the daemon has answered that it is ready."""
        self._engaged_ns = t_ns

    def foreign_target(self, point: GeoPoint, t_ns: int) -> None:
        """Somebody else sent the vehicle a position target."""
        self._foreign = (t_ns, point)

    def companion_restarted(self) -> None:
        """The daemon that had the authority is gone; the next one has to earn it."""
        self._revoke()
        self._guided = None

    def companion_heard(self, data: bytes, t_ns: int) -> None:
        """Bytes delivered to the companion at ``t_ns``."""
        for packet in self._to_companion.feed(data):
            message = packet.message
            if message is None or packet.component_id != mavlink.MAV_COMP_ID_AUTOPILOT1:
                continue
            if message.get_type() == "HEARTBEAT":
                self._beat(message, t_ns)
            elif message.get_type() == "EXTENDED_SYS_STATE":
                if self._in_air and message.landed_state != _IN_AIR:
                    self._revoke()
                self._in_air = message.landed_state == _IN_AIR
            elif message.get_type() == "GLOBAL_POSITION_INT":
                self._here = GeoPoint(message.lat / 1e7, message.lon / 1e7), message.alt / 1000.0
            elif message.get_type() == "POSITION_TARGET_GLOBAL_INT" and self._foreign is not None:
                seen = GeoPoint(message.lat_int / 1e7, message.lon_int / 1e7)
                if distance_m(seen, self._foreign[1]) < _SAME_TARGET_M:
                    self._revoke()

    def companion_sent(self, data: bytes, t_ns: int) -> None:
        """Bytes from the companion to the autopilot."""
        if self._foreign is not None and t_ns - self._foreign[0] > _FOREIGN_KNOWN_NS:
            self._revoke()
        for message in self._from_companion.parse_buffer(data) or []:
            if message.get_type() == "BAD_DATA" or _is_harmless(message) or (self._feeds and _is_feeding(message)):
                self.harmless[message.get_type()] += 1
            elif self._idles and self._is_idle(message, t_ns):
                self.harmless["idle target"] += 1
            else:
                granted = self._authority and self._mode_is_news(t_ns) and not _changes_mode(message)
                self.commands.append(WireCommand.of(message, t_ns, granted))

    def _is_idle(self, message: Any, t_ns: int) -> bool:
        """Whether it is a target at the present place, outside the companion's mode, by the operator's word."""
        if message.get_type() != "SET_POSITION_TARGET_GLOBAL_INT" or message.type_mask != _POSITION_ONLY:
            return False
        consented = self._consented_ns is not None and t_ns - self._consented_ns < _CONSENT_NS
        if self._guided is not False or not consented or self._here is None or not self._mode_is_news(t_ns):
            return False
        (place, altitude_m), target = self._here, GeoPoint(message.lat_int / 1e7, message.lon_int / 1e7)
        amsl = message.coordinate_frame == mavlink.MAV_FRAME_GLOBAL_INT
        near = distance_m(place, target) < _PRESENT_M and abs(altitude_m - message.alt) < _PRESENT_HEIGHT_M
        return amsl and near

    def _mode_is_news(self, t_ns: int) -> bool:
        return self._beat_ns is not None and t_ns - self._beat_ns <= _MODE_NS

    def _beat(self, message: Any, t_ns: int) -> None:
        armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
        if self._armed and not armed:
            self._revoke()
        if self._beat_ns is not None and t_ns - self._beat_ns > _SILENCE_NS:
            self._revoke()
            self._guided = None
        self._armed, self._beat_ns = armed, t_ns
        self._mode_seen(self._dialect.companions(message.custom_mode), t_ns)

    def _mode_seen(self, guided: bool, t_ns: int) -> None:
        in_time = self._engaged_ns is not None and t_ns - self._engaged_ns < _CONSENT_NS
        if guided and self._guided is False and in_time:
            self._authority = True
        if self._guided and not guided:
            self._revoke()
        self._guided = guided

    def _revoke(self) -> None:
        self._authority = False
        self._engaged_ns = self._consented_ns = None
        self._foreign = None


def _parser() -> Any:
    parser = mavlink.MAVLink(None)
    parser.robust_parsing = True
    return parser


def _is_harmless(message: Any) -> bool:
    if message.get_type() in ("COMMAND_LONG", "COMMAND_INT"):
        return int(message.command) in _HARMLESS_COMMANDS
    return message.get_type() in _HARMLESS_MESSAGES


def _is_feeding(message: Any) -> bool:
    if message.get_type() in ("COMMAND_LONG", "COMMAND_INT"):
        return int(message.command) in _FEEDING_COMMANDS
    return message.get_type() in _FEEDING_MESSAGES


def _changes_mode(message: Any) -> bool:
    """A reposition whose flags have the vehicle change its mode: nobody grants that to a companion."""
    moves = message.get_type() == "COMMAND_INT" and int(message.command) == mavlink.MAV_CMD_DO_REPOSITION
    return bool(moves and message.param2 != 0.0)
