"""Writes small real telemetry logs: .SRT, .tlog, .BIN and .ulg of a flight along a meridian."""

from __future__ import annotations

import math
import struct
from datetime import datetime, timedelta
from pathlib import Path

from pymavlink.dialects.v20 import ardupilotmega as mavlink

METRES_PER_DEGREE = 111_195.0
LATITUDE, LONGITUDE = 48.2, 11.6


def latitude_at(t_s: float, speed_m_s: float = 5.0) -> float:
    """Flying north."""
    return LATITUDE + t_s * speed_m_s / METRES_PER_DEGREE


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


def write_tlog(path: Path, seconds: int, height_m: float = 60.0, boot_s: float = 100.0, range_m: float = 0.0) -> Path:
    """10 Hz of a vehicle (1/1) heading north-east, with a companion's (1/191) nonsense in between."""
    vehicle = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    companion = mavlink.MAVLink(None, srcSystem=1, srcComponent=191)
    with path.open("wb") as log:
        for k in range(seconds * 10 + 1):
            t_s = k / 10
            boot_ms = round((boot_s + t_s) * 1000)
            lat, lon = round(latitude_at(t_s) * 1e7), round(LONGITUDE * 1e7)
            height_mm = round(height_m * 1000)
            messages = [
                mavlink.MAVLink_heartbeat_message(2, 3, 81, 5, 4, 3).pack(vehicle),
                mavlink.MAVLink_attitude_message(boot_ms, 0.02, -0.05, math.pi / 4, 0, 0, 0).pack(vehicle),
                mavlink.MAVLink_global_position_int_message(
                    boot_ms, lat, lon, 500_000 + height_mm, height_mm, 500, 0, 0, 4500
                ).pack(vehicle),
                mavlink.MAVLink_global_position_int_message(boot_ms, 10, 10, 0, 0, 0, 0, 0, 0).pack(companion),
            ]
            if range_m:
                messages.insert(
                    1,
                    mavlink.MAVLink_distance_sensor_message(
                        boot_ms, 20, 12_000, round(range_m * 100), 0, 0, 25, 0
                    ).pack(vehicle),
                )
            for message in messages:
                log.write(struct.pack(">Q", 1_700_000_000_000_000 + round(t_s * 1e6)) + message)
    return path


class Dataflash:
    """A dataflash log by its documented format: FMT messages (type 0x80) that define the others."""

    _FORMATS = {
        "FMT": (0x80, "BBnNZ", "Type,Length,Name,Format,Columns"),
        "ATT": (10, "QccccCC", "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw"),
        "POS": (11, "QLLfff", "TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"),
        "GPS": (12, "QBLLf", "TimeUS,Status,Lat,Lng,Alt"),
    }
    _CODES = {"Q": "Q", "B": "B", "c": "h", "C": "H", "L": "i", "f": "f", "n": "4s", "N": "16s", "Z": "64s"}

    def __init__(self, path: Path) -> None:
        self._log = path.open("wb")
        for name, (number, formats, columns) in self._FORMATS.items():
            length = 3 + struct.calcsize("<" + "".join(self._CODES[code] for code in formats))
            self.write("FMT", number, length, name.encode(), formats.encode(), columns.encode())

    def write(self, name: str, *values: float | bytes) -> None:
        """One message of the fields of its format."""
        number, formats, _ = self._FORMATS[name]
        packed = struct.pack("<" + "".join(self._CODES[code] for code in formats), *values)
        self._log.write(b"\xa3\x95" + bytes([number]) + packed)

    def close(self) -> None:
        """Done."""
        self._log.close()


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
    log.close()
    return path


class ULogWriter:
    """A .ulg by PX4's documented format: flags, formats, subscriptions, data."""

    _FORMATS = {
        "vehicle_global_position": "uint64_t timestamp;double lat;double lon;float alt;",
        "vehicle_attitude": "uint64_t timestamp;float[4] q;",
        "vehicle_local_position": "uint64_t timestamp;float z;float dist_bottom;bool dist_bottom_valid;",
    }
    _PACK = {"vehicle_global_position": "<Qddf", "vehicle_attitude": "<Q4f", "vehicle_local_position": "<Qff?"}

    def __init__(self, path: Path) -> None:
        self._log = path.open("wb")
        self._log.write(b"ULog\x01\x12\x35\x01" + struct.pack("<Q", 0))
        self._message(b"B", bytes(40))
        for name, fields in self._FORMATS.items():
            self._message(b"F", f"{name}:{fields}".encode())
        for number, name in enumerate(self._FORMATS):
            self._message(b"A", struct.pack("<BH", 0, number) + name.encode())

    def write(self, name: str, *values: float) -> None:
        """One sample of a topic."""
        number = list(self._FORMATS).index(name)
        self._message(b"D", struct.pack("<H", number) + struct.pack(self._PACK[name], *values))

    def close(self) -> None:
        """Done."""
        self._log.close()

    def _message(self, kind: bytes, payload: bytes) -> None:
        self._log.write(struct.pack("<H", len(payload)) + kind + payload)


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
    log.close()
    return path
