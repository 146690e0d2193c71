"""What a row of the history may hold: for each column the least and the greatest value that is no mistake.

The same table is asked of a keyframe on its way in and of rows that are there. A comparison with NaN, with text or
with nothing is false or fails, so what is not a number in range is never taken for one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.history.rows import CAMERA, KEYFRAME_COLUMNS, POSITION_COLUMNS, TAG, UNKNOWN_T_NS
from runtime.values import PositionSource, ViewKind

Bounds = tuple[float, float]

_LATITUDE, _LONGITUDE = (-90.0, 90.0), (-180.0, 180.0)
_HEIGHT_M = (-1_000.0, 30_000.0)  # below the Dead Sea to where the highest aircraft fly
SIGMA = (0.0, math.inf)  # infinite: nothing says how good it is
SPEED_M_S = (-1_000.0, 1_000.0)
_ANGLE = (-2 * math.pi, 2 * math.pi)
FOOTPRINT_M = (1.0, 5_000.0)
_UNIT = (-1.001, 1.001)
NORM = (0.99, 1.01)

NEEDED: Mapping[str, Bounds] = {
    "t_ns": (float(UNKNOWN_T_NS), 2.0**63),
    "attitude_measured": (0, 1),
    "ground_latitude_deg": _LATITUDE, "ground_longitude_deg": _LONGITUDE, "ground_sigma_m": SIGMA,
    "footprint_m": FOOTPRINT_M,
}  # fmt: skip
OPTIONAL: Mapping[str, Bounds] = {
    "altitude_amsl_m": _HEIGHT_M, "height_takeoff_m": (-_HEIGHT_M[1], _HEIGHT_M[1]), "height_agl_m": (0.0, 30_000.0),
    "attitude_w": _UNIT, "attitude_x": _UNIT, "attitude_y": _UNIT, "attitude_z": _UNIT,
    "heading_rad": _ANGLE,
}  # fmt: skip
MEASURED = (
    ("altitude_amsl_m", "altitude_amsl_sigma_m", "altitude_amsl_source"),
    ("height_takeoff_m", "height_takeoff_sigma_m", "height_takeoff_source"),
    ("height_agl_m", "height_agl_sigma_m", "height_agl_source"),
    ("heading_rad", "heading_sigma_rad", "heading_source"),
)
POSITION_NEEDED: Mapping[str, Bounds] = {
    "latitude_deg": _LATITUDE, "longitude_deg": _LONGITUDE, "variance_north_m2": SIGMA, "variance_east_m2": SIGMA,
    "covariance_north_east_m2": (-1e12, 1e12),
}  # fmt: skip
VIEWS, SOURCES = frozenset(kind.value for kind in ViewKind), frozenset(one.value for one in PositionSource)
VELOCITY = ("velocity_north_m_s", "velocity_east_m_s", "velocity_down_m_s")


def keyframe_fault(row: Sequence[Any]) -> str:
    """What is wrong with a row of `KEYFRAME_COLUMNS`, its crop aside; empty when nothing is."""
    values = dict(zip(KEYFRAME_COLUMNS, row, strict=True))
    if not isinstance(values["flight"], str) or not isinstance(values["name"], str):
        return "its flight or its name is no text"
    if values["view"] not in VIEWS:
        return f"a view {values['view']!r} is not known"
    if not isinstance(values["t_ns"], int):
        return "t_ns is no whole number"
    return (
        _out_of_range(values, NEEDED, OPTIONAL)
        or _nowhere(values["ground_latitude_deg"], values["ground_longitude_deg"])
        or _measured_fault(values)
        or _attitude_fault(values)
    )


def position_fault(row: Sequence[Any]) -> str:
    """What is wrong with a row of `POSITION_COLUMNS`; empty when nothing is."""
    values = dict(zip(POSITION_COLUMNS, row, strict=True))
    if values["role"] not in (CAMERA, TAG) or values["source"] not in SOURCES:
        return f"a position {values['role']!r} by {values['source']!r} is not known"
    velocity = [values[name] for name in VELOCITY]
    partly = any(one is None for one in velocity) and any(one is not None for one in velocity)
    return (
        _out_of_range(values, POSITION_NEEDED, dict.fromkeys(VELOCITY, SPEED_M_S))
        or _nowhere(values["latitude_deg"], values["longitude_deg"])
        or _covariance_fault(values)
        or ("its velocity is known only in part" if partly else "")
    )


def _out_of_range(values: Mapping[str, Any], needed: Mapping[str, Bounds], optional: Mapping[str, Bounds]) -> str:
    for name, bounds in needed.items():
        if not within(values[name], bounds):
            return _said(name, values[name], bounds)
    for name, bounds in optional.items():
        value = values[name]
        if value is not None and not within(value, bounds):
            return _said(name, value, bounds)
    return ""


def within(value: Any, bounds: Bounds) -> bool:
    """Whether a value is a number between two, both included."""
    try:
        return bool(bounds[0] <= value <= bounds[1])
    except TypeError:
        return False


def _said(name: str, value: Any, bounds: Bounds) -> str:
    if value is None:
        return f"{name} is missing"
    shown = f"{value:g}" if isinstance(value, float | int) else "no number"
    return f"{name} is {shown}, not within {bounds[0]:g} to {bounds[1]:g}"


def _nowhere(latitude_deg: float, longitude_deg: float) -> str:
    """What receivers write before they have a fix."""
    return "its position is 0, 0: no position" if latitude_deg == 0.0 and longitude_deg == 0.0 else ""


def _measured_fault(values: Mapping[str, Any]) -> str:
    for name, sigma, source in MEASURED:
        if values[name] is None:
            continue
        if not within(values[sigma], SIGMA):
            return _said(sigma, values[sigma], SIGMA)
        if not isinstance(values[source], str | None):
            return f"{source} is no text"
    return ""


def _attitude_fault(values: Mapping[str, Any]) -> str:
    parts = [values[f"attitude_{axis}"] for axis in "wxyz"]
    if all(part is None for part in parts):
        return ""
    if any(part is None for part in parts):
        return "its attitude is known only in part"
    norm = math.sqrt(sum(part * part for part in parts))
    return "" if within(norm, NORM) else f"its attitude is no rotation (a quaternion of length {norm:g})"


def _covariance_fault(values: Mapping[str, Any]) -> str:
    north, east = values["variance_north_m2"], values["variance_east_m2"]
    cross = abs(values["covariance_north_east_m2"])
    if cross > 1e-9 and cross > math.sqrt(north) * math.sqrt(east) * 1.001:
        return "its covariance is none: north and east vary together more than each alone"
    return ""
