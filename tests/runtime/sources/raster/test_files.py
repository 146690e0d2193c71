"""Maps in the formats that people have, large and damaged ones, quietly and from the disk alone."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

rasterio = pytest.importorskip("rasterio")
from rasterio.enums import ColorInterp as Is  # noqa: E402
from rasterio.enums import Resampling  # noqa: E402
from rasterio.shutil import copy  # noqa: E402

from runtime.errors import HomingError, ImageError  # noqa: E402
from runtime.sources.raster.files import opened  # noqa: E402
from runtime.sources.raster.north_up import open_raster  # noqa: E402
from runtime.sources.raster.picture import read_as_stored  # noqa: E402
from tests.runtime.sources.raster.writing import colours, read, same, write  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rasterio itself

ROOT = Path(__file__).parents[4]
SIDE = 128


@pytest.fixture(scope="module")
def rgb() -> NDArray[np.uint8]:
    return colours(SIDE)


@pytest.fixture(scope="module")
def twin(rgb: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("twin") / "rgb.tif", rgb)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jp2", {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}),
        ("a.gpkg", {"driver": "GPKG", "TILE_FORMAT": "PNG"}),
        ("a.img", {"driver": "HFA"}),
        ("a.png", {"driver": "PNG"}),
        ("a.webp", {"driver": "WEBP", "LOSSLESS": "YES"}),
        ("a.tif", {"driver": "COG", "compress": "deflate"}),
        ("big.tif", {"BIGTIFF": "YES", "compress": "zstd", "predictor": 2}),
        ("no ending", {"driver": "GTiff"}),
        ("Ünïcode & <Karte>'s.tif", {"driver": "GTiff"}),
    ],
)
def test_a_map_is_the_same_in_every_format(
    rgb: NDArray[np.uint8], twin: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    same(write(tmp_path / name, rgb, **options), twin, 0.01)


def test_tiles_of_a_web_map_are_at_their_own_scale(tmp_path: Path) -> None:
    """MBTiles in web mercator: at 60 degrees north its metre is half a metre, and its alpha is no data."""
    size, zoom = 512, 18
    pixel = 2 * 20037508.342789244 / 256 / 2**zoom
    column, row = 145000, 76000  # of the pyramid's tiles, 256 pixels each
    x, y = -20037508.342789244 + column * 256 * pixel, 20037508.342789244 - row * 256 * pixel
    bands = np.concatenate([colours(size), np.full((1, size, size), 255, np.uint8)])
    bands[:, :, :100] = 0
    affine = rasterio.Affine(pixel, 0, x, 0, -pixel, y)
    meaning = (Is.red, Is.green, Is.blue, Is.alpha)
    source = write(tmp_path / "a.tif", bands, crs="EPSG:3857", affine=affine, interpretation=meaning)
    path = tmp_path / "a.mbtiles"
    copy(source, path, driver="MBTILES", TILE_FORMAT="PNG")
    with open_raster(path) as raster:
        latitude = np.radians(raster.middle.latitude_deg)
        assert raster.gsd_m == pytest.approx(pixel * np.cos(latitude), rel=0.01) and latitude > 1.0
        picture = raster.read()
    assert not picture.seen[:, :90].any() and picture.seen[5:-5, 110:-5].mean() > 0.9
    assert picture.image[5:-5, 110:-5].std() > 10


def test_overviews_are_read_where_they_do_and_not_where_the_mask_is_lost(
    rgb: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Overviews of another colour tell from which the picture was made."""
    wide = np.repeat(np.repeat(rgb, 8, axis=1), 8, axis=2)
    path = write(tmp_path / "a.tif", wide, gsd_m=0.05, tiled=True, blockxsize=256, blockysize=256)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4], Resampling.average)
    with rasterio.open(path, "r+", overview_level=0) as file:
        file.write(np.full((3, 512, 512), 200, np.uint8))
    with opened(path) as file:
        assert file.level((8.4, 8.4)).read_px == 256**2
        assert file.level((4.4, 4.4)).read_px == 512**2 and file.level((2.1, 2.1)).read_px == 1024**2
    with open_raster(path, largest_side_px=256) as raster:
        assert (raster.read().image[5:-5, 5:-5] == 200).all()
    same(path, write(tmp_path / "t.tif", wide, gsd_m=0.05), 1.0, largest_side_px=512)


def test_a_picture_without_a_place_is_read_as_it_is_stored(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    wide = np.repeat(np.repeat(rgb, 3, axis=1), 3, axis=2)
    path = write(tmp_path / "a.tif", wide, crs=None, affine=rasterio.Affine.identity())
    np.testing.assert_array_equal(read_as_stored(path, 3).image, np.moveaxis(rgb, 0, 2))
    np.testing.assert_array_equal(read_as_stored(path, 1).image, np.moveaxis(wide, 0, 2))


def refused(path: Path) -> str:
    with pytest.raises(HomingError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and text.endswith(".") and "\n" not in text and "See previous" not in text
    return text


def test_what_is_damaged_or_lies_is_one_sentence(rgb: NDArray[np.uint8], twin: Path, tmp_path: Path) -> None:
    whole = twin.read_bytes()
    for share in (0.002, 0.01, 0.5, 0.9):
        cut = tmp_path / f"{share}.tif"
        cut.write_bytes(whole[: int(len(whole) * share)])
        refused(cut)
    for text in (b"", b"II*\0", b"II*\0\x08\0\0\0", b"Dear Sir", b"\x89PNG\r\n\x1a\n", os.urandom(500)):
        odd = tmp_path / "odd.tif"
        odd.write_bytes(text)
        refused(odd)
    assert "no such file" in refused(tmp_path / "none.tif") and "is a folder" in refused(tmp_path)
    packed = write(tmp_path / "packed.tif", rgb, compress="deflate")
    rotten = bytearray(packed.read_bytes())
    rotten[len(rotten) // 2 : len(rotten) // 2 + 400] = bytes(400)
    packed.write_bytes(bytes(rotten))
    assert "cannot be read as an image or map" in refused(packed)


def test_one_pixel_is_a_picture_and_no_band_is_none(tmp_path: Path) -> None:
    assert read(write(tmp_path / "one.tif", np.full((3, 1, 1), 99, np.uint8))).image.shape == (2, 2, 3)
    several = write(tmp_path / "several.gpkg", colours(64), driver="GPKG", RASTER_TABLE="spring")
    other = write(tmp_path / "a.tif", colours(64))
    copy(other, several, driver="GPKG", RASTER_TABLE="autumn", APPEND_SUBDATASET="YES")
    assert "holds no picture itself, but GPKG:" in refused(several)


def test_a_file_that_must_be_decoded_whole_is_refused_where_it_is_large(tmp_path: Path) -> None:
    """One deflated tile: 369 MB from half a megabyte."""
    side, path = 19_200, tmp_path / "tile.tif"
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(side * 100)) for _ in range(side // 100)) + packer.flush()
    tags = [(256, side), (257, side), (258, 8), (259, 8), (262, 1), (277, 1), (322, side), (323, side), (324, 8),
            (325, len(packed))]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(packed))
    path.write_bytes(head + packed + struct.pack("<H", len(tags)) + entries + bytes(4))
    with pytest.raises(ImageError, match="pieces of 351 MB that can only be read whole"):
        read_as_stored(path, 8)


NOISE = """
import sys
from pathlib import Path
from runtime.errors import HomingError
from runtime.sources.raster.north_up import open_raster
for path in sys.argv[1:]:
    try:
        with open_raster(Path(path)) as raster:
            raster.read()
    except HomingError as error:
        print(error)
"""


def test_nothing_is_said_on_stderr(rgb: NDArray[np.uint8], twin: Path, tmp_path: Path) -> None:
    whole = twin.read_bytes()
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole[: len(whole) // 2])
    local = write(tmp_path / "local.tif", rgb, crs=rasterio.crs.CRS.from_wkt('LOCAL_CS["x",UNIT["metre",1]]'))
    plain = write(tmp_path / "plain.tif", rgb, crs=None, affine=rasterio.Affine.identity())
    masked = write(tmp_path / "masked.tif", np.concatenate([rgb, rgb[:1]]), nodata=0, interpretation=(
        Is.red, Is.green, Is.blue, Is.alpha))  # fmt: skip
    bytes_in_words = tmp_path / "words.tif"  # a tag of text whose count lies, told of by GDAL with whatever it holds
    bytes_in_words.write_bytes(whole.replace(b"WGS 84", b"\x8c\xdd\xff 84"))
    jpeg = tmp_path / "cut.jpg"
    jpeg.write_bytes(cv2.imencode(".jpg", np.moveaxis(rgb, 0, 2))[1].tobytes()[:2000])
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", NOISE, cut, local, plain, masked, jpeg, tmp_path / "none.tif"],
        capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert len(run.stdout.splitlines()) == 5
    assert run.stderr == ""


def test_a_file_that_another_thread_opened_is_closed_without_a_word(rgb: NDArray[np.uint8], tmp_path: Path) -> None:
    """As at the end of a process whose worker thread had it open."""
    path = write(tmp_path / "town.tif", rgb)
    with ThreadPoolExecutor(1) as other, ExitStack() as stack:
        with opened(path) as ours:
            other.submit(stack.enter_context, opened(path)).result()
            stack.close()
            assert rasterio.env.hasenv(), "the settings of a file that is open in this thread are gone"
            assert ours.band_count == 3
        assert not rasterio.env.hasenv()
