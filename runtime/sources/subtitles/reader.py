"""A subtitle file as a track and the focal lengths of its camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from scipy.spatial.transform import Rotation

from runtime.errors import TelemetryError
from runtime.sources.accuracy import GPS_SIGMA_M
from runtime.sources.excursions import excursions
from runtime.sources.subtitles.focal import FocalTrack, focal_track
from runtime.sources.subtitles.order import Order, order_of, refuse_radians
from runtime.sources.subtitles.said import Said, said_of
from runtime.sources.subtitles.text import read_subtitles
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.values import GeoPoint, PositionSource

_METRES_PER_DEGREE = 111_320.0
_WRITTEN_M = 2.0  # steps of positions that are worth a note: as large as what the receiver is wrong by
_LEVEL_FROM_MOUNT = Rotation.from_euler("Y", math.pi / 2)


def read_srt(path: Path, asked: Order | None = None) -> tuple[Track, FocalTrack, list[str]]:
    """The track over the video's own time, the camera's focal lengths, and sentences for people on what was found.

    Args:
        asked: which number of ``GPS(..., ...)`` is the latitude, where the user says it.

    Raises:
        TelemetryError: it is no subtitle file, carries no times or no positions, or does not tell latitude from
            longitude.
    """
    said = [said_of(subtitle.t_s, subtitle.text) for subtitle in read_subtitles(path)]
    refuse_radians(said, path)
    points = _points(said, path, asked)
    if not any(points):
        raise TelemetryError(f"{path}: its subtitles carry no positions that can be read; is it the camera's own .SRT?")
    step_m = _step_m(said)
    sigma_m = math.hypot(GPS_SIGMA_M, step_m / math.sqrt(12.0))  # evenly spread over a step
    places = [
        PlaceSample(one.t_s, point, one.altitude_amsl_m, one.height_takeoff_m, sigma_m=sigma_m)
        for one, point in zip(said, points, strict=True)
        if point is not None
    ]
    places.sort(key=lambda place: place.t_s)
    away = excursions([(place.t_s, place.position) for place in places], step_m)
    places = [place for k, place in enumerate(places) if k not in away]
    track = Track(places, _turns(said), path.name, "srt", PositionSource.TAG, stabilised=True)
    focal = focal_track(said)
    notes = _notes(path, said, step_m, focal, asked)
    if away:
        notes.append(f"{path.name}: {len(away)} of its positions leapt away and back; they are left out.")
    return track, focal, notes


def _points(said: Sequence[Said], path: Path, asked: Order | None) -> list[GeoPoint | None]:
    paired = [one for one in said if one.pair is not None and (one.pair.first or one.pair.second)]
    latitude_first = bool(paired) and order_of(paired, path, asked) is Order.LATITUDE_FIRST
    points = []
    for one in said:
        degrees = one.named_deg
        if one.pair is not None:
            degrees = (one.pair.first, one.pair.second)
            degrees = degrees if latitude_first else degrees[::-1]
        points.append(None if degrees is None else _point(*degrees))
    return points


def _point(latitude: float, longitude: float) -> GeoPoint | None:
    if abs(latitude) > 90.0 or abs(longitude) > 180.0 or (latitude == 0.0 and longitude == 0.0):
        return None  # zeros: written before there is a fix
    return GeoPoint(latitude, longitude)


def _step_m(said: Sequence[Said]) -> float:
    """Metres of the last digit that positions are written with, anywhere in the file."""
    decimals = max((one.decimals for one in said if one.named_deg or one.pair), default=0)
    return float(10.0 ** -min(decimals, 15) * _METRES_PER_DEGREE)


def _turns(said: Sequence[Said]) -> list[TurnSample]:
    """Attitudes of the level frame in which a camera mounted at -90 deg has the gimbal's yaw, pitch and roll."""
    gimbals = [(one.t_s, one.gimbal_deg) for one in said if one.gimbal_deg is not None]
    if not gimbals:
        return []
    turned = Rotation.from_euler("ZYX", [angles for _, angles in gimbals], degrees=True) * _LEVEL_FROM_MOUNT
    rows = zip(gimbals, turned.as_quat().tolist(), strict=True)
    return [TurnSample(t_s, (w, x, y, z)) for (t_s, _), (x, y, z, w) in rows]


def _notes(path: Path, said: Sequence[Said], step_m: float, focal: FocalTrack, asked: Order | None) -> list[str]:
    notes = []
    if step_m > _WRITTEN_M:
        notes.append(f"{path.name}: its positions are written in steps of {step_m:.0f} m, which their sigma counts in.")
    by_home = [one for one in said if one.pair is not None and one.home and not one.one_line and "." in one.pair.third]
    if by_home and asked is None and all(abs(one.pair.first) <= 90.0 for one in by_home if one.pair is not None):
        notes.append(
            f"{path.name}: longitude is taken to come first in its GPS(...), as in all DJI subtitles with a HOME(...); "
            "--gps-order lat-lon says otherwise."
        )
    if focal.changes:
        notes.append(f"{path.name}: the lens was zoomed; frames count with the zoom they were taken at.")
    return notes
