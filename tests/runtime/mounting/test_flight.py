"""A rendered flight whose camera is mounted otherwise than configured, and stamps its frames late."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
import pytest

from runtime.heights import above_flat_ground
from runtime.mounting.adjustment import Adjustment
from runtime.mounting.chosen import chosen_pairs, seen_pairs
from runtime.mounting.drawn import draw_mount
from runtime.mounting.judged import shown
from runtime.rotations import ned_from_euler, quaternion, rotation
from runtime.values import Attitude, GeoPoint, ImageRGB, Measured, NavState, Pose, Position, PositionSource
from sim.camera import SimulatedCamera, default_camera
from tests.runtime.mounting.flown import off_by
from tests.runtime.odometry.flights import town

DELAY_S, FRAMES, APART_S, SPEED_M_S = 0.15, 19, 0.5, 5.0
CONFIGURED = default_camera().scaled_to(320, 240)
TRUE = replace(CONFIGURED, body_from_camera=quaternion(off_by(CONFIGURED.body_from_camera, 2.0, -1.5, 4.0)))


def euler(t_s: float) -> tuple[float, float, float]:
    return 0.09 * math.sin(2.0 * t_s), 0.07 * math.sin(2.9 * t_s), 0.3 + 0.8 * math.sin(0.6 * t_s)


def velocity(t_s: float) -> tuple[float, float, float]:
    heading = euler(t_s)[2]
    return SPEED_M_S * math.cos(heading), SPEED_M_S * math.sin(heading), 0.0


class Rendered:
    """Pictures of a town, each stamped late."""

    def __init__(self) -> None:
        self.stamps_s = [APART_S * number for number in range(FRAMES)]
        t_s = np.arange(-1.0, APART_S * FRAMES + 1.0, 0.01)
        way = np.cumsum([velocity(one)[:2] for one in t_s], axis=0) * 0.01
        self._t_s, self._way = t_s, way - way[len(way) // 2]

    def state(self, t_s: float) -> NavState | None:
        attitude = Attitude(ned_from_euler(*euler(t_s)), 0.03, "test")
        height = above_flat_ground(Measured(60.0, 1.0, "test"))
        position = Position.circular(GeoPoint(0.0, 0.0), 1.0, PositionSource.GPS, velocity(t_s))
        return NavState(Pose(round(t_s * 1e9), height_agl_m=height, attitude=attitude), position)

    def pictures(self, wanted: Collection[int]) -> Iterator[tuple[int, ImageRGB]]:
        camera = SimulatedCamera(town(), TRUE, 1)
        for number in sorted(wanted):
            t_s = self.stamps_s[number] - DELAY_S
            north, east = (float(np.interp(t_s, self._t_s, axis)) for axis in self._way.T)
            yield number, camera.capture((north, east, -60.0), ned_from_euler(*euler(t_s)), velocity(t_s))


def test_mount_and_delay_of_a_rendered_flight() -> None:
    footage = Rendered()
    pairs = chosen_pairs(footage, 200)
    assert len(pairs) == FRAMES - 1
    seen = [one for one in seen_pairs(footage, pairs, CONFIGURED) if one is not None]
    assert len(seen) >= FRAMES - 3
    told = Adjustment(seen, footage.state, CONFIGURED.body_from_camera, 0.0, np.ones(6, bool)).solve()
    off_deg = np.degrees((told.body_from_camera * rotation(TRUE.body_from_camera).inv()).as_rotvec())
    assert math.hypot(*off_deg[:2]) < 0.6 and abs(off_deg[2]) < 1.0
    assert told.delay_s == pytest.approx(DELAY_S, abs=0.02)
    shown(told, frozenset())
    assert len(draw_mount(told).axes) == 3
