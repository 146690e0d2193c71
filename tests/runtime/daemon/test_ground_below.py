"""How far below a live camera the ground lies, where no range finder says it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from runtime.camera_model import CameraModel, body_from_mount
from runtime.daemon.ground_below import FlatGround, OverTerrain, UnknownGround
from runtime.geodesy import offset
from runtime.heights import RELIEF_M, is_above_flat_ground
from runtime.rotations import ned_from_euler
from runtime.terrain import MODEL_SIGMA_M, Datum, Terrain
from runtime.values import Attitude, Estimate, GeoPoint, Measured, Pose, PositionSource, TrackingState, circular

MIDDLE = GeoPoint(46.5, 7.9)
DOWN = CameraModel(640, 480, 500.0, 500.0, 320.0, 240.0)
LEVEL = 590.0, 10.0
POSE = Pose(
    0,
    altitude_amsl_m=Measured(700.0, 2.0, "vehicle"),
    height_takeoff_m=Measured(100.0, 1.0, "vehicle"),
    attitude=Attitude(ned_from_euler(0.0, 0.0, 0.0), 0.02, "compass"),
)


def slope(datum: Datum = Datum.ORTHOMETRIC, rise: float = 0.2) -> Terrain:
    """2 km of ground at 590 m in its middle, rising to the north."""
    north = 1000.0 - 20.0 * np.arange(101, dtype=np.float32)
    return Terrain(MIDDLE, 20.0, np.tile(590.0 + rise * north[:, None], (1, 101)).astype(np.float32), datum)


def at(north_m: float, sigma_m: float = 1.0) -> Estimate:
    place = offset(MIDDLE, north_m, 0.0)
    return Estimate(0, TrackingState.TRACKING, place, circular(sigma_m), PositionSource.VISION, "")


def lost() -> Estimate:
    return Estimate.lost(0, PositionSource.VISION, "no fix")


def test_level_ground_lies_where_the_configuration_has_it() -> None:
    height = FlatGround(takeoff_above_m=40.0).height_agl_m(POSE, lost, None)
    assert height is not None and height.value == 140.0 and is_above_flat_ground(height)
    assert height.sigma == pytest.approx(math.hypot(1.0, 0.08 * 140.0)) and height.sigma > RELIEF_M
    assert FlatGround().height_agl_m(replace(POSE, height_takeoff_m=None), lost, None) is None
    assert UnknownGround().height_agl_m(POSE, lost, None) is None


@pytest.mark.parametrize("datum", list(Datum))
def test_over_a_slope_the_height_counts_from_the_take_offs_own_ground(datum: Datum) -> None:
    ground = OverTerrain(slope(datum), DOWN, FlatGround(), LEVEL)
    takeoff = offset(MIDDLE, -300.0, 0.0)  # 60 m lower
    height = ground.height_agl_m(POSE, lambda: at(-100.0), takeoff)
    assert height is not None and height.value == pytest.approx(60.0, abs=0.1)
    assert not is_above_flat_ground(height) and height.sigma == pytest.approx(math.hypot(1.0, MODEL_SIGMA_M), rel=0.01)


def test_without_a_take_off_the_altitude_above_the_sea_counts_if_the_models_heights_are_such() -> None:
    height = OverTerrain(slope(), DOWN, FlatGround(), LEVEL).height_agl_m(POSE, lambda: at(100.0), None)
    assert height is not None and height.value == pytest.approx(700.0 - 610.0, abs=0.1)
    of_ellipsoid = OverTerrain(slope(Datum.ELLIPSOIDAL), DOWN, FlatGround(), LEVEL)
    otherwise = of_ellipsoid.height_agl_m(POSE, lambda: at(100.0), None)
    assert otherwise is not None and otherwise.value == 100.0 and is_above_flat_ground(otherwise)


def test_a_camera_that_looks_ahead_stands_above_the_ground_that_it_looks_at() -> None:
    ahead = replace(DOWN, body_from_camera=body_from_mount(-45.0))
    height = OverTerrain(slope(), ahead, FlatGround(), LEVEL).height_agl_m(POSE, lambda: at(0.0), None)
    assert height is not None
    assert height.value == pytest.approx(110.0 / 1.2, rel=0.05)  # 45 degrees ahead meet the slope


def test_a_place_that_is_known_badly_leaves_the_slope_in_the_sigma() -> None:
    ground = OverTerrain(slope(), DOWN, FlatGround(), LEVEL)
    height = ground.height_agl_m(POSE, lambda: at(0.0, sigma_m=100.0), None)
    assert height is not None
    assert height.sigma == pytest.approx(math.hypot(2.0, MODEL_SIGMA_M, 20.0 / math.sqrt(2)), rel=0.02)


def test_who_may_be_anywhere_stands_above_the_mean_of_what_can_be_recognised_unless_that_is_steep() -> None:
    terrain = slope()
    south = [offset(MIDDLE, north, 0.0) for north in (-300.0, -250.0, -200.0)]
    low = OverTerrain(terrain, DOWN, FlatGround(), terrain.level(south)).height_agl_m(POSE, lost, None)
    assert low is not None and low.value == pytest.approx(160.0, abs=0.1) and is_above_flat_ground(low)
    assert low.sigma == pytest.approx(math.hypot(2.0, 10.0 * math.sqrt(2 / 3)), rel=0.01)
    everywhere = terrain.level()
    assert everywhere == pytest.approx((590.0, 0.2 * 2000.0 / math.sqrt(12.0)), rel=0.02)
    assert terrain.level([offset(MIDDLE, 9_000.0, 0.0)]) == everywhere
    assert OverTerrain(terrain, DOWN, FlatGround(), everywhere).height_agl_m(POSE, lost, None) is None


def test_beyond_the_model_the_ground_is_what_it_was_without_it() -> None:
    height = OverTerrain(slope(), DOWN, FlatGround(), LEVEL).height_agl_m(POSE, lambda: at(5000.0), None)
    assert height is not None and height.value == 100.0 and is_above_flat_ground(height)
