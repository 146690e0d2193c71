"""Targets from pictures and GeoTIFFs; what is no target gets one sentence."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform

from runtime.errors import GeoreferenceError, HomingError, ImageError, UsageError
from runtime.geodesy import distance_m, offset
from runtime.place.target import LARGEST_SIDE_PX, load
from runtime.values import GeoPoint

TURKU = GeoPoint(60.45, 22.27)
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own arithmetic


def picture(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Red to the north, brighter to the east."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, :, 0] = 200
    image[..., 2] = np.linspace(0, 200, width).astype(np.uint8)
    return image


def write_tiff(path: Path, image: NDArray[np.generic], crs: CRS | None, affine: Affine | None) -> Path:
    bands = image.transpose(2, 0, 1) if image.ndim == 3 else image[None]
    profile = {"driver": "GTiff", "height": bands.shape[1], "width": bands.shape[2], "count": len(bands)}
    where = {} if affine is None else {"crs": crs, "transform": affine}
    with rasterio.open(path, "w", dtype=bands.dtype.name, **profile, **where) as file:
        file.write(bands)
    return path


def from_origin(west: float, north: float, x: float, y: float) -> Affine:
    return Affine(x, 0.0, west, 0.0, -y, north)


def utm(point: GeoPoint) -> tuple[CRS, float, float]:
    crs = CRS.from_epsg(32634)
    (east,), (north,) = transform(CRS.from_epsg(4326), crs, [point.longitude_deg], [point.latitude_deg])
    return crs, east, north


def refused(path: Path, gsd_m: float | None = None) -> str:
    with pytest.raises(HomingError) as error:
        load(path, gsd_m)
    assert isinstance(error.value, ImageError)
    text = str(error.value)
    assert str(path) in text and "\n" not in text and text.endswith(".")
    return text


def test_a_plain_picture_has_the_scale_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "target.png"
    cv2.imwrite(str(path), picture()[..., ::-1])
    target = load(path, 0.5)
    np.testing.assert_array_equal(target.image, picture())
    assert (target.gsd_m, target.side_m, target.position) == (0.5, 24.0, None)
    assert load(path).gsd_m is None and load(path).side_m is None


def test_a_grey_or_transparent_or_deep_picture_becomes_rgb(tmp_path: Path) -> None:
    for name, image in (
        ("grey.png", picture()[..., 0]),
        ("alpha.png", np.dstack([picture(), np.full((48, 64), 9, np.uint8)])),
        ("deep.png", picture().astype(np.uint16) * 257),
    ):
        cv2.imwrite(str(tmp_path / name), image)
        assert load(tmp_path / name).image.shape == (48, 64, 3)
        assert load(tmp_path / name).image.dtype == np.uint8


def test_what_is_no_target_is_refused_in_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "letter.png"
    text.write_text("Dear Sir")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    tiny, black, even = tmp_path / "tiny.png", tmp_path / "black.png", tmp_path / "even.png"
    cv2.imwrite(str(tiny), picture(8, 8))
    cv2.imwrite(str(black), np.zeros((64, 64, 3), np.uint8))
    cv2.imwrite(str(even), np.full((64, 64, 3), 90, np.uint8))
    assert "not an image" in refused(text)
    assert "not an image" in refused(empty)
    assert "8 x 8 pixels" in refused(tiny)
    assert "entirely black" in refused(black)
    assert "one colour" in refused(even)
    assert "No such file" in refused(tmp_path / "none.png")
    refused(tmp_path)  # a folder


def test_a_truncated_jpeg_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    _, packed = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8))
    path.write_bytes(packed.tobytes()[: len(packed) // 2])
    assert "truncated" in refused(path)


def test_a_truncated_tiff_is_refused(tmp_path: Path) -> None:
    crs, east, north = utm(TURKU)
    path = write_tiff(tmp_path / "a.tif", picture(), crs, from_origin(east, north, 0.5, 0.5))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path)


@pytest.mark.parametrize("gsd_m", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_must_be_a_positive_number(tmp_path: Path, gsd_m: float) -> None:
    with pytest.raises(UsageError):
        load(tmp_path / "never read.png", gsd_m)


def test_a_geotiff_in_metres_knows_its_place_and_scale(tmp_path: Path) -> None:
    crs, east, north = utm(TURKU)
    path = write_tiff(tmp_path / "utm.tif", picture(480, 640), crs, from_origin(east - 160, north + 120, 0.5, 0.5))
    target = load(path)
    assert target.position is not None and distance_m(target.position, TURKU) < 0.5
    assert target.gsd_m == pytest.approx(0.5, rel=0.02)
    height, width = target.image.shape[:2]
    # The zone's grid is turned by a degree or two here: its corners are cut off, nothing else.
    assert 0.9 * 480 < height <= 490 and 0.9 * 640 < width <= 650
    assert target.image[height // 8, width // 2, 0] > 150 > 50 > target.image[-height // 8, width // 2, 0]


def test_a_geotiff_in_degrees_becomes_square_metres(tmp_path: Path) -> None:
    """At 60 degrees north a degree of longitude is half one of latitude: pixels square in degrees are not in metres."""
    north_west = offset(TURKU, 100.0, -100.0)
    south_east = offset(TURKU, -100.0, 100.0)
    x_deg = (south_east.longitude_deg - north_west.longitude_deg) / 400
    y_deg = (north_west.latitude_deg - south_east.latitude_deg) / 400
    affine = from_origin(north_west.longitude_deg, north_west.latitude_deg, x_deg, y_deg)
    target = load(write_tiff(tmp_path / "wgs.tif", picture(400, 400), CRS.from_epsg(4326), affine))
    assert target.position is not None and distance_m(target.position, TURKU) < 0.5
    height, width = target.image.shape[:2]
    assert target.gsd_m is not None
    assert height * target.gsd_m == pytest.approx(200, rel=0.03)
    assert width * target.gsd_m == pytest.approx(200, rel=0.03)


def test_a_turned_geotiff_is_laid_north_up_without_its_empty_corners(tmp_path: Path) -> None:
    """A raster flown at 30 degrees: its rows run along the flight, its first row is the far end."""
    crs, east, north = utm(TURKU)
    side, gsd, turn = 400, 0.5, math.radians(30)
    cos, sin, half = gsd * math.cos(turn), gsd * math.sin(turn), side / 2
    affine = Affine(cos, sin, east - half * (cos + sin), sin, -cos, north - half * (sin - cos))
    image = np.full((side, side, 3), 90, np.uint8)
    dot_row, dot_col = 120, 260
    cv2.circle(image, (dot_col, dot_row), 12, (255, 255, 255), -1)
    target = load(write_tiff(tmp_path / "turned.tif", image, crs, affine))
    assert (target.image.max(axis=2) == 0).mean() <= 0.002  # the empty corners are gone
    x, y = (dot_col - side / 2) * gsd, -(dot_row - side / 2) * gsd
    dot_east, dot_north = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
    rows, columns = np.nonzero(target.image[..., 0] > 220)
    height, width = target.image.shape[:2]
    assert target.gsd_m is not None
    # Grid north is within 1.5 degrees of true north here.
    assert abs((columns.mean() - width / 2) * target.gsd_m - dot_east) < 2.0
    assert abs((height / 2 - rows.mean()) * target.gsd_m - dot_north) < 2.0


def test_deep_bands_are_stretched(tmp_path: Path) -> None:
    crs, east, north = utm(TURKU)
    deep = (picture(200, 200).astype(np.uint16) * 10) + 300
    target = load(write_tiff(tmp_path / "deep.tif", deep, crs, from_origin(east, north, 1, 1)))
    assert target.image.max() > 230 and target.image.min() < 20


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # of the writer in this test
def test_a_tiff_without_georeference_is_a_plain_picture(tmp_path: Path) -> None:
    target = load(write_tiff(tmp_path / "plain.tif", picture(), None, None), 0.4)
    assert (target.position, target.gsd_m) == (None, 0.4)
    np.testing.assert_array_equal(target.image, picture())


def test_a_large_photo_is_read_coarser_and_its_scale_with_it(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    side = 2 * LARGEST_SIDE_PX + 6
    cv2.imwrite(str(path), cv2.resize(picture(), (side, side // 4), interpolation=cv2.INTER_NEAREST))
    target = load(path, 0.1)
    assert target.image.shape[1] == LARGEST_SIDE_PX + 3
    assert target.gsd_m == pytest.approx(0.2, rel=1e-3)
    assert target.side_m == pytest.approx(0.1 * (side // 4), rel=1e-2)


def test_a_picture_too_large_to_be_read_whole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vast.bmp"
    path.write_bytes(b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 20_000, 20_000, 1, 24, 0, 0, 0, 0, 0, 0))
    assert "400 million pixels" in refused(path)


LOCAL = 'LOCAL_CS["Site grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'


def test_a_target_in_local_coordinates_is_refused_and_a_picture_where_its_scale_is_given(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "local.tif", picture(), CRS.from_wkt(LOCAL), from_origin(100.0, 200.0, 0.5, 0.5))
    with pytest.raises(GeoreferenceError, match=r"local\.tif: .*cannot be placed on the Earth"):
        load(path)
    target = load(path, 0.5)
    assert (target.gsd_m, target.position) == (0.5, None)
    np.testing.assert_array_equal(target.image, picture())


def test_a_picture_with_a_world_file_knows_its_place(tmp_path: Path) -> None:
    crs, east, north = utm(TURKU)
    for name, beside in (("a.png", "a.pgw"), ("b.jpg", "b.jgw"), ("c.JPG", "c.JGW"), ("d.png", "d.pngw")):
        cv2.imwrite(str(tmp_path / name), picture(400, 400)[..., ::-1])
        (tmp_path / beside).write_text(f"0.5\n0\n0\n-0.5\n{east - 99.75}\n{north + 99.75}\n")
        (tmp_path / name).with_suffix(".prj").write_text(crs.to_wkt())
        target = load(tmp_path / name)
        assert target.position is not None and distance_m(target.position, TURKU) < 0.5
        assert target.gsd_m == pytest.approx(0.5, rel=0.01)


def test_transparent_corners_of_a_picture_are_cut_off(tmp_path: Path) -> None:
    alpha = np.full((100, 120), 255, np.uint8)
    alpha[:20], alpha[:, :12] = 0, 0
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.dstack([picture(100, 120)[..., ::-1], alpha]))
    image = load(path, 0.5).image
    assert image.shape[0] <= 62 and image.shape[1] <= 98 and (image.max(axis=2) > 0).mean() > 0.97


def test_a_map_too_large_to_be_read_without_overviews_is_refused_at_once(tmp_path: Path) -> None:
    crs, east, north = utm(TURKU)
    path = tmp_path / "vast.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=80_000, width=80_000, dtype="uint8", crs=crs, sparse_ok=True,
        transform=from_origin(east, north, 0.05, 0.05), tiled=True, blockxsize=8192, blockysize=8192, BIGTIFF="YES",
    ):  # fmt: skip
        pass
    assert "6400 million pixels and no overviews" in refused(path)
