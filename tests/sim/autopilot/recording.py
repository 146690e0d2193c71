"""Recorded exchanges with ArduCopter, played to the built-in autopilot: what each of the two said, as events.

An event is one answer of the vehicle in the words that are compared: its kind, its content, and when it came. Streams
count by their changes only (a mode, a fix type, EKF flags); numbers that are measurements are not compared here.
"""

from __future__ import annotations

import functools
import gzip
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import SITL_DRAG, AutopilotConfig

FOLDER = Path(__file__).parents[2] / "data" / "mavlink"
COMPANION = 191
STANDBY = 3  # MAV_STATE

# The vehicle of the recordings: ArduCopter's own simulator, which has no errors and a throttle stick left at 1000.
RECORDED = AutopilotConfig(
    home=GeoPoint(47.3977, 8.5456),
    home_altitude_amsl_m=488.1,
    gps_noise_m=0.0,
    attitude_bias_deg=0.0,
    heading_bias_deg=0.0,
    height_error=0.0,
    drag=SITL_DRAG,
    throttle_pwm=1000,
    battery_capacity_mah=3300.0,
)

# What the recorded vehicle had in force since its last reboot, beside its defaults.
PARAMETERS: dict[str, dict[str, float]] = {
    "arducopter_odometry_from_boot": {
        "GPS1_TYPE": 0, "VISO_TYPE": 1, "EK3_SRC1_POSXY": 6, "EK3_SRC1_VELXY": 6, "EK3_SRC1_VELZ": 6,
        "EK3_SRC1_YAW": 6, "SIM_GPS1_ENABLE": 0,
    },
    "arducopter_gps_lost_odometry_switch": {
        "VISO_TYPE": 1, "EK3_SRC2_POSXY": 6, "EK3_SRC2_VELXY": 6, "EK3_SRC2_VELZ": 6, "EK3_SRC2_YAW": 1,
    },
    "arducopter_gps_lost_gps_input_second": {"GPS2_TYPE": 14, "GPS_AUTO_SWITCH": 1},
}  # fmt: skip

# Texts that are not compared, each with the reason.
IGNORED_TEXTS = {
    r"MAG0 in-flight yaw alignment": "the built-in autopilot has no magnetometer to align",
    r"SmartRTL": "SMART_RTL is not covered",
}
LANES_S = 1.0  # the two EKF lanes say the same, either one first: the second within so much is not compared
# Parameters that ArduCopter announces by itself and that the built-in autopilot does not have.
IGNORED_PARAMETERS = ("STAT_", "BARO", "MOT_THST_HOVER")


@dataclass(frozen=True)
class Event:
    """One answer: ``kind`` groups what is compared in order, ``what`` is compared exactly, ``t_s`` loosely."""

    kind: str
    what: tuple[Any, ...]
    t_s: float


@functools.cache
def read(name: str) -> list[tuple[float, Any]]:
    """(seconds of the vehicle's clock, message) of a recording, both directions."""
    packets = list(_packets(gzip.decompress((FOLDER / f"{name}.tlog.gz").read_bytes())))
    first = next((t, m) for t, m in packets if m.get_type() == "ATTITUDE")
    wall, boot = first[0], first[1].time_boot_ms / 1e3
    timed = []
    for t, message in packets:
        stamp = getattr(message, "time_boot_ms", 0)
        if stamp and message.get_type() in ("ATTITUDE", "GLOBAL_POSITION_INT"):
            wall, boot = t, stamp / 1e3
        timed.append((boot + t - wall, message))
    return _without_truth(timed)


def _without_truth(timed: list[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """Leaves out the request for SIM_STATE and its acknowledgement: the built-in autopilot never sends the truth."""
    kept, skip_ack = [], False
    for t_s, message in timed:
        kind = message.get_type()
        if kind == "COMMAND_LONG" and (message.command, message.param1) == (511, 108.0):
            skip_ack = True
        elif skip_ack and kind == "COMMAND_ACK" and message.command == 511:
            skip_ack = False
        else:
            kept.append((t_s, message))
    return kept


def _packets(data: bytes) -> Iterator[tuple[float, Any]]:
    parser, at = mavlink.MAVLink(None), 0
    while at + 10 <= len(data):
        (stamp,) = struct.unpack(">Q", data[at : at + 8])
        length = data[at + 9] + 12 + (13 if data[at + 10] & 1 else 0)
        yield stamp / 1e6, parser.decode(bytearray(data[at + 8 : at + 8 + length]))
        at += 8 + length


def events_of(timed: list[tuple[float, Any]]) -> list[Event]:
    """What the vehicle said, as events."""
    events: list[Event] = []
    last: dict[str, tuple[Any, ...]] = {}
    lanes: dict[str, float] = {}
    for t_s, message in timed:
        if message.get_srcComponent() == COMPANION or message.get_srcSystem() != 1:
            continue
        said = _said(message)
        if said is None:
            continue
        kind, what, on_change = said
        if on_change and last.get(kind) == what:
            continue
        if kind == "text" and "EKF3 IMU" in what[1]:
            if t_s - lanes.get(what[1], -LANES_S) < LANES_S:
                continue
            lanes[what[1]] = t_s
        last[kind] = what
        events.append(Event(kind, what, t_s))
    return [event for i, event in enumerate(events) if not _glimpse(event, events[i + 1 :])]


def _glimpse(event: Event, later: list[Event]) -> bool:
    """Landed and still armed lasts 0.45 s before the vehicle disarms: a heartbeat a second shows it or does not."""
    if event.kind != "heartbeat" or event.what[2] != STANDBY:
        return False
    armed, then = int(event.what[1], 16) & 0x80, next((e for e in later if e.kind == "heartbeat"), None)
    return bool(armed) and then is not None and not int(then.what[1], 16) & 0x80 and then.t_s - event.t_s < 1.1


def _said(m: Any) -> tuple[str, tuple[Any, ...], bool] | None:
    """(kind, content, whether only changes count) of a message; None where it is not compared."""
    match m.get_type():
        case "COMMAND_ACK":
            return "ack", (m.command, m.result, m.target_system, m.target_component), False
        case "HEARTBEAT":
            return "heartbeat", (m.custom_mode, hex(m.base_mode), m.system_status, m.type, m.autopilot), True
        case "STATUSTEXT":
            if any(re.search(pattern, m.text) for pattern in IGNORED_TEXTS):
                return None
            text = re.sub(r"EKF3 IMU\d", "EKF3 IMU…", re.sub(r"[\d.]+ m/s", "… m/s", m.text))
            return "text", (m.severity, text), False
        case "PARAM_VALUE":
            if m.param_id.startswith(IGNORED_PARAMETERS):
                return None
            return "parameter", (m.param_id, round(m.param_value, 6), m.param_type), False
        case "EKF_STATUS_REPORT":
            return "ekf flags", (hex(m.flags),), True
        case "EXTENDED_SYS_STATE":
            return "landed state", (m.landed_state,), True
        case "GPS_RAW_INT":
            return "fix", (m.fix_type, m.satellites_visible), True
        case "POSITION_TARGET_GLOBAL_INT":
            return "target", (m.coordinate_frame, m.type_mask), True
    return _mission(m)


def _mission(m: Any) -> tuple[str, tuple[Any, ...], bool] | None:
    match m.get_type():
        case "MISSION_REQUEST":
            return "mission", ("request", m.seq), False
        case "MISSION_ACK":
            return "mission", ("ack", m.type), False
        case "MISSION_COUNT":
            return "mission", ("count", m.count), False
        case "MISSION_ITEM_INT":
            return "mission", ("item", m.seq, m.frame, m.command, m.x, m.y, round(m.z, 2)), False
        case "MISSION_ITEM_REACHED":
            return "mission", ("reached", m.seq), False
        case "MISSION_CURRENT":
            return "mission current", (m.seq, m.total, m.mission_state, m.mission_mode), True
        case "HOME_POSITION":
            return "home", (), False
        case "GPS_GLOBAL_ORIGIN":
            return "origin", (m.latitude, m.longitude, m.altitude), False
    return None


def replay(timed: list[tuple[float, Any]], parameters: dict[str, float] | None = None) -> list[Event]:
    """What the built-in autopilot says to the same requests at the same times since boot."""
    autopilot, parser = Autopilot(replace(RECORDED, parameters=parameters or {})), mavlink.MAVLink(None)
    heard: list[tuple[float, Any]] = []

    def listen(until_s: float) -> None:
        while autopilot.t_ns < until_s * 1e9 - RECORDED.step_ns:
            autopilot.advance(autopilot.t_ns + RECORDED.step_ns)
            take()

    def take() -> None:
        for message in parser.parse_buffer(autopilot.transmit()) or ():
            heard.append((autopilot.t_ns / 1e9, message))

    listen(timed[0][0])
    heard.clear()  # the companion was not connected yet
    for t_s, message in timed:
        if message.get_srcComponent() == COMPANION or message.get_srcSystem() != 1:
            listen(t_s)
            autopilot.receive(bytes(message.get_msgbuf()))
            take()
    listen(timed[-1][0])
    return events_of(heard)
