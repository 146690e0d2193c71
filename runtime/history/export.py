"""Keyframes as GeoJSON, KML and GPX, for maps and ground stations."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from runtime.values import GeoPoint, Keyframe

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_YEAR_2000_NS = 946_684_800 * 10**9  # an earlier stamp counts from a boot, not from 1970


def as_geojson(keyframes: Sequence[Keyframe], name: str) -> str:
    """A FeatureCollection (RFC 7946): a point on the ground for each keyframe, a line for each flight."""
    features = [_feature({"type": "Point", "coordinates": _lon_lat(one.ground)}, _properties(one)) for one in keyframes]
    for flight, positions in tracks(keyframes):
        if len(positions) > 1:
            line = {"type": "LineString", "coordinates": [_lon_lat(at) for at in positions]}
            features.append(_feature(line, {"flight": flight}))
    return json.dumps({"type": "FeatureCollection", "name": name, "features": features})


def as_kml(keyframes: Sequence[Keyframe], name: str) -> str:
    """A document with a folder for each flight: its track and its keyframes."""
    import simplekml

    document = simplekml.Kml(name=_legible(name))
    for flight, positions in tracks(keyframes):
        folder = document.newfolder(name=_legible(flight))
        folder.newlinestring(name="track", coords=[_lon_lat(at) for at in positions])
        for one in keyframes:
            if one.flight == flight:
                point = folder.newpoint(name=_legible(one.name) or str(one.keyframe_id), coords=[_lon_lat(one.ground)])
                point.description = f"keyframe {one.keyframe_id}, {one.view.value}, {one.footprint_m:.0f} m"
    return str(document.kml())


def as_gpx(keyframes: Sequence[Keyframe], name: str) -> str:
    """A track for each flight where the aircraft was, and a waypoint for each keyframe's ground."""
    import gpxpy.gpx

    document = gpxpy.gpx.GPX()
    document.name = _legible(name)
    for one in keyframes:
        point = gpxpy.gpx.GPXWaypoint(one.ground.latitude_deg, one.ground.longitude_deg)
        point.name = _legible(one.name) or str(one.keyframe_id)
        document.waypoints.append(point)
    for flight in _flights(keyframes):
        track, segment = gpxpy.gpx.GPXTrack(name=_legible(flight)), gpxpy.gpx.GPXTrackSegment()
        segment.points = [_track_point(one) for one in keyframes if one.flight == flight and one.track_point]
        track.segments.append(segment)
        document.tracks.append(track)
    return str(document.to_xml())


def _legible(name: str) -> str:
    """A name without the characters that XML has no way to write (XML 1.0, section 2.2)."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", name)


def tracks(keyframes: Sequence[Keyframe]) -> list[tuple[str, list[GeoPoint]]]:
    """The aircraft's positions by flight, or the ground's where there is no aircraft (tiles of a map)."""
    return [
        (flight, [one.track_point or one.ground for one in keyframes if one.flight == flight])
        for flight in _flights(keyframes)
    ]


def _flights(keyframes: Sequence[Keyframe]) -> list[str]:
    return list(dict.fromkeys(one.flight for one in keyframes))


def _track_point(keyframe: Keyframe) -> Any:
    import gpxpy.gpx

    pose, at = keyframe.pose, keyframe.track_point
    assert at is not None  # the caller asks only for keyframes with one
    elevation = None if pose.altitude_amsl_m is None else pose.altitude_amsl_m.value
    time = None
    if pose.t_ns is not None and pose.t_ns > _YEAR_2000_NS:
        time = datetime.fromtimestamp(pose.t_ns / 1e9, timezone.utc)
    return gpxpy.gpx.GPXTrackPoint(at.latitude_deg, at.longitude_deg, elevation=elevation, time=time)


def _feature(geometry: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _properties(keyframe: Keyframe) -> dict[str, Any]:
    return {
        "keyframe": keyframe.keyframe_id,
        "flight": keyframe.flight,
        "view": keyframe.view.value,
        "name": keyframe.name,
        "footprint_m": keyframe.footprint_m,
    }


def _lon_lat(point: GeoPoint) -> tuple[float, float]:
    return point.longitude_deg, point.latitude_deg
