"""A pose has one attitude, and its heading is read from it."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.history.rows import KEYFRAME_COLUMNS, encode_crop, keyframe_of, row_of
from runtime.rotations import euler_of, ned_from_euler, rotation, turned_about_vertical
from runtime.values import Attitude, Measured, Pose, yaw_of
from tests.runtime.history.recording import keyframe

ANGLE = st.floats(-math.pi, math.pi, allow_subnormal=False)
UNIT = st.tuples(*[st.floats(-1, 1, allow_subnormal=False)] * 4).filter(lambda q: math.hypot(*q) > 0.1)


def attitude(q: tuple[float, ...], sigma_rad: float = 0.05) -> Attitude:
    """Of any four numbers, made a unit."""
    w, x, y, z = np.array(q) / math.hypot(*q)
    source = "test" if math.isfinite(sigma_rad) else ""
    return Attitude((float(w), float(x), float(y), float(z)), sigma_rad, source)


@given(UNIT)
def test_the_heading_is_where_the_nose_points(q: tuple[float, ...]) -> None:
    turned = attitude(q)
    north, east, _ = rotation(turned.ned_from_body).apply([1.0, 0.0, 0.0])
    pose = Pose(0, attitude=turned)
    assert pose.heading is not None and pose.heading.sigma == 0.05 and pose.heading.source == "test"
    if math.hypot(north, east) > 1e-6:
        assert math.isclose(math.cos(pose.heading.value - math.atan2(east, north)), 1.0, abs_tol=1e-9)


def test_a_pose_has_no_place_for_a_second_heading() -> None:
    assert {field.name for field in fields(Pose) if "head" in field.name or "body" in field.name} == set()
    assert [field.name for field in fields(Pose)].count("attitude") == 1


def test_what_is_unknown_is_none() -> None:
    assert Pose(0).heading is None and Pose(0).ned_from_body is None and not Pose(0).attitude_measured
    tilted = Pose(0, attitude=Attitude(ned_from_euler(0.1, 0.2, 0.3)))
    assert tilted.heading is None and tilted.attitude_measured
    level = Pose(0, attitude=Attitude.level(Measured(2.5, 0.1, "flag")))
    assert level.heading == Measured(2.5, 0.1, "flag") and not level.attitude_measured
    assert Attitude.level().heading is None


@given(UNIT, ANGLE)
def test_turning_about_the_vertical_changes_the_heading_alone(q: tuple[float, ...], angle_rad: float) -> None:
    before = attitude(q).ned_from_body
    after = turned_about_vertical(before, angle_rad)
    was, now = (rotation(one).as_matrix() for one in (before, after))
    assert np.allclose(was[2], now[2], atol=1e-9)  # down in the body's axes: the tilt
    if np.hypot(*was[:2, 0]) > 1e-6:
        assert math.isclose(math.cos(yaw_of(after) - yaw_of(before) - angle_rad), 1.0, abs_tol=1e-6)


@given(ANGLE, st.floats(-math.pi / 2, math.pi / 2, allow_subnormal=False), ANGLE)
def test_euler_angles_give_back_the_attitude(roll: float, pitch: float, yaw: float) -> None:
    q = ned_from_euler(roll, pitch, yaw)
    assert (rotation(ned_from_euler(*euler_of(q))).inv() * rotation(q)).magnitude() < 2e-4


@given(ANGLE, st.sampled_from([math.pi / 2, -math.pi / 2]), ANGLE)
def test_euler_angles_of_a_nose_straight_up_or_down(roll: float, pitch: float, yaw: float) -> None:
    q = ned_from_euler(roll, pitch, yaw)
    told_roll, told_pitch, told_yaw = euler_of(q)
    assert told_roll == 0.0 and told_pitch == pitch
    assert (rotation(ned_from_euler(told_roll, told_pitch, told_yaw)).inv() * rotation(q)).magnitude() < 1e-6


@settings(max_examples=20)
@given(st.one_of(st.none(), st.builds(attitude, UNIT, st.sampled_from([0.01, 0.3, math.inf]))))
def test_a_history_gives_the_attitude_back(turned: Attitude | None) -> None:
    stored = replace(keyframe(1), pose=Pose(5, attitude=turned))
    assert keyframe_of((1, *row_of(stored, encode_crop(stored.crop))), {}).pose == stored.pose


def test_a_stored_heading_that_contradicts_its_attitude_yields_to_it() -> None:
    """As histories hold that were recorded while the two were kept apart."""
    stored = keyframe(1)
    row = list(row_of(stored, encode_crop(stored.crop)))
    row[KEYFRAME_COLUMNS.index("heading_rad")] = 1.25
    assert keyframe_of((1, *row), {}).pose == stored.pose
    for column in ("attitude_w", "attitude_x", "attitude_y", "attitude_z"):
        row[KEYFRAME_COLUMNS.index(column)] = None
    level = keyframe_of((1, *row), {}).pose
    assert level.heading is not None and level.heading.sigma == 0.05 and not level.attitude_measured
    assert level.ned_from_body == pytest.approx(ned_from_euler(0.0, 0.0, 1.25))
