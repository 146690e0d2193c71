"""Fixing a frame by its layout alone, on tiles of another date that share no corner with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.fix.layout import LayoutFixer, Refusal
from runtime.fix.query import Known, known_of
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.values import Decision, Embeddings, Fix, Frame, ImageRGB, Measured, Pose, Vicinity, ViewKind
from tests.runtime.place.fakes import ORIGIN, Colours, Land, grid, new_history
from tests.runtime.survey.flights import Truth, photograph

CAMERA = CameraModel.from_hfov(480, 360, 70.0)
TOWER = Colours(pair=(ViewKind.DRONE, ViewKind.SATELLITE))
FLOWN = [
    Truth(1.0, 4.0, -9.0, 75.0, 0.3, 0.05, -0.04),
    Truth(2.0, -64.0, 51.0, 70.0, -2.5, -0.06, 0.02),
    Truth(3.0, 43.0, 38.0, 80.0, 1.7, 0.0, 0.08),
]


@pytest.fixture(scope="module")
def land() -> Land:
    return Land()


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory, land: Land) -> Iterator[History]:
    with new_history(tmp_path_factory.mktemp("layout") / "map.homing") as made:
        land.record(made, TOWER, grid(96.0, 16.0), ViewKind.SATELLITE)
        yield made


def frame_of(land: Land, truth: Truth) -> Frame:
    """What a camera sees: paler than the tiles, and noisy."""
    seen = photograph(land.image, 1.0, truth, CAMERA).astype(np.float32)
    grain = np.random.default_rng(7).normal(0, 12, seen.shape)
    return Frame(np.clip(0.7 * seen + 60 + grain, 0, 255).astype(np.uint8), truth.pose.t_ns, "frame", 0)


def believed(frame: Frame, truth: Truth) -> Known:
    """As telemetry says it: three degrees of heading, two percent of height and half a degree wrong."""
    wrong = replace(truth, heading=truth.heading + 0.05, pitch=truth.pitch + 0.01)
    height = Measured(truth.height_m * 1.02, 2.0, "test")
    return known_of(frame, CAMERA, replace(wrong.pose, height_agl_m=height), any_heading=False)


@pytest.mark.parametrize("truth", FLOWN)
def test_a_frame_is_fixed_within_its_sigma(tiles: History, land: Land, truth: Truth) -> None:
    frame = frame_of(land, truth)
    fix = LayoutFixer(tiles, TOWER).fix(frame, believed(frame, truth))
    assert isinstance(fix, Fix) and fix.decision is Decision.FIX
    assert fix.aircraft is not None and fix.ground is not None and fix.sigma_m is not None
    at = offset(ORIGIN, truth.north_m, truth.east_m)
    assert distance_m(fix.aircraft, at) < 3 * fix.sigma_m < 15.0
    assert distance_m(fix.ground, offset(at, *truth.plane(CAMERA).ground_of_axis())) < 4.0
    assert fix.t_ns == frame.t_ns and fix.inliers == 0
    assert fix.hypotheses[0].aircraft == fix.aircraft and fix.hypotheses[0].log_likelihood_ratio > 0
    assert all(one.log_likelihood_ratio < fix.hypotheses[0].log_likelihood_ratio for one in fix.hypotheses[1:])
    keyframe = tiles.keyframe(fix.keyframe_id or 0)
    assert distance_m(keyframe.ground, fix.ground) < 16.0


class Counted(Colours):
    """Counts the crops that are embedded."""

    def __init__(self) -> None:
        super().__init__(pair=(ViewKind.DRONE, ViewKind.SATELLITE))
        self.crops = 0

    def embed(self, view: ViewKind, crops: ImageRGB) -> Embeddings:
        self.crops += len(crops)
        return super().embed(view, crops)


@pytest.mark.parametrize(
    ("east_m", "sigma_m", "again"),
    [(0.0, 2.0, False), (-80.0, 2.0, True), (0.0, 100.0, False), (2000.0, 2.0, False)],
    ids=["where it is", "where it is not", "anywhere", "off the map"],
)
def test_a_frame_is_laid_first_where_the_aircraft_may_be(
    tiles: History, land: Land, east_m: float, sigma_m: float, again: bool
) -> None:
    """And on all of the map, with the same answer, where no place there is sure."""
    truth, tower = FLOWN[0], Counted()
    frame = frame_of(land, truth)
    alone = LayoutFixer(tiles, tower).fix(frame, believed(frame, truth))
    crops, tower.crops = tower.crops, 0
    near = Vicinity(offset(ORIGIN, truth.north_m, truth.east_m + east_m), sigma_m)
    fix = LayoutFixer(tiles, tower).fix(frame, believed(frame, truth), near)
    assert isinstance(fix, Fix) and isinstance(alone, Fix)
    assert fix.aircraft is not None and alone.aircraft is not None
    assert distance_m(fix.aircraft, alone.aircraft) < 1.0 and (tower.crops > crops) == again


def test_ground_that_the_map_does_not_show_is_refused(tiles: History, land: Land) -> None:
    truth = Truth(4.0, 240.0, 10.0, 75.0, 0.3)
    frame = frame_of(land, truth)
    refused = LayoutFixer(tiles, TOWER).fix(frame, believed(frame, truth))
    assert isinstance(refused, Refusal) and "no place stands out" in refused.reason
    assert refused.hypotheses and all(one.similarity is not None for one in refused.hypotheses)


def test_an_unknown_height_or_heading_is_refused_with_the_reason(tiles: History, land: Land) -> None:
    frame = frame_of(land, FLOWN[0])
    for pose in (Pose(0), replace(FLOWN[0].pose, attitude=None)):
        refused = LayoutFixer(tiles, TOWER).fix(frame, known_of(frame, CAMERA, pose, any_heading=False))
        assert isinstance(refused, Refusal) and "height and heading" in refused.reason


def test_a_pair_of_views_without_calibration_fixes_nothing(tiles: History, land: Land) -> None:
    frame = frame_of(land, FLOWN[0])
    refused = LayoutFixer(tiles, Colours()).fix(frame, believed(frame, FLOWN[0]))
    assert isinstance(refused, Refusal) and "no acceptance table" in refused.reason


def test_keyframes_of_the_drone_view_are_not_the_map(tmp_path: Path, land: Land) -> None:
    with new_history(tmp_path / "flight.homing") as flown:
        land.record(flown, TOWER, grid(32.0, 16.0), ViewKind.DRONE)
        frame = frame_of(land, FLOWN[0])
        refused = LayoutFixer(flown, TOWER).fix(frame, believed(frame, FLOWN[0]))
    assert isinstance(refused, Refusal) and "no keyframes" in refused.reason
