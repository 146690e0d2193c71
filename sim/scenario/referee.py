"""Counts on the wire what the companion sends, against an authority that the simulator knows by itself.

Nothing of the daemon's own account is believed: the bytes from the companion to the autopilot are parsed again here,
and authority is what the simulated pilot, operator and ground station really did.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

COMPANION = mavlink.MAV_COMP_ID_ONBOARD_COMPUTER

# What a companion may always say: who it is, what time it is, what it wants to be told, what it has to tell.
_HARMLESS_MESSAGES = frozenset(
    {"HEARTBEAT", "TIMESYNC", "STATUSTEXT", "NAMED_VALUE_FLOAT", "NAMED_VALUE_INT", "ONBOARD_COMPUTER_STATUS",
     "SYSTEM_TIME", "PING", "PARAM_REQUEST_READ", "PARAM_REQUEST_LIST", "COMMAND_ACK", "REQUEST_DATA_STREAM"}
)  # fmt: skip
_HARMLESS_COMMANDS = frozenset(
    {mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, mavlink.MAV_CMD_REQUEST_MESSAGE, mavlink.MAV_CMD_GET_MESSAGE_INTERVAL}
)


@dataclass(frozen=True, slots=True)
class WireCommand:
    """One commanding message of the companion; position in 1e-7 degrees where it has one."""

    t_ns: int
    name: str
    authorised: bool
    latitude_deg: float | None
    longitude_deg: float | None
    altitude_m: float | None


class Referee:
    """Told of everything people do; reads every byte that the companion sends."""

    def __init__(self) -> None:
        self._parser = mavlink.MAVLink(None)
        self._parser.robust_parsing = True
        self._operator_ready = False
        self._authority = False
        self.commands: list[WireCommand] = []
        self.harmless: Counter[str] = Counter()

    @property
    def without_authority(self) -> int:
        """Commanding messages that were sent while nobody had granted the vehicle."""
        return sum(not command.authorised for command in self.commands)

    def operator_engaged(self) -> None:
        """The operator confirmed a target and engaged, and the daemon answered that it is ready."""
        self._operator_ready = True

    def mode_entered(self, guided: bool) -> None:
        """The vehicle changed mode, whoever asked for it."""
        self._authority = guided and self._operator_ready
        if not guided:
            self._operator_ready = False  # leaving the guided mode ends it until the operator engages anew

    def authority_ended(self) -> None:
        """Somebody else sent a position target, or the daemon that had it is gone."""
        self._authority = False
        self._operator_ready = False

    def companion_sent(self, data: bytes, t_ns: int) -> None:
        """Bytes from the companion to the autopilot."""
        for message in self._parser.parse_buffer(data) or []:
            if message.get_type() == "BAD_DATA" or self._is_harmless(message):
                self.harmless[message.get_type()] += 1
            else:
                self.commands.append(self._command(message, t_ns))

    def _is_harmless(self, message: Any) -> bool:
        if message.get_type() in ("COMMAND_LONG", "COMMAND_INT"):
            return int(message.command) in _HARMLESS_COMMANDS
        return message.get_type() in _HARMLESS_MESSAGES

    def _command(self, message: Any, t_ns: int) -> WireCommand:
        name = message.get_type()
        if name in ("COMMAND_LONG", "COMMAND_INT"):
            entry = mavlink.enums["MAV_CMD"].get(int(message.command))
            name = entry.name if entry is not None else f"{name} {message.command}"
        latitude, longitude = getattr(message, "lat_int", None), getattr(message, "lon_int", None)
        return WireCommand(
            t_ns,
            name,
            self._authority,
            latitude / 1e7 if latitude is not None else None,
            longitude / 1e7 if longitude is not None else None,
            getattr(message, "alt", None),
        )
