"""Odometry over rendered flights: metres and turn against the truth, and what it says of how sure it is."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from runtime.camera_model import CameraModel, body_from_mount
from runtime.odometry.odometer import Odometer
from runtime.rotations import ned_from_euler
from runtime.values import Frame, Measured, Pose
from sim.camera import SimulatedCamera, default_camera
from tests.runtime.odometry.flights import fly, pose_of, recorded, straight, town

OBLIQUE = replace(default_camera(), body_from_camera=body_from_mount(-45.0))


@pytest.mark.parametrize(
    ("way", "camera"),
    [
        (straight(), default_camera()),
        (straight(3.0, yaw_rate=0.7), default_camera()),
        (straight(3.0, 40.0, climb_m_s=6.0), default_camera()),
        (straight(), OBLIQUE),
    ],
    ids=["straight", "turning", "climbing", "oblique"],
)
def test_every_frame_is_measured_to_a_few_percent(way, camera) -> None:
    steps = fly(way, 20, camera=camera)
    assert not steps[0].answer.faults and steps[0].answer.displacement is None  # nothing to compare it with
    for step in steps[1:]:
        moved = step.displacement
        assert step.error_m < 0.1 + 0.06 * moved.distance_m
        start, end = way(moved.from_t_ns * 1e-9), way(moved.to_t_ns * 1e-9)
        assert moved.turn_rad == pytest.approx(end[5] - start[5], abs=0.01)
        assert moved.height_ratio == pytest.approx(end[2] / start[2], abs=0.02)


def test_hovering_does_not_drift() -> None:
    """One reference for all of it: the error of the last second is that of the first."""

    def way(t_s: float):
        return 0.4 * math.sin(t_s), 0.3 * math.cos(2 * t_s), 60.0, 0.05 * math.sin(5 * t_s), 0.04, 0.3

    steps = fly(way, 20, rate_hz=2.0)
    assert {step.displacement.from_t_ns for step in steps[1:]} == {0}
    assert max(step.error_m for step in steps[1:]) < 0.12


def test_the_reference_is_renewed_before_it_leaves_the_view_and_the_way_adds_up() -> None:
    way = straight(20.0)
    steps = fly(way, 20, rate_hz=5.0)
    ends = {step.displacement.from_t_ns: step.displacement for step in steps[1:]}  # the last of each reference
    for before, after in zip(ends.values(), list(ends.values())[1:], strict=False):
        assert before.to_t_ns == after.from_t_ns
    north, east = (sum(getattr(step, axis) for step in ends.values()) for axis in ("north_m", "east_m"))
    start, end = way(0.0), way(3.8)
    assert len(ends) >= 3
    assert math.hypot(north - (end[0] - start[0]), east - (end[1] - start[1])) < 0.03 * 20.0 * 3.8


def test_after_a_gap_the_ground_is_found_again() -> None:
    """A frame a second at 12 m/s, as after dropped frames: there is no speed yet to go by."""
    steps = fly(straight(12.0, 70.0), 5, rate_hz=1.0)
    assert all(step.error_m < 0.1 + 0.06 * step.displacement.distance_m for step in steps[1:])


def test_without_heading_and_attitude_the_axes_are_those_of_the_first_picture() -> None:
    camera, odometer = default_camera(), Odometer(default_camera())
    way = straight(6.0, yaw_rate=0.5)

    def level(t_s: float):
        north, east, height, _, _, yaw = way(t_s)
        return north, east, height, 0.0, 0.0, yaw

    for frame, pose in recorded(level, 12, camera, 5.0):
        answer = odometer.update(frame, Pose(pose.t_ns, height_agl_m=pose.height_agl_m))
        if (moved := answer.displacement) is not None:
            true = np.subtract(level(moved.to_t_ns * 1e-9)[:2], level(moved.from_t_ns * 1e-9)[:2])
            heading = math.atan2(true[1], true[0]) - 0.3  # the first picture's top is at 0.3 rad
            assert math.isinf(moved.heading_sigma_rad)
            off_rad = math.remainder(math.atan2(moved.east_m, moved.north_m) - heading, math.tau)
            assert off_rad == pytest.approx(0, abs=0.1)
    assert answer.displacement is not None


def test_the_size_of_the_picture_does_not_matter() -> None:
    camera = default_camera()
    twice = [Odometer(camera), Odometer(camera)]
    for frame, pose in recorded(straight(), 4, camera, 5.0):
        doubled = np.asarray(cv2.resize(frame.image, (1280, 960), interpolation=cv2.INTER_CUBIC), np.uint8)
        one = twice[0].update(frame, pose).displacement
        other = twice[1].update(Frame(doubled, frame.t_ns, "", frame.index), pose).displacement
    assert one is not None and other is not None
    assert (other.north_m, other.east_m) == pytest.approx((one.north_m, one.east_m), abs=0.15)


def test_one_flight_gives_one_answer() -> None:
    first, second = ([step.answer for step in fly(straight(), 6)] for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("pitch_deg", [pytest.param(-90.0, marks=pytest.mark.long), -50.0])
def test_sigmas_are_honest_over_many_draws(pitch_deg: float) -> None:
    """Height, heading, mount and attitude wrong as an autopilot's are: 68 and 95 % within the ellipses, and across the
    motion within the random part alone."""
    camera = replace(default_camera(), body_from_camera=body_from_mount(pitch_deg))
    distances, across = [], []
    for seed in range(40):
        distance, sideways = _drawn_flight(camera, seed)
        distances.append(distance)
        across.append(sideways)
    one, two = np.mean(np.array(distances) < 2.28), np.mean(np.array(distances) < 5.99)  # of two dimensions
    assert 0.55 <= one <= 0.88 and two >= 0.88
    assert 0.58 <= np.mean(np.abs(across) < 1) and 0.88 <= np.mean(np.abs(across) < 2)


def _drawn_flight(camera: CameraModel, seed: int) -> tuple[float, float]:
    """Squared error over its covariance, and the error across the motion over its random sigma, heading taken out."""
    rng = np.random.default_rng([seed, 9])
    height, yaw, rate = rng.uniform(40, 100), rng.uniform(-3, 3), rng.normal(0, 0.15)
    velocity, climb, place = rng.normal(0, 6, 2), rng.normal(), rng.uniform(-30, 30, 2)
    mount, wrong_heading, scale = rng.normal(0, 0.012, 2), rng.normal(0, 0.035), math.exp(rng.normal(0, 0.05))
    simulated, odometer = SimulatedCamera(town(), camera, seed), Odometer(camera)
    for index in range(int(rng.integers(2, 7))):
        t_s = 0.2 * index
        north, east = place + velocity * t_s
        roll, pitch = rng.normal(0, 0.07, 2)
        there = (north, east, -height - climb * t_s)
        image = simulated.capture(there, ned_from_euler(roll, pitch, yaw + rate * t_s))
        claimed = pose_of(
            round(t_s * 1e9), -there[2], roll, pitch, yaw + rate * t_s + wrong_heading, mount + rng.normal(0, 0.007, 2)
        )
        claimed = replace(
            claimed,
            height_agl_m=Measured(-there[2] * scale, -there[2] * 0.05, "test"),
            attitude=replace(claimed.attitude, heading_sigma_rad=0.035),
        )
        answer = odometer.update(Frame(image, claimed.t_ns, "", index), claimed)
    moved = answer.displacement
    assert moved is not None, answer
    true = velocity * (moved.to_t_ns - moved.from_t_ns) * 1e-9
    said = np.array([moved.north_m, moved.east_m])
    off = said - true
    distance = float(off @ np.linalg.solve(np.array(moved.covariance_m2), off))
    cosine, sine = math.cos(wrong_heading), math.sin(wrong_heading)
    back = np.array([[cosine, sine], [-sine, cosine]])
    sideways = np.array([-true[1], true[0]]) / np.linalg.norm(true)
    sigma = math.sqrt(float(sideways @ np.array(moved.random_covariance_m2) @ sideways))
    return distance, float(sideways @ (back @ said - true)) / sigma
