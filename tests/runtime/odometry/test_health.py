"""What is wrong is seen and named, not measured with; and measuring goes on where it is over."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from runtime.camera_model import body_from_mount
from runtime.odometry.odometer import Odometer
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Displacement, Frame, OdometryFault, Pose
from sim.camera import default_camera
from tests.runtime.odometry.flights import (
    Step,
    bare,
    blurred,
    boxed,
    clouded,
    during,
    fly,
    recorded,
    shadowed,
    straight,
)  # fmt: skip

WAY = straight()


def never_far_off(steps: list[Step]) -> None:
    assert all(step.error_m < 0.1 + 0.06 * step.displacement.distance_m for step in steps if step.answer.healthy)


def test_bare_ground_is_textureless() -> None:
    assert all(step.faults == {OdometryFault.TEXTURELESS} for step in fly(WAY, 4, bare))


def test_a_bare_patch_is_crossed_on_the_reference_before_it() -> None:
    steps = fly(WAY, 24, during(8, 16, bare))
    assert all(OdometryFault.TEXTURELESS in step.faults for step in steps[8:16])
    assert all(step.displacement.from_t_ns == 0 for step in steps[17:])
    never_far_off(steps)


def test_the_same_picture_again_is_frozen() -> None:
    shown: list[np.ndarray] = []

    def stopped(index: int, image: np.ndarray) -> np.ndarray:
        shown.append(image)
        return shown[6] if 6 < index < 12 else image

    steps = fly(WAY, 16, stopped)
    assert all(step.faults == {OdometryFault.FROZEN} for step in steps[7:12])
    assert all(step.answer.healthy for step in steps[13:])
    never_far_off(steps)


def test_a_stopped_picture_that_is_compressed_anew_is_not_measured_with() -> None:
    shown: list[np.ndarray] = []

    def stopped(index: int, image: np.ndarray) -> np.ndarray:
        shown.append(image)
        if not 6 < index < 16:
            return image
        packed = cv2.imencode(".jpg", shown[6], [cv2.IMWRITE_JPEG_QUALITY, 40 + 3 * index])[1]
        return np.asarray(cv2.imdecode(packed, 1))

    steps = fly(WAY, 20, stopped)
    assert not any(step.answer.healthy for step in steps[7:16])
    assert all(step.answer.healthy for step in steps[17:])
    never_far_off(steps)


def test_blur_is_seen() -> None:
    steps = fly(WAY, 16, during(6, 11, blurred))
    assert all(OdometryFault.BLURRED in step.faults for step in steps[6:11])
    assert all(step.answer.healthy for step in steps[12:])
    never_far_off(steps)


def test_the_aircraft_s_own_shadow_on_the_ground_is_left_out() -> None:
    steps = fly(WAY, 25, lambda _, image: shadowed(image))
    assert all(step.answer.healthy for step in steps[1:])
    never_far_off(steps)


def test_the_shadow_alone_is_nothing_to_go_by() -> None:
    steps = fly(WAY, 12, lambda index, image: shadowed(bare(index, image), 60))
    assert not any(step.answer.healthy for step in steps)


def test_dirt_over_all_of_the_lens_moves_with_the_aircraft() -> None:
    """More of it than of the ground: once the wind has turned the camera by a degree, the picture shows none of it."""
    steps = fly(straight(20.0), 12, lambda index, image: boxed(bare(index, image), 60))
    assert all(OdometryFault.MOVES_WITH_AIRCRAFT in step.faults for step in steps[2:])


def test_cars_are_left_out_and_where_there_is_little_else_it_says_so() -> None:
    some = fly(WAY, 20, lambda index, image: boxed(image, 20, 6.0 * index))
    assert sum(step.answer.healthy for step in some) >= 18
    never_far_off(some)


def test_a_road_full_of_cars_is_not_the_ground_however_many_corners_they_have() -> None:
    """They cover a tenth of the picture and have nearly all of its corners; also once a new reference was taken."""
    steps = fly(WAY, 22, lambda index, image: boxed(image, 120, 15.0 * index), rate_hz=10.0)
    assert sum(OdometryFault.MOVING_OBJECTS in step.faults for step in steps) >= 3
    believed = [step for step in steps if step.answer.healthy]
    assert len(believed) <= 2, "right after a new reference, before they can be told from the ground"
    assert all(step.error_m < 1.5 for step in believed)


def test_a_cloud_s_shadow_that_drifts_over_the_ground_is_left_out() -> None:
    steps = fly(WAY, 16, clouded)
    assert all(step.answer.healthy for step in steps[1:])
    never_far_off(steps)


def test_a_jump_is_no_motion() -> None:
    def jumps(t_s: float):
        north, *rest = WAY(t_s)
        return (north + (6.0 if t_s > 0.39 else 0.0), *rest)

    steps = fly(jumps, 16)
    assert all(step.answer.healthy for step in steps[1:10])
    assert all(OdometryFault.JUMP in step.faults for step in steps[10:])


def test_a_camera_that_looks_at_the_horizon_shows_no_ground() -> None:
    camera = replace(default_camera(), body_from_camera=body_from_mount(-5.0))
    assert all(step.faults == {OdometryFault.HORIZON} for step in fly(WAY, 3, camera=camera))


def test_another_place_has_no_overlap_and_a_second_later_measuring_begins_anew() -> None:
    def carried_away(t_s: float):
        north, *rest = WAY(t_s)
        return (north + (60.0 if t_s > 0.9 else 0.0), *rest)

    steps = fly(carried_away, 28, rate_hz=10.0)
    assert all(not step.answer.healthy and step.answer.faults for step in steps[10:19])
    assert all(step.displacement.from_t_ns >= 1_800_000_000 for step in steps[24:])
    never_far_off(steps)


def test_a_picture_that_turns_upside_down_is_named_and_not_measured_with_for_as_long_as_a_place_is_kept() -> None:
    """The way would be measured backwards, by pictures in which nothing else is wrong."""
    steps = fly(WAY, 27, during(8, 40, lambda index, image: np.ascontiguousarray(image[::-1, ::-1])), rate_hz=5.0)
    assert all(step.answer.healthy for step in steps[1:8])
    assert not any(step.answer.healthy for step in steps[8:])
    assert all(step.faults == {OdometryFault.UPSIDE_DOWN} for step in steps[14:])


def test_a_pose_that_turns_otherwise_than_the_pictures_is_noticed() -> None:
    odometer = Odometer(default_camera())
    for frame, pose in recorded(WAY, 8, default_camera(), 25.0):
        if frame.index >= 4:  # the attitude of another instant
            pose = replace(pose, attitude=Attitude(ned_from_euler(0.25, 0.0, 0.3), 0.03, "test"))
        answer = odometer.update(frame, pose)
        assert answer.healthy == (0 < frame.index < 4)
    assert OdometryFault.ATTITUDE in answer.faults


def test_without_a_height_there_are_no_metres() -> None:
    odometer = Odometer(default_camera())
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, "test", 0)
    assert odometer.update(frame, Pose(0)).faults == (OdometryFault.NO_HEIGHT,)


def test_all_errors_together_are_the_random_ones_and_those_that_are_shared() -> None:
    moved = Displacement(0, 1, 30.0, 40.0, ((0.04, 0.01), (0.01, 0.09)), 0.05, 0.02, 0.0, 0.01, 1.0, 0.01)
    (nn, ne), (en, ee) = moved.covariance_m2
    along, across = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    shared = np.array([[nn - 0.04, ne - 0.01], [en - 0.01, ee - 0.09]])
    assert np.isclose(along @ shared @ along, (50 * 0.05) ** 2)
    assert np.isclose(across @ shared @ across, (50 * 0.02) ** 2)
    assert np.isclose(along @ shared @ across, 0.0)
