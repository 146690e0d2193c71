"""The estimate by sight alone: when it is to be steered by, and when it says that it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.geodesy import distance_m, offset
from runtime.localizer.vision import TrackingLimits, VisionLocalizer
from runtime.values import (
    Fix,
    GeoPoint,
    Hypothesis,
    NavState,
    Odometry,
    OdometryFault,
    Pose,
    Position,
    PositionSource,
    TrackingState,
    circular,
)
from tests.runtime.localizer.flights import FRAME_S, displacement, flown, t_ns_of

HERE = GeoPoint(60.45, 22.25)
FAR = offset(HERE, 5000.0, 0.0)


def hypothesis(at: GeoPoint, ratio: float = 20.0, sigma_m: float = 1.5) -> Hypothesis:
    return Hypothesis(at, at, circular(sigma_m), (3,), 30, ratio, 0.8)


def fix(t_s: float, at: GeoPoint, *others: Hypothesis, sigma_m: float = 1.5) -> Fix:
    best = hypothesis(at, sigma_m=sigma_m)
    return Fix.at(round(t_s * 1e9), best, "", (best, *others), 1)


def refused(t_s: float, *considered: Hypothesis) -> Fix:
    return Fix.none(round(t_s * 1e9), "not sure", considered)


def tracking(until_s: float = 3.0, limits: TrackingLimits | None = None) -> VisionLocalizer:
    localizer = VisionLocalizer(limits=limits)
    for t_s in np.arange(0.0, until_s + 0.1, 0.5):
        localizer.on_fix(fix(float(t_s), HERE), None)
    assert localizer.estimate(round(until_s * 1e9)).trusted
    return localizer


def test_it_is_lost_before_the_first_fix_and_says_so() -> None:
    estimate = VisionLocalizer().estimate(7)
    assert estimate.state is TrackingState.LOST and estimate.position is None and math.isinf(estimate.sigma_m)
    assert estimate.reason == "no place was found yet" and estimate.source is PositionSource.VISION


def test_three_fixes_that_agree_are_needed_and_neighbouring_frames_are_one() -> None:
    localizer = VisionLocalizer()
    states = []
    for t_s in (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5):
        localizer.on_fix(fix(t_s, HERE), None)
        states.append(localizer.estimate(round(t_s * 1e9)).state)
    assert states[:5] == [TrackingState.SEARCHING] * 5 and states[-1] is TrackingState.TRACKING
    assert localizer.reset_counter == 0


def test_while_tracking_it_gives_position_velocity_and_sigma() -> None:
    localizer = VisionLocalizer()
    for t_s in np.arange(0.0, 10.0, 0.5):
        localizer.on_fix(fix(float(t_s), offset(HERE, 6.0 * t_s, 0.0)), None)
    estimate = localizer.estimate(10_000_000_000)
    assert estimate.trusted and estimate.reason == "" and estimate.position is not None
    assert distance_m(estimate.position, offset(HERE, 60.0, 0.0)) < 3.0 and estimate.sigma_m < 4.0
    assert estimate.velocity_ned_m_s == pytest.approx((6.0, 0.0, 0.0), abs=0.8)
    assert estimate.t_ns == 9_500_000_000  # the instant of the newest measurement, though coasted beyond it


def test_it_coasts_with_growing_sigma_then_searches_then_is_lost() -> None:
    localizer = tracking()
    sigmas = [localizer.estimate(round((3.0 + t_s) * 1e9)).sigma_m for t_s in (0.0, 2.0, 4.0)]
    assert sigmas == sorted(sigmas) and sigmas[0] < sigmas[-1]
    doubtful = localizer.estimate(15_000_000_000)
    assert doubtful.state is TrackingState.SEARCHING and "known to" in doubtful.reason
    lost = localizer.estimate(24_000_000_000)
    assert lost.state is TrackingState.LOST and lost.position is None and "no fix for 21 s" in lost.reason


def test_odometry_bridges_what_fixes_leave_open() -> None:
    flight = flown(np.random.default_rng(2), 40.0)
    localizer = VisionLocalizer(limits=TrackingLimits(coast_s=60.0))
    for one in flight.fixes:
        if one.t_ns < 20e9:
            north_m, east_m = one.place.north_east_m
            localizer.on_fix(fix(one.t_ns * 1e-9, offset(HERE, north_m, east_m)), None)
            for frame in range(round(one.t_ns * 1e-9 / FRAME_S), round(one.t_ns * 1e-9 / FRAME_S) + 5):
                if frame:
                    localizer.on_odometry(Odometry(t_ns_of(frame), flight.displacements[frame - 1]))
    coasted = localizer.estimate(t_ns_of(len(flight.true_m) - 1))
    for said in flight.displacements[200:]:
        localizer.on_odometry(Odometry(said.to_t_ns, said))
    carried = localizer.estimate(t_ns_of(len(flight.true_m) - 1))
    north_m, east_m = flight.true_m[-1]
    assert carried.trusted and carried.position is not None and not coasted.trusted
    assert distance_m(carried.position, offset(HERE, north_m, east_m)) < 10.0


def test_odometry_that_measured_nothing_or_knows_no_heading_is_left_out() -> None:
    localizer = tracking()
    before = localizer.estimate(4_000_000_000)
    localizer.on_odometry(Odometry(3_500_000_000, None, (OdometryFault.FROZEN,)))
    unheaded = displacement(30, 35, np.array([40.0, 0.0]), 0.1)
    object.__setattr__(unheaded, "heading_sigma_rad", math.inf)
    localizer.on_odometry(Odometry(3_500_000_000, unheaded))
    assert localizer.estimate(4_000_000_000) == before


def test_one_wrong_fix_does_not_move_it_and_agreeing_ones_carry_it_over() -> None:
    localizer = tracking()
    localizer.on_fix(fix(3.5, FAR), None)
    stays = localizer.estimate(3_500_000_000)
    assert stays.position is not None and distance_m(stays.position, HERE) < 10.0 and localizer.reset_counter == 0
    states = []
    for t_s in np.arange(4.0, 12.0, 0.5):
        localizer.on_fix(fix(float(t_s), FAR), None)
        states.append(localizer.estimate(round(t_s * 1e9)))
    there = states[-1]
    assert there.trusted and there.position is not None and distance_m(there.position, FAR) < 10.0
    assert localizer.reset_counter == 1
    assert all(not one.trusted or one.position is None or distance_m(one.position, FAR) < 10.0 for one in states[6:])


def test_after_blindness_one_fix_is_not_enough() -> None:
    """A drone that was carried away under a covered lens must not be steered by the first place it seems to know."""
    localizer = tracking(limits=TrackingLimits(blind_s=2.5))
    assert not localizer.estimate(20_000_000_000).trusted
    states = []
    for t_s in (20.0, 20.5, 21.0, 21.5):
        localizer.on_fix(fix(t_s, offset(HERE, 8.0, 0.0)), None)
        states.append(localizer.estimate(round(t_s * 1e9)).state)
    assert states[:2] == [TrackingState.SEARCHING] * 2 and states[-1] is TrackingState.TRACKING


def test_a_turn_between_two_fixes_is_no_jump() -> None:
    """Odometry saw all of it: fixes are seldom over ground that is poor in features, and the course changes there."""
    localizer, frames = VisionLocalizer(), 140
    speeds = np.interp(np.arange(frames), [56, 96], [8.0, -8.0])  # it brakes and comes back at 4 m/s^2
    course = speeds[:, None] * [1.0, 0.0] * FRAME_S
    true_m = np.cumsum(course, axis=0)
    for frame in range(1, frames):
        way = displacement(frame - 1, frame, true_m[frame] - true_m[frame - 1], 0.05)
        localizer.on_odometry(Odometry(t_ns_of(frame), way, (), 100, 100))
        if frame % 5 == 0 and not 55 < frame < 110:
            localizer.on_fix(fix(frame * FRAME_S, offset(HERE, *true_m[frame])), None)
    assert localizer.reset_counter == 0
    assert localizer.estimate(t_ns_of(frames - 1)).trusted


def test_refused_fixes_alone_never_make_it_track() -> None:
    localizer = VisionLocalizer()
    for t_s in np.arange(0.0, 20.0, 0.5):
        localizer.on_fix(refused(float(t_s), hypothesis(HERE, ratio=5.0)), None)
        assert not localizer.estimate(round(t_s * 1e9)).trusted
    unverified = VisionLocalizer()
    unverified.on_fix(refused(0.0, hypothesis(HERE, ratio=0.0)), None)
    assert unverified.estimate(0).state is TrackingState.LOST


def test_two_places_that_stay_alike_are_searched_not_steered_by() -> None:
    localizer = VisionLocalizer()
    for t_s in np.arange(0.0, 5.0, 0.5):
        localizer.on_fix(fix(float(t_s), HERE, hypothesis(offset(HERE, 300.0, 0.0))), None)
    estimate = localizer.estimate(4_500_000_000)
    assert estimate.state is TrackingState.SEARCHING and "of the belief" in estimate.reason


def test_the_autopilots_position_is_compared_and_never_believed() -> None:
    localizer = tracking()
    lie = Position.circular(offset(HERE, 80.0, 60.0), 1.0, PositionSource.AUTOPILOT)
    localizer.on_nav(NavState(Pose(3_400_000_000), lie))
    difference = localizer.on_fix(fix(3.5, HERE), lie)
    assert difference is not None and difference.distance_m == pytest.approx(100.0, abs=0.1)
    estimate = localizer.estimate(3_500_000_000)
    assert estimate.position is not None and distance_m(estimate.position, HERE) < 5.0


def test_a_row_of_wrong_fixes_that_agree_is_doubted_and_left_again_without_counting_anew() -> None:
    localizer = tracking()
    states = []
    for t_s in np.arange(3.5, 6.0, 0.5):
        localizer.on_fix(fix(float(t_s), offset(HERE, 90.0, 40.0)), None)
        states.append(localizer.estimate(round(t_s * 1e9)))
    assert any("in a row contradict" in one.reason or "speak for" in one.reason for one in states[:4])
    assert not any(one.trusted for one in states[2:]), "five must speak for a place that took over"
    for t_s in np.arange(6.0, 9.0, 0.5):
        localizer.on_fix(fix(float(t_s), HERE), None)
    back = localizer.estimate(8_500_000_000)
    assert back.trusted and back.position is not None and distance_m(back.position, HERE) < 10.0
