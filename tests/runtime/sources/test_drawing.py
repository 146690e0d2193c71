"""Areas and points as QGroundControl, Google Earth and GIS programs write them."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
import simplekml
from shapely import Polygon
from shapely.geometry import mapping

from runtime.errors import DrawingError
from runtime.geodesy import distance_m, north_east_m
from runtime.sources.drawing import Drawing, is_drawing, read_drawing, the_point
from runtime.values import GeoPoint

CENTRE = GeoPoint(60.45, 22.26)
SQUARE = [(60.449, 22.258), (60.451, 22.258), (60.451, 22.262), (60.449, 22.262)]
HOLE = [(60.4495, 22.2590), (60.4500, 22.2590), (60.4500, 22.2600)]


def corners(ring: tuple[GeoPoint, ...]) -> list[tuple[float, float]]:
    return [(point.latitude_deg, point.longitude_deg) for point in ring]


def plan(**fence: Any) -> dict[str, Any]:
    """As QGroundControl 4 writes it."""
    item = {"type": "SimpleItem", "doJumpId": 1, "frame": 3}
    items = [
        {**item, "command": 22, "params": [15, 0, 0, None, 0, 0, 60]},  # a take-off where it stands
        {**item, "doJumpId": 2, "command": 16, "params": [0, 0, 0, None, 60.4502, 22.2604, 60]},
        {**item, "doJumpId": 3, "command": 178, "params": [1, 5, -1, 0, 0, 0, 0]},  # a speed
    ]
    return {
        "fileType": "Plan", "version": 1, "groundStation": "QGroundControl",
        "geoFence": {"version": 2, "circles": [], "polygons": [], **fence},
        "mission": {"version": 2, "items": items, "plannedHomePosition": [60.45, 22.26, 20]},
        "rallyPoints": {"version": 2, "points": []},
    }  # fmt: skip


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_plans_fence_and_its_waypoint(tmp_path: Path) -> None:
    polygons = [
        {"version": 1, "inclusion": True, "polygon": [list(corner) for corner in SQUARE]},
        {"version": 1, "inclusion": False, "polygon": [list(corner) for corner in HOLE]},
    ]
    path = write(tmp_path / "area.plan", plan(polygons=polygons))
    drawing = read_drawing(path)
    assert [corners(ring) for ring in drawing.inclusions] == [SQUARE]
    assert [corners(ring) for ring in drawing.exclusions] == [HOLE]
    assert the_point(path) == ("item 2", GeoPoint(60.4502, 22.2604))


@pytest.mark.parametrize("inclusion", [True, False])
def test_a_circle_errs_to_the_safe_side(tmp_path: Path, inclusion: bool) -> None:
    circle = {"version": 1, "inclusion": inclusion, "circle": {"center": [60.45, 22.26], "radius": 500.0}}
    drawing = read_drawing(write(tmp_path / "area.plan", plan(circles=[circle])))
    (ring,) = drawing.inclusions if inclusion else drawing.exclusions
    outline = Polygon([north_east_m(CENTRE, corner) for corner in ring])
    reaches_m = [distance_m(CENTRE, corner) for corner in ring]
    error = abs(outline.area / (math.pi * 500.0**2) - 1)
    assert error < 0.005
    if inclusion:
        assert max(reaches_m) < 500.01
    else:
        assert outline.exterior.distance(Polygon([(0, 0), (0, 1e-6), (1e-6, 0)])) > 499.98


def test_kml_and_kmz_with_a_hole_and_a_name(tmp_path: Path) -> None:
    kml = simplekml.Kml()
    outline = [(lon, lat) for lat, lon in SQUARE]
    hole = [(lon, lat) for lat, lon in HOLE]
    folder = kml.newfolder(name="flight")
    folder.newpolygon(name="area", outerboundaryis=[*outline, outline[0]], innerboundaryis=[*hole, hole[0]])
    folder.newpoint(name="well", coords=[(22.2604, 60.4502, 12.0)])
    kml.save(str(tmp_path / "area.kml"))
    kml.savekmz(str(tmp_path / "area.kmz"))
    for name in ("area.kml", "area.kmz"):
        drawing = read_drawing(tmp_path / name)
        assert [corners(ring) for ring in drawing.inclusions] == [SQUARE]
        assert [corners(ring) for ring in drawing.exclusions] == [HOLE]
        assert drawing.points == (("well", GeoPoint(60.4502, 22.2604)),)


def test_geojson_of_features_and_of_a_bare_geometry(tmp_path: Path) -> None:
    area = mapping(Polygon([(lon, lat) for lat, lon in SQUARE], [[(lon, lat) for lat, lon in HOLE]]))
    features = [
        {"type": "Feature", "properties": {"name": "area"}, "geometry": area},
        {"type": "Feature", "properties": None, "geometry": {"type": "Point", "coordinates": [22.2604, 60.4502]}},
        {"type": "Feature", "properties": {}, "geometry": None},
    ]
    whole = read_drawing(write(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": features}))
    bare = read_drawing(write(tmp_path / "b.json", area))
    assert [corners(ring) for ring in whole.inclusions] == [corners(ring) for ring in bare.inclusions] == [SQUARE]
    assert len(whole.exclusions) == len(bare.exclusions) == 1
    assert whole.points == (("", GeoPoint(60.4502, 22.2604)),) and bare.points == ()


BOMB = '<!DOCTYPE k [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><kml><Point><coordinates>&b;</coordinates></Point></kml>'


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("area.shp", "", "is none of .plan"),
        ("area.plan", "{", "is damaged"),
        ("area.plan", '{"fileType": "Mission"}', "is not a plan of QGroundControl"),
        ("area.plan", "[]", "cannot be understood"),
        ("area.plan", plan(polygons=[{"inclusion": True, "polygon": [[91.0, 0.0]]}]), "91, 0 is no latitude"),
        ("area.plan", plan(circles=[{"inclusion": True, "circle": {"center": [0, 0], "radius": -5}}]), "-5 m"),
        ("area.plan", plan(polygons=[{"polygon": []}]), "'inclusion'"),
        ("area.kml", "<kml><Polygon>", "is damaged"),
        ("area.kml", BOMB, "is damaged"),
        ("area.kml", "<k><Placemark><Point><coordinates>x</coordinates></Point></Placemark></k>", "understood"),
        ("area.kmz", "PK", "is damaged"),
        ("area.geojson", {"type": "FeatureCollection"}, "'features'"),
        ("area.geojson", {"type": "Point", "coordinates": [200.0, 0.0]}, "0, 200 is no latitude"),
        ("area.geojson", {"type": "Sphere"}, "cannot be understood"),
    ],
)
def test_what_is_no_drawing_is_told_in_a_sentence(tmp_path: Path, name: str, content: Any, said: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DrawingError) as refused:
        read_drawing(path)
    assert said in str(refused.value) and str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DrawingError, match="cannot be read: No such file"):
        read_drawing(tmp_path / "area.kml")


def test_what_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "area.kmz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", b" " * 17_000_000)
    with pytest.raises(DrawingError, match="no KML file of a usable size"):
        read_drawing(tmp_path / "area.kmz")


def test_a_target_is_one_point(tmp_path: Path) -> None:
    two = {"type": "MultiPoint", "coordinates": [[22.0, 60.0], [22.1, 60.0]]}
    with pytest.raises(DrawingError, match="holds 2 points"):
        the_point(write(tmp_path / "two.geojson", two))
    with pytest.raises(DrawingError, match="holds no point"):
        the_point(write(tmp_path / "none.geojson", {"type": "FeatureCollection", "features": []}))
    assert read_drawing(tmp_path / "none.geojson") == Drawing()
    assert is_drawing(Path("A.KML")) and not is_drawing(Path("target.tif"))
