"""Writes small real telemetry logs: .SRT, .tlog, .BIN and .ulg of a flight along a meridian."""

from __future__ import annotations

import math
import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import distance_m
from runtime.sources.track import Track
from runtime.values import GeoPoint, NavState

METRES_PER_DEGREE = 111_195.0
LATITUDE, LONGITUDE = 48.2, 11.6


def latitude_at(t_s: float, speed_m_s: float = 5.0) -> float:
    """Flying north."""
    return LATITUDE + t_s * speed_m_s / METRES_PER_DEGREE


def state_at(track: Track, t_s: float) -> NavState:
    """The track's state at an instant, which must be known."""
    state = track.at(t_s)
    assert state is not None
    return state


def north_m(track: Track, t_s: float) -> float:
    """How far north of the start, which is 5 m a second."""
    state = state_at(track, t_s)
    assert state.position is not None
    return distance_m(GeoPoint(LATITUDE, LONGITUDE), state.position.point)


def write_srt(path: Path, texts: list[str], period_s: float = 1.0) -> Path:
    """One subtitle a period."""
    entries = [
        f"{k + 1}\n{_clock(k * period_s)} --> {_clock((k + 1) * period_s)}\n{text}\n" for k, text in enumerate(texts)
    ]
    path.write_text("\n".join(entries), encoding="utf-8")
    return path


def _clock(t_s: float) -> str:
    whole = datetime(2000, 1, 1) + timedelta(seconds=t_s)
    return f"{whole:%H:%M:%S},{whole.microsecond // 1000:03d}"


class Tlog:
    """A telemetry log, packet by packet, each after its writer's time."""

    def __init__(self, path: Path, start_s: float = 1_700_000_000.0) -> None:
        self.path = path
        self._start_s = start_s
        self._voices: dict[tuple[int, int], Any] = {}
        self._log = bytearray()

    def say(self, t_s: float, message: Any, system: int = 1, component: int = 1, version: int = 2) -> None:
        """A packet that arrived at ``t_s``."""
        voice = self._voices.setdefault((system, component), mavlink.MAVLink(None, system, component))
        packet = message.pack(voice, force_mavlink1=version == 1)
        self.raw(struct.pack(">Q", round((self._start_s + t_s) * 1e6)) + packet)

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self._log += data

    def done(self) -> Path:
        """Written."""
        self.path.write_bytes(self._log)
        return self.path


def position_message(boot_s: float, t_s: float, height_m: float = 60.0, east_m: float = 0.0) -> Any:
    """GLOBAL_POSITION_INT of the flight north."""
    lat, lon = round(latitude_at(t_s) * 1e7), round((LONGITUDE + metres_east(east_m)) * 1e7)
    height_mm, boot_ms = round(height_m * 1000), round((boot_s + t_s) * 1000)
    heights_mm = 500_000 + height_mm, height_mm
    return mavlink.MAVLink_global_position_int_message(boot_ms, lat, lon, *heights_mm, 500, 0, 0, 4500)


def attitude_message(boot_s: float, t_s: float, roll: float = 0.02) -> Any:
    """ATTITUDE, nose to the north-east."""
    return mavlink.MAVLink_attitude_message(round((boot_s + t_s) * 1000), roll, -0.05, math.pi / 4, 0, 0, 0)


def receiver_message(
    boot_s: float, t_s: float, fix: int = 3, sigma_m: float = 0.0, second: bool = False, east_m: float = 0.0
) -> Any:
    """GPS_RAW_INT, or GPS2_RAW, of the flight north."""
    lat, lon = round(latitude_at(t_s) * 1e7), round((LONGITUDE + metres_east(east_m)) * 1e7)
    fields = round((boot_s + t_s) * 1e6), fix, lat, lon, 560_000, 121, 121, 500, 0, 12
    sigmas = {"h_acc": round(sigma_m * 1000), "v_acc": round(sigma_m * 2000)}
    if second:
        return mavlink.MAVLink_gps2_raw_message(*fields, 0, 0, **sigmas)
    return mavlink.MAVLink_gps_raw_int_message(*fields, **sigmas)


def ekf_message(flags: int = 0x33F) -> Any:
    """EKF_STATUS_REPORT."""
    return mavlink.MAVLink_ekf_status_report_message(flags, 0.0, 0.0, 0.0, 0.0, 0.0)


def heartbeat_message(autopilot: int = 3, kind: int = 2) -> Any:
    """HEARTBEAT, of a copter by default."""
    return mavlink.MAVLink_heartbeat_message(kind, autopilot, 81, 5, 4, 3)


def metres_east(metres: float) -> float:
    """Degrees of longitude."""
    return metres / METRES_PER_DEGREE / math.cos(math.radians(LATITUDE))


def write_tlog(path: Path, seconds: int, height_m: float = 60.0, boot_s: float = 100.0, range_m: float = 0.0) -> Path:
    """10 Hz of a vehicle (1/1) heading north-east, with a companion's (1/191) nonsense in between."""
    log = Tlog(path)
    for k in range(seconds * 10 + 1):
        t_s = k / 10
        boot_ms = round((boot_s + t_s) * 1000)
        log.say(t_s, heartbeat_message())
        if range_m:
            range_cm = round(range_m * 100)
            log.say(t_s, mavlink.MAVLink_distance_sensor_message(boot_ms, 20, 12_000, range_cm, 0, 0, 25, 0))
        log.say(t_s, attitude_message(boot_s, t_s))
        log.say(t_s, position_message(boot_s, t_s, height_m))
        log.say(t_s, mavlink.MAVLink_global_position_int_message(boot_ms, 10, 10, 0, 0, 0, 0, 0, 0), component=191)
    return log.done()


class Dataflash:
    """A dataflash log by its documented format: FMT messages (type 0x80) that define the others. ``formats``: letters
    and columns by name."""

    FORMATS = {
        "ATT": ("QccccCC", "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw"),
        "POS": ("QLLfff", "TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"),
        "GPS": ("QBLLf", "TimeUS,Status,Lat,Lng,Alt"),
    }
    _CODES = {"Q": "Q", "B": "B", "b": "b", "c": "h", "C": "H", "L": "i", "f": "f", "n": "4s", "N": "16s", "Z": "64s",
              "I": "I", "H": "H", "e": "i", "E": "I"}  # fmt: skip

    def __init__(self, path: Path, formats: dict[str, tuple[str, str]] | None = None) -> None:
        self.path = path
        self.log = bytearray()
        self._formats = {"FMT": (0x80, "BBnNZ", "Type,Length,Name,Format,Columns")}
        for number, (name, (letters, columns)) in enumerate((formats or self.FORMATS).items(), 10):
            self._formats[name] = (number, letters, columns)
        for name, (number, letters, columns) in self._formats.items():
            self.write("FMT", number, self.length(name), name.encode(), letters.encode(), columns.encode())

    def length(self, name: str) -> int:
        """Bytes of a message."""
        return 3 + struct.calcsize("<" + self._packing(self._formats[name][1]))

    def _packing(self, letters: str) -> str:
        return "".join(self._CODES[letter] for letter in letters)

    def write(self, name: str, *values: float | bytes) -> None:
        """One message of the fields of its format, as they are stored."""
        number, letters, _ = self._formats[name]
        self.log += b"\xa3\x95" + bytes([number]) + struct.pack("<" + self._packing(letters), *values)

    def done(self) -> Path:
        """Written."""
        self.path.write_bytes(self.log)
        return self.path


def write_dataflash(path: Path, seconds: int, height_m: float = 60.0, fused: bool = True) -> Path:
    """10 Hz of ATT and POS (or GPS), nose to the north-east."""
    log = Dataflash(path)
    for k in range(seconds * 10 + 1):
        t_us, lat = round((50.0 + k / 10) * 1e6), round(latitude_at(k / 10) * 1e7)
        lon = round(LONGITUDE * 1e7)
        log.write("ATT", t_us, 0, 115, 0, -286, 4500, 4500)
        if fused:
            log.write("POS", t_us, lat, lon, 500.0 + height_m, height_m, height_m)
        else:
            log.write("GPS", t_us, 3, lat, lon, 500.0 + height_m)
    return log.done()


class ULogWriter:
    """A .ulg by PX4's documented format: flags, formats, subscriptions, data. ``formats``: the fields by topic;
    ``topic#1`` is its second instance."""

    FORMATS = {
        "vehicle_global_position": "uint64_t timestamp;double lat;double lon;float alt;",
        "vehicle_attitude": "uint64_t timestamp;float[4] q;",
        "vehicle_local_position": "uint64_t timestamp;float z;float dist_bottom;bool dist_bottom_valid;",
    }
    _PACK = {"uint64_t": "Q", "double": "d", "float": "f", "float[4]": "4f", "bool": "?", "int32_t": "i",
             "uint8_t": "B", "uint32_t": "I"}  # fmt: skip

    def __init__(self, path: Path, formats: dict[str, str] | None = None) -> None:
        self.path = path
        self.log = bytearray(b"ULog\x01\x12\x35\x01" + struct.pack("<Q", 0))
        self._topics = formats or self.FORMATS
        self.message(b"B", bytes(40))
        for name, fields in {topic.partition("#")[0]: fields for topic, fields in self._topics.items()}.items():
            self.message(b"F", f"{name}:{fields}".encode())
        for number, topic in enumerate(self._topics):
            name, _, instance = topic.partition("#")
            self.message(b"A", struct.pack("<BH", int(instance or 0), number) + name.encode())

    def write(self, topic: str, *values: float) -> None:
        """One sample of a topic."""
        number = list(self._topics).index(topic)
        kinds = [field.split()[0] for field in self._topics[topic].split(";") if field]
        packed = struct.pack("<" + "".join(self._PACK[kind] for kind in kinds), *values)
        self.message(b"D", struct.pack("<H", number) + packed)

    def message(self, kind: bytes, payload: bytes) -> None:
        """Any message."""
        self.log += struct.pack("<H", len(payload)) + kind + payload

    def done(self) -> Path:
        """Written."""
        self.path.write_bytes(self.log)
        return self.path


def write_ulog(path: Path, seconds: int, height_m: float = 60.0, ground_m: float | None = None) -> Path:
    """10 Hz of position and height, 50 Hz of attitude, nose to the north-east."""
    log = ULogWriter(path)
    for k in range(seconds * 50 + 1):
        t_us = 70_000_000 + k * 20_000
        half = math.pi / 8
        log.write("vehicle_attitude", t_us, math.cos(half), 0.0, 0.0, math.sin(half))
        if k % 5 == 0:
            log.write("vehicle_global_position", t_us, latitude_at(k / 50), LONGITUDE, 500.0 + height_m)
            log.write("vehicle_local_position", t_us, -height_m, ground_m or 0.0, ground_m is not None)
    return log.done()
