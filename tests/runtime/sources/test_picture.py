"""Pixels of photos and plain pictures: eight bits a colour from whatever depth, in memory that is bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from runtime.errors import ImageError
from runtime.sources.picture import opened_picture, read_pixels, upright
from runtime.sources.raster.picture import Picture
from runtime.sources.stretch import eight_bit
from tests.runtime.record.fakes import ground_texture

ROOT = Path(__file__).parents[3]
MEMORY_MB = 700  # of a process that reads 110 million pixels; Python with what it imports takes 100


def read(path: Path, factor: int = 1, turned: bool = False) -> Picture:
    with opened_picture(path) as image:
        picture = read_pixels(image, path, factor)
        return upright(picture, image) if turned else picture


@pytest.fixture(scope="module")
def rgb() -> NDArray[np.uint8]:
    return cv2.GaussianBlur(ground_texture(96), (0, 0), 1.0)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("bands", ["grey", "rgb", "rgba"])
def test_sixteen_bits_are_stretched_not_clipped_and_not_cut_off(
    rgb: NDArray[np.uint8], tmp_path: Path, ending: str, bands: str
) -> None:
    """Twelve bits in sixteen: the upper eight alone would be all but black, the lower eight noise."""
    pytest.importorskip("rasterio")
    deep = rgb.astype(np.uint16) * 16
    alpha = np.full((*rgb.shape[:2], 1), 65535, np.uint16)
    stored = {"grey": deep[..., 1], "rgb": deep[..., ::-1], "rgba": np.concatenate([deep[..., ::-1], alpha], axis=2)}
    path = tmp_path / f"deep.{ending}"
    cv2.imwrite(str(path), stored[bands])
    picture = read(path)
    shown = eight_bit(np.repeat(deep[..., 1:2], 3, axis=2) if bands == "grey" else deep)
    assert picture.image.shape == (96, 96, 3) and picture.seen.all()
    assert np.abs(picture.image.astype(int) - shown).max() <= 1 and picture.image.std() > 30


def test_floats_and_long_integers_are_stretched(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    grey = rgb[..., 0]
    for name, values in (("f.tif", grey.astype(np.float32) / 300), ("i.tif", grey.astype(np.int32) * 999)):
        Image.fromarray(values).save(tmp_path / name)
        assert np.abs(read(tmp_path / name).image[..., 1].astype(int) - eight_bit(values)).max() <= 1


def test_what_is_transparent_is_not_seen(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    alpha = np.full(rgb.shape[:2], 255, np.uint8)
    alpha[:20] = 0
    alpha[20:40] = 90  # a veil is no hole
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([rgb[..., 0], alpha])).save(tmp_path / "la.png")
    palette = Image.fromarray(np.where(alpha == 0, 0, 1 + rgb[..., 0] // 2).astype(np.uint8), "P")
    palette.putpalette([part for number in range(256) for part in (number, number, 255 - number)])
    palette.save(tmp_path / "p.png", transparency=0)
    for name in ("rgba.png", "la.png", "p.png"):
        for factor in (1, 2):
            picture = read(tmp_path / name, factor)
            assert not picture.seen[: 20 // factor].any() and picture.seen[20 // factor :].all()
            assert not picture.image[: 20 // factor].any() and picture.image[20 // factor :].std() > 20


def test_inks_and_palettes_are_their_colours(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    image = Image.fromarray(rgb)
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=98)
    image.quantize(256).save(tmp_path / "p.png")
    for name, off in (("cmyk.jpg", 5), ("p.png", 8)):
        assert np.abs(read(tmp_path / name).image.astype(int) - rgb).mean() < off
    Image.fromarray(rgb[..., 0] > 128).save(tmp_path / "1.png")
    assert set(np.unique(read(tmp_path / "1.png").image)) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_viewers_show_it(rgb: NDArray[np.uint8], tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(rgb[:60]).save(path, exif=exif)
    np.testing.assert_array_equal(read(path).image, rgb[:60])
    with Image.open(path) as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read(path, turned=True).image, shown)


def resized(path: Path, marker: bytes, width: int, height: int) -> Path:
    """A JPEG whose head says another size."""
    data = bytearray(path.read_bytes())
    at = data.index(marker) + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    path.write_bytes(bytes(data))
    return path


def test_what_cannot_be_read_within_bounds_is_one_sentence(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    progressive, baseline = tmp_path / "progressive.jpg", tmp_path / "baseline.jpg"
    Image.fromarray(rgb).save(progressive, progressive=True, subsampling=0)
    Image.fromarray(rgb).save(baseline)
    for path, why in (
        (resized(progressive, b"\xff\xc2", 15_000, 14_000), "progressive JPEG of 210 million pixels"),
        (resized(baseline, b"\xff\xc0", 20_000, 14_000), "280 million pixels"),
        (tmp_path / "none.jpg", "no such file"),
    ):
        with pytest.raises(ImageError, match=why) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_pillows_own_limit_stays_for_others() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError), opened_picture(ROOT / "none.png"):
        pass
    assert before == Image.MAX_IMAGE_PIXELS


PEAK = """
import sys
from runtime.place.target import load
target = load(sys.argv[1], 0.05)
# Its own peak: ru_maxrss begins at what the process that started it holds.
peak_kb = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(target.image.shape[1], target.gsd_m, peak_kb)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_hundred_megapixels_that_are_no_jpeg_are_read_in_strips(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    path = tmp_path / "wide.png"
    texture = np.repeat(np.repeat(rgb[..., 0], 40, axis=0), 40, axis=1)
    Image.fromarray(np.tile(texture, (3, 3))[:8192]).save(path, compress_level=1)
    run = subprocess.run(
        [sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    target_px, gsd_m, peak_kb = map(float, run.stdout.split())
    assert (target_px, gsd_m) == (5760, pytest.approx(0.1))
    assert run.stderr == "" and peak_kb / 1024 < MEMORY_MB
