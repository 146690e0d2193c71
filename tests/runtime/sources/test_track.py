"""A pose at an instant: interpolated, never invented."""

from __future__ import annotations

import math

import pytest

from runtime.errors import TelemetryError
from runtime.rotations import ned_from_euler
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.values import GeoPoint, PositionSource

BY = PositionSource.AUTOPILOT


def places(times: list[float]) -> list[PlaceSample]:
    return [PlaceSample(t, GeoPoint(48.0 + t * 1e-5, 11.0), 500 + t, 50 + t) for t in times]


def turns(times: list[float], rate_deg_s: float = 10.0) -> list[TurnSample]:
    return [TurnSample(t, ned_from_euler(0.0, 0.0, math.radians(rate_deg_s * t))) for t in times]


def test_between_samples() -> None:
    track = Track(places([0.0, 0.2, 0.4]), turns([0.0, 0.1, 0.2, 0.3, 0.4]), "log", "test", BY)
    state = track.at(0.25)
    assert state is not None and state.position is not None and state.pose.heading is not None
    pose = state.pose
    assert state.position.point.latitude_deg == pytest.approx(48.0 + 0.25e-5, abs=1e-12)
    assert pose.height_takeoff_m is not None and pose.height_takeoff_m.value == pytest.approx(50.25)
    assert math.degrees(pose.heading.value) == pytest.approx(2.5)
    assert state.position.sigma_m < 10.0 and state.position.source is PositionSource.AUTOPILOT


def test_of_a_clock_that_counts_whole_seconds_the_first_report_is_that_of_the_second() -> None:
    north = [PlaceSample(float(k // 5), GeoPoint(48.0 + k * 1e-5, 11.0)) for k in range(20)]
    for t_s, latitude in ((0.0, 48.0), (1.0, 48.00005), (1.5, 48.000075)):
        state = Track(north, [], "log", "test", BY).at(t_s)
        assert state is not None and state.position is not None
        assert state.position.point.latitude_deg == pytest.approx(latitude, abs=1e-9)


def test_headings_turn_the_short_way_across_north() -> None:
    around = [TurnSample(0.0, ned_from_euler(0, 0, math.radians(355))), TurnSample(0.2, ned_from_euler(0, 0, 0.0873))]
    state = Track(places([0.0, 0.2]), around, "log", "test", BY).at(0.1)
    assert state is not None and state.pose.heading is not None
    assert math.degrees(state.pose.heading.value) == pytest.approx(0.0, abs=0.01)


def test_longitudes_go_the_short_way_across_the_date_line() -> None:
    samples = [PlaceSample(0.0, GeoPoint(0.0, 179.9999)), PlaceSample(0.2, GeoPoint(0.0, -179.9999))]
    state = Track(samples, [], "log", "test", BY).at(0.1)
    assert state is not None and state.position is not None
    assert abs(state.position.point.longitude_deg) == pytest.approx(180.0)


def test_beyond_the_ends_fifty_milliseconds_or_a_period() -> None:
    fast = Track(places([0.0, 0.02, 0.04, 0.06]), [], "log", "test", BY)
    assert fast.at(-0.049) is not None and fast.at(-0.06) is None
    assert fast.at(0.109) is not None and fast.at(0.12) is None
    slow = Track(places([0.0, 1.0, 2.0]), [], "log", "test", BY)
    assert slow.at(2.9) is not None and slow.at(3.1) is None


def test_a_hole_is_not_bridged() -> None:
    track = Track(places([0.0, 0.1, 0.2, 5.0, 5.1]), turns([0.0, 0.1, 0.2, 5.0, 5.1]), "log", "test", BY)
    assert track.at(0.15) is not None and track.at(2.0) is None and track.at(5.05) is not None


def test_a_position_without_attitude_near_by_has_none() -> None:
    state = Track(places([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), turns([0.0, 0.1]), "log", "test", BY).at(0.45)
    assert state is not None
    pose = state.pose
    assert pose.ned_from_body is None and pose.heading is None and not pose.attitude_measured


def test_disorder_and_repetition_are_put_right() -> None:
    track = Track(places([0.2, 0.0, 0.1, 0.1]), [], "log", "test", BY)
    assert track.span_s == (0.0, 0.2) and len(track) == 3


def test_no_positions() -> None:
    with pytest.raises(TelemetryError, match="log: holds no positions"):
        Track([], turns([0.0]), "log", "test", BY)
