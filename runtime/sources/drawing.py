"""Areas and points that an operator drew elsewhere: QGroundControl's .plan, KML and KMZ, GeoJSON."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from shapely.geometry import shape

from runtime.errors import DrawingError
from runtime.geodesy import offset
from runtime.values import GeoPoint

Ring = tuple[GeoPoint, ...]  # corners in order, the first not repeated at the end

_MAX_BYTES = 16_000_000  # a file, and what a KMZ unpacks to
_CIRCLE_CORNERS = 64
_NAV_COMMANDS = {16, 17, 18, 19, 31, 82}  # MAV_CMD_NAV_* whose parameters 5 and 6 are a place flown to


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a file holds: outlines to stay in, outlines to stay out of, and single points with their names."""

    inclusions: tuple[Ring, ...] = ()
    exclusions: tuple[Ring, ...] = ()
    points: tuple[tuple[str, GeoPoint], ...] = ()


def is_drawing(path: Path) -> bool:
    """Whether a file's name says that it holds a drawing."""
    return path.suffix.lower() in _READERS


def read_drawing(path: Path) -> Drawing:
    """The areas and points of a .plan, .kml, .kmz, .geojson or .json file.

    In a .plan, areas are its geofence, circles drawn as polygons that err to the inside, and points are its waypoints.
    In the others a polygon is an area to stay in and its holes are areas to stay out of.

    Raises:
        DrawingError: it cannot be read, is of another kind, or holds what is no place on earth.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DrawingError(f"{path} is none of {', '.join(_READERS)}; export it as one of them.")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DrawingError(f"{path} is larger than {_MAX_BYTES // 1_000_000} MB, too much for an area.")
        return reader(path)
    except OSError as error:
        raise DrawingError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, ParseError, DefusedXmlException, json.JSONDecodeError, UnicodeDecodeError):
        raise DrawingError(f"{path} is damaged, or not the kind of file that its name says.") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        raise DrawingError(f"{path} holds an area or a point that cannot be understood ({error}).") from None


def the_point(path: Path) -> tuple[str, GeoPoint]:
    """The name and place of the only point in a file.

    Raises:
        DrawingError: it cannot be read, or holds none or several.
    """
    points = read_drawing(path).points
    if len(points) != 1:
        names = ", ".join(name or "unnamed" for name, _ in points[:5])
        held = f"{len(points)} points ({names})" if points else "no point"
        raise DrawingError(f"{path} holds {held}; a target is one point: leave that one alone in the file.")
    return points[0]


# QGroundControl


def _plan(path: Path) -> Drawing:
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("fileType") != "Plan":
        raise DrawingError(f"{path} is not a plan of QGroundControl: it lacks \"fileType\": \"Plan\".")
    rings: dict[bool, list[Ring]] = {True: [], False: []}
    fence = document.get("geoFence", {})
    for polygon in fence.get("polygons", []):
        rings[bool(polygon["inclusion"])].append(tuple(_point(*corner[:2]) for corner in polygon["polygon"]))
    for circle in fence.get("circles", []):
        inclusion = bool(circle["inclusion"])
        rings[inclusion].append(_circle(_point(*circle["circle"]["center"][:2]), circle["circle"]["radius"], inclusion))
    points = tuple(_waypoints(document.get("mission", {}).get("items", [])))
    return Drawing(tuple(rings[True]), tuple(rings[False]), points)


def _waypoints(items: list[dict[str, Any]]) -> Iterator[tuple[str, GeoPoint]]:
    for item in items:
        if item.get("type") == "SimpleItem" and item["command"] in _NAV_COMMANDS:
            latitude, longitude = item["params"][4:6]
            yield f"item {item.get('doJumpId', '?')}", _point(latitude, longitude)


def _circle(centre: GeoPoint, radius_m: float, inclusion: bool) -> Ring:
    """Corners on the circle for an area to stay in, sides on it for one to stay out of."""
    if not 0.0 < radius_m < 1e6:
        raise ValueError(f"a circle of {radius_m:g} m")
    reach_m = radius_m if inclusion else radius_m / math.cos(math.pi / _CIRCLE_CORNERS)
    outline = shapely.Point(0, 0).buffer(reach_m, _CIRCLE_CORNERS // 4).exterior.coords[:-1]
    return tuple(offset(centre, north, east) for east, north in outline)


# Google Earth


def _kmz(path: Path) -> Drawing:
    with zipfile.ZipFile(path) as archive:
        inside = next((one for one in archive.infolist() if one.filename.lower().endswith(".kml")), None)
        if inside is None or inside.file_size > _MAX_BYTES:
            raise DrawingError(f"{path} holds no KML file of a usable size.")
        return _of_kml(archive.read(inside))


def _kml(path: Path) -> Drawing:
    return _of_kml(path.read_bytes())


def _of_kml(text: bytes) -> Drawing:
    root = fromstring(text)
    outer = [_ring(ring) for ring in root.iterfind(".//{*}Polygon/{*}outerBoundaryIs/{*}LinearRing/{*}coordinates")]
    inner = [_ring(ring) for ring in root.iterfind(".//{*}Polygon/{*}innerBoundaryIs/{*}LinearRing/{*}coordinates")]
    points = [
        (mark.findtext("{*}name") or "", _lon_lat(place.text)[0])
        for mark in root.iterfind(".//{*}Placemark")
        for place in mark.iterfind(".//{*}Point/{*}coordinates")
    ]
    return Drawing(tuple(outer), tuple(inner), tuple(points))


def _ring(element: Any) -> Ring:
    corners = _lon_lat(element.text)
    return corners[:-1] if len(corners) > 1 and corners[0] == corners[-1] else corners


def _lon_lat(text: str | None) -> Ring:
    """KML's ``longitude,latitude[,altitude]``, separated by white space."""
    return tuple(_point(float(lat), float(lon)) for lon, lat, *_ in (one.split(",") for one in (text or "").split()))


# GeoJSON (RFC 7946)


def _geojson(path: Path) -> Drawing:
    inclusions, exclusions, points = [], [], []
    for name, geometry in _geometries(json.loads(path.read_text(encoding="utf-8"))):
        for part in getattr(geometry, "geoms", [geometry]):
            if part.geom_type == "Polygon":
                inclusions.append(_corners(part.exterior))
                exclusions += [_corners(hole) for hole in part.interiors]
            elif part.geom_type == "Point":
                points.append((name, _point(part.y, part.x)))
    return Drawing(tuple(inclusions), tuple(exclusions), tuple(points))


def _geometries(document: dict[str, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    kind = document.get("type")
    if kind == "FeatureCollection":
        for feature in document["features"]:
            yield from _geometries(feature)
    elif kind == "Feature":
        properties = document.get("properties") or {}
        if document.get("geometry") is not None:
            yield from _geometries(document["geometry"], str(properties.get("name", "")))
    else:
        yield name, shape(document)


def _corners(ring: Any) -> Ring:
    return tuple(_point(corner[1], corner[0]) for corner in ring.coords[:-1])


def _point(latitude_deg: float, longitude_deg: float) -> GeoPoint:
    if not (-90.0 <= latitude_deg <= 90.0 and -180.0 <= longitude_deg <= 180.0):
        raise ValueError(f"{latitude_deg:g}, {longitude_deg:g} is no latitude and longitude")
    return GeoPoint(float(latitude_deg), float(longitude_deg))


_READERS: dict[str, Callable[[Path], Drawing]] = {
    ".plan": _plan, ".kml": _kml, ".kmz": _kmz, ".geojson": _geojson, ".json": _geojson
}  # fmt: skip
