"""A mark in a raster is where its coordinates say, wherever on the Earth and however it is laid; or one sentence."""

from __future__ import annotations

import math
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

rasterio = pytest.importorskip("rasterio")
from rasterio import Affine  # noqa: E402
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.crs import CRS  # noqa: E402
from rasterio.rpc import RPC  # noqa: E402
from rasterio.warp import transform  # noqa: E402

from runtime.errors import GeoreferenceError  # noqa: E402
from runtime.geodesy import north_east_m  # noqa: E402
from runtime.sources.raster.north_up import open_raster  # noqa: E402
from runtime.sources.raster.place import UnplacedError  # noqa: E402
from runtime.values import GeoPoint  # noqa: E402
from tests.runtime.sources.raster.writing import write  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rasterio itself

ROWS, COLUMNS, MARK = 100, 140, (30, 100)  # the mark's row and column
LOCAL = 'LOCAL_CS["Site grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
MOON = "+proj=eqc +lat_ts=0 +lon_0=0 +R=1737400 +units=m +no_defs"
OWN = "+proj=aeqd +lat_0=47 +lon_0=8 +datum=WGS84"
MARS = "+proj=eqc +lat_ts=0 +lon_0=0 +a=3396190 +b=3376200 +units=m +no_defs"


def marked() -> np.ndarray:
    image = np.full((3, ROWS, COLUMNS), 60, np.uint8)
    image[:, MARK[0] - 3 : MARK[0] + 4, MARK[1] - 3 : MARK[1] + 4] = 250
    return image


def about(crs: str, latitude: float, longitude: float, a: float, b: float, d: float, e: float) -> Affine:
    """The transform of a raster whose middle lies there."""
    (x,), (y,) = transform(CRS.from_epsg(4326), CRS.from_string(crs), [longitude], [latitude])
    return Affine(a, b, x - a * COLUMNS / 2 - b * ROWS / 2, d, e, y - d * COLUMNS / 2 - e * ROWS / 2)


def found(path: Path) -> tuple[GeoPoint, tuple[float, float]]:
    """The raster's middle, and (north, east) metres from there to the mark in the picture."""
    with open_raster(path) as raster:
        picture = raster.read()
        light = np.where(picture.seen, np.clip(picture.image[..., 0].astype(float) - 70.0, 0.0, None), 0.0)
        assert light.sum() > 2000.0
        row, column = (np.average(at, weights=light) + 0.5 for at in np.indices(light.shape))
        north = (raster.size_px[0] / 2 - row) * raster.gsd_m
        return raster.middle, (float(north), float((column - raster.size_px[1] / 2) * raster.gsd_m))


def true_mark(crs: str, affine: Affine) -> GeoPoint:
    x = affine.a * (MARK[1] + 0.5) + affine.b * (MARK[0] + 0.5) + affine.c
    y = affine.d * (MARK[1] + 0.5) + affine.e * (MARK[0] + 0.5) + affine.f
    (longitude,), (latitude,) = transform(CRS.from_string(crs), CRS.from_epsg(4326), [x], [y])
    return GeoPoint(latitude, longitude)


TURN = (math.cos(math.radians(30)), math.sin(math.radians(30)))
PLACES: dict[str, tuple[str, float, float, float, float, float, float]] = {
    "utm off its middle": ("EPSG:32633", 60.0, 17.0, 0.5, 0.0, 0.0, -0.5),
    "south up": ("EPSG:32633", 60.0, 17.0, 0.5, 0.0, 0.0, 0.5),
    "mirrored": ("EPSG:32633", 60.0, 17.0, -0.5, 0.0, 0.0, -0.5),
    "turned": ("EPSG:32633", 60.0, 17.0, 0.5 * TURN[0], 0.5 * TURN[1], 0.5 * TURN[1], -0.5 * TURN[0]),
    "pixels that are not square": ("EPSG:32633", 60.0, 17.0, 0.5, 0.0, 0.0, -1.1),
    "degrees": ("EPSG:4326", 60.0, 17.0, 5e-6, 0.0, 0.0, -5e-6),
    "web mercator": ("EPSG:3857", 60.0, 17.0, 1.0, 0.0, 0.0, -1.0),
    "US survey feet": ("EPSG:2263", 40.7, -74.0, 2.0, 0.0, 0.0, -2.0),
    "across 180 degrees in degrees": ("EPSG:4326", -17.0, 180.0, 5e-6, 0.0, 0.0, -5e-6),
    "across 180 degrees in UTM": ("EPSG:32760", -17.0, 179.9999, 0.5, 0.0, 0.0, -0.5),
    "across 180 degrees in web mercator": ("EPSG:3857", -17.0, 179.9999, 0.5, 0.0, 0.0, -0.5),
    "Antarctica": ("EPSG:3031", -89.999, 40.0, 0.5, 0.0, 0.0, -0.5),
    "Svalbard in degrees": ("EPSG:4326", 82.0, 17.0, 3e-5, 0.0, 0.0, -4e-6),
    "Arctic": ("EPSG:3413", 84.0, -120.0, 0.5, 0.0, 0.0, -0.5),
    "south of the equator on another datum": ("EPSG:28356", -33.9, 151.2, 0.5, 0.0, 0.0, -0.5),
    "about 0, 0 of a system of one's own": (OWN, 47.0, 8.0, 0.5, 0.0, 0.0, -0.5),
    "one that carries heights too": ("EPSG:32633+5773", 60.0, 17.0, 0.5, 0.0, 0.0, -0.5),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_mark_is_where_its_coordinates_say(name: str, tmp_path: Path) -> None:
    crs, latitude, longitude, *steps = PLACES[name]
    affine = about(crs, latitude, longitude, *steps)
    middle, seen = found(write(tmp_path / "map.tif", marked(), crs=crs, affine=affine))
    assert -180 <= middle.longitude_deg < 180 and abs(middle.latitude_deg - latitude) < 1e-4
    assert seen == pytest.approx(north_east_m(middle, true_mark(crs, affine)), abs=0.15)


def test_a_pixel_may_be_a_point(tmp_path: Path) -> None:
    """PixelIsPoint: the tie point is the first pixel's middle, and GDAL moves it by half a pixel."""
    affine = about("EPSG:32633", 60.0, 17.0, 0.5, 0.0, 0.0, -0.5)
    path = write(tmp_path / "area.tif", marked(), crs="EPSG:32633", affine=affine)
    area, point = (struct.pack("<4H", 1025, 0, 1, kind) for kind in (1, 2))  # GTRasterTypeGeoKey
    assert path.read_bytes().count(area) == 1
    path.write_bytes(path.read_bytes().replace(area, point))
    with rasterio.open(path) as file:
        moved = file.transform
    assert (affine.c - moved.c, moved.f - affine.f) == pytest.approx((0.25, 0.25), abs=1e-6)
    middle, seen = found(path)
    assert seen == pytest.approx(north_east_m(middle, true_mark("EPSG:32633", moved)), abs=0.1)


def test_a_picture_with_a_world_file_says_its_system_in_a_prj(tmp_path: Path) -> None:
    affine = about("EPSG:32633", 60.0, 17.0, 0.5, 0.0, 0.0, -0.5)
    for name, ending in (("map.png", "pgw"), ("map.jpg", "jgw"), ("map.jpeg", "wld"), ("map.bmp", "bpw")):
        path = tmp_path / name
        Image.fromarray(np.moveaxis(marked(), 0, 2)).save(path)
        x, y = affine.c + 0.25, affine.f - 0.25  # the middle of the first pixel
        path.with_suffix(f".{ending}").write_text(f"0.5\n0\n0\n-0.5\n{x}\n{y}\n")
        with pytest.raises(GeoreferenceError, match=r"in no coordinate system.*\.prj"):
            found(path)
        path.with_suffix(".prj").write_text(CRS.from_epsg(32633).to_wkt())
        middle, seen = found(path)
        assert seen == pytest.approx(north_east_m(middle, true_mark("EPSG:32633", affine)), abs=0.15)
        path.with_suffix(".prj").unlink()


def control_points(affine: Affine, bend: float = 0.0) -> list[GroundControlPoint]:
    points = []
    for row in (0.0, 50.0, 100.0):
        for column in (0.0, 70.0, 140.0):
            x, y = affine.a * column + affine.b * row + affine.c, affine.d * column + affine.e * row + affine.f
            bent = bend * (column / 140.0) ** 2
            points.append(GroundControlPoint(row=row, col=column, x=x + bent, y=y))
    return points


@pytest.mark.parametrize(("crs", "longitude"), [("EPSG:32633", 17.0), ("EPSG:4326", 180.0)])
def test_ground_control_points_place_a_raster_as_a_transform_does(tmp_path: Path, crs: str, longitude: float) -> None:
    step = 0.5 if crs != "EPSG:4326" else 5e-6
    affine = about(crs, 60.0, longitude, step * TURN[0], step * TURN[1], step * TURN[1], -step * TURN[0])
    points = control_points(affine)
    if crs == "EPSG:4326":
        points = [GroundControlPoint(row=p.row, col=p.col, x=(p.x + 180) % 360 - 180, y=p.y) for p in points]
    path = write(tmp_path / "a.tif", marked(), crs=crs, affine=Affine.identity(), gcps=points)
    middle, seen = found(path)
    assert seen == pytest.approx(north_east_m(middle, true_mark(crs, affine)), abs=0.15)


def refused(path: Path, kind: type[GeoreferenceError] = GeoreferenceError) -> str:
    with pytest.raises(kind) as error, open_raster(path):
        pass
    text = str(error.value)
    assert text.startswith(f"{path}: ") and text.endswith(".") and "\n" not in text
    return text


def test_control_points_that_do_not_lie_flat_are_refused(tmp_path: Path) -> None:
    affine = about("EPSG:32633", 60.0, 17.0, 0.5, 0.0, 0.0, -0.5)

    def with_points(name: str, points: list[GroundControlPoint]) -> Path:
        return write(tmp_path / name, marked(), crs="EPSG:32633", affine=Affine.identity(), gcps=points)

    assert "miss a plane" in refused(with_points("bent.tif", control_points(affine, bend=30.0)))
    assert "on one line" in refused(with_points("line.tif", control_points(affine)[:3]))
    assert "2 ground control points" in refused(with_points("two.tif", control_points(affine)[:2]))


def test_rational_polynomials_are_refused_with_the_way_out(tmp_path: Path) -> None:
    rpc = RPC(
        height_off=300.0, height_scale=500.0, lat_off=60.0, lat_scale=0.1, long_off=17.0, long_scale=0.1, line_off=50.0,
        line_scale=50.0, samp_off=70.0, samp_scale=70.0, line_num_coeff=[0.0, 0.0, -1.0] + [0.0] * 17,
        line_den_coeff=[1.0] + [0.0] * 19, samp_num_coeff=[0.0, 1.0] + [0.0] * 18, samp_den_coeff=[1.0] + [0.0] * 19,
        err_bias=None, err_rand=None,
    )  # fmt: skip
    path = write(tmp_path / "rpc.tif", marked(), crs=None, affine=Affine.identity(), rpcs=rpc)
    assert "gdalwarp -rpc" in refused(path)


@pytest.mark.parametrize(
    ("crs", "affine", "why"),
    [
        (LOCAL, Affine(0.5, 0, 100, 0, -0.5, 200), 'cannot be placed on the Earth ("Site grid")'),
        (MOON, Affine(0.5, 0, 1000, 0, -0.5, 2000), "cannot be placed on the Earth"),
        (MARS, Affine(0.5, 0, 1000, 0, -0.5, 2000), "cannot be placed on the Earth"),
        ("EPSG:32633", Affine(0.5, 0, 9e9, 0, -0.5, 9e12), "cannot be placed on the Earth"),
        ("EPSG:4326", Affine(5e-6, 0, 17, 0, -5e-6, 95), "cannot be placed on the Earth"),
        ("EPSG:32633", Affine(0.5, 0.5, 5e5, 0.5, 0.5, 6.6e6), "no size on the ground"),
        ("EPSG:32633", Affine(math.nan, 0, 5e5, 0, -0.5, 6.6e6), "no size on the ground"),
        ("EPSG:4326", Affine(360 / COLUMNS, 0, -180, 0, -180 / ROWS, 90), "finer map"),
        (None, Affine(0.5, 0, 100, 0, -0.5, 200), "in no coordinate system"),
        ("EPSG:32633", Affine(5e-6, 0, 17, 0, -5e-6, 60), "which look like degrees"),
        ("EPSG:32633", Affine(0.5, 0, 0, 0, -0.5, 0), "as coordinates of a local site do"),
        ("EPSG:25832", Affine(0.05, 0, 412, 0, -0.05, 230), "as coordinates of a local site do"),
    ],
)
def test_what_nobody_can_place_is_refused(tmp_path: Path, crs: Any, affine: Affine, why: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write(tmp_path / "a.tif", marked(), crs=None if crs is None else CRS.from_string(crs), affine=affine)
    assert why in refused(path)


def test_a_picture_that_says_nothing_is_told_apart(tmp_path: Path) -> None:
    for crs in (None, "EPSG:32633"):
        path = write(tmp_path / "plain.tif", marked(), crs=crs, affine=Affine.identity())
        assert "carries no georeference" in refused(path, UnplacedError)
