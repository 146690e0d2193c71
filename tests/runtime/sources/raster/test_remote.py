"""A cloud-optimised GeoTIFF at a URL is read by parts, from that address alone, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

rasterio = pytest.importorskip("rasterio")
from rasterio.shutil import copy  # noqa: E402

from runtime.errors import ImageError  # noqa: E402
from runtime.record.map_tiles import open_map  # noqa: E402
from runtime.sources.raster.remote import url_of  # noqa: E402
from tests.runtime.record.fakes import ground_texture  # noqa: E402
from tests.runtime.record.test_map_tiles import write_map  # noqa: E402
from tests.runtime.sources.raster.serving import served  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cloud-optimised map of 2000 pixels a side, and what is none."""
    place = tmp_path_factory.mktemp("served")
    write_map(place / "plain.tif", np.tile(ground_texture(1000), (2, 2, 1)))
    copy(place / "plain.tif", place / "map.tif", driver="COG", compress="DEFLATE", blocksize=256)
    (place / "notes.tif").write_text("no map, but a text of more than sixteen bytes")
    return place


def test_a_path_that_was_made_of_a_url_is_known() -> None:
    url = "https://maps.example/country/1.tif?key=a"
    assert url_of(Path(url)) == url
    assert url_of(Path("http://127.0.0.1:80/a.tif")) == "http://127.0.0.1:80/a.tif"
    assert url_of(Path("maps/https.tif")) is None and url_of(Path("/http:/")) is None


def test_only_the_parts_that_are_read_are_asked_for(folder: Path) -> None:
    with served(folder) as server:
        with open_map(Path(f"{server.url}/map.tif")) as remote, open_map(folder / "map.tif") as local:
            assert remote.size_m == local.size_m
            tile, same = (one.tile(60.0, -40.0, 50.0) for one in (remote, local))
        assert server.sent < 0.4 * (folder / "map.tif").stat().st_size
        assert set(server.asked) == {"/map.tif"}
    np.testing.assert_array_equal(tile.image, same.image)
    assert tile.centre == same.centre and tile.coverage == 1.0


def test_what_cannot_be_had_is_said_in_one_sentence(folder: Path) -> None:
    with served(folder) as server:
        for name, said in (("nothing.tif", "the server answers 404 Not Found"), ("notes.tif", "is no GeoTIFF")):
            with pytest.raises(ImageError, match=said), open_map(Path(f"{server.url}/{name}")):
                pass
        gone = server.url
    with pytest.raises(ImageError, match=r"127\.0\.0\.1:\d+ cannot be reached"), open_map(Path(f"{gone}/map.tif")):
        pass
    with (
        served(folder, whole=True) as server,
        pytest.raises(ImageError, match="gives no parts of a file"),
        open_map(Path(f"{server.url}/map.tif")),
    ):
        pass
