"""Poses: right between samples, and silent beyond them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from runtime.geodesy import north_east_m
from runtime.rotations import ned_from_euler
from runtime.values import GeoPoint, Measured, PositionSource
from runtime.vehicle.telemetry.poses import AttitudeSample, PoseBuffer, PositionSample

MS = 1_000_000


def scipy_of(q: tuple[float, float, float, float]) -> Rotation:
    return Rotation.from_quat([q[1], q[2], q[3], q[0]])


def attitude(t_ns: int, yaw_rad: float = 0.0, rate_rad_s: float = 0.0) -> AttitudeSample:
    return AttitudeSample(t_ns, ned_from_euler(0.0, 0.0, yaw_rad), (0.0, 0.0, rate_rad_s))


def position(
    t_ns: int, latitude_deg: float = 60.0, longitude_deg: float = 22.0, height_m: float = 40.0, known: bool = True
) -> PositionSample:
    return PositionSample(
        t_ns, GeoPoint(latitude_deg, longitude_deg) if known else None, 1.0, Measured(500 + height_m, 2.0, "vehicle"),
        Measured(height_m, 1.0, "vehicle"), None, (10.0, -5.0, -1.0),
    )  # fmt: skip


def filled(seconds: float = 1.0) -> PoseBuffer:
    buffer = PoseBuffer()
    for i in range(int(seconds * 30) + 1):
        buffer.add_attitude(attitude(i * 100 * MS // 3, yaw_rad=0.01 * i, rate_rad_s=0.3))
    for i in range(int(seconds * 10) + 1):
        buffer.add_position(position(i * 100 * MS, 60.0 + i * 1e-5, 22.0, 40.0 + i))
    return buffer


@given(st.integers(0, 1_000_000_000))
def test_between_samples_everything_moves_in_proportion(t_ns: int) -> None:
    state = filled().at(t_ns)
    assert state is not None and state.t_ns == t_ns and state.position is not None
    pose = state.pose
    assert pose.altitude_amsl_m is not None
    assert state.position.point.latitude_deg == pytest.approx(60.0 + t_ns * 1e-13, abs=1e-9)
    assert state.position.sigma_m == 1.0 and state.position.source is PositionSource.AUTOPILOT
    assert state.position.velocity_ned_m_s == (10.0, -5.0, -1.0)
    assert pose.altitude_amsl_m.value == pytest.approx(540 + t_ns * 1e-8)
    assert pose.heading is not None and pose.heading.value == pytest.approx(0.3 * t_ns * 1e-9, abs=1e-6)
    assert pose.attitude_measured


def test_the_slow_obvious_way_gives_the_same_pose() -> None:
    buffer = filled()
    for t_ns in range(0, 1_000_000_000, 37 * MS):
        times = [i * 100 * MS for i in range(11)]
        north = np.interp(t_ns, times, [60.0 + i * 1e-5 for i in range(11)])
        state = buffer.at(t_ns)
        assert state is not None and state.position is not None
        assert state.position.point.latitude_deg == pytest.approx(north, abs=1e-10)


def test_it_extrapolates_50_ms_and_not_51() -> None:
    buffer = filled()
    last = 1_000_000_000
    state = buffer.at(last + 50 * MS)
    assert state is not None and state.position is not None and state.pose.heading is not None
    north, east = north_east_m(GeoPoint(60.0001, 22.0), state.position.point)
    assert (north, east) == (pytest.approx(0.5, abs=0.01), pytest.approx(-0.25, abs=0.01))
    assert state.pose.heading.value == pytest.approx(0.3 * 1.05, abs=1e-3)
    assert buffer.at(last + 51 * MS) is None and buffer.missing(last + 51 * MS) == "too_new"


def test_what_lies_beyond_the_samples_is_said_anew_once_more_have_come() -> None:
    buffer = filled()
    between, beyond = 750 * MS, 1_020 * MS
    before, ahead = buffer.at(between), buffer.at(beyond)
    buffer.add_position(position(1_100 * MS, 60.0 + 11e-5, 22.0, 70.0))
    buffer.add_attitude(attitude(1_033 * MS, yaw_rad=1.0))
    assert buffer.at(beyond) != ahead
    assert buffer.at(between) == before and buffer.at(between) == before
    buffer.clear()
    assert buffer.at(between) is None
    buffer.add_attitude(attitude(between, yaw_rad=2.0))
    buffer.add_position(position(between, 61.0))
    assert buffer.at(between) != before


def test_it_says_why_there_is_no_pose() -> None:
    buffer = PoseBuffer()
    assert buffer.missing(0) == "no_attitude"
    buffer.add_attitude(attitude(100 * MS))
    assert buffer.missing(0) == "no_position"
    buffer.add_position(position(100 * MS))
    assert buffer.missing(50 * MS) == "too_old" and buffer.at(50 * MS) is None
    assert buffer.missing(100 * MS) is None
    buffer.add_attitude(attitude(1100 * MS))
    buffer.add_position(position(1000 * MS))
    assert buffer.missing(600 * MS) == "gap" and buffer.at(600 * MS) is None


def test_it_keeps_four_seconds_and_drops_what_is_reordered() -> None:
    buffer = filled(seconds=10.0)
    assert buffer.at(6_100 * MS) is not None and buffer.at(9_900 * MS) is not None
    assert buffer.missing(5_900 * MS) == "too_old"
    before = buffer.latest()
    buffer.add_position(position(9_000 * MS, latitude_deg=10.0))
    assert buffer.latest() == before


def test_a_position_that_is_unknown_on_one_side_is_unknown_between() -> None:
    buffer = PoseBuffer()
    for i in range(3):
        buffer.add_attitude(attitude(i * 50 * MS))
    buffer.add_position(position(0, known=False))
    buffer.add_position(position(100 * MS))
    pose = buffer.at(50 * MS)
    assert pose is not None and pose.position is None


def test_the_antimeridian_is_crossed_the_short_way() -> None:
    buffer = PoseBuffer()
    for t_ns in (0, 100 * MS):
        buffer.add_attitude(attitude(t_ns))
    buffer.add_position(position(0, longitude_deg=179.99999))
    buffer.add_position(position(100 * MS, longitude_deg=-179.99999))
    pose = buffer.at(50 * MS)
    assert pose is not None and pose.position is not None
    assert abs(pose.position.point.longitude_deg) == pytest.approx(180.0, abs=1e-9)
