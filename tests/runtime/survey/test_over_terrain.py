"""Heights above the ground that a photo sees, by an elevation model in any coordinate system."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.errors import GeoreferenceError, ImageError, TelemetryError
from runtime.geodesy import offset
from runtime.heights import above_flat_ground
from runtime.sources.raster.terrain import read_terrain
from runtime.survey.over_terrain import over_terrain
from runtime.survey.survey import Survey, Surveyed
from runtime.terrain import SOURCE, Datum, Terrain
from runtime.values import Attitude, GeoPoint, Measured, Pose, Position, PositionSource

rasterio = pytest.importorskip("rasterio")

HOME = GeoPoint(48.2, 11.6)
SLOPE = 0.2  # metres up for each metre north; the ground under HOME lies at 500 m
AHEAD = CameraModel.from_hfov(640, 480, 70.0, pitch_deg=-45.0)


def hill(path: Path, crs: str = "EPSG:32632", unit: str = "metre", nodata: bool = False) -> Path:
    """A slope in steps of 10 m, 4 km wide."""
    from rasterio.warp import transform

    (x,), (y,) = transform("EPSG:4326", crs, [HOME.longitude_deg], [HOME.latitude_deg])
    per_m = 1.0 if crs != "EPSG:4326" else 1.0 / 111_200.0
    north = (200 - np.arange(400) - 0.5) * 10.0
    heights = np.repeat(500.0 + SLOPE * north[:, None], 400, axis=1).astype(np.float32)
    if unit == "ft":
        heights /= 0.3048
    if nodata:
        heights[:] = -9999.0
    with rasterio.open(
        path, "w", driver="GTiff", width=400, height=400, count=1, dtype="float32", crs=crs, nodata=-9999.0,
        transform=rasterio.Affine(10.0 * per_m, 0.0, x - 2000.0 * per_m, 0.0, -10.0 * per_m, y + 2000.0 * per_m),
    ) as file:  # fmt: skip
        file.write(heights, 1)
        file.set_band_unit(1, unit)
    return path


def seen(north_m: float, pose: Pose, index: int = 0) -> Surveyed:
    at = Position.circular(offset(HOME, north_m, 0.0), 3.0, PositionSource.TAG)
    return Surveyed(f"{index}", pose, at, AHEAD, None, index)


def taken(takeoff_m: float, amsl_m: float | None = None, heading_deg: float | None = None) -> Pose:
    above = Measured(takeoff_m, 1.0, "srt")
    heading = None if heading_deg is None else Measured(math.radians(heading_deg), 0.05, "log")
    return Pose(
        t_ns=0,
        altitude_amsl_m=None if amsl_m is None else Measured(amsl_m, 3.0, "srt"),
        height_takeoff_m=above,
        height_agl_m=above_flat_ground(above),
        attitude=None if heading is None else Attitude.level(heading),
    )


def height(photo: Surveyed) -> Measured:
    assert photo.pose.height_agl_m is not None
    return photo.pose.height_agl_m


@pytest.mark.parametrize(("crs", "unit"), [("EPSG:32632", "metre"), ("EPSG:32632", "ft"), ("EPSG:4326", "metre")])
def test_heights_are_read_in_any_coordinates_and_unit(tmp_path: Path, crs: str, unit: str) -> None:
    terrain = read_terrain(hill(tmp_path / "dem.tif", crs, unit), [HOME, offset(HOME, 300.0, 0.0)])
    assert terrain.height_m(HOME) == pytest.approx(500.0, abs=0.5)
    assert terrain.height_m(offset(HOME, 250.0, 40.0)) == pytest.approx(550.0, abs=1.0)
    assert terrain.height_m(offset(HOME, 5000.0, 0.0)) is None


def test_heights_above_take_off_become_heights_above_what_is_seen(tmp_path: Path) -> None:
    """By differences alone: a model above the ellipsoid does as well."""
    terrain = read_terrain(hill(tmp_path / "dem.tif"), [HOME], Datum.ELLIPSOIDAL)
    down = replace(seen(300.0, taken(120.0, heading_deg=0.0), 1), camera=CameraModel.from_hfov(640, 480, 70.0))
    read = Survey((seen(0.0, taken(5.0)), down, seen(300.0, taken(120.0, heading_deg=0.0), 2),
                   seen(300.0, taken(120.0, heading_deg=180.0), 3), seen(300.0, taken(120.0), 4)), ())  # fmt: skip
    lifted = over_terrain(read, lambda places: terrain).photos
    assert height(lifted[1]).value == pytest.approx(60.0, abs=1.0)
    assert height(lifted[2]).value == pytest.approx(60.0 / (1.0 + SLOPE), abs=1.0)  # it looks 45 degrees up the slope
    assert height(lifted[3]).value == pytest.approx(60.0 / (1.0 - SLOPE), abs=2.0)
    assert height(lifted[4]).value == pytest.approx(60.0, abs=1.0)  # nobody knows where it looks
    assert height(lifted[1]).source == SOURCE and 3.0 < height(lifted[1]).sigma < 6.0


def test_an_altitude_above_the_sea_counts_against_such_heights_alone(tmp_path: Path) -> None:
    terrain = read_terrain(hill(tmp_path / "dem.tif"), [HOME])
    read = Survey((seen(100.0, taken(80.0, amsl_m=620.0)),), ())  # first seen 80 m up: who knows over what
    assert height(over_terrain(read, lambda places: terrain).photos[0]).value == pytest.approx(100.0, abs=1.0)
    with pytest.raises(TelemetryError, match="ellipsoidal heights"):
        over_terrain(read, lambda places: replace(terrain, datum=Datum.ELLIPSOIDAL))


def test_what_was_measured_or_lies_under_the_model_stays(tmp_path: Path) -> None:
    terrain = read_terrain(hill(tmp_path / "dem.tif"), [HOME])
    ranged = replace(taken(80.0, amsl_m=620.0), height_agl_m=Measured(33.0, 0.5, "range finder"))
    below = taken(2.0, amsl_m=480.0)
    read = Survey((seen(100.0, ranged), seen(100.0, taken(90.0, amsl_m=620.0), 1), seen(0.0, below, 2)), ())
    lifted = over_terrain(read, lambda places: terrain).photos
    assert height(lifted[0]).value == 33.0 and height(lifted[1]).source == SOURCE
    assert lifted[2] is read.photos[2]


def test_a_model_that_says_nothing_of_the_flight_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_terrain(tmp_path / "none.tif", [HOME])
    elsewhere = offset(HOME, 50_000.0, 0.0)
    with pytest.raises(GeoreferenceError, match="no heights where this flight was"):
        read_terrain(hill(tmp_path / "dem.tif"), [elsewhere])
    with pytest.raises(GeoreferenceError, match="no heights where this flight was"):
        read_terrain(hill(tmp_path / "empty.tif", nodata=True), [HOME])
    with pytest.raises(ImageError, match="cannot be read|is not an image or map"):
        (tmp_path / "text.tif").write_text("no raster")
        read_terrain(tmp_path / "text.tif", [HOME])
    assert Terrain(HOME, 5.0, np.full((3, 3), np.nan, np.float32), Datum.ORTHOMETRIC).height_m(HOME) is None
