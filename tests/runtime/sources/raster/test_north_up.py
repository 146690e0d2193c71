"""Rasters north-up in metres: the same picture whatever the file's bands, and memory bounded whatever its size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.errors import GeoreferenceError, ImageError
from runtime.sources.raster.north_up import open_raster
from tests.runtime.sources.raster.writing import EAST, EPSG, NORTH, colours, read, write

rasterio = pytest.importorskip("rasterio")
from rasterio.enums import ColorInterp  # noqa: E402
from rasterio.transform import from_origin  # noqa: E402
from rasterio.windows import Window  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rasterio itself

ROOT = Path(__file__).parents[4]
MEMORY_MB = 600  # of a process that reads a raster of 1.6 GB; Python with what it imports takes 100


def test_pixels_and_their_places_stay_as_they_are(tmp_path: Path) -> None:
    with open_raster(write(tmp_path / "a.tif", colours())) as raster:
        assert raster.gsd_m == pytest.approx(0.5, rel=1e-3) and raster.size_px == (300, 300)
        assert raster.size_m == pytest.approx((150.0, 150.0), rel=1e-3)
        picture = raster.read()
    assert np.abs(picture.image.astype(int) - np.moveaxis(colours(), 0, 2)).mean() < 1.5
    assert picture.seen.mean() > 0.99


def test_windows_are_parts_of_the_whole_and_black_outside(tmp_path: Path) -> None:
    with open_raster(write(tmp_path / "a.tif", colours())) as raster:
        whole = raster.read()
        for row, column, size in ((10, 20, (50, 60)), (-7, 280, (40, 40)), (290, -5, (30, 20)), (400, 0, (5, 5))):
            part = raster.read(row, column, size)
            wide = np.pad(whole.image, ((500, 500), (500, 500), (0, 0)))
            seen = np.pad(whole.seen, 500)
            rows, columns = slice(500 + row, 500 + row + size[0]), slice(500 + column, 500 + column + size[1])
            np.testing.assert_array_equal(part.image, wide[rows, columns])
            np.testing.assert_array_equal(part.seen, seen[rows, columns])


@pytest.mark.parametrize("largest_side_px", [300, 120, 37])
def test_a_band_of_alpha_is_no_data_and_no_colour(tmp_path: Path, largest_side_px: int) -> None:
    alpha = np.full((1, 300, 300), 255, np.uint8)
    alpha[:, :100] = 0
    plain = write(tmp_path / "rgb.tif", colours())
    bands = np.concatenate([colours(), alpha])
    path = write(tmp_path / "rgba.tif", bands, photometric="RGB", alpha="YES")
    with rasterio.open(path) as file:
        assert file.colorinterp[3] is ColorInterp.alpha
    picture, twin = (read(one, largest_side_px=largest_side_px) for one in (path, plain))
    border = round(picture.seen.shape[0] / 3)
    assert not picture.seen[: border - 2].any() and picture.seen[border + 2 :].mean() > 0.98
    np.testing.assert_allclose(picture.image[border + 3 :], twin.image[border + 3 :], atol=2)


@pytest.mark.parametrize("largest_side_px", [300, 120])
@pytest.mark.parametrize("how", ["nodata", "mask"])
def test_what_has_no_data_is_not_seen(tmp_path: Path, how: str, largest_side_px: int) -> None:
    bands = np.maximum(colours(), 1)
    bands[:, :, 200:] = 0
    path = write(tmp_path / "a.tif", bands, **({"nodata": 0} if how == "nodata" else {}))
    if how == "mask":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
            file.write_mask(bands[0] > 0)
    seen = read(path, largest_side_px=largest_side_px).seen
    border = round(seen.shape[1] * 2 / 3)
    assert seen[:, : border - 2].mean() > 0.98 and not seen[:, border + 2 :].any()


def test_a_palette_is_its_colours(tmp_path: Path) -> None:
    numbers = (np.arange(300) // 30)[None, :, None] * np.ones((1, 1, 300), np.uint8)
    palette = {number: (25 * number, 255 - 25 * number, 7 * number, 255) for number in range(10)}
    path = write(tmp_path / "palette.tif", numbers.astype(np.uint8), photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, palette)
    shown = np.stack([np.vectorize(lambda n, c=c: palette[int(n)][c])(numbers[0]) for c in range(3)]).astype(np.uint8)
    picture, twin = read(path), read(write(tmp_path / "rgb.tif", shown))
    np.testing.assert_array_equal(picture.image, twin.image)
    np.testing.assert_array_equal(picture.seen, twin.seen)


def test_grey_becomes_rgb_but_not_where_colour_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "grey.tif", colours()[:1])
    image = read(path).image
    assert (image[..., 0] == image[..., 2]).all() and image.std() > 5
    with pytest.raises(ImageError, match=r"1 band\(s\) where red, green and blue are needed"):
        read(path, colour=True)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("largest_side_px", [300, 90])
def test_deep_data_is_stretched_over_its_middle(tmp_path: Path, dtype: Any, largest_side_px: int) -> None:
    deep = (colours().astype(np.float64) * 20 + 300).astype(dtype)
    deep[:, 5, 5] = 30_000  # one glint does not darken the rest
    image = read(write(tmp_path / "deep.tif", deep), largest_side_px=largest_side_px).image
    low, high = np.percentile(colours(), [2, 98])
    expected = np.clip((np.moveaxis(colours(), 0, 2) - low) / (high - low) * 255, 0, 255)
    side = image.shape[0]
    slow = cv2.resize(expected.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    assert np.abs(image[4:-4, 4:-4] - slow[4:-4, 4:-4]).mean() < 8


@pytest.mark.parametrize("largest_side_px", [200, 150, 100, 50])
def test_a_coarser_picture_is_the_mean_of_what_its_pixels_cover(tmp_path: Path, largest_side_px: int) -> None:
    path = write(tmp_path / "a.tif", colours())
    with open_raster(path, largest_side_px=largest_side_px) as raster:
        assert max(raster.size_px) <= largest_side_px + 1
        assert raster.size_m == pytest.approx((150.0, 150.0), rel=0.02)
        image = raster.read().image
    side = image.shape[0]
    slow = cv2.resize(np.moveaxis(colours(), 0, 2), (side, side), interpolation=cv2.INTER_AREA)
    assert np.abs(image[1:-1, 1:-1].astype(int) - slow[1:-1, 1:-1]).mean() < 3
    assert read(path, finest_m=3.0).image.shape[0] in (50, 52)


def test_what_is_no_map_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.tif"
    text.write_text("not a tiff")
    for path, why in ((text, "is not an image or map"), (tmp_path / "none.tif", "no such file")):
        with pytest.raises(ImageError, match=rf"{path.name}: {why}"):
            read(path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # of the writer in this test
def test_a_picture_without_a_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.tif"
    with rasterio.open(path, "w", driver="GTiff", count=1, height=50, width=50, dtype="uint8") as file:
        file.write(np.zeros((1, 50, 50), np.uint8))
    with pytest.raises(GeoreferenceError, match="carries no georeference"):
        read(path)


PEAK = """
import sys
from runtime.place.target import load
target = load(sys.argv[1])
# Its own peak: ru_maxrss begins at what the process that started it holds.
peak_kb = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(target.image.shape[0], target.image.shape[1], target.gsd_m, peak_kb)
"""


def test_a_huge_target_is_never_read_whole(tmp_path: Path) -> None:
    """A raster of 40,000 x 40,000 pixels, 1.6 GB, in a file that is mostly one colour, without overviews."""
    side, tile = 40_000, 1024
    path = tmp_path / "huge.tif"
    texture = np.repeat(np.repeat(colours(128), 8, axis=1), 8, axis=2)[:1]
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=side, width=side, dtype="uint8", crs=f"EPSG:{EPSG}",
        transform=from_origin(EAST, NORTH, 0.05, 0.05), tiled=True, blockxsize=tile, blockysize=tile,
        compress="deflate", sparse_ok=True,
    ) as file:  # fmt: skip
        for row in range(0, side - tile, 8 * tile):
            for column in range(0, side - tile, 8 * tile):
                file.write(texture, window=Window(column, row, tile, tile))
    run = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, cwd=ROOT, check=True)
    rows, columns, gsd_m, peak_kb = run.stdout.split()
    assert 3900 <= int(rows) <= 4097 and 3900 <= int(columns) <= 4097
    assert float(gsd_m) == pytest.approx(2000 / 4096, rel=0.02)
    assert int(peak_kb) / 1024 < MEMORY_MB
