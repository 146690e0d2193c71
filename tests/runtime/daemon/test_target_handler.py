"""Targets: shown with an id, confirmed by it, and a GeoTIFF that disagrees with its match is never flown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.daemon.target_handler import TargetHandler
from runtime.errors import UsageError
from runtime.geodesy import offset
from runtime.values import Decision, GeoPoint
from tests.runtime.daemon.cockpit import Places

rasterio = pytest.importorskip("rasterio", reason="GeoTIFF targets need rasterio (homing[geo])")
# rasterio itself multiplies transforms the way that affine 3.1 wants to be rid of
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
HERE = GeoPoint(60.45, 22.25)


@pytest.fixture
def geotiff(tmp_path: Path) -> Path:
    """128 pixels of a metre each, its centre at HERE."""
    from rasterio.crs import CRS
    from rasterio.transform import from_origin
    from rasterio.warp import transform

    crs = CRS.from_epsg(32634)
    (east,), (north,) = transform("EPSG:4326", crs, [HERE.longitude_deg], [HERE.latitude_deg])
    path = tmp_path / "target.tif"
    image = np.random.default_rng(0).integers(0, 255, (3, 128, 128), dtype=np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", width=128, height=128, count=3, dtype="uint8", crs=crs,
        transform=from_origin(east - 64, north + 64, 1.0, 1.0),
    ) as target:  # fmt: skip
        target.write(image)
    return path


def handler(place: GeoPoint) -> TargetHandler:
    places = Places()
    places.knows(place)
    return TargetHandler(places, False, 50.0)


def test_a_geotiff_that_agrees_can_be_confirmed(geotiff: Path) -> None:
    targets = handler(offset(HERE, 10.0, 10.0))
    pending = targets.pending = targets.located(geotiff, None)
    assert pending.answer.decision is Decision.MATCH
    assert targets.take(pending.target_id).place == offset(HERE, 10.0, 10.0)


def test_a_geotiff_that_disagrees_is_reported_and_not_flown(geotiff: Path) -> None:
    targets = handler(offset(HERE, 200.0, 0.0))
    pending = targets.pending = targets.located(geotiff, None)
    assert pending.place is None and pending.answer.decision is Decision.NO_MATCH
    assert "200 m from the position that the image itself carries" in pending.answer.reason
    assert pending.answer.candidates  # the operator still sees what was found
    with pytest.raises(UsageError, match="no accepted place"):
        targets.take(pending.target_id)


def test_the_id_says_image_and_place(geotiff: Path) -> None:
    targets = handler(HERE)
    first = targets.located(geotiff, None).target_id
    assert targets.located(geotiff, None).target_id == first
    assert handler(offset(HERE, 1.0, 0.0)).located(geotiff, None).target_id != first
    assert targets.placed(60.45, 22.25).target_id != first


def test_a_new_target_replaces_the_one_that_waits() -> None:
    targets = handler(HERE)
    old = targets.placed(60.45, 22.25).target_id
    targets.pending = targets.placed(60.46, 22.25)
    new = targets.pending.target_id
    with pytest.raises(UsageError, match="not the one that waits"):
        targets.take(old)
    assert targets.take(None).target_id == new
