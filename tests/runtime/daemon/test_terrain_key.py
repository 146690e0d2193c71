"""`[fix] terrain`: the daemon flies over an elevation model, where a file of one is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rasterio")

from runtime.config.config import load_config  # noqa: E402
from runtime.daemon.assembly import assemble  # noqa: E402
from runtime.daemon.ground_below import FlatGround, OverTerrain  # noqa: E402
from runtime.daemon.workers import InlineWorkers  # noqa: E402
from runtime.doctor.finding import Finding  # noqa: E402
from runtime.doctor.terrain import terrain_findings  # noqa: E402
from runtime.errors import GeoreferenceError, ImageError  # noqa: E402
from runtime.geodesy import offset  # noqa: E402
from runtime.values import GeoPoint  # noqa: E402
from sim.world.relief import Relief  # noqa: E402
from tests.runtime.daemon.test_engine_status import CONFIG  # noqa: E402
from tests.runtime.small_bundle import small_bundle  # noqa: E402

HOME = GeoPoint(60.4, 22.4)
COMMANDING = """
[commanding]
enabled = true
polygon = {polygon}
floor_height_takeoff_m = 30.0
ceiling_height_takeoff_m = 90.0
max_distance_m = 900.0
battery_reserve_percent = 30.0
"""


def configured(folder: Path, north_m: float = 0.0, key: bool = True) -> Path:
    """A configuration whose polygon of 400 m lies so far north of the middle of a model of a kilometre."""
    small_bundle(folder / "bundle")
    Relief(np.full((51, 51), 12.0, np.float32), 20.0).write(folder / "dem.tif", HOME, 100.0)
    square = ((-200, -200), (-200, 200), (200, 200), (200, -200))
    corners = [offset(HOME, north_m + north, east) for north, east in square]
    polygon = [[one.latitude_deg, one.longitude_deg] for one in corners]
    fix = '\n[fix]\nterrain = "dem.tif"\n' if key else ""
    written = CONFIG.format(more="threads = 1") + fix + COMMANDING.format(polygon=polygon)
    (folder / "homing.toml").write_text(written)
    return folder / "homing.toml"


def found(path: Path) -> list[Finding]:
    return list(terrain_findings(load_config(path)))


def test_a_file_beside_the_configuration_is_the_ground_below_and_the_floors(tmp_path: Path) -> None:
    path = configured(tmp_path)
    assembly = assemble(load_config(path), InlineWorkers())
    ground = assembly.daemon.rooms.ground
    assembly.close()
    assert isinstance(ground, OverTerrain) and ground.terrain.height_m(HOME) == pytest.approx(112.0)
    (one,) = found(path)
    assert one.state == "ok" and "112 to 112 m orthometric" in one.found


def test_without_the_key_the_ground_is_level(tmp_path: Path) -> None:
    path = configured(tmp_path, key=False)
    assembly = assemble(load_config(path), InlineWorkers())
    assembly.close()
    assert isinstance(assembly.daemon.rooms.ground, FlatGround) and found(path) == []


def test_a_model_of_half_of_the_polygon_is_told_before_take_off(tmp_path: Path) -> None:
    (one,) = found(configured(tmp_path, north_m=450.0))
    assert one.state == "warning" and "does not reach all of the operator's polygon" in one.found


def test_a_model_of_elsewhere_or_none_at_all_is_refused_at_the_start(tmp_path: Path) -> None:
    path = configured(tmp_path, north_m=9_000.0)
    with pytest.raises(GeoreferenceError, match=r"dem\.tif"):
        assemble(load_config(path), InlineWorkers())
    (tmp_path / "dem.tif").unlink()
    with pytest.raises(ImageError, match=r"dem\.tif: no such file"):
        assemble(load_config(path), InlineWorkers())
    assert not (tmp_path / "history.db").exists()
    assert [one.state for one in found(path)] == ["wrong"]
