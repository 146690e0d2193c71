"""Which frames become keyframes, and what is kept of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.geodesy import north_east_m, offset
from runtime.history.history import History
from runtime.plain import PLAIN
from runtime.record.recorder import STUCK, Recorded, Recorder
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Frame, GeoPoint, Measured, Pose, Position, PositionSource, ViewKind
from tests.runtime.record.fakes import FakeBundle, FakeEmbedder, ground_texture

HOME = GeoPoint(60.4, 22.4)
CAMERA = CameraModel.from_hfov(640, 480, 70.0)  # at 100 m: 140 x 105 m of ground
TEXTURE = ground_texture(1200)


def at(
    north_m: float, t_s: float = 0.0, height_m: float = 100.0, roll: float = 0.0, yaw: float = 0.0
) -> tuple[Pose, Position]:
    pose = Pose(
        t_ns=round(t_s * 1e9),
        height_agl_m=Measured(height_m, 1.0, "test"),
        attitude=Attitude(ned_from_euler(roll, 0.0, yaw), 0.05, "test"),
    )
    return pose, Position.circular(offset(HOME, north_m, 0.0), 2.0, PositionSource.AUTOPILOT)


def frame_at(index: int, t_s: float = 0.0, blur_px: float = 0.0) -> Frame:
    image = TEXTURE[index * 7 : index * 7 + 480, index * 5 : index * 5 + 640].copy()
    if blur_px:
        image = cv2.GaussianBlur(image, (0, 0), blur_px)
    return Frame(image, round(t_s * 1e9), f"frame {index}", index)


@pytest.fixture
def history(tmp_path: Path):
    with History.create(tmp_path / "flight.db", "fake-space", "fake") as opened:
        yield opened


@pytest.fixture
def recorder(history: History) -> Recorder:
    return Recorder(history, FakeEmbedder(), CAMERA, "flight")


def refused(recorded: Recorded) -> str:
    assert recorded.keyframe_id is None
    return recorded.reason


def test_a_straight_flight_is_kept_every_quarter_footprint(recorder: Recorder, history: History) -> None:
    steps_m = np.arange(0.0, 161.0, 3.0)  # the largest rung that 105 m covers is 64 m: one each 16 m and more
    kept = [
        float(north)
        for index, north in enumerate(steps_m)
        if recorder.add(frame_at(index, index), *at(float(north), index)).keyframe_id is not None
    ]
    assert kept == [0.0, 18.0, 36.0, 54.0, 72.0, 90.0, 108.0, 126.0, 144.0]
    assert len(history) == 9


def test_hovering_and_drifting_to_and_fro_add_nothing(recorder: Recorder, history: History) -> None:
    for index in range(60):
        drift_m = 12.0 * math.sin(index / 3)
        recorder.add(frame_at(index % 20, index), *at(drift_m, index))
    assert len(history) <= 2
    before = len(history)
    for index in range(60, 120):
        recorder.add(frame_at(index % 20, index), *at(12.0 * math.sin(index / 3), index))
    assert len(history) == before


def test_climbing_by_a_fifth_is_a_new_view(recorder: Recorder) -> None:
    assert recorder.add(frame_at(0), *at(0.0, 0, height_m=100.0)).keyframe_id == 1
    assert refused(recorder.add(frame_at(1), *at(0.0, 1, height_m=115.0))).startswith("has not moved")
    assert recorder.add(frame_at(2), *at(0.0, 2, height_m=122.0)).keyframe_id == 2


def test_every_useless_pose_is_refused_with_its_reason(recorder: Recorder) -> None:
    good, where = at(0.0)
    cases = {
        "no position": (good, None),
        "no height above ground": (replace(good, height_agl_m=None), where),
        "below 10 m": at(0.0, height_m=9.0),
        "no heading": (replace(good, attitude=None), where),
    }
    for reason, (pose, position) in cases.items():
        assert refused(recorder.add(frame_at(0), pose, position)) == reason
    assert recorder.add(frame_at(0), good, where).keyframe_id == 1


def test_a_blurred_frame_is_refused_and_the_next_sharp_one_kept(recorder: Recorder) -> None:
    for index in range(8):
        assert recorder.add(frame_at(index), *at(40.0 * index, index)).keyframe_id is not None
    assert refused(recorder.add(frame_at(9, blur_px=3.0), *at(400.0, 9))) == "blurred"
    assert recorder.add(frame_at(9), *at(400.0, 10)).keyframe_id is not None


def test_a_frame_in_a_fast_turn_is_refused(recorder: Recorder) -> None:
    recorder.add(frame_at(0), *at(0.0, 0.0))
    fast = at(40.0, 0.1, yaw=math.radians(9.0))  # 90 deg/s
    slow = at(40.0, 0.2, yaw=math.radians(11.0))  # 20 deg/s
    assert refused(recorder.add(frame_at(1), *fast)) == "turning too fast"
    assert recorder.add(frame_at(2), *slow).keyframe_id is not None


def test_a_view_below_the_smallest_rung_is_refused(history: History) -> None:
    recorder = Recorder(history, FakeEmbedder(FakeBundle(footprints_m=(64.0,))), CAMERA, "flight")
    reason = refused(recorder.add(frame_at(0), *at(0.0, height_m=30.0)))
    assert reason.startswith("shows only 3") and reason.endswith("the smallest footprint is 64 m")


@pytest.mark.parametrize(("tilt_deg", "kept"), [(31, True), (45, True), (70, True), (82, False), (95, False)])
def test_a_camera_that_looks_ahead_is_kept_as_far_as_its_rows_show_ground(
    recorder: Recorder, tilt_deg: float, kept: bool
) -> None:
    """From 100 m, with footprints of 32 m and more; past 75 degrees nothing is, whatever the lower rows show."""
    pose, position = at(0.0, height_m=100.0, roll=math.radians(tilt_deg))
    recorded = recorder.add(frame_at(0), pose, position)
    assert (recorded.keyframe_id is not None) == kept, recorded.reason
    if not kept:
        assert f"{tilt_deg} deg from straight down at 100 m" in recorded.reason


def test_the_doubt_of_the_ground_grows_with_the_tilt(recorder: Recorder, history: History) -> None:
    for north_m, tilt_deg in ((0.0, 0), (80.0, 45)):
        assert recorder.add(frame_at(tilt_deg), *at(north_m, height_m=100.0, roll=math.radians(tilt_deg))).keyframe_id
    straight, ahead = (keyframe.ground_sigma_m for keyframe in history.keyframes())
    assert ahead > 1.5 * straight


def test_a_camera_that_hangs_while_the_aircraft_moves_is_told_from_one_that_hovers(recorder: Recorder) -> None:
    assert recorder.add(frame_at(0), *at(0.0)).keyframe_id
    assert refused(recorder.add(frame_at(0), *at(1.0, 1.0))).startswith("has not moved")
    coded = frame_at(0, 5.0)
    coded.image[::40] ^= 1  # a video's coding does not leave a still to the last bit
    for t_s, frame in ((4.0, frame_at(0, 4.0)), (5.0, coded)):
        assert refused(recorder.add(frame, *at(60.0 * t_s, t_s))) == STUCK
    assert recorder.add(frame_at(1, 6.0), *at(360.0, 6.0)).keyframe_id


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_lens_cap_is_no_keyframe_and_no_measure_of_blur(recorder: Recorder, level: int) -> None:
    cap = np.full((480, 640, 3), level, np.uint8)
    for index in range(8):
        assert refused(recorder.add(Frame(cap, index * 10**9, "", index), *at(60.0 * index, float(index)))) == PLAIN
    assert recorder.add(frame_at(0, 9.0), *at(0.0, 9.0)).keyframe_id


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e6])
def test_a_pose_or_a_position_out_of_range_is_refused_in_its_words(recorder: Recorder, value: float) -> None:
    pose, position = at(0.0)
    for point in (GeoPoint(value, 22.0), GeoPoint(60.0, value)):
        assert "itude_deg is" in refused(recorder.add(frame_at(0), pose, replace(position, point=point)))
    for field in ("height_agl_m", "altitude_amsl_m", "height_takeoff_m"):
        changed: dict[str, Any] = {field: Measured(value, 1.0, "test")}
        assert "not within" in refused(recorder.add(frame_at(0), replace(pose, **changed), position))
    no_rotation = Attitude((value, 0.0, 0.0, 0.0), 0.05, "test")
    assert "attitude" in refused(recorder.add(frame_at(0), replace(pose, attitude=no_rotation), position))
    wrong_sigma = replace(pose, height_agl_m=Measured(80.0, math.nan, "test"))
    assert "height_agl_sigma_m is nan" in refused(recorder.add(frame_at(0), wrong_sigma, position))


def test_what_is_kept_of_a_frame(recorder: Recorder, history: History) -> None:
    roll = math.radians(10.0)  # rolled right: the camera looks left, which is west when heading north
    recorder.add(frame_at(0, 5.0), *at(0.0, 5.0, roll=roll))
    keyframe = history.keyframe(1)
    north_m, east_m = north_east_m(HOME, keyframe.ground)
    assert north_m == pytest.approx(0.0, abs=0.01)
    assert east_m == pytest.approx(-100.0 * math.tan(roll), abs=0.01)
    pose, position = at(0.0, 5.0, roll=roll)
    assert keyframe.pose == pose and keyframe.position == position and keyframe.tag is None
    assert keyframe.flight == "flight" and keyframe.name == "frame 0" and keyframe.view is ViewKind.DRONE
    assert keyframe.crop.shape[0] == keyframe.crop.shape[1] >= 320
    assert 95.0 < keyframe.footprint_m < 125.0
    assert 2.0 < keyframe.ground_sigma_m < 6.0
    assert history.footprints(ViewKind.DRONE) == (32.0, 64.0)


def test_the_embeddings_are_of_the_drone_view(history: History) -> None:
    embedder = FakeEmbedder()
    Recorder(history, embedder, CAMERA, "flight").add(frame_at(0), *at(0.0))
    assert embedder.views == [ViewKind.DRONE, ViewKind.DRONE]
    maps = history.maps([1], 64.0)
    assert maps is not None and maps.shape == (1, 1, 8, 8)
