"""Cameras that look ahead: overlaps on the ground, a pitch that nobody says, heights and headings solved from both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from runtime.camera_model import CameraModel, body_from_mount
from runtime.rotations import ned_from_euler
from runtime.survey.anchor import Tagged
from runtime.survey.overlaps import Features, Overlap, alike, ground_misfit
from runtime.survey.pitch import solved_pitch
from runtime.survey.rays import Look, bluntness, meets_ground
from runtime.survey.solver import Solution, solve
from runtime.values import Attitude, Pose
from tests.runtime.survey.flights import CAMERA, Truth, lawnmower, tagged
from tests.runtime.survey.test_solver import errors

LEVEL = (1.0, 0.0, 0.0, 0.0)


def looking(pitch_deg: float) -> CameraModel:
    return replace(CAMERA, body_from_camera=body_from_mount(pitch_deg))


def stabilised(lines: int = 2, per_line: int = 4) -> list[Truth]:
    """Lines flown by a gimbal that keeps the horizon."""
    return [replace(one, pitch=0.0, roll=0.0) for one in lawnmower(lines, per_line)]


def shared(flown: Sequence[Truth], camera: CameraModel, count: int = 8) -> list[Overlap]:
    """What matching would find, without the images: of pixels spread over each photo, those whose ground two show."""
    rng = np.random.default_rng(1)
    size, found = np.array([camera.width_px, camera.height_px]), []
    for i, j in combinations(range(len(flown)), 2):
        first, second = flown[i].plane(camera), flown[j].plane(camera)
        a = rng.uniform(0, size, (150, 2))
        ground = first.ground_of(a) + [flown[i].north_m - flown[j].north_m, flown[i].east_m - flown[j].east_m]
        a, ground = a[np.linalg.norm(ground, axis=1) < 500.0], ground[np.linalg.norm(ground, axis=1) < 500.0]
        ahead = np.hstack([ground, np.full((len(ground), 1), second.height_agl_m)]) @ second.ned_from_camera[:, 2] > 0
        b = second.pixels_of(ground)
        inside = ahead & ((b >= 0) & (b < size)).all(axis=1)
        if inside.sum() >= count:
            jitter = rng.normal(0, 0.3, (2, count, 2))
            found.append(Overlap(i, j, a[inside][:count] + jitter[0], b[inside][:count] + jitter[1], int(inside.sum())))
    return found


def close(solution: Solution, flown: list[Truth]) -> dict[str, float]:
    return {name: float(np.median(values)) for name, values in errors(solution, flown).items()}


@pytest.mark.parametrize(
    "pitch_deg", [pytest.param(-60.0, marks=pytest.mark.long), -45.0, pytest.param(-30.0, marks=pytest.mark.long)]
)
def test_a_camera_mounted_ahead_is_solved_as_one_that_looks_down_is(pitch_deg: float) -> None:
    flown, camera = lawnmower(2, 5), looking(pitch_deg)
    overlaps = shared(flown, camera, 16)
    found = close(solve(tagged(flown, noise_m=0.01), [camera] * len(flown), overlaps), flown)
    assert found["place_m"] < 1.0 and found["height"] < 0.02
    assert found["heading_deg"] < 1.0 and found["tilt_deg"] < 1.2


def test_a_gimbals_recorded_tilt_is_the_mount_of_an_oblique_camera() -> None:
    """A gimbal 45 degrees ahead is written as a camera that looks down from a body pitched up by 45 degrees."""
    flown = stabilised()
    overlaps = shared(flown, looking(-45.0))
    ahead = Attitude(ned_from_euler(0.0, math.radians(45.0), 0.0))  # without a heading
    told = [Tagged(replace(one.pose, attitude=ahead), one.tag) for one in tagged(flown, noise_m=0.01)]
    by_gimbal = solve(told, [CAMERA] * len(flown), overlaps)
    by_mount = solve(tagged(flown, noise_m=0.01), [looking(-45.0)] * len(flown), overlaps)
    for gimbal, mount, truth in zip(by_gimbal.photos, by_mount.photos, flown, strict=True):
        assert gimbal is not None and mount is not None and gimbal.pose.heading is not None
        assert gimbal.pose.heading.value == pytest.approx(mount.pose.heading.value, abs=0.02)  # type: ignore[union-attr]
        assert math.remainder(gimbal.pose.heading.value - truth.heading, math.tau) == pytest.approx(0.0, abs=0.02)
        looks = Look.of(CAMERA, gimbal.pose).rays(np.array([[240.0, 180.0]]))
        assert math.degrees(math.acos(looks[0, 2])) == pytest.approx(45.0, abs=1.0)


@pytest.mark.parametrize("pitch_deg", [-70.0, -45.0, -33.0])
def test_a_pitch_that_nobody_says_is_seen_in_the_overlaps(pitch_deg: float) -> None:
    flown = stabilised()
    overlaps = shared(flown, looking(pitch_deg), 20)
    found = solved_pitch([CAMERA] * len(flown), overlaps)
    assert found is not None and abs(found.deg - pitch_deg) < 3.0 * found.sigma_deg < 6.0
    assert f"looking {-found.deg:.0f} ±" in found.sentence()
    assert found.mounted(CAMERA).body_from_camera == pytest.approx(body_from_mount(found.deg))


def test_straight_down_and_views_that_did_not_move_say_no_pitch() -> None:
    flown = lawnmower(2, 4)
    assert solved_pitch([CAMERA] * len(flown), shared(flown, CAMERA, 12)) is None
    hover = [replace(flown[0], t_s=float(k), pitch=0.0, roll=0.0) for k in range(8)]
    ahead = looking(-45.0)
    assert solved_pitch([CAMERA] * 8, shared(hover, ahead, 12)) is None


def test_oblique_views_are_alike_on_the_ground_though_not_in_their_pixels() -> None:
    camera, flown = looking(-40.0), [Truth(0, 0, 0, 50, 0.0), Truth(1, 15, 10, 50, 0.9)]
    (overlap,) = shared(flown, camera, 20)
    ahead, down = Look(camera, LEVEL), Look(looking(-90.0), LEVEL)
    misfit, scale = ground_misfit(ahead, ahead, overlap.first_px, overlap.second_px)
    bent, _ = ground_misfit(down, down, overlap.first_px, overlap.second_px)
    assert misfit * camera.fx_px < 0.5 and scale == pytest.approx(1.0, abs=0.01) and bent > 10 * misfit
    features = [Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32), long_px) for long_px in (100, 100)]
    assert alike(overlap, features, [ahead, ahead]) and not alike(overlap, features, [down, down])
    assert not alike(overlap, features)


def test_what_lies_near_the_horizon_counts_less_and_then_not_at_all() -> None:
    rays = Look(looking(-30.0), LEVEL).rays(np.array([[240.0, row] for row in (359.0, 180.0, 100.0, 10.0)]))
    assert meets_ground(rays).tolist() == [True, True, False, False]
    assert bluntness(Look(looking(-90.0), LEVEL).rays(np.array([[240.0, 180.0]]))) == 1.0
    assert (np.diff(bluntness(rays)[:3]) > 0).all()
    assert Look.of(CAMERA, Pose(0)).tilt == LEVEL
