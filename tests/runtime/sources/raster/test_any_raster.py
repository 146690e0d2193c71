"""Whatever raster is given, valid or broken: a picture in range at a place on the Earth, or one sentence."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

rasterio = pytest.importorskip("rasterio")
from rasterio.enums import ColorInterp as Is  # noqa: E402

from runtime.errors import HomingError  # noqa: E402
from runtime.place.target import load  # noqa: E402
from runtime.record.map_record import MapOptions, planned  # noqa: E402
from runtime.record.map_tiles import open_map, tiles_of, unusable  # noqa: E402
from tests.runtime.record.fakes import FakeEmbedder  # noqa: E402
from tests.runtime.sources.raster.writing import EAST, NORTH, write  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rasterio itself

KINDS = ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64", "complex64", "int8"]
MEANINGS = [Is.undefined, Is.gray, Is.red, Is.green, Is.blue, Is.alpha, Is.nir]
OPTIONS: list[dict[str, Any]] = [{}, {"compress": "deflate"}, {"tiled": True, "blockxsize": 16, "blockysize": 32}]
PLACES = {
    "EPSG:32632": (EAST, NORTH), "EPSG:4326": (9.0, 47.0), "EPSG:3857": (-2.0037e7, 6e6), "EPSG:2263": (1e6, 2e5),
    "EPSG:3031": (0.0, 0.0), "EPSG:32760": (830_000.0, 8.1e6), "": (0.0, 0.0),
    "+proj=eqc +R=1737400 +units=m +no_defs": (0.0, 0.0),
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A raster to be written, and how it is broken afterwards."""

    kind: str
    shape: tuple[int, int, int]
    meanings: tuple[Any, ...]
    nodata: float | None
    crs: str
    gsd_m: float
    turn_deg: float
    values: str
    options: dict[str, Any]
    damage: str
    seed: int


@st.composite
def rasters(draw: st.DrawFn) -> Made:
    count = draw(st.integers(1, 6))
    return Made(
        kind=draw(st.sampled_from(KINDS)),
        shape=(count, draw(st.integers(1, 150)), draw(st.integers(1, 150))),
        meanings=tuple(draw(st.lists(st.sampled_from(MEANINGS), min_size=count, max_size=count))),
        nodata=draw(st.sampled_from([None, 0.0, 7.0])),
        crs=draw(st.sampled_from(list(PLACES))),
        gsd_m=draw(st.sampled_from([1e-4, 0.3, 0.6, 1.0, 30.0, 5e4])),
        turn_deg=draw(st.sampled_from([0.0, 0.0, 33.0, 180.0])),
        values=draw(st.sampled_from(["texture", "texture", "one colour", "extremes"])),
        options=draw(st.sampled_from(OPTIONS)),
        damage=draw(st.sampled_from(["none", "none", "none", "cut", "rotten"])),
        seed=draw(st.integers(0, 99)),
    )


def bands_of(made: Made) -> np.ndarray:
    rng = np.random.default_rng(made.seed)
    values = rng.integers(0, 120, made.shape).astype(made.kind)
    if made.values == "one colour":
        values[:] = 5
    if made.values == "extremes":
        kind = np.dtype(made.kind)
        limits = [np.nan, np.inf, 3e38] if kind.kind in "fc" else [np.iinfo(kind).min, np.iinfo(kind).max]
        values.reshape(-1)[:: max(1, values.size // 7)] = rng.choice(np.array(limits, kind))
    return values


def written(made: Made, path: Path) -> Path:
    x, y = PLACES[made.crs]
    step = made.gsd_m / 111_000 if made.crs == "EPSG:4326" else made.gsd_m
    cos, sin = math.cos(math.radians(made.turn_deg)), math.sin(math.radians(made.turn_deg))
    affine = rasterio.Affine(step * cos, step * sin, x, step * sin, -step * cos, y)
    write(
        path, bands_of(made), crs=rasterio.crs.CRS.from_string(made.crs) if made.crs else None, affine=affine,
        interpretation=made.meanings, nodata=made.nodata, photometric="MINISBLACK", **made.options,
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    if made.damage == "cut":
        data = data[: len(data) * (made.seed + 1) // 101]
    if made.damage == "rotten":
        at = len(data) * made.seed // 100
        data[at : at + 50] = np.random.default_rng(made.seed).bytes(len(data[at : at + 50]))
    path.write_bytes(bytes(data))
    return path


def one_sentence(error: HomingError, path: Path) -> None:
    text = str(error)
    assert path.name in text and "\n" not in text and text.endswith(".") and "Traceback" not in text


def in_range(image: np.ndarray) -> None:
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rasters())
def test_any_raster_is_a_map_and_a_target_in_range_or_one_sentence(made: Made) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(made, Path(folder) / "any.tif")
        try:
            with open_map(path) as opened:
                assert -90 <= opened.middle.latitude_deg <= 90 and -180 <= opened.middle.longitude_deg < 180
                assert 0 < opened.gsd_m < 1e6 and all(0 < side < math.inf for side in opened.size_m)
                plan = planned(opened, FakeEmbedder(), MapOptions())
                grid, said = plan.grid, plan.sentence
                assert f"{len(grid)} tile" in said
                for number, tile in zip(range(4), tiles_of(opened, grid), strict=False):
                    in_range(tile.image)
                    assert tile.image.shape[0] == tile.image.shape[1] and 0 <= tile.coverage <= 1, number
                    assert not tile.fault or unusable(tile) == tile.fault
        except HomingError as error:
            if "map measures" not in str(error):  # the one that is too small needs no name: there is one --map
                one_sentence(error, path)
        try:
            target = load(path)
            in_range(target.image)
            assert target.gsd_m is None or target.gsd_m > 0
        except HomingError as error:
            one_sentence(error, path)
