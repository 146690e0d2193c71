"""Fixing frames of unknown heading on tiles of another date that share no corner with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.fix.fixer import Fixer
from runtime.fix.local_features import INVARIANT
from runtime.fix.window import Window, windows_of
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache
from runtime.place.gallery import Rung
from runtime.values import Decision, Fix, Frame, Measured, ViewKind
from tests.runtime.place.fakes import ORIGIN, SIZE_PX, Colours, Land, grid, new_history
from tests.runtime.survey.flights import Truth, photograph

CAMERA = CameraModel.from_hfov(480, 360, 70.0)
TOWER = Colours(pair=(ViewKind.DRONE, ViewKind.SATELLITE))
FLOWN = [Truth(1.0, 4.0, -9.0, 75.0, 0.3), Truth(2.0, -34.0, 31.0, 70.0, -2.6), Truth(3.0, 33.0, 28.0, 82.0, 1.83)]

PLACES = [(10.0, 20.0), (-31.0, 5.0)]


@pytest.fixture(scope="module")
def land() -> Land:
    return Land()


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory, land: Land) -> Iterator[History]:
    with new_history(tmp_path_factory.mktemp("heading") / "map.homing") as made:
        land.record(made, TOWER, grid(100.0, 20.0), ViewKind.SATELLITE)
        yield made


def fixed(tiles: History, land: Land, truth: Truth, grain: float = 12.0) -> Fix:
    """A frame paler than the tiles, and noisy, of which all is known but heading and place, the height nearly."""
    seen = photograph(land.image, 1.0, truth, CAMERA).astype(np.float32)
    noise = np.random.default_rng(7).normal(0, grain, seen.shape)
    frame = Frame(np.clip(0.7 * seen + 40 + noise, 0, 255).astype(np.uint8), truth.pose.t_ns, "frame", 0)
    pose = replace(truth.pose, height_agl_m=Measured(truth.height_m * 1.04, 3.0, "test"))
    return Fixer(tiles, TOWER, CAMERA).fix(frame, pose, any_heading=True)


@pytest.mark.parametrize(("truth", "grain"), [(FLOWN[0], 12.0), (FLOWN[1], 100.0), (FLOWN[2], 100.0)])
def test_a_frame_is_fixed_by_a_look_at_few_tiles(tiles: History, land: Land, truth: Truth, grain: float) -> None:
    fix = fixed(tiles, land, truth, grain)
    assert fix.decision is Decision.FIX and fix.aircraft is not None and fix.sigma_m is not None
    assert distance_m(fix.aircraft, offset(ORIGIN, truth.north_m, truth.east_m)) < 3 * fix.sigma_m < 18.0
    if grain < 50.0:  # by pairs on tiles, whose ground may slope by 3 degrees unseen
        assert fix.sigma_m > math.tan(math.radians(3.0)) * truth.height_m
    by_layout = f"by its layout on the map, turned {math.degrees(truth.heading) % 360.0:.0f}"[:-1]
    assert (by_layout in fix.reason) == (grain > 50.0)  # whose grain leaves no corner
    assert fix.verified <= 4 and tiles.features(1, INVARIANT.name) is None
    assert all(one.log_likelihood_ratio < fix.hypotheses[0].log_likelihood_ratio for one in fix.hypotheses[2:])


@pytest.mark.parametrize(("heading", "grain"), [(0.3, 12.0), (2.3, 100.0)])
def test_ground_the_map_does_not_show_is_refused(tiles: History, land: Land, heading: float, grain: float) -> None:
    fix = fixed(tiles, land, Truth(4.0, 250.0, 10.0, 75.0, heading), grain)
    assert fix.decision is Decision.NO_FIX and "on the map" in fix.reason
    assert fix.hypotheses and all(one.log_likelihood_ratio == 0.0 for one in fix.hypotheses)


def test_two_places_that_look_alike_are_told_of(tmp_path: Path) -> None:
    land = Land()
    half = land.image[:350, 175:525]  # the same ground 350 m further south
    land.image[:350, 175:525], land.image[350:, 175:525] = half.copy(), half.copy()
    with new_history(tmp_path / "twice.homing") as twice:
        around = [(north + far, east) for north, east in grid(60.0, 24.0) for far in (175.0, -175.0)]
        land.record(twice, TOWER, around, ViewKind.SATELLITE)
        fix = fixed(twice, land, Truth(5.0, 178.0, -7.0, 75.0, 0.3), grain=100.0)
    assert fix.decision is Decision.NO_FIX and "two places fit about alike" in fix.reason


def test_a_crop_is_found_beside_where_it_was_looked_for(tiles: History, land: Land) -> None:
    rung = Rung(GalleryCache(tiles).snapshot(), ViewKind.SATELLITE, 40.0, TOWER.shared_dim)
    crops = np.stack([land.cut(north, east, 40.0, 40.0 / SIZE_PX) for north, east in PLACES])
    maps = TOWER.embed(ViewKind.DRONE, crops).maps
    assert maps is not None
    first = np.array([-100.0, -100.0])  # the gallery's metres are from its first keyframe
    windows = windows_of(rung, maps, np.array(PLACES) - first + [6.0, -4.0])
    assert all(np.abs(one.shift_ne_m - [-6.0, 4.0]).max() < 1.0 for one in windows)
    assert Window.joint(windows).best > 0.9 * np.mean([one.best for one in windows])
    beyond = windows_of(rung, maps[:1], np.array([[900.0, 0.0]]))[0]
    assert beyond.best == 0.0
