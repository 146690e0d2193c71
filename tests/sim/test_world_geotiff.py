"""A GeoTIFF becomes a world that lies where the map lies; one without georeference is refused in a sentence."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp as Is

from runtime.errors import GeoreferenceError, ImageError
from runtime.geodesy import north_east_m
from runtime.values import GeoPoint
from sim.render import Renderer
from sim.world.geotiff import WOOD, GeoTiffWorld, classify
from tests.runtime.sources.raster.writing import colours, write

TURKU = Path(__file__).parents[3] / "shared" / "data" / "maps" / "turku.tif"
LATITUDE, LONGITUDE = 60.0, 22.0


def written(path: Path, bands: int = 3, referenced: bool = True, crs: str = "EPSG:4326") -> Path:
    """A green 200 m square about (60, 22) with a white mark 30 m north and 20 m east of its centre."""
    image = np.zeros((bands, 400, 400), np.uint8)
    image[1 % bands] = 120
    image[:, 200 - 60 - 4 : 200 - 60 + 4, 200 + 40 - 4 : 200 + 40 + 4] = 255
    per_metre_n, per_metre_e = 1 / 111_412.0, 1 / 55_800.0  # degrees at 60 north
    west, north = LONGITUDE - 100 * per_metre_e, LATITUDE + 100 * per_metre_n
    transform = Affine(0.5 * per_metre_e, 0.0, west, 0.0, -0.5 * per_metre_n, north)
    extra = {"transform": transform, "crs": crs} if referenced else {}
    with rasterio.open(path, "w", driver="GTiff", width=400, height=400, count=bands, dtype="uint8", **extra) as file:
        file.write(image)
    return path


def test_map_keeps_its_place_and_scale(tmp_path: Path) -> None:
    world = GeoTiffWorld.open(written(tmp_path / "map.tif"), seed=1)
    assert world.size_m == pytest.approx(200.0, abs=3.0)
    assert np.hypot(*north_east_m(GeoPoint(LATITUDE, LONGITUDE), world.origin)) < 1.0
    image = Renderer(world.scene("satellite")).orthographic((0.0, 0.0), 160.0, 0.5).mean(axis=2)
    rows, columns = np.nonzero(image > 150)
    assert 80 - (rows.mean() + 0.5) * 0.5 == pytest.approx(30.0, abs=1.5)
    assert (columns.mean() + 0.5) * 0.5 - 80 == pytest.approx(20.0, abs=1.5)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_georeference(tmp_path: Path) -> None:
    with pytest.raises(GeoreferenceError, match="no georeference"):
        GeoTiffWorld.open(written(tmp_path / "map.tif", referenced=False))


def test_one_band(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="1 band"):
        GeoTiffWorld.open(written(tmp_path / "map.tif", bands=1))


@pytest.mark.parametrize("gsd_m", [10.0, 2.0])
def test_a_map_that_is_too_coarse_to_be_flown_over(tmp_path: Path, gsd_m: float) -> None:
    with pytest.raises(ImageError, match=rf"has {gsd_m:g} m per pixel over .* give a finer map"):
        GeoTiffWorld.open(write(tmp_path / "map.tif", colours(200), gsd_m=gsd_m))


def test_a_map_of_any_bands_is_the_same_world(tmp_path: Path) -> None:
    plain, alpha = colours(300), np.full((1, 300, 300), 65535, np.uint16)
    deep = write(
        tmp_path / "deep.tif", np.concatenate([plain[::-1].astype(np.uint16) * 20 + 300, alpha]),
        photometric="MINISBLACK", interpretation=(Is.blue, Is.green, Is.red, Is.alpha),
    )  # fmt: skip
    low, high = np.percentile(plain, [2, 98])
    shown = np.clip((plain.astype(float) - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    world, twin = (GeoTiffWorld.open(path) for path in (deep, write(tmp_path / "plain.tif", shown)))
    images = [Renderer(one.scene("satellite")).orthographic((0.0, 0.0), 100.0, 0.5) for one in (world, twin)]
    assert np.abs(images[0].astype(int) - images[1]).mean() < 2.0 and images[1].std() > 20


def test_not_a_tiff(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    path.write_bytes(b"nothing")
    with pytest.raises(ImageError, match="not an image or map"):
        GeoTiffWorld.open(path)


def test_dark_ground_is_wood() -> None:
    image = np.full((200, 200, 3), (110, 130, 90), np.uint8)
    image[50:120, 50:120] = (40, 55, 35)
    classes = classify(image, 0.5)
    assert classes[85, 85] == WOOD and classes[10, 10] != WOOD


@pytest.mark.skipif(not TURKU.exists(), reason="needs ../shared/data/maps/turku.tif")
def test_real_map_at_two_dates_differs_but_not_in_layout() -> None:
    world = GeoTiffWorld.open(TURKU, seed=100_000)
    assert len(world.scene("flight").layout.trees) > 20
    scenes = [world.scene(date) for date in ("satellite", "flight")]
    views = [Renderer(scene).orthographic((0.0, 0.0), 300.0, 1.0).mean(axis=2) for scene in scenes]
    likeness = float(np.corrcoef(views[0].ravel(), views[1].ravel())[0, 1])
    assert 0.2 < likeness < 0.95
