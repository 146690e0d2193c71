"""A flight that shows nothing to record is refused once, before its frames are read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.camera_model import CameraModel
from runtime.errors import ImageError
from runtime.record.surveyed import refuse_useless_views
from runtime.values import GeoPoint, Measured, NavState, Pose, Position, PositionSource
from tests.runtime.record.fakes import FakeBundle

LADDER = FakeBundle(footprints_m=(56.0, 90.0))


def flight(heights_m: tuple[float, ...]) -> list[NavState]:
    """Level, over one place, at these heights; nothing says where the nose points."""
    where = Position.circular(GeoPoint(60.0, 22.0), 2.0, PositionSource.GPS)
    return [NavState(Pose(0, height_agl_m=Measured(height, 1.0, "test")), where) for height in heights_m]


def seen_by(pitch_deg: float, states: list[NavState]) -> list[tuple[NavState, CameraModel]]:
    """All by one camera."""
    camera = CameraModel.from_hfov(1024, 576, 73.7, pitch_deg=pitch_deg)
    return [(state, camera) for state in states]


def test_a_camera_that_looks_at_the_horizon_is_refused_in_one_sentence() -> None:
    with pytest.raises(ImageError) as refused:
        refuse_useless_views(seen_by(-4.0, flight((80.0, 100.0, 120.0))), LADDER, "flight.mp4")
    assert str(refused.value) == (
        "flight.mp4: nothing can be recorded: shows only 0 m of ground sharply enough, 86 deg from straight down at 80 "
        "to 120 m; the smallest footprint is 56 m."
    )


@pytest.mark.parametrize("pitch_deg", [-90.0, -45.0])
def test_a_camera_that_shows_ground_is_not(pitch_deg: float) -> None:
    refuse_useless_views(seen_by(pitch_deg, flight((20.0, 100.0))), LADDER, "flight.mp4")


def test_one_useful_moment_is_enough_and_no_telemetry_says_nothing() -> None:
    states = flight((5.0, 5.0, 100.0))
    refuse_useless_views(seen_by(-45.0, [*states, replace(states[0], position=None)]), LADDER, "flight.mp4")
    refuse_useless_views([], LADDER, "flight.mp4")


def test_a_height_that_nobody_says_may_still_be_solved() -> None:
    states = flight((80.0, 100.0))
    unsaid = [replace(state, pose=replace(state.pose, height_agl_m=None)) for state in states]
    refuse_useless_views(seen_by(-90.0, unsaid), LADDER, "flight.mp4")
