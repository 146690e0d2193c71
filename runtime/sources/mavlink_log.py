"""A telemetry log (.tlog) or an ArduPilot dataflash log (.BIN) as a track, read by pymavlink."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from struct import error as StructError
from typing import Any

from pymavlink import mavutil

from runtime.errors import TelemetryError
from runtime.freshness import RANGE
from runtime.rotations import ned_from_euler
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.values import GeoPoint, PositionSource

# What pymavlink lets through on a file that is no log.
_PYMAVLINK_ERRORS = (
    OSError, ValueError, IndexError, KeyError, StructError, AttributeError, TypeError, BufferError,
)  # fmt: skip
_AUTOPILOT = 1  # MAV_COMP_ID_AUTOPILOT1: a companion's own position reports are not the vehicle's
_DOWNWARD = 25  # MAV_SENSOR_ROTATION_PITCH_270
_DATAFLASH_HEAD = b"\xa3\x95\x80"  # the sync bytes and the number of FMT, which comes first


def read_tlog(path: Path) -> Track:
    """The vehicle's GLOBAL_POSITION_INT, ATTITUDE and downward DISTANCE_SENSOR over its own boot time.

    Raises:
        TelemetryError: it cannot be read, or holds no positions.
    """
    places: list[PlaceSample] = []
    turns: list[TurnSample] = []
    wanted = {"GLOBAL_POSITION_INT", "ATTITUDE", "DISTANCE_SENSOR"}
    vehicle: int | None = None
    ground: tuple[float, float] | None = None  # time and range of the last reading
    for message in _messages(path, wanted):
        if message.get_srcComponent() != _AUTOPILOT or message.get_srcSystem() == 255:
            continue
        if vehicle is None:
            vehicle = message.get_srcSystem()
        if message.get_srcSystem() != vehicle:
            continue
        t_s = message.time_boot_ms * 1e-3
        kind = message.get_type()
        if kind == "ATTITUDE":
            turns.append(TurnSample(t_s, ned_from_euler(message.roll, message.pitch, message.yaw)))
        elif kind == "DISTANCE_SENSOR":
            ground = _range(message, t_s) or ground
        elif message.lat or message.lon:
            fresh = ground is not None and t_s - ground[0] < RANGE.seconds
            places.append(_global_position(message, t_s, ground[1] if fresh and ground else None))
    return _track(places, turns, path)


def read_dataflash(path: Path) -> Track:
    """ArduPilot's POS (or GPS) and ATT messages over its own boot time.

    Raises:
        TelemetryError: it cannot be read, or holds no positions.
    """
    with path.open("rb") as log:
        if log.read(len(_DATAFLASH_HEAD)) != _DATAFLASH_HEAD:
            raise TelemetryError(f"{path}: not a dataflash log (it does not begin with its formats).")
    fused: list[PlaceSample] = []
    raw: list[PlaceSample] = []
    turns: list[TurnSample] = []
    for message in _messages(path, {"POS", "GPS", "ATT"}):
        t_s = message.TimeUS * 1e-6
        kind = message.get_type()
        if kind == "ATT":
            angles = (math.radians(angle) for angle in (message.Roll, message.Pitch, message.Yaw))
            turns.append(TurnSample(t_s, ned_from_euler(*angles)))
        elif message.Lat == 0.0 and message.Lng == 0.0:
            continue
        elif kind == "POS":
            relative_m = getattr(message, "RelHomeAlt", None)
            fused.append(PlaceSample(t_s, GeoPoint(message.Lat, message.Lng), message.Alt, relative_m))
        elif message.Status >= 3:  # a 3D fix
            raw.append(PlaceSample(t_s, GeoPoint(message.Lat, message.Lng), message.Alt))
    return _track(fused or raw, turns, path)


def _messages(path: Path, wanted: set[str]) -> Iterator[Any]:
    try:
        with closing(mavutil.mavlink_connection(str(path), robust_parsing=True, notimestamps=False)) as log:
            while (message := log.recv_match(type=list(wanted))) is not None:
                yield message
    except _PYMAVLINK_ERRORS as error:
        raise TelemetryError(f"{path}: cannot be read as a flight log ({error}).") from None


def _global_position(message: Any, t_s: float, range_m: float | None) -> PlaceSample:
    return PlaceSample(
        t_s,
        GeoPoint(message.lat * 1e-7, message.lon * 1e-7),
        altitude_amsl_m=message.alt * 1e-3,
        height_takeoff_m=message.relative_alt * 1e-3,
        height_agl_m=range_m,
        velocity_ned_m_s=(message.vx * 1e-2, message.vy * 1e-2, message.vz * 1e-2),
    )


def _range(message: Any, t_s: float) -> tuple[float, float] | None:
    """Time and metres of a reading straight down within the sensor's range."""
    if message.orientation != _DOWNWARD or not message.min_distance < message.current_distance < message.max_distance:
        return None
    return t_s, message.current_distance * 1e-2


def _track(places: list[PlaceSample], turns: list[TurnSample], path: Path) -> Track:
    if not places:
        raise TelemetryError(f"{path}: holds no positions of the vehicle.")
    start_s = min(places[0].t_s, turns[0].t_s) if turns else places[0].t_s
    return Track(
        [replace(sample, t_s=sample.t_s - start_s) for sample in places],
        [replace(sample, t_s=sample.t_s - start_s) for sample in turns],
        path.name,
        path.suffix.lower().lstrip("."),
        PositionSource.AUTOPILOT,
    )
