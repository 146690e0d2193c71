"""What a map's tiles cost is said, and bounded, before the first one is cut."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import ImageError, UsageError
from runtime.geodesy import distance_m, north_at
from runtime.record.map_plan import (
    Cost,
    Grid,
    check_effort,
    check_heights,
    check_resolution,
    count,
    grid_of,
    plan_sentence,
    rungs_of,
    tile_side_m,
)
from runtime.record.map_record import MapOptions, planned
from runtime.record.map_tiles import open_map, tiles_of, unusable
from runtime.values import GeoPoint
from tests.runtime.record.fakes import FakeBundle, FakeEmbedder, ground_texture

LADDER = FakeBundle(footprints_m=(20.0, 28.0, 40.0, 56.0, 80.0, 112.0, 160.0))


@pytest.mark.parametrize(("size_m", "tile_m", "stride_m"), [((345.0, 600.0), 112.0, 28.0), ((64.0, 64.0), 64.0, 16.0)])
def test_tiles_are_counted_without_being_listed(
    size_m: tuple[float, float], tile_m: float, stride_m: float
) -> None:
    assert count(size_m, tile_m, stride_m) == len(grid_of(size_m, LADDER, tile_m, stride_m))


@pytest.mark.parametrize(
    ("gsd_m", "tile_m", "way"),
    [(60.0, 112.0, "a tile of 112 m needs 1.2 m or less; give a finer map"), (10.0, 112.0, "give a finer map"),
     (300.0, 112.0, "has 300 m per pixel"), (0.8, 28.0, "needs 0.7 m or less; give --tile-m 40"),
     (1.2, 20.0, "give --tile-m 56")],
)  # fmt: skip
def test_a_map_that_is_too_coarse_is_refused_with_what_it_needs(gsd_m: float, tile_m: float, way: str) -> None:
    with pytest.raises(ImageError) as error:
        check_resolution("a.tif", gsd_m, (1000.0, 1000.0), tile_m, LADDER)
    assert way in str(error.value) and f"has {gsd_m:.3g} m per pixel" in str(error.value)


@pytest.mark.parametrize(("gsd_m", "tile_m"), [(1.0, 40.0), (1.2, 112.0), (0.8, 40.0), (0.001, 20.0)])
def test_a_map_that_is_fine_enough_passes(gsd_m: float, tile_m: float) -> None:
    check_resolution("a.tif", gsd_m, (1000.0, 1000.0), tile_m, LADDER)


def test_what_tiles_cost_is_said() -> None:
    grid = grid_of((345.0, 600.0), LADDER, None, None)
    assert len(grid) == count((345.0, 600.0), 112.0, 112.0 / 3)
    said = plan_sentence("a.tif", grid, (80.0, 112.0), Cost(seconds=0.2, bytes=400_000.0))
    assert said == "a.tif: 120 tiles of 112 m 34.9 m apart, embedded at 80, 112 m, about 1 minute and 48 MB."
    hours = plan_sentence("a.tif", grid, (112.0,), Cost(seconds=60.0, bytes=1.0))
    assert "2.0 hours and 1 MB" in hours
    reading = plan_sentence("a.tif", Grid(40.0, (0.0,), (0.0,)), (40.0,), Cost(0.1, 1e5, read_px=36_000_000_000))
    assert reading == "a.tif: 1 tile of 40 m, embedded at 40 m, about 11 minutes and 1 MB."


@pytest.mark.parametrize(
    ("tile_m", "gsd_m", "heights_m", "rungs"),
    [(112.0, 0.5, (80.0, 120.0), [80.0, 112.0]), (112.0, 0.5, (40.0, 120.0), [40.0, 56.0, 80.0, 112.0]),
     (112.0, 1.2, (20.0, 120.0), [56.0, 80.0, 112.0]), (40.0, 0.5, (80.0, 120.0), [40.0]),
     (112.0, 0.1, (10.0, 12.0), [20.0]), (28.0, 0.5, (60.0, 500.0), [28.0]), (112.0, 0.5, (30.0, 30.0), [28.0])],
)  # fmt: skip
def test_tiles_are_embedded_at_what_cameras_between_these_heights_compare(
    tile_m: float, gsd_m: float, heights_m: tuple[float, float], rungs: list[float]
) -> None:
    assert rungs_of(tile_m, gsd_m, LADDER, heights_m) == rungs


def test_a_tile_is_no_larger_than_what_is_seen_from_the_highest() -> None:
    assert tile_side_m((900.0, 900.0), LADDER, None, (20.0, 60.0)) == 56.0
    for wrong in ((0.0, 50.0), (90.0, 40.0), (10.0, float("inf")), (float("nan"), 50.0)):
        with pytest.raises(UsageError, match="is no range"):
            check_heights(wrong)


def test_too_many_tiles_are_refused_with_what_would_do() -> None:
    size_m = (4000.0, 5000.0)
    grid, cost = grid_of(size_m, LADDER, None, None), Cost(0.2, 4e5)
    check_effort("a.tif", grid, size_m, cost, len(grid))
    with pytest.raises(UsageError) as error:
        check_effort("a.tif", grid, size_m, cost, 10_000)
    text = str(error.value)
    assert f"{len(grid)} tiles of 112 m" in text and f"--max-tiles {len(grid)} to have them all" in text
    stride_m = float(text.split("--stride-m ")[1].split(" ")[0])
    assert len(grid_of(size_m, LADDER, None, stride_m)) <= 10_000 < len(grid_of(size_m, LADDER, None, stride_m - 1))
    with pytest.raises(UsageError) as error:  # so far apart, tiles would leave ground between them
        check_effort("a.tif", grid, size_m, cost, 100)
    assert "--stride-m" not in str(error.value) and "--max-tiles" in str(error.value)


def test_a_stride_of_nothing_is_no_list_of_a_billion(tmp_path: Path) -> None:
    for stride_m in (1e-3, 1e-300):
        with pytest.raises(UsageError, match="give a longer one"):
            grid_of((4000.0, 4000.0), LADDER, 112.0, stride_m)


# Maps as files

rasterio = pytest.importorskip("rasterio")
from rasterio.enums import ColorInterp as Is  # noqa: E402

from tests.runtime.sources.raster.writing import EAST, NORTH, colours, write  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rasterio itself


def test_a_plan_is_made_of_the_file_and_a_coarse_one_is_never_cut(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    with open_map(write(tmp_path / "a.tif", colours(300))) as opened:
        plan = planned(opened, embedder, MapOptions())
        grid, said = plan.grid, plan.sentence
        assert len(grid) == len(grid_of(opened.size_m, embedder.bundle, None, None))
        assert f"{len(grid)} tiles of 32 m" in said and "minute" in said and "MB" in said
        with pytest.raises(UsageError, match="--max-tiles"):
            planned(opened, embedder, MapOptions(most_tiles=10))
    embedded = len(embedder.views)
    for gsd_m in (10.0, 60.0, 300.0):
        coarse = write(tmp_path / f"{gsd_m}.tif", colours(120), gsd_m=gsd_m)
        with open_map(coarse) as opened, pytest.raises(ImageError, match=rf"has {gsd_m:g} m per pixel"):
            planned(opened, embedder, MapOptions())
    assert len(embedder.views) == embedded


@pytest.mark.parametrize("turned", [False, True])
def test_the_map_of_a_road_is_cut_where_it_has_data(tmp_path: Path, turned: bool) -> None:
    """A strip from corner to corner of its rectangle: as a turned raster, or as a north-up one with transparent sides.
    Its rectangle has twenty times as many tiles as it."""
    strip = np.tile(colours(100), (1, 1, 12))  # 50 by 600 m
    half = 0.5**0.5
    if turned:
        affine = rasterio.Affine(half / 2, -half / 2, EAST, -half / 2, -half / 2, NORTH)
        path = write(tmp_path / "road.tif", strip, affine=affine)
    else:
        onto = np.array([[half, -half, 71.0], [half, half, 1.0]])
        alpha = np.full((100, 1200, 1), 255, np.uint8)
        flat = cv2.warpAffine(np.dstack([np.moveaxis(strip, 0, 2), alpha]), onto, (920, 920), flags=cv2.INTER_NEAREST)
        bands = np.ascontiguousarray(np.moveaxis(flat, 2, 0))
        path = write(tmp_path / "road.tif", bands, interpretation=[Is.red, Is.green, Is.blue, Is.alpha])
    embedder = FakeEmbedder()
    with open_map(path) as opened:
        whole = grid_of(opened.size_m, embedder.bundle, 32.0, 8.0)
        plan = planned(opened, embedder, MapOptions(32.0, 8.0, most_tiles=1000))
        grid, said = plan.grid, plan.sentence
        assert len(whole) > 2500 and 20 < len(grid) < len(whole) / 5
        assert f"{len(grid)} tiles of 32 m" in said and "where it has data" in said
        cut = list(grid.centres())
        assert any(not unusable(opened.tile(*at, 32.0)) for at in cut[::20])
        beside = [(north, east) for north, east in whole.centres() if (north, east) not in set(cut)]
        beside.sort(key=lambda at: min(abs(at[0] - north) + abs(at[1] - east) for north, east in cut[::2]))
        assert all(unusable(opened.tile(*at, 32.0)) for at in beside[:100:2])  # those next to the road


def test_a_fine_map_is_read_at_the_scale_of_its_tiles(tmp_path: Path) -> None:
    """Two hundredths of a metre a pixel: a tile is the mean of what its pixels cover, not every other of them."""
    noise = np.random.default_rng(1).integers(-50, 51, (3, 1600, 1600))
    wide = np.stack([cv2.resize(plane, (1600, 1600), interpolation=cv2.INTER_LINEAR) for plane in colours(100)])
    path = write(tmp_path / "fine.tif", np.clip(wide + noise, 0, 255).astype(np.uint8), gsd_m=0.02)
    with open_map(path) as opened:
        tile = opened.tile(0.0, 0.0, 32.0)
    assert tile.image.shape == (640, 640, 3)
    expected = cv2.resize(np.moveaxis(wide, 0, 2), (640, 640), interpolation=cv2.INTER_AREA)
    assert np.abs(tile.image[5:-5, 5:-5].astype(int) - expected[5:-5, 5:-5]).mean() < 13  # 29 of standard deviation


def test_damage_costs_the_tiles_that_it_is_in(tmp_path: Path) -> None:
    bands = np.moveaxis(ground_texture(512), 2, 0)
    path = write(tmp_path / "a.tif", bands, tiled=True, blockxsize=64, blockysize=64, compress="deflate",
                 interleave="pixel")  # fmt: skip
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.7)])
    with open_map(path) as opened:
        tiles = list(tiles_of(opened, grid_of(opened.size_m, FakeBundle(), 32.0, 48.0)))
    faults = [unusable(tile) for tile in tiles]
    assert 0.1 < sum(map(bool, faults)) / len(faults) < 0.9
    assert all("a.tif: cannot be read as an image or map (" in fault for fault in filter(None, faults))
    assert tiles[0].fault == "" and tiles[-1].fault


def test_tiles_look_to_the_north_wherever_they_are(tmp_path: Path) -> None:
    """Near the pole meridians lean: a tile's upper edge is its own north, not the map's."""
    side, gsd_m = 700, 1.0
    image = np.full((3, side, side), 90, np.uint8)
    affine = rasterio.Affine(gsd_m, 0, -side / 2 + 300, 0, -gsd_m, -20_000)  # 20 km from the pole, a little east
    path = write(tmp_path / "pole.tif", image, crs="EPSG:3995", affine=affine)
    with open_map(path) as opened:
        east = opened.tile(0.0, 250.0, 64.0)
        turn_deg = np.degrees(north_at(opened.middle, east.centre))
        pole_m = distance_m(GeoPoint(90.0, 0.0), opened.middle)
    assert abs(turn_deg) == pytest.approx(np.degrees(250.0 / pole_m), rel=0.01)
