"""A GeoTIFF cut into tiles: the right ground in the right place, whatever its projection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import GeoreferenceError, ImageError, UsageError
from runtime.geodesy import distance_m, north_east_m
from runtime.history.history import History
from runtime.plain import PLAIN
from runtime.record.map_plan import grid_of
from runtime.record.map_tiles import open_map, record_tile, tiles_of, unusable
from runtime.values import GeoPoint, ViewKind
from tests.runtime.record.fakes import FakeBundle, FakeEmbedder, ground_texture

rasterio = pytest.importorskip("rasterio")
from rasterio.crs import CRS  # noqa: E402
from rasterio.warp import transform  # noqa: E402

# rasterio itself multiplies transforms the way that affine 3.1 wants to be rid of
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def write_map(path: Path, image: np.ndarray, gsd_m: float = 0.5, epsg: int = 32633, nodata: int | None = None) -> Path:
    """A UTM map, two degrees east of its zone's middle so that grid north is not true north."""
    (x,), (y,) = transform(CRS.from_epsg(4326), CRS.from_epsg(epsg), [17.0], [60.0])
    bands = np.moveaxis(image, 2, 0) if image.ndim == 3 else image[None]
    with rasterio.open(
        path, "w", driver="GTiff", height=bands.shape[1], width=bands.shape[2], count=len(bands), dtype=bands.dtype,
        crs=CRS.from_epsg(epsg), transform=rasterio.Affine(gsd_m, 0, x, 0, -gsd_m, y), nodata=nodata,
    ) as dataset:  # fmt: skip
        dataset.write(bands)
    return path


def test_a_mark_in_the_map_is_where_its_coordinates_say(tmp_path: Path) -> None:
    image = np.full((600, 800, 3), 90, np.uint8)
    image[150:170, 500:520] = 255
    path = write_map(tmp_path / "map.tif", image)
    (x,), (y,) = transform(CRS.from_epsg(4326), CRS.from_epsg(32633), [17.0], [60.0])
    (longitude,), (latitude,) = transform(CRS.from_epsg(32633), CRS.from_epsg(4326), [x + 255], [y - 80])
    mark = GeoPoint(latitude, longitude)
    with open_map(path) as opened:
        assert opened.size_m[0] == pytest.approx(300, rel=0.05) and opened.size_m[1] == pytest.approx(400, rel=0.05)
        grid = grid_of(opened.size_m, FakeBundle(), 64.0, 32.0)
        seen = 0
        for tile in tiles_of(opened, grid):
            rows, columns = np.nonzero(tile.image[..., 0] > 200)
            if len(rows) < 0.9 * (10 / 64 * tile.image.shape[0]) ** 2:
                continue
            metres = 64.0 / tile.image.shape[0]
            north = (tile.image.shape[0] / 2 - rows.mean() - 0.5) * metres
            east = (columns.mean() + 0.5 - tile.image.shape[0] / 2) * metres
            there = north_east_m(tile.centre, mark)
            assert (north, east) == pytest.approx(there, abs=0.4)
            seen += 1
        assert seen >= 2


def test_the_grid_reaches_every_edge_in_even_strides() -> None:
    grid = grid_of((345.0, 600.0), FakeBundle(footprints_m=(20.0, 40.0, 80.0, 112.0, 160.0)), None, None)
    assert grid.tile_m == 112.0  # the largest rung that fits thrice, and no more than a drone sees
    assert grid.north_m[0] == pytest.approx(-(345 - 112) / 2) and grid.east_m[-1] == pytest.approx((600 - 112) / 2)
    assert max(np.diff(grid.north_m)) <= 112.0 / 3 and max(np.diff(grid.east_m)) <= 112.0 / 3
    assert max(np.diff(grid_of((345.0, 600.0), FakeBundle(), 128.0, None, per_tile=4).east_m)) <= 32.0
    assert len(grid) == len(grid.north_m) * len(grid.east_m)
    exact = grid_of((64.0, 64.0), FakeBundle(), 64.0, None)
    assert exact.north_m == exact.east_m == (0.0,)


@pytest.mark.parametrize(("tile_m", "stride_m"), [(16.0, None), (400.0, None), (64.0, 0.0), (64.0, -3.0)])
def test_tiles_that_do_not_fit(tile_m: float, stride_m: float | None) -> None:
    with pytest.raises(UsageError, match="does not fit|leads nowhere"):
        grid_of((345.0, 600.0), FakeBundle(), tile_m, stride_m)


def test_a_tile_becomes_a_keyframe_of_the_satellite_view(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.tif", ground_texture(600))
    embedder = FakeEmbedder()
    with open_map(path) as opened, History.create(tmp_path / "h.db", "fake-space", "fake") as history:
        tile = opened.tile(20.0, -30.0, 128.0)
        keyframe = history.keyframe(record_tile(tile, history, embedder, "map"))
        assert keyframe.view is ViewKind.SATELLITE and keyframe.footprint_m == 128.0
        assert distance_m(keyframe.ground, tile.centre) < 0.01
        assert north_east_m(opened.middle, keyframe.ground) == pytest.approx((20.0, -30.0), abs=0.01)
        assert history.footprints(ViewKind.SATELLITE) == (32.0, 64.0, 128.0)
        assert 320 <= keyframe.crop.shape[0] <= 640 and keyframe.crop.std() > 10
    assert embedder.views == [ViewKind.SATELLITE] * 3


def test_tiles_without_data_or_detail_are_not_used(tmp_path: Path) -> None:
    image = ground_texture(600)
    image[:, :250] = 0
    image[300:, 300:] = 128
    path = write_map(tmp_path / "map.tif", image, nodata=0)
    with open_map(path) as opened:
        assert "has data" in unusable(opened.tile(50.0, -100.0, 64.0))
        assert unusable(opened.tile(-70.0, 80.0, 64.0)) == PLAIN
        assert unusable(opened.tile(70.0, 80.0, 64.0)) == ""


def test_sixteen_bit_and_single_band(tmp_path: Path) -> None:
    grey = (ground_texture(400)[..., 0].astype(np.uint16) * 20) + 300
    with open_map(write_map(tmp_path / "map.tif", grey)) as opened:
        image = opened.tile(0.0, 0.0, 64.0).image
    assert image.ndim == 3 and image.dtype == np.uint8 and image.std() > 30


def test_pictures_that_are_no_maps(tmp_path: Path) -> None:
    plain = tmp_path / "plain.tif"
    Image.fromarray(np.zeros((50, 50, 3), np.uint8)).save(plain)
    text = tmp_path / "text.tif"
    text.write_text("not a tiff")
    with pytest.raises(GeoreferenceError, match=r"plain\.tif: carries no georeference"), open_map(plain):
        pass
    for path, why in ((text, "is not an image or map"), (tmp_path / "none.tif", "no such file")):
        with pytest.raises(ImageError, match=rf"{path.name}: {why}"), open_map(path):
            pass
