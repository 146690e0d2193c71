"""Rasters are read by what their bands mean: each is the same picture as its plain red, green and blue twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

rasterio = pytest.importorskip("rasterio")
from rasterio.enums import ColorInterp as Is  # noqa: E402

from runtime.errors import ImageError  # noqa: E402
from tests.runtime.sources.raster.writing import EAST, EPSG, NORTH, colours, read, same, write  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rasterio itself

SIDE = 96
NEAR_INFRARED = np.full((1, SIDE, SIDE), 77, np.uint8)
OPAQUE = np.full((1, SIDE, SIDE), 255, np.uint8)


@pytest.fixture(scope="module")
def rgb() -> NDArray[np.uint8]:
    return colours(SIDE)


@pytest.fixture(scope="module")
def twin(rgb: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("twin") / "rgb.tif", rgb)


@pytest.mark.parametrize("largest_side_px", [None, 30])
def test_bands_in_any_order_are_found_by_their_interpretation(
    rgb: NDArray[np.uint8], twin: Path, tmp_path: Path, largest_side_px: int | None
) -> None:
    red, green, blue = rgb[0:1], rgb[1:2], rgb[2:3]
    for name, bands, meaning in (
        ("bgr", [blue, green, red], (Is.blue, Is.green, Is.red)),
        ("argb", [OPAQUE, red, green, blue], (Is.alpha, Is.red, Is.green, Is.blue)),
        ("rgb + nir", [red, green, blue, NEAR_INFRARED], (Is.red, Is.green, Is.blue, Is.undefined)),
        ("nir between", [red, NEAR_INFRARED, green, OPAQUE, blue], (Is.red, Is.undefined, Is.green, Is.alpha, Is.blue)),
        ("unsaid + alpha", [red, OPAQUE, green, blue], (Is.undefined, Is.alpha, Is.undefined, Is.undefined)),
    ):
        path = write(tmp_path / f"{name}.tif", np.concatenate(bands), photometric="MINISBLACK", interpretation=meaning)
        same(path, twin, 0.01, largest_side_px=largest_side_px)


def test_bands_without_a_meaning_are_found_by_their_names(rgb: NDArray[np.uint8], twin: Path, tmp_path: Path) -> None:
    """The order of a multispectral camera: blue, green, red, near infrared, red edge."""
    bands = np.concatenate([rgb[::-1], NEAR_INFRARED, NEAR_INFRARED])
    path = write(tmp_path / "ms.tif", bands, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("Blue", "Green", "Red", "NIR", "Red edge")
    same(path, twin, 0.01)


@pytest.mark.parametrize(
    "names",
    [
        ("Blue (475 nm)", "Green (560 nm)", "Red (668 nm)", "Red edge (717 nm)", "NIR"),
        ("B", "G", "R", "RE", "NIR"),
        ("Band 1: blue", "Band 2: green", "Band 3: red", "Band 4: red-edge", "Band 5: nir"),
    ],
)
def test_names_as_makers_of_multispectral_cameras_write_them(
    rgb: NDArray[np.uint8], twin: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    more = rgb[:1] // 2
    path = write(tmp_path / "ms.tif", np.concatenate([rgb[::-1], more, more]), interpretation=[Is.undefined] * 5)
    with rasterio.open(path, "r+") as file:
        file.descriptions = names
    same(path, twin)


def test_grey_that_counts_from_white_and_bytes_of_few_bits_are_shown_as_they_look(
    rgb: NDArray[np.uint8], tmp_path: Path
) -> None:
    grey = rgb[:1]
    twin = write(tmp_path / "grey.tif", grey)
    same(write(tmp_path / "white.tif", 255 - grey, photometric="MINISWHITE"), twin)
    for bits in (4, 6):
        few = grey >> (8 - bits)
        same(write(tmp_path / "few.tif", few, nbits=bits), twin, within=256 / 2**bits)
        least_is_white = (2**bits - 1 - few).astype(np.uint8)
        path = write(tmp_path / "both.tif", least_is_white, nbits=bits, photometric="MINISWHITE")
        same(path, twin, within=256 / 2**bits)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_transparent_pixels_of_grey_and_colour_have_no_data(rgb: NDArray[np.uint8], tmp_path: Path, kind: Any) -> None:
    alpha = OPAQUE.astype(kind) * (257 if kind == np.uint16 else 1)
    alpha[:, :32] = 0
    for bands, meaning in (
        (rgb[:1], (Is.gray, Is.alpha)),
        (rgb, (Is.red, Is.green, Is.blue, Is.alpha)),
    ):
        path = write(tmp_path / "a.tif", np.concatenate([bands.astype(kind), alpha]), interpretation=meaning)
        picture = read(path)
        assert not picture.seen[:31].any() and picture.seen[33:, 1:-1].all()
        assert not picture.image[:31].any() and picture.image[33:].std() > 10


def palette_of(rgb: NDArray[np.uint8], entries: int) -> tuple[NDArray[np.uint8], dict[int, tuple[int, ...]]]:
    """Numbers (1, H, W) and the colours of a palette that shows about the same picture."""
    numbers = (rgb[1].astype(int) * entries // 256).astype(np.uint8)
    colours = {}
    for number in range(entries):
        where = numbers == number
        mean = rgb[:, where].mean(axis=1).round().astype(int) if where.any() else (0, 0, 0)
        colours[number] = (*map(int, mean), 255)
    return numbers[None], colours


@pytest.mark.parametrize("largest_side_px", [None, 30])
@pytest.mark.parametrize("holes", ["none", "transparent", "nodata"])
def test_a_palette_is_its_colours_without_its_holes(
    rgb: NDArray[np.uint8], tmp_path: Path, holes: str, largest_side_px: int | None
) -> None:
    numbers, palette = palette_of(rgb, 40)
    shown = np.stack([np.array([palette[n][c] for n in range(40)], np.uint8)[numbers[0]] for c in range(3)])
    mask = np.full((1, SIDE, SIDE), 255, np.uint8)
    if holes != "none":
        numbers[:, :, 64:] = 39
        mask[numbers == 39] = 0
        palette[39] = (9, 200, 9, 0 if holes == "transparent" else 255)
    if holes == "transparent":  # a palette in a TIFF has no such entries; one in a PNG has, and its place beside it
        path = tmp_path / "p.png"
        picture = Image.fromarray(numbers[0], "P")
        picture.putpalette([part for number in range(40) for part in palette[number][:3]])
        picture.save(path, transparency=bytes(palette[number][3] for number in range(40)))
        (tmp_path / "p.pgw").write_text(f"0.5\n0\n0\n-0.5\n{EAST + 0.25}\n{NORTH - 0.25}\n")
        (tmp_path / "p.prj").write_text(rasterio.crs.CRS.from_epsg(EPSG).to_wkt())
    else:
        path = write(tmp_path / "p.tif", numbers, photometric="PALETTE", nodata=39 if holes == "nodata" else None)
        with rasterio.open(path, "r+") as file:
            file.write_colormap(1, palette)
    meaning = (Is.red, Is.green, Is.blue, Is.alpha)
    twin = write(tmp_path / "t.tif", np.concatenate([shown, mask]), interpretation=meaning)
    same(path, twin, 0.01, largest_side_px=largest_side_px)


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32])
def test_sixteen_bits_have_one_stretch_for_all_bands_and_all_parts(
    rgb: NDArray[np.uint8], tmp_path: Path, kind: Any
) -> None:
    """A stretch for each band would turn a green map grey, one for each part would hide where it is dark."""
    deep = rgb.astype(np.float64) * 12 + 100
    deep[1] *= 2.0
    deep[:, :, :48] *= 0.5
    alpha = np.full((1, SIDE, SIDE), 65535 if kind == np.uint16 else 1)
    path = write(
        tmp_path / "deep.tif", np.concatenate([deep, alpha]).astype(kind), photometric="MINISBLACK",
        interpretation=(Is.red, Is.green, Is.blue, Is.alpha),
    )  # fmt: skip
    low, high = np.percentile(deep, [2, 98])
    shown = np.clip((deep - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    same(path, write(tmp_path / "t.tif", shown), 1.5)
    with rasterio.open(path) as file:
        assert file.dtypes[0] == np.dtype(kind).name


@pytest.mark.parametrize("largest_side_px", [None, 30])
@pytest.mark.parametrize(
    ("kind", "nodata", "stored"),
    [(np.float32, np.nan, np.nan), (np.float32, None, np.nan), (np.float32, -9999.0, -9999.0),
     (np.int16, -32768, -32768), (np.float32, -3.4028234663852886e38, np.finfo(np.float32).min),
     (np.float64, None, np.inf)],
)  # fmt: skip
def test_what_is_no_number_and_no_data_in_one_band_is_not_seen(
    rgb: NDArray[np.uint8], tmp_path: Path, kind: Any, nodata: Any, stored: Any, largest_side_px: int | None
) -> None:
    deep = rgb.astype(kind)
    deep[1, 60:] = stored
    picture = read(write(tmp_path / "a.tif", deep, nodata=nodata), largest_side_px=largest_side_px)
    border = picture.seen.shape[0] * 60 // SIDE
    assert picture.seen[1 : border - 1, 1:-1].all() and not picture.seen[border + 1 :].any()
    assert picture.image[1 : border - 1].std() > 20  # the value that says "no data" has no part in the stretch


def test_black_in_one_band_is_a_colour_where_black_is_no_data(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    bands = np.maximum(rgb, 1)
    bands[0, :40] = 0  # no red there
    bands[:, 70:] = 0
    picture = read(write(tmp_path / "a.tif", bands, nodata=0))
    assert picture.seen[1:69, 1:-1].all() and not picture.seen[71:].any()


def test_a_mask_inside_the_file_or_beside_it_is_where_there_is_data(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    for internal in (True, False):
        path = write(tmp_path / f"{internal}.tif", rgb)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as file:
            mask = np.full((SIDE, SIDE), 255, np.uint8)
            mask[:, :30] = 0
            file.write_mask(mask)
        assert path.with_name("False.tif.msk").is_file() is not internal
        for largest_side_px in (None, 24):
            seen = read(path, largest_side_px=largest_side_px).seen
            border = seen.shape[1] * 30 // SIDE
            assert not seen[:, : border - 1].any() and seen[1:-1, border + 1 : -1].all()


def test_inks_and_luma_become_red_green_and_blue(rgb: NDArray[np.uint8], twin: Path, tmp_path: Path) -> None:
    black = np.full((1, SIDE, SIDE), 0, np.uint8)
    cmyk = write(tmp_path / "cmyk.tif", np.concatenate([255 - rgb, black]), photometric="CMYK")
    same(cmyk, twin, 0.01)
    dark = write(tmp_path / "k.tif", np.concatenate([255 - rgb, black + 128]), photometric="CMYK")
    assert read(dark).image.mean() == pytest.approx(read(twin).image.mean() * 127 / 255, rel=0.02)
    jpeg = write(
        tmp_path / "jpeg.tif", rgb, photometric="YCBCR", compress="JPEG", jpeg_quality=95, interleave="pixel",
        tiled=True, blockxsize=64, blockysize=64,
    )  # fmt: skip
    same(jpeg, twin, 4.0)
    same(jpeg, twin, 4.0, largest_side_px=24)
    for interleave in ("band", "pixel"):
        same(write(tmp_path / f"{interleave}.tif", rgb, interleave=interleave, compress="deflate"), twin, 0.01)


def test_what_is_no_picture_is_refused_in_one_sentence(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    radar = write(tmp_path / "radar.tif", rgb.astype(np.complex64))
    alone = write(tmp_path / "alpha.tif", OPAQUE, interpretation=(Is.alpha,))
    hsl = write(tmp_path / "hsl.vrt.tif", rgb, photometric="MINISBLACK")
    with rasterio.open(hsl, "r+") as file:
        file.colorinterp = (Is.hue, Is.saturation, Is.lightness)
    for path, why in ((radar, "complex numbers"), (alone, "nothing that it belongs to"), (hsl, "hue, saturation")):
        with pytest.raises(ImageError, match=rf"{path.name}: .*{why}"):
            read(path)
