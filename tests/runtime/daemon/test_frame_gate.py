"""Frames meet the pose of their own exposure, or are dropped by name."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.daemon.frame_gate import FrameGate
from runtime.geodesy import distance_m, offset
from runtime.rotations import ned_from_euler
from runtime.values import Frame, GeoPoint, Measured
from runtime.vehicle.telemetry.poses import AttitudeSample, PoseBuffer, PositionSample

HERE = GeoPoint(60.45, 22.25)
MS = 1_000_000


def frame(t_ns: int, index: int = 0) -> Frame:
    return Frame(np.zeros((4, 4, 3), np.uint8), t_ns, "test", index)


def telemetry(poses: PoseBuffer, t_ns: int, agl_m: float | None = None) -> None:
    """North at 10 m/s, turning by a degree in 10 ms."""
    seconds = t_ns * 1e-9
    heading = math.radians(100.0 * seconds)
    poses.add_attitude(AttitudeSample(t_ns, ned_from_euler(0.0, 0.0, heading), (0.0, 0.0, math.radians(100.0))))
    height = Measured(50.0, 1.0, "test")
    agl = None if agl_m is None else Measured(agl_m, 0.2, "range finder")
    where = offset(HERE, 10.0 * seconds, 0.0)
    poses.add_position(PositionSample(t_ns, where, 1.0, height, height, agl, (10.0, 0.0, 0.0)))


def test_a_frame_waits_until_telemetry_covers_its_exposure() -> None:
    gate, poses = FrameGate(0.06, 0.5), PoseBuffer()
    for t_ns in (0, 100 * MS):
        telemetry(poses, t_ns)
    gate.arrived(310 * MS, frame(300 * MS))  # exposed at 240 ms
    assert gate.next(310 * MS, poses) is None
    telemetry(poses, 200 * MS)
    telemetry(poses, 300 * MS)
    posed = gate.next(320 * MS, poses)
    assert posed is not None and posed.frame.t_ns == posed.pose.t_ns == 240 * MS
    assert posed.pose.heading is not None and posed.position is not None
    assert math.degrees(posed.pose.heading.value) == pytest.approx(24.0, abs=0.01)
    assert distance_m(posed.position.point, offset(HERE, 2.4, 0.0)) < 0.01
    assert gate.next(320 * MS, poses) is None


def test_a_frame_that_waits_in_vain_is_dropped_by_name() -> None:
    gate, poses = FrameGate(0.0, 0.5), PoseBuffer()
    gate.arrived(0, frame(0))
    assert gate.next(400 * MS, poses) is None and not gate.dropped
    assert gate.next(501 * MS, poses) is None
    assert gate.dropped == {"pose_no_attitude": 1}


def test_a_frame_older_than_all_telemetry_is_dropped_at_once() -> None:
    gate, poses = FrameGate(0.0, 0.5), PoseBuffer()
    telemetry(poses, 1000 * MS)
    telemetry(poses, 1100 * MS)
    gate.arrived(1100 * MS, frame(500 * MS))
    assert gate.next(1100 * MS, poses) is None
    assert gate.dropped == {"pose_too_old": 1}


def test_no_more_than_eight_wait_and_the_oldest_goes() -> None:
    gate, poses = FrameGate(0.0, 10.0), PoseBuffer()
    telemetry(poses, 0)
    for index in range(10):
        gate.arrived(index * MS, frame(500 * MS + index * MS, index))
    assert gate.dropped == {"pose_late": 2}
    for t_ns in (400 * MS, 600 * MS):
        telemetry(poses, t_ns)
    first, second = gate.next(600 * MS, poses), gate.next(600 * MS, poses)
    assert first is not None and second is not None
    assert (first.frame.index, second.frame.index) == (2, 3)
