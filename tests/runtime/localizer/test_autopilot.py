"""The autopilot's word as the estimate."""

from __future__ import annotations

import math

from runtime.freshness import POSITION_TO_TRUST
from runtime.geodesy import offset
from runtime.localizer.autopilot import AutopilotLocalizer
from runtime.values import (
    Attitude,
    GeoPoint,
    Measured,
    NavState,
    Pose,
    Position,
    PositionSource,
    TrackingState,
)

HERE = GeoPoint(60.45, 22.25)


def said(t_ns: int, point: GeoPoint | None = HERE, sigma_m: float = 1.0) -> NavState:
    """The autopilot's word."""
    pose = Pose(t_ns, attitude=Attitude.level(Measured(0.5, 0.05, "test")))
    if point is None:
        return NavState(pose, None)
    return NavState(pose, Position.circular(point, sigma_m, PositionSource.AUTOPILOT, (3.0, 4.0, 0.0)))


def test_without_telemetry_there_is_no_estimate() -> None:
    estimate = AutopilotLocalizer().estimate(7)
    assert estimate.position is None and not estimate.trusted and math.isinf(estimate.sigma_m)
    assert estimate.state is TrackingState.LOST and estimate.reason == "the autopilot reports no position"
    localizer = AutopilotLocalizer()
    localizer.on_nav(said(5, None))
    assert localizer.estimate(7) == estimate


def test_the_newest_pose_is_the_estimate_with_its_own_instant() -> None:
    localizer = AutopilotLocalizer()
    localizer.on_nav(said(10))
    localizer.on_nav(said(9, offset(HERE, 50.0, 0.0)))  # late: reordered on the way
    estimate = localizer.estimate(12)
    assert estimate.position == HERE and estimate.t_ns == 10 and estimate.trusted
    assert estimate.state is TrackingState.TRACKING and estimate.reason == ""
    assert estimate.covariance_m2 == ((1.0, 0.0), (0.0, 1.0)) and estimate.source is PositionSource.AUTOPILOT
    assert estimate.velocity_ned_m_s == (3.0, 4.0, 0.0)
    assert estimate.heading is not None and estimate.heading.value == 0.5


def test_a_position_the_autopilot_doubts_is_not_trusted() -> None:
    localizer = AutopilotLocalizer()
    localizer.on_nav(said(10, sigma_m=40.0))
    estimate = localizer.estimate(12)
    assert estimate.state is TrackingState.LOST and not estimate.trusted and "40 m" in estimate.reason


def test_a_position_of_long_ago_is_not_trusted() -> None:
    localizer = AutopilotLocalizer()
    localizer.on_nav(said(10))
    assert localizer.estimate(10 + POSITION_TO_TRUST.ns).trusted
    estimate = localizer.estimate(11 + 2 * POSITION_TO_TRUST.ns)
    assert not estimate.trusted and "6 s old" in estimate.reason and estimate.t_ns == 10
