"""The height above ground that nobody measured: one rule for photos, logs and live frames."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from runtime.daemon.ground_below import FlatGround
from runtime.heights import FLAT_GROUND_SHARE, RELIEF_M, above_flat_ground, is_above_flat_ground
from runtime.rotations import ned_from_euler
from runtime.sources.photo import read_photo
from runtime.sources.track import PlaceSample, Track
from runtime.values import Attitude, Estimate, GeoPoint, Measured, Pose, PositionSource
from tests.runtime.sources.photos import dji_xmp, gps, write_photo

LEVEL = ned_from_euler(0.0, 0.0, 0.0)


def nowhere() -> Estimate:
    raise AssertionError("level ground is level wherever that is")


def test_it_is_the_height_above_take_off_with_the_terrain_in_its_sigma() -> None:
    height = above_flat_ground(Measured(80.0, 1.0, "xmp"))
    assert height.value == 80.0 and height.sigma == pytest.approx(math.hypot(1.0, RELIEF_M))
    assert height.source == "xmp height above take-off, flat ground" and is_above_flat_ground(height)
    assert not is_above_flat_ground(Measured(80.0, 1.0, "xmp"))


def test_hills_are_no_lower_below_a_low_flight() -> None:
    low, high = above_flat_ground(Measured(20.0, 1.0, "xmp")), above_flat_ground(Measured(300.0, 1.0, "xmp"))
    assert low.sigma == pytest.approx(math.hypot(1.0, RELIEF_M))
    assert high.sigma == pytest.approx(math.hypot(1.0, FLAT_GROUND_SHARE * 300.0)) and high.sigma > 2 * low.sigma


def test_photos_logs_and_live_frames_say_the_same_of_the_same_height(tmp_path: Path) -> None:
    track = Track([PlaceSample(t, GeoPoint(60.0, 22.0), 100.0, 80.0) for t in (0.0, 0.2)], [], "log", "log",
                  PositionSource.AUTOPILOT)  # fmt: skip
    pose = Pose(0, height_takeoff_m=Measured(80.0, 1.0, "vehicle"), attitude=Attitude(LEVEL))
    logged, live = track.at(0.1), FlatGround().height_agl_m(pose, nowhere, None)
    photo = read_photo(write_photo(tmp_path / "a.jpg", place=gps(60.0, 22.0), xmp=dji_xmp(RelativeAltitude=80.0)))
    assert logged is not None
    heights = [logged.pose.height_agl_m, live, photo.pose.height_agl_m]
    assert [height and (height.value, height.sigma) for height in heights] == 3 * [
        (80.0, pytest.approx(math.hypot(1.0, RELIEF_M)))
    ]
