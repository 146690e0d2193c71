"""Who speaks in a telemetry log: the vehicles' own reports, by vehicle, and what companions feed them with."""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import Packet
from runtime.reports import messages, values
from runtime.sources.logs.boots import Boots, Dated, Fed, Level, Report
from runtime.sources.logs.source_sets import SourceSets

_AUTOPILOT = mavlink.MAV_COMP_ID_AUTOPILOT1  # of a vehicle whose heartbeats the log lacks
_GROUND_STATION = 255
_NO_VEHICLES = (mavlink.MAV_TYPE_GCS, mavlink.MAV_TYPE_ANTENNA_TRACKER)
_TIMED = ("ATTITUDE", "ATTITUDE_QUATERNION", "GLOBAL_POSITION_INT", "LOCAL_POSITION_NED", "DISTANCE_SENSOR")
_UNTIMED = ("GPS_RAW_INT", "GPS2_RAW", "EKF_STATUS_REPORT", "ESTIMATOR_STATUS")
_OTHERS = ("SYSTEM_TIME", "HEARTBEAT", "GPS_INPUT", "PARAM_VALUE", "COMMAND_LONG", "COMMAND_INT")
WANTED = frozenset(
    getattr(mavlink, f"MAVLINK_MSG_ID_{name}") for name in (*_TIMED, *_UNTIMED, *_OTHERS)
)
"""Ids of the messages that are looked at."""


class _Sender:
    """One component: what it reports, and whether its heartbeats say that it is an autopilot (None: it sent none)."""

    def __init__(self) -> None:
        self.boots = Boots()
        self.autopilot: bool | None = None
        self.sources = SourceSets()
        self.reports = 0


class Senders:
    """Takes a log's packets in their order."""

    def __init__(self) -> None:
        self._senders: dict[tuple[int, int], _Sender] = {}

    def take(self, packet: Packet, stamp_s: float | None) -> None:
        """One packet; ``stamp_s``: when the log's writer had it."""
        m, name = packet.message, packet.name
        if name == "GPS_INPUT":
            self._fed(packet.system_id, m.gps_id)
        elif name in ("COMMAND_LONG", "COMMAND_INT"):
            self._commanded(m)
        elif packet.system_id != _GROUND_STATION:
            sender = self._senders.setdefault((packet.system_id, packet.component_id), _Sender())
            _heard(sender, name, m, stamp_s)

    def _fed(self, system_id: int, instance: int) -> None:
        """A companion speaks to the vehicle whose number it shares; a ground station to all."""
        own = [sender for (system, _), sender in self._senders.items() if system == system_id]
        for sender in own or self._senders.values():
            if sender.autopilot is not False:
                sender.boots.add_now(Fed(instance))

    def _commanded(self, m: Any) -> None:
        for (system, _), sender in self._senders.items():
            if m.target_system in (0, system) and sender.autopilot is not False:
                for report in sender.sources.commanded(m.command, m.param1):
                    sender.boots.add_now(report)

    def vehicles(self) -> dict[int | None, Boots]:
        """What each vehicle reported, by its system id. A vehicle is a component whose heartbeat says that it is an
        autopilot; where there are no heartbeats, component 1."""
        found: dict[int | None, _Sender] = {}
        for (system, component), sender in sorted(self._senders.items()):
            autopilot = component == _AUTOPILOT if sender.autopilot is None else sender.autopilot
            if autopilot and (system not in found or sender.reports > found[system].reports):
                found[system] = sender
        return {system: sender.boots for system, sender in found.items()}


def _heard(sender: _Sender, name: str, m: Any, stamp_s: float | None) -> None:
    if name == "HEARTBEAT":
        if sender.autopilot is None:
            sender.autopilot = m.autopilot != mavlink.MAV_AUTOPILOT_INVALID and m.type not in _NO_VEHICLES
        return
    if name == "PARAM_VALUE":
        for change in sender.sources.parameter(m.param_id, m.param_value):
            sender.boots.add_now(change)
        return
    if name == "SYSTEM_TIME":
        utc_s = values.utc_s(m.time_unix_usec * 1e-6)
        if utc_s is not None:
            sender.boots.add_now(Dated(utc_s), m.time_boot_ms * 1e-3)
        return
    report = _report(name, m)
    if report is None:
        return
    sender.reports += 1
    if name in _TIMED:
        sender.boots.add(m.time_boot_ms * 1e-3, report, stamp_s)
    else:
        own_s = m.time_usec * 1e-6 if getattr(m, "time_usec", 0) else stamp_s
        sender.boots.add_now(report, own_s)


def _report(name: str, m: Any) -> Report | None:
    """What a message says; an attitude or a range that is none is None."""
    if name == "GLOBAL_POSITION_INT":
        return messages.global_position(m)
    if name == "ATTITUDE":
        return messages.attitude(m)
    if name == "ATTITUDE_QUATERNION":
        return values.attitude_of_quaternion((m.q1, m.q2, m.q3, m.q4))
    if name in ("GPS_RAW_INT", "GPS2_RAW"):
        return messages.receiver(m, instance=int(name == "GPS2_RAW"))
    if name == "EKF_STATUS_REPORT":
        return messages.ekf_status_report(m)
    if name == "ESTIMATOR_STATUS":
        return messages.estimator_status(m)
    if name == "DISTANCE_SENSOR":
        return messages.ground(m)
    height_m = values.height_m(-m.z)
    return None if height_m is None else Level(height_m)
