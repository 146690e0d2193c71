"""What went over the vehicle's link, read again from the bytes in a flight log: nobody's account of it is believed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.reports import values
from runtime.reports.messages import receiver
from runtime.values import GeoPoint

_ASKING = frozenset(
    {mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, mavlink.MAV_CMD_REQUEST_MESSAGE, mavlink.MAV_CMD_GET_MESSAGE_INTERVAL}
)  # what moves nothing: its answers are events of the vehicle
_COMMANDING = frozenset(
    {mavlink.MAVLINK_MSG_ID_SET_POSITION_TARGET_GLOBAL_INT, mavlink.MAVLINK_MSG_ID_SET_POSITION_TARGET_LOCAL_NED,
     mavlink.MAVLINK_MSG_ID_SET_ATTITUDE_TARGET, mavlink.MAVLINK_MSG_ID_COMMAND_LONG,
     mavlink.MAVLINK_MSG_ID_COMMAND_INT, mavlink.MAVLINK_MSG_ID_SET_MODE, mavlink.MAVLINK_MSG_ID_PARAM_SET,
     mavlink.MAVLINK_MSG_ID_MANUAL_CONTROL, mavlink.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE}
)  # fmt: skip
_FEEDING = frozenset(
    {mavlink.MAVLINK_MSG_ID_ODOMETRY, mavlink.MAVLINK_MSG_ID_GPS_INPUT,
     mavlink.MAVLINK_MSG_ID_VISION_POSITION_ESTIMATE, mavlink.MAVLINK_MSG_ID_VISION_SPEED_ESTIMATE,
     mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_SENSOR, mavlink.MAVLINK_MSG_ID_SET_GPS_GLOBAL_ORIGIN}
)  # fmt: skip
_TELLING = frozenset(
    {mavlink.MAVLINK_MSG_ID_GPS_RAW_INT, mavlink.MAVLINK_MSG_ID_SYSTEM_TIME, mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT}
)
_OUTGOING = _COMMANDING | _FEEDING
_AUTOPILOT = mavlink.MAV_COMP_ID_AUTOPILOT1


@dataclass(frozen=True, slots=True)
class WireCommand:
    """One commanding message of the companion; degrees where it names a place. ``authorised``: False where a referee
    says that nobody had granted it."""

    t_ns: int
    name: str
    authorised: bool
    latitude_deg: float | None
    longitude_deg: float | None
    altitude_m: float | None

    @classmethod
    def of(cls, message: Any, t_ns: int, authorised: bool = True) -> WireCommand:
        """From a message of pymavlink's; a MAV_CMD goes by its own name."""
        name, fields = message.get_type(), ("lat_int", "lon_int", "alt")
        if name in ("COMMAND_LONG", "COMMAND_INT"):
            entry = mavlink.enums["MAV_CMD"].get(int(message.command))
            moves = int(message.command) == mavlink.MAV_CMD_DO_REPOSITION
            fields = ("x", "y", "z") if name == "COMMAND_INT" and moves else fields
            name = entry.name if entry is not None else f"{name} {message.command}"
        latitude, longitude, altitude_m = (getattr(message, field, None) for field in fields)
        return cls(t_ns, name, authorised, _degrees(latitude), _degrees(longitude), altitude_m)


@dataclass(frozen=True, slots=True)
class Received:
    """One report of the satellite receiver itself: when it was heard, where it put the vehicle, and whether it had a
    fix in three dimensions."""

    t_ns: int
    place: GeoPoint
    has_fix: bool


@dataclass(frozen=True, slots=True)
class Stamp:
    """The vehicle's clock since its boot as it was heard at ``t_ns``; ``utc_s``: the date that it gave with it."""

    t_ns: int
    boot_s: float
    utc_s: float | None


@dataclass(slots=True)
class Wire:
    """Fed with the bytes of a log in their order: what was commanded, what the receiver said, and the vehicle's clock.

    ``fed``: of every message that feeds the autopilot's estimator, how many went out, the first and the last.
    """

    commands: list[WireCommand] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)
    fed: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    _out: dict[str, PacketReader] = field(default_factory=lambda: defaultdict(lambda: PacketReader(_OUTGOING)))
    _in: dict[str, PacketReader] = field(default_factory=lambda: defaultdict(lambda: PacketReader(_TELLING)))

    def sent(self, t_ns: int, link: str, data: bytes) -> None:
        """Bytes to the vehicle."""
        for packet in self._out[link].feed(data):
            message = packet.message
            if message is None or getattr(message, "command", None) in _ASKING:
                continue
            if packet.message_id in _FEEDING:
                count, first_ns, _ = self.fed.get(packet.name, (0, t_ns, t_ns))
                self.fed[packet.name] = count + 1, first_ns, t_ns
            else:
                self.commands.append(WireCommand.of(message, t_ns))

    def heard(self, t_ns: int, link: str, data: bytes) -> None:
        """Bytes from the vehicle."""
        for packet in self._in[link].feed(data):
            message = packet.message
            if message is None or packet.component_id != _AUTOPILOT:
                continue
            if packet.message_id == mavlink.MAVLINK_MSG_ID_GPS_RAW_INT:
                report = receiver(message)
                if report.point is not None:
                    self.received.append(Received(t_ns, report.point, report.fixed))
            else:
                utc_s = values.utc_s(getattr(message, "time_unix_usec", 0) * 1e-6)
                self.stamps.append(Stamp(t_ns, message.time_boot_ms * 1e-3, utc_s))


def _degrees(scaled: int | None) -> float | None:
    return None if scaled is None else scaled / 1e7
