"""DJI's .SRT: subtitles that carry a camera's telemetry, in the dialects of several generations.

- bracketed keys (Mavic 2 and later): ``[latitude: 46.84] [longtitude: -91.99] [rel_alt: 39.8 abs_alt: 198.3]
  [gb_yaw: 45.0 gb_pitch: -89.9 gb_roll: 0.0] [focal_len: 24.00]``
- one line (Phantom 4, Mavic Air): ``F/2.8, ..., GPS (-91.99, 46.84, 15), D 12.1m, H 39.8m, ...``, some with
  ``F.PRY (1.0, -3.7, -59.0), G.PRY (-89.9, 0.0, 45.0)``
- two lines (Mavic Pro, Spark): ``GPS(-91.99,46.84,15) BAROMETER:39.8``
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from pathlib import Path

import srt
from scipy.spatial.transform import Rotation

from runtime.errors import TelemetryError
from runtime.rotations import quaternion
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.values import GeoPoint, PositionSource

_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
_PAIR = re.compile(rf"([A-Za-z_]+)\s*:\s*{_NUMBER}(?![\d.]*/)")
_GPS = re.compile(rf"\bGPS\s*\(\s*{_NUMBER}\s*,\s*{_NUMBER}\s*(?:,[^)]*)?\)")  # longitude first
_HEIGHT = re.compile(rf"\bH\s+{_NUMBER}\s*m\b")
_GIMBAL = re.compile(rf"\bG\.PRY\s*\(\s*{_NUMBER}[^,]*,\s*{_NUMBER}[^,]*,\s*{_NUMBER}")
_TAG = re.compile(r"<[^>]*>")
_FOCAL_TENTHS = 100.0  # early firmware writes the 35 mm equivalent in tenths: nobody flies a 100 mm lens down


def read_srt(path: Path) -> tuple[Track, float | None]:
    """The track over the video's own time, and the 35 mm equivalent focal length where it is written.

    Raises:
        TelemetryError: it is no subtitle file, or carries no positions.
    """
    try:
        subtitles = list(srt.parse(path.read_text(encoding="utf-8-sig", errors="replace"), ignore_errors=True))
    except (srt.SRTParseError, ValueError) as error:
        raise TelemetryError(f"{path}: not a subtitle file ({error}).") from None
    places: list[PlaceSample] = []
    turns: list[TurnSample] = []
    focal: float | None = None
    for subtitle in subtitles:
        text = _TAG.sub(" ", subtitle.content)
        fields = {key.lower(): float(value) for key, value in _PAIR.findall(text)}
        t_s = subtitle.start / timedelta(seconds=1)
        position = _position(text, fields)
        if position is not None:
            places.append(
                PlaceSample(t_s, position, fields.get("abs_alt", fields.get("altitude")), _height(text, fields))
            )
        gimbal = _gimbal(text, fields)
        if gimbal is not None:
            turns.append(TurnSample(t_s, gimbal))
        focal = focal or fields.get("focal_len")
    if not places:
        raise TelemetryError(f"{path}: its subtitles carry no positions; is it the camera's own .SRT?")
    if focal is not None and focal >= _FOCAL_TENTHS:
        focal /= 10.0
    return Track(places, turns, path.name, "srt", PositionSource.TAG, stabilised=True), focal


def _position(text: str, fields: dict[str, float]) -> GeoPoint | None:
    latitude = fields.get("latitude")
    longitude = fields.get("longitude", fields.get("longtitude"))  # with a t too many on the Mavic 2
    if latitude is None or longitude is None:
        match = _GPS.search(text)
        if match is None:
            return None
        longitude, latitude = float(match[1]), float(match[2])
        if abs(latitude) > 90.0 >= abs(longitude):
            longitude, latitude = latitude, longitude
    if abs(latitude) > 90 or abs(longitude) > 180 or (latitude == 0.0 and longitude == 0.0):
        return None
    return GeoPoint(latitude, longitude)


def _height(text: str, fields: dict[str, float]) -> float | None:
    for key in ("rel_alt", "barometer"):
        if key in fields:
            return fields[key]
    match = _HEIGHT.search(text)
    return float(match[1]) if match else None


def _gimbal(text: str, fields: dict[str, float]) -> tuple[float, float, float, float] | None:
    """Attitude of the level frame in which a camera mounted at -90 deg has the gimbal's attitude."""
    if "gb_yaw" in fields and "gb_pitch" in fields:
        yaw, pitch, roll = fields["gb_yaw"], fields["gb_pitch"], fields.get("gb_roll", 0.0)
    elif match := _GIMBAL.search(text):
        pitch, roll, yaw = float(match[1]), float(match[2]), float(match[3])
    else:
        return None
    if yaw == pitch == roll == 0.0:  # written by cameras that do not know
        return None
    return quaternion(Rotation.from_euler("ZYX", [yaw, pitch, roll], degrees=True) * _LEVEL_FROM_MOUNT)


_LEVEL_FROM_MOUNT = Rotation.from_euler("Y", math.pi / 2)
