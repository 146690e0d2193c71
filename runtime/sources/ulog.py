"""A PX4 log (.ulg) as a track, read by pyulog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from runtime.errors import HomingError, TelemetryError
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.values import GeoPoint, PositionSource

_MAGIC = b"ULog\x01\x12\x35"
_TOPICS = ["vehicle_global_position", "vehicle_attitude", "vehicle_local_position"]


def read_ulog(path: Path) -> Track:
    """PX4's fused position, local height and attitude over its own boot time.

    Raises:
        TelemetryError: it cannot be read, or holds no positions.
        HomingError: pyulog is not installed.
    """
    try:
        from pyulog import ULog
    except ImportError:
        raise HomingError("Reading a .ulg needs pyulog; install it with `pip install pyulog`.") from None
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise TelemetryError(f"{path}: not a PX4 log (it does not begin with ULog).")
    try:
        log = ULog(str(path), message_name_filter_list=_TOPICS)
        topics = {data.name: data.data for data in reversed(log.data_list)}  # the first instance wins
    except (OSError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise TelemetryError(f"{path}: cannot be read as a PX4 log ({error}).") from None
    places = topics.get("vehicle_global_position")
    if places is None or not len(places["timestamp"]):
        raise TelemetryError(f"{path}: holds no positions of the vehicle.")
    attitude = topics.get("vehicle_attitude")
    starts = [data["timestamp"][0] for data in (places, attitude) if data is not None and len(data["timestamp"])]
    start_us = float(min(starts))
    turns = [] if attitude is None else _turns(attitude, start_us)
    where = _places(places, topics.get("vehicle_local_position"), start_us)
    return Track(where, turns, path.name, "ulg", PositionSource.AUTOPILOT)


def _places(places: dict[str, Any], local: dict[str, Any] | None, start_us: float) -> list[PlaceSample]:
    times = np.asarray(places["timestamp"], dtype=np.float64)
    above_takeoff, above_ground = _heights(times, local)
    return [
        PlaceSample(
            (time - start_us) * 1e-6,
            GeoPoint(float(latitude), float(longitude)),
            float(altitude),
            None if np.isnan(takeoff) else float(takeoff),
            None if np.isnan(agl) else float(agl),
        )
        for time, latitude, longitude, altitude, takeoff, agl in zip(
            times, places["lat"], places["lon"], places["alt"], above_takeoff, above_ground, strict=True
        )
        if latitude != 0.0 or longitude != 0.0
    ]


def _heights(times: np.ndarray[Any, Any], local: dict[str, Any] | None) -> tuple[Any, Any]:
    """Height above the local origin (the take-off point) and above ground, NaN where unknown."""
    unknown = np.full(len(times), np.nan)
    if local is None or not len(local["timestamp"]):
        return unknown, unknown
    at = np.asarray(local["timestamp"], dtype=np.float64)
    takeoff = np.interp(times, at, -np.asarray(local["z"], dtype=np.float64))
    if "dist_bottom" not in local or "dist_bottom_valid" not in local:
        return takeoff, unknown
    valid = np.interp(times, at, np.asarray(local["dist_bottom_valid"], dtype=np.float64)) > 0.99
    agl = np.interp(times, at, np.asarray(local["dist_bottom"], dtype=np.float64))
    return takeoff, np.where(valid, agl, np.nan)


def _turns(attitude: dict[str, Any], start_us: float) -> list[TurnSample]:
    quaternions = np.stack([np.asarray(attitude[f"q[{k}]"], dtype=np.float64) for k in range(4)], axis=1)
    return [
        TurnSample((float(time) - start_us) * 1e-6, (float(q[0]), float(q[1]), float(q[2]), float(q[3])))
        for time, q in zip(attitude["timestamp"], quaternions, strict=True)
        if np.linalg.norm(q) > 0.5
    ]
