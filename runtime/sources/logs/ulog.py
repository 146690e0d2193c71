"""A PX4 log (.ulg), read by pyulog: the reports of old and new sets of fields over the vehicle's clock."""

from __future__ import annotations

import contextlib
import heapq
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import median_filter

from runtime.errors import HomingError, TelemetryError
from runtime.reports import values
from runtime.reports.flags import Px4Flags, estimator_ok, gps_glitch
from runtime.reports.values import Estimator, Fused, Ground, Receiver
from runtime.sources.logs.boots import Boots, Dated, Level, Report, Simulated, Sourced
from runtime.sources.logs.choice import LONGEST, Asked, Judge, chosen
from runtime.sources.logs.flight import flight_of
from runtime.sources.logs.ulog_file import UlogFile
from runtime.sources.track import Track

_POSITION, _LOCAL, _ATTITUDE = "vehicle_global_position", "vehicle_local_position", "vehicle_attitude"
_RECEIVER, _RECEIVERS = "vehicle_gps_position", "sensor_gps"  # the one that is used, and each
_TRUE = "vehicle_global_position_groundtruth"  # of a simulator
_STATUS, _FLAGS = "estimator_status", "estimator_status_flags"
_TOPICS = frozenset((_POSITION, _LOCAL, _ATTITUDE, _RECEIVER, _RECEIVERS, _STATUS, _FLAGS, _TRUE))
_FIELDS = frozenset(
    "lat lon alt lat_lon_valid alt_valid vel_n vel_e vel_d eph epv dead_reckoning "
    "latitude_deg longitude_deg altitude_msl_m fix_type satellites_used spoofing_state time_utc_usec "
    "z z_valid dist_bottom dist_bottom_valid dist_bottom_sensor_bitfield q[0] q[1] q[2] q[3] "
    "solution_status_flags cs_gps cs_gnss_pos cs_ev_pos".split()
)
_EXTRAPOLATED = 8  # of fix_type: no fix, though the number is above a 3D fix's
_SPOOFED = 2  # of spoofing_state, and above
_FARTHEST_M = 1000.0  # no range finder measures farther
_ASTRAY_US = 1e7  # of a damaged time, from those beside it
_BESIDE = 5

_Row = Mapping[str, Any]  # a topic's fields at one instant


def read_ulog(path: Path, asked: Asked = LONGEST, judge: Judge = flight_of) -> tuple[Track, list[str]]:
    """PX4's positions that are to be believed, its attitudes and heights, over its own boot time; and sentences on
    what of the log is not used.

    Raises:
        TelemetryError: it cannot be read, holds no such boot, or no positions that are to be believed.
        HomingError: pyulog is not installed.
    """
    file = UlogFile(path, _TOPICS)
    topics = _topics(path, file)
    boots = Boots()
    for t_s, _, report in heapq.merge(*(_reports(topics, name) for name in _TOPICS), key=lambda found: found[:2]):
        boots.add(t_s, report)
    flight, notes = chosen(str(path), {None: boots}, asked, judge)
    if file.damaged_bytes:
        notes.append(f"{path}: damaged ({file.damaged_bytes} bytes); what lies before and after is used.")
    return flight.track(str(path), "ulg"), [*notes, *flight.notes(str(path))]


_Topics = dict[str, dict[int, dict[str, Any]]]  # by name and instance: columns


def _topics(path: Path, file: UlogFile) -> _Topics:
    try:
        from pyulog import ULog
    except ImportError:
        raise HomingError("Reading a .ulg needs pyulog; install it with `pip install pyulog`.") from None
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it finds damaged
            data = ULog(file.wanted).data_list
    except Exception as error:  # whatever a damaged definition makes pyulog raise
        raise TelemetryError(f"{path}: cannot be read as a PX4 log ({type(error).__name__}: {error}).") from None
    topics: _Topics = {}
    for found in data:
        if "timestamp" in found.data:
            topics.setdefault(found.name, {}).setdefault(found.multi_id, found.data)
    return topics


def _reports(topics: _Topics, name: str) -> Iterator[tuple[float, str, Report]]:
    """What a topic says, by time."""
    instances = topics.get(name, {})
    if name == _RECEIVERS and topics.get(_RECEIVER):
        return
    if name in (_STATUS, _FLAGS) and len(instances) > 1:
        return  # several estimators: which one is used, the position's own flags say
    if name in (_POSITION, _LOCAL, _ATTITUDE):
        instances = {instance: instances[instance] for instance in sorted(instances)[:1]}
    merged = (_rows(columns, instance) for instance, columns in instances.items())
    for t_s, instance, row in heapq.merge(*merged, key=lambda found: found[:2]):
        for report in _said(name, row, instance):
            yield t_s, name, report


def _rows(columns: dict[str, Any], instance: int) -> Iterator[tuple[float, int, _Row]]:
    """The rows of a topic by time, without those whose time is damaged."""
    times_us = np.asarray(columns["timestamp"], dtype=np.float64)
    usual_us = median_filter(times_us, size=_BESIDE, mode="nearest")
    used = {name: column.tolist() for name, column in columns.items() if name in _FIELDS}
    for index in np.argsort(times_us, kind="stable"):
        if abs(times_us[index] - usual_us[index]) < _ASTRAY_US:
            yield float(times_us[index]) * 1e-6, instance, {name: column[index] for name, column in used.items()}


def _said(name: str, row: _Row, instance: int) -> list[Report]:
    if name == _POSITION:
        return [_position(row)]
    if name == _TRUE:
        there = values.geo_point(_number(row, "lat"), _number(row, "lon"))
        return [] if there is None else [Simulated(there)]
    if name == _LOCAL:
        return _heights(row)
    if name == _STATUS:
        flags = row.get("solution_status_flags")
        return [] if flags is None else [Estimator(flags, estimator_ok(Px4Flags, flags), gps_glitch(Px4Flags, flags))]
    if name == _FLAGS:
        by_gps = row.get("cs_gnss_pos", row.get("cs_gps", 1))
        return [Sourced(bool(by_gps) or not row.get("cs_ev_pos", 0))]
    if name == _ATTITUDE:
        attitude = values.attitude_of_quaternion([_number(row, f"q[{k}]") for k in range(4)])
        return [] if attitude is None else [attitude]
    received = _receiver(row, instance)
    utc_s = values.utc_s(row.get("time_utc_usec", 0) * 1e-6)
    return [received] if utc_s is None or not received.fixed else [received, Dated(utc_s)]


def _position(row: _Row) -> Fused:
    valid, altitude_valid = row.get("lat_lon_valid", 1), row.get("alt_valid", 1)
    return Fused(
        values.geo_point(_number(row, "lat"), _number(row, "lon")) if valid else None,
        values.altitude_m(_number(row, "alt")) if altitude_valid else None,
        None,
        values.velocity_m_s(_number(row, "vel_n"), _number(row, "vel_e"), _number(row, "vel_d")),
        values.sigma_m(_number(row, "eph")),
        values.sigma_m(_number(row, "epv")),
        doubt="GPS lost: the estimator was dead reckoning" if row.get("dead_reckoning", 0) else "",
    )


def _receiver(row: _Row, instance: int) -> Receiver:
    """``vehicle_gps_position`` or ``sensor_gps``: in degrees and metres, or the older integers."""
    if "latitude_deg" in row:
        place = _number(row, "latitude_deg"), _number(row, "longitude_deg"), _number(row, "altitude_msl_m")
    else:
        place = _number(row, "lat") * 1e-7, _number(row, "lon") * 1e-7, _number(row, "alt") * 1e-3
    fix_type = int(row.get("fix_type", 0))
    return Receiver(
        0 if fix_type == _EXTRAPOLATED else fix_type,
        int(row.get("satellites_used", 0)),
        values.geo_point(place[0], place[1]),
        values.altitude_m(place[2]),
        values.sigma_m(_number(row, "eph")),
        values.sigma_m(_number(row, "epv")),
        instance,
        doubt="GPS said that it was spoofed" if row.get("spoofing_state", 0) >= _SPOOFED else "",
    )


def _heights(row: _Row) -> list[Report]:
    """Above the local origin, which is the take-off point, and above ground."""
    found: list[Report] = []
    height_m = values.height_m(-_number(row, "z"))
    if height_m is not None and row.get("z_valid", 1):
        found.append(Level(height_m))
    ground: Ground | None = None
    if row.get("dist_bottom_valid", 0) and row.get("dist_bottom_sensor_bitfield", 1):
        ground = values.ground(_number(row, "dist_bottom"), 0.0, _FARTHEST_M)
    return found if ground is None else [*found, ground]


def _number(row: _Row, field: str) -> float:
    """A field as a number, NaN where there is no such field."""
    return float(row.get(field, math.nan))
