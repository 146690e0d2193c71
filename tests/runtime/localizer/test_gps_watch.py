"""A receiver that lies is named before its lie is large, and an honest one never is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from runtime.geodesy import offset
from runtime.localizer.gps_watch import GpsAlarm, GpsWatch
from runtime.localizer.vision import VisionLocalizer
from runtime.values import (
    Estimate,
    Fix,
    GeoPoint,
    Hypothesis,
    Odometry,
    OdometryFault,
    Position,
    PositionSource,
    circular,
)
from tests.runtime.localizer.flights import FRAME_S, Errors, Flown, displacement, flown, t_ns_of

HERE = GeoPoint(60.45, 22.25)
GPS_EVERY = 2  # frames: 5 Hz
STARTS_S = 30.0
Lie = Callable[[float], float]  # metres north by seconds since the lie began


def watched(
    flight: Flown, lie: Lie, seed: int, fixes: bool = True, odometry: bool = True
) -> tuple[GpsAlarm | None, float]:
    """The alarm of a flight, and the true offset of the receiver at the moment of it."""
    random = np.random.default_rng(seed)
    localizer = VisionLocalizer()
    watch = GpsWatch(localizer.estimate)
    bias, slow = random.normal(0.0, 1.2, 2), math.exp(-FRAME_S * GPS_EVERY / 60.0)
    coming = iter(flight.fixes)
    fix = next(coming, None)
    for frame in range(1, len(flight.true_m)):
        if fixes and fix is not None and t_ns_of(frame) >= fix.t_ns:
            place = Hypothesis(at(fix.place.north_east_m), HERE, circular(1.5), (1,), 30, 20.0, 0.8)
            localizer.on_fix(Fix.at(fix.t_ns, place, ""), None)
            fix = next(coming, None)
        if odometry:
            said = Odometry(t_ns_of(frame), flight.displacements[frame - 1])
            localizer.on_odometry(said)
            watch.on_odometry(said)
        if frame % GPS_EVERY == 0:
            bias = slow * bias + math.sqrt(1.0 - slow**2) * random.normal(0.0, 1.2, 2)
            lied = lie(max(0.0, frame * FRAME_S - STARTS_S))
            reported = flight.true_m[frame] + bias + random.normal(0.0, 0.2, 2) + [lied, 0.0]
            alarm = watch.on_gps(t_ns_of(frame), Position.circular(at(reported), 1.5, PositionSource.GPS))
            if alarm is not None:
                assert watch.alarm is alarm
                return alarm, lied
    return None, 0.0


def at(north_east_m: np.ndarray) -> GeoPoint:
    return offset(HERE, float(north_east_m[0]), float(north_east_m[1]))


@pytest.mark.parametrize("rate_m_s", [0.5, 1.0, 2.0, 5.0])
def test_a_receiver_that_is_dragged_away_is_named_before_twenty_metres(rate_m_s: float) -> None:
    flight = flown(np.random.default_rng(int(rate_m_s * 10)), STARTS_S + 45.0)
    alarm, lied_m = watched(flight, lambda since_s: rate_m_s * since_s, seed=1)
    assert alarm is not None and 0.0 < lied_m < 20.0
    assert alarm.offset_m == pytest.approx(lied_m, abs=10.0)
    assert "receiver" in alarm.reason


def test_a_step_is_named_within_two_seconds_by_odometry_alone() -> None:
    flight = flown(np.random.default_rng(3), STARTS_S + 10.0)
    alarm, lied_m = watched(flight, lambda since_s: 60.0 if since_s > 0 else 0.0, seed=2, fixes=False)
    assert alarm is not None and lied_m == 60.0
    assert 0.0 <= alarm.t_ns * 1e-9 - STARTS_S < 1.0


def test_a_fast_drag_is_named_by_odometry_alone_and_by_fixes_alone() -> None:
    for fixes, odometry in ((False, True), (True, False)):
        flight = flown(np.random.default_rng(4), STARTS_S + 30.0)
        alarm, _ = watched(flight, lambda since_s: 5.0 * since_s, 5, fixes, odometry)
        assert alarm is not None, (fixes, odometry)


def test_five_honest_flights_raise_nothing() -> None:
    random = np.random.default_rng(6)
    for seed in range(5):
        errors = Errors(scale=float(random.normal(0.0, 0.04)), heading_rad=float(random.normal(0.0, 0.04)))
        assert watched(flown(random, 60.0, errors), lambda _: 0.0, seed) == (None, 0.0)


def test_a_short_jump_is_no_alarm_and_an_alarm_stays() -> None:
    flight = flown(np.random.default_rng(8), STARTS_S + 20.0)
    assert watched(flight, lambda since_s: 80.0 if 0.0 < since_s < 0.7 else 0.0, 9)[0] is None
    watch = GpsWatch(VisionLocalizer().estimate)
    assert watch.on_gps(0, Position.circular(HERE, math.inf, PositionSource.GPS)) is None  # knows nothing


def test_where_odometry_fails_displacements_begin_anew() -> None:
    watch = GpsWatch(VisionLocalizer().estimate)
    flight = flown(np.random.default_rng(10), 60.0)
    for frame in range(1, len(flight.true_m)):
        covered = 200 < frame < 250
        said = None if covered else flight.displacements[frame - 1]
        watch.on_odometry(Odometry(t_ns_of(frame), said, (OdometryFault.TEXTURELESS,) if covered else ()))
        where = flight.true_m[frame] + (np.array([300.0, 0.0]) if frame >= 225 else 0.0)
        assert watch.on_gps(t_ns_of(frame), Position.circular(at(where), 1.5, PositionSource.GPS)) is None


@pytest.mark.parametrize("one_reference", [True, False])
def test_a_camera_that_pauses_while_the_aircraft_sets_off_says_nothing_against_the_receiver(
    one_reference: bool,
) -> None:
    """Ten seconds without a frame, in which a hover became a flight; the reference picture is seen again, or not."""
    watch = GpsWatch(lambda t_ns: Estimate.lost(t_ns, PositionSource.VISION, "no fixes"))
    way_m = np.concatenate([np.zeros(600), np.cumsum(np.full(400, 0.8))])  # 60 s of hovering, then 8 m/s
    for frame in range(1, 1000):
        t_ns = round(frame * 0.1e9)
        if not 560 < frame < 660:
            before = 0 if one_reference else frame - 1
            north_m = float(way_m[frame] - way_m[before])
            watch.on_odometry(Odometry(t_ns, displacement(before, frame, np.array([north_m, 0.0]), 0.05)))
        if frame % GPS_EVERY == 0:
            place = Position.circular(at(np.array([way_m[frame], 0.0])), 1.5, PositionSource.GPS)
            assert watch.on_gps(t_ns, place) is None, frame
