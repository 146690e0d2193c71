"""The flight itself against the recording: 40 m of climb, 150 m north, landing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.autopilot.autopilot import Autopilot
from tests.sim.autopilot.recording import COMPANION, RECORDED, read

Track = list[tuple[float, float, float, float, float]]  # t, north, height, speed, pitch


def _track(timed: list[tuple[float, Any]]) -> Track:
    points, pitch = [], 0.0
    for t_s, m in timed:
        if m.get_type() == "ATTITUDE":
            pitch = math.degrees(m.pitch)
        if m.get_type() == "GLOBAL_POSITION_INT" and m.lat:
            north = (m.lat * 1e-7 - RECORDED.home.latitude_deg) * 111_178.0
            points.append((t_s, north, m.relative_alt / 1e3, math.hypot(m.vx, m.vy) / 100, pitch))
    return points


@pytest.fixture(scope="module")
def tracks() -> tuple[Track, Track]:
    timed = read("arducopter_goto_land")
    autopilot, parser, heard = Autopilot(RECORDED), mavlink.MAVLink(None), []
    for t_s, message in [*timed, (timed[-1][0] + 1.0, None)]:
        while autopilot.t_ns < t_s * 1e9 - RECORDED.step_ns:
            autopilot.advance(autopilot.t_ns + RECORDED.step_ns)
            heard += [(autopilot.t_ns / 1e9, m) for m in parser.parse_buffer(autopilot.transmit()) or ()]
        if message is not None and message.get_srcComponent() == COMPANION:
            autopilot.receive(bytes(message.get_msgbuf()))
    return _track(timed), _track(heard)


def _when(track: Track, column: int, above: float, after_s: float = 0.0) -> float:
    return next(point[0] for point in track if point[column] > above and point[0] > after_s)


def test_the_vehicle_is_where_the_recorded_one_was(tracks: tuple[Track, Track]) -> None:
    recorded, flown = tracks
    for t_s, north, height, speed, _ in recorded:
        if t_s < 42.0:
            continue
        nearest = min(flown, key=lambda point: abs(point[0] - t_s))
        assert nearest[1] == pytest.approx(north, abs=3.0), f"north at {t_s:.1f} s"
        assert nearest[2] == pytest.approx(height, abs=1.0), f"height at {t_s:.1f} s"
        assert nearest[3] == pytest.approx(speed, abs=1.6), f"speed at {t_s:.1f} s"


def test_climb_leg_and_landing_take_as_long(tracks: tuple[Track, Track]) -> None:
    recorded, flown = tracks
    for column, level, after in ((2, 39.5, 42.0), (1, 148.0, 42.0)):
        assert _when(flown, column, level, after) == pytest.approx(_when(recorded, column, level, after), abs=1.0)

    def down(track: Track) -> float:
        return next(point[0] for point in track if point[0] > 90.0 and point[2] < 0.05)

    assert down(flown) == pytest.approx(down(recorded), abs=1.5)


def test_tilt_is_as_recorded_in_cruise(tracks: tuple[Track, Track]) -> None:
    recorded, flown = tracks
    for track in (recorded, flown):
        cruise = [point[4] for point in track if 68.0 < point[0] < 76.0]
        assert -31.0 < min(cruise) and max(cruise) < -28.0
