"""How a fix moves when the attitude errs in the frame of the body."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from runtime.fix.consensus import consensus_of
from runtime.fix.local_features import Features
from runtime.fix.planar_pose import Prior, solve
from runtime.fix.query import Known
from runtime.fix.tilt import NO_SLOPES, map_slopes_m, over_map, tilt_slopes_m
from runtime.fix.verify import Ground, Verified
from runtime.values import Attitude, Measured, Pose
from sim.camera import default_camera

HEIGHT_M, LEAN_RAD = 100.0, np.radians([0.6, -0.4])  # the aircraft seems so far forward and to the right
PRIOR = Prior(math.radians(0.01), math.radians(0.01), HEIGHT_M, 0.01)  # what the attitude says is taken at its word
NOTHING = Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
CAMERA = default_camera()


def known(heading_rad: float | None) -> Known:
    heading = None if heading_rad is None else Measured(heading_rad, 0.05, "compass")
    return Known(CAMERA, Pose(t_ns=0, attitude=Attitude.level(heading)))


def passed(heading_rad: float, seen_on_rad: float | None) -> Verified:
    """A keyframe below a camera at the origin, seen on a heading (None: a tile of a map), and the query's rays turned
    level, both by an attitude that errs."""
    below = np.random.default_rng(5).uniform(-0.3, 0.3, (40, 2)) * HEIGHT_M
    lean_m, keyframe_lean_m = over_map(heading_rad, HEIGHT_M) @ LEAN_RAD, np.zeros(2)
    if seen_on_rad is not None:
        keyframe_lean_m = over_map(seen_on_rad, HEIGHT_M) @ LEAN_RAD
    ground = below - _east_south(keyframe_lean_m)
    rays = (below - _east_south(lean_m)) / HEIGHT_M
    height_m = math.inf if seen_on_rad is None else HEIGHT_M
    keyframe = Ground(1, "flight", NOTHING, ground, ground.mean(axis=0), height_m, 80.0, 1.0, 0.0, seen_on_rad)
    return Verified(keyframe, 40, solve(rays, ground, 0.1, PRIOR), rays, ground)


def _east_south(north_east_m: np.ndarray) -> np.ndarray:
    return np.array([north_east_m[1], -north_east_m[0]])


@pytest.mark.parametrize(("heading_rad", "seen_on_rad"), [(0.4, 0.4), (0.4, 0.4 + math.pi), (-2.0, 1.1), (0.9, None)])
def test_a_fix_is_off_by_what_its_slopes_say(heading_rad: float, seen_on_rad: float | None) -> None:
    agreed = consensus_of([passed(heading_rad, seen_on_rad)], (0.0, 0.0), PRIOR)
    slopes = np.array(tilt_slopes_m(agreed, known(heading_rad)))
    assert [-agreed.pose.south_m, agreed.pose.east_m] == pytest.approx(slopes @ LEAN_RAD, abs=0.05)
    if seen_on_rad is None:
        assert slopes == pytest.approx(np.array(map_slopes_m(heading_rad, HEIGHT_M)), abs=0.2)


def test_nothing_is_said_where_a_heading_is_unknown() -> None:
    one = passed(0.4, 1.0)
    nameless = replace(one, keyframe=replace(one.keyframe, heading_rad=None))
    assert tilt_slopes_m(consensus_of([one], (0.0, 0.0), PRIOR), known(None)) == NO_SLOPES
    assert tilt_slopes_m(consensus_of([nameless], (0.0, 0.0), PRIOR), known(0.4)) == NO_SLOPES
