"""A world over hills: what a lens sees of it, and the model of its ground."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.geodesy import offset
from sim.render import Renderer
from sim.world.relief import Relief, hills
from sim.world.world import Scene, World
from tests.sim.cameras import nadir

SEED, SIDE_M = 100_241, 150.0
CAMERA = CameraModel.from_hfov(320, 240, 70.0)
HOME = (-30.0, 20.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return World.generate(SEED, SIDE_M).scene("flight")


def plateau(height_m: float) -> Relief:
    return Relief(np.full((33, 33), height_m, np.float32), 10.0)


def test_hills_have_the_difference_that_was_asked_for_and_their_level_at_home() -> None:
    relief = hills(7, 900.0, 100.0, HOME)
    north, east = np.meshgrid(np.linspace(-450, 450, 91), np.linspace(-450, 450, 91), indexing="ij")
    inside = relief.height_m(north, east)
    assert np.ptp(inside) == pytest.approx(100.0, rel=0.02)
    assert relief.height_m(*np.array(HOME)[:, None])[0] == pytest.approx(0.0, abs=0.01)
    assert inside.max() <= 50.5  # who takes off here is over every hill at 100 m
    slope = np.hypot(*np.gradient(inside, 10.0))
    assert 0.1 < slope.max() < 1.0  # hills, no cliffs: a view straight down meets each of their points once
    assert np.array_equal(relief.heights_m, hills(7, 900.0, 100.0, HOME).heights_m)
    assert not np.array_equal(relief.heights_m, hills(8, 900.0, 100.0, HOME).heights_m)


def test_over_a_plateau_the_view_is_the_one_from_as_much_lower(scene: Scene) -> None:
    lifted = Renderer(scene, plateau(25.0)).perspective(CAMERA, nadir(0.4), (5.0, -8.0, -85.0))
    flat = Renderer(scene).perspective(CAMERA, nadir(0.4), (5.0, -8.0, -60.0))
    difference = np.abs(lifted.astype(int) - flat).max(axis=2)
    assert np.percentile(difference, 85) <= 1  # the noise on crowns and roofs goes with a point's height
    higher = Renderer(scene).perspective(CAMERA, nadir(0.4), (5.0, -8.0, -63.0))
    assert np.percentile(np.abs(higher.astype(int) - flat).max(axis=2), 90) > 10  # such a difference shows


def test_a_point_of_a_slope_is_seen_where_geometry_has_it(scene: Scene) -> None:
    """A disc painted on the ground 20 m north lies 10 m higher there, and is seen further from the middle."""
    ground = scene.ground
    painted = ground.image.copy()
    rows, columns = np.mgrid[: painted.shape[0], : painted.shape[1]]
    north = ground.north_m - (rows + 0.5) * ground.gsd_m
    east = ground.west_m + (columns + 0.5) * ground.gsd_m
    painted[:] = 40
    painted[np.hypot(north - 20.0, east) < 3.0] = 250
    bare = World.generate(SEED, SIDE_M).scene("flight")
    mesh = bare.mesh
    empty = type(mesh)(mesh.triangles[:1] + 9e3, mesh.part[:1] * 0, mesh.colour[:1], mesh.surface[:1], mesh.centre[:1])
    bare = replace(bare, mesh=empty, ground=replace(ground, image=painted))
    slope = Relief(np.repeat(np.linspace(80.0, -80.0, 33, dtype=np.float32)[:, None], 33, axis=1), 10.0)  # a half
    view = Renderer(bare, slope).perspective(CAMERA, nadir(), (0.0, 0.0, -70.0)).mean(axis=2)
    bright = np.argwhere(view > 0.5 * (view.max() + np.median(view)))
    row, column = bright.mean(axis=0)
    assert column == pytest.approx(CAMERA.cx_px, abs=1.0)
    assert CAMERA.cy_px - row == pytest.approx(CAMERA.fy_px * 20.0 / (70.0 - 10.0), abs=1.5)


def test_the_elevation_model_says_the_same_heights(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    from runtime.sources.raster.terrain import read_terrain

    relief, origin = hills(7, 400.0, 60.0, HOME), World.generate(SEED, SIDE_M).origin
    relief.write(tmp_path / "dem.tif", origin, 37.0)
    offsets = [(north, east) for north in (-150.0, 0.0, 150.0) for east in (-150.0, 40.0)]
    places = [offset(origin, *one) for one in offsets]
    terrain = read_terrain(tmp_path / "dem.tif", places)
    for place, (north, east) in zip(places, offsets, strict=True):
        expected = 37.0 + float(relief.height_m([north], [east])[0])
        assert terrain.height_m(place) == pytest.approx(expected, abs=1.0)
    assert math.isfinite(terrain.level()[0])
