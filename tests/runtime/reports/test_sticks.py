"""Sticks off their centre: the receiver's channels, and the joystick of a ground station."""

from __future__ import annotations

from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.reports.sticks import station_sticks_moved, sticks_moved


def test_sticks_are_known_where_there_are_channels() -> None:
    def said(count: int, *pwm: int) -> bool | None:
        return sticks_moved(mavlink.MAVLink_rc_channels_message(0, count, *pwm, *[0] * 14, 255))

    assert said(16, 1500, 1520, 1000, 1490) is False and said(16, 1500, 1700, 1000, 1500) is True
    assert said(0, 1500, 1500, 1500, 1500) is None and said(16, 0, 65535, 0, 65535) is None


def joystick(pitch: int, roll: int, throttle: int, yaw: int) -> Any:
    return mavlink.MAVLink_manual_control_message(1, pitch, roll, throttle, yaw, 0)


def override(*pwm: int) -> Any:
    return mavlink.MAVLink_rc_channels_override_message(1, 1, *pwm, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("message", "moved"),
    [
        (joystick(0, 0, 1000, 0), False),  # it rests, whatever the throttle
        (joystick(150, -150, 500, 150), False),
        (joystick(201, 0, 500, 0), True),
        (joystick(0, -1000, 500, 0), True),
        (joystick(0, 0, 500, 300), True),
        (joystick(32767, 32767, 32767, 32767), False),  # no such axis
        (override(0, 0, 0, 0), False),  # released
        (override(65535, 65535, 1900, 65535), False),
        (override(1500, 1590, 1000, 1500), False),
        (override(1650, 0, 0, 0), True),
        (override(0, 0, 0, 1200), True),
        (mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3), False),
    ],
)
def test_a_ground_stations_joystick_moves_or_rests(message: Any, moved: bool) -> None:
    assert station_sticks_moved(message) is moved
