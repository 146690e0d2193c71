"""Take-off, position and velocity targets, reposition, speed, home: the rules a companion meets."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.sim.autopilot.companion import HOME, Companion, autopilot

TAKEOFF, LATITUDE, LONGITUDE = 22, 473977000, 85456000


@pytest.fixture
def flying() -> Companion:
    companion = Companion(autopilot())
    companion.vehicle.start_in_flight((0.0, 0.0, -30.0), "GUIDED")
    return companion


def _place(companion: Companion) -> tuple[float, float, float]:
    north, east, down = companion.vehicle.truth.position_ned_m
    return north, east, -down


def _local(mask: int, frame: int = 1, **fields: float) -> Any:
    names = ("x", "y", "z", "vx", "vy", "vz", "afx", "afy", "afz", "yaw", "yaw_rate")
    values = [fields.get(name, 0.0) for name in names]
    return mavlink.MAVLink_set_position_target_local_ned_message(0, 1, 1, frame, mask, *values)


def test_take_off_needs_guided_and_arming() -> None:
    companion = Companion(autopilot())
    assert companion.command(TAKEOFF, 0, 0, 0, 0, 0, 0, 20) == 4
    companion.command(176, 1, 4)
    assert companion.command(TAKEOFF, 0, 0, 0, 0, 0, 0, 20) == 4
    companion.command(400, 1)
    assert companion.command(TAKEOFF, 0, 0, 0, 0, 0, 0, 20) == 0
    companion.run(16.0)
    assert _place(companion) == pytest.approx((0, 0, 20), abs=0.2)
    assert companion.command(TAKEOFF, 0, 0, 0, 0, 0, 0, 30) == 4  # in flight


def test_take_off_as_command_int_needs_frame_3() -> None:
    companion = Companion(autopilot())
    companion.command(176, 1, 4)
    companion.command(400, 1)
    assert companion.command_int(TAKEOFF, 6, (0, 0, 0, 0), 0, 0, 20.0) == 2
    assert companion.command_int(TAKEOFF, 3, (0, 0, 0, 0), 0, 0, 20.0) == 0


def test_a_position_target_before_lift_off_cancels_the_take_off() -> None:
    companion = Companion(autopilot(throttle_pwm=1000))
    companion.command(176, 1, 4)
    companion.command(400, 1)
    companion.command(TAKEOFF, 0, 0, 0, 0, 0, 0, 20)
    companion.run(1.0)
    companion.go_to(30.0, 0.0, 20.0)
    companion.run(8.0)
    assert companion.vehicle.armed and _place(companion) == (0.0, 0.0, 0.0)
    companion.run(2.0)
    assert not companion.vehicle.armed


def test_a_position_target_at_3_m_does_not() -> None:
    companion = Companion(autopilot())
    companion.command(176, 1, 4)
    companion.command(400, 1)
    companion.command(TAKEOFF, 0, 0, 0, 0, 0, 0, 20)
    while _place(companion)[2] < 3.0:
        companion.run(0.1)
    companion.go_to(30.0, 0.0, 20.0)
    companion.run(20.0)
    assert _place(companion) == pytest.approx((30, 0, 20), abs=0.6)


def test_a_position_target_needs_one_send_and_never_times_out(flying: Companion) -> None:
    flying.go_to(100.0, 50.0, 40.0)
    flying.run(60.0)
    assert _place(flying) == pytest.approx((100, 50, 40), abs=0.6)
    target = flying.ask(mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT)
    assert (target.type_mask, target.coordinate_frame) == (65016, 0)
    assert target.alt == pytest.approx(528.1, abs=0.01)
    assert target.lat_int * 1e-7 == pytest.approx(HOME.latitude_deg + 100 / 111_178, abs=1e-7)


def test_the_nose_follows_the_path(flying: Companion) -> None:
    flying.go_to(0.0, 100.0, 30.0)
    flying.run(8.0)
    assert math.degrees(flying.ask(mavlink.MAVLINK_MSG_ID_ATTITUDE).yaw) == pytest.approx(90, abs=2)


def test_targets_are_ignored_outside_guided(flying: Companion) -> None:
    assert flying.vehicle.pilot_set_mode("LOITER")
    flying.go_to(100.0, 0.0, 30.0)
    flying.run(10.0)
    assert _place(flying) == pytest.approx((0, 0, 30), abs=0.3)
    assert flying.ask(mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT) is None


def test_velocity_times_out_after_3_seconds(flying: Companion) -> None:
    flying.send(_local(3527, vx=3.0))
    flying.run(2.9)
    assert flying.vehicle.truth.velocity_ned_m_s[0] == pytest.approx(3.0, abs=0.4)
    flying.run(4.0)
    assert flying.vehicle.truth.velocity_ned_m_s[0] == pytest.approx(0.0, abs=0.1)


def test_velocity_in_the_body_frame_and_downwards(flying: Companion) -> None:
    flying.command(115, 90.0)
    flying.run(6.0)
    for _ in range(4):
        flying.send(_local(3527, frame=8, vx=2.0, vz=1.0))
        flying.run(1.0)
    north, east, down = flying.vehicle.truth.velocity_ned_m_s
    assert (north, east, down) == pytest.approx((0.0, 2.0, 1.0), abs=0.3)


def test_position_with_velocity_moves_the_target_until_it_times_out(flying: Companion) -> None:
    mask = 3520
    flying.send(
        mavlink.MAVLink_set_position_target_global_int_message(
            0, 1, 1, 6, mask, LATITUDE, LONGITUDE, 30.0, 2.0, 0, 0, 0, 0, 0, 0, 0
        )
    )
    flying.run(20.0)
    assert _place(flying) == pytest.approx((6.0, 0, 30), abs=0.5)


def test_local_positions_offsets_and_yaw(flying: Companion) -> None:
    flying.send(_local(3576 & ~0x400, x=10.0, y=5.0, z=-35.0, yaw=1.0))
    flying.run(12.0)
    assert _place(flying) == pytest.approx((10, 5, 35), abs=0.4)
    assert flying.ask(30).yaw == pytest.approx(1.0, abs=0.02)
    flying.send(_local(3576, frame=9, x=10.0))  # ten metres along the nose
    flying.run(12.0)
    expected = (10 + 10 * math.cos(1.0), 5 + 10 * math.sin(1.0), 35)
    assert _place(flying) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("field", ["nan altitude", "terrain frame", "far latitude"])
def test_senseless_targets_are_ignored(flying: Companion, field: str) -> None:
    latitude = 2_000_000_000 if field == "far latitude" else LATITUDE + 10000
    altitude = math.nan if field == "nan altitude" else 30.0
    frame = 11 if field == "terrain frame" else 6
    flying.send(
        mavlink.MAVLink_set_position_target_global_int_message(
            0, 1, 1, frame, 3576, latitude, LONGITUDE, altitude, 0, 0, 0, 0, 0, 0, 0, 0
        )
    )
    flying.run(5.0)
    assert _place(flying) == pytest.approx((0, 0, 30), abs=0.2)


def test_a_target_that_asks_for_nothing_stops(flying: Companion) -> None:
    flying.go_to(200.0, 0.0, 30.0)
    flying.run(8.0)
    flying.send(_local(4095))
    flying.run(8.0)
    assert flying.vehicle.truth.velocity_ned_m_s[0] == pytest.approx(0.0, abs=0.1)
    assert _place(flying)[0] < 100.0


def test_reposition_only_as_command_int(flying: Companion) -> None:
    assert flying.command(192, -1, 0, 0, math.nan, 47.3980, 8.5456, 30) == 3
    x = LATITUDE + 3000
    assert flying.command_int(192, 6, (-1, 0, 0, math.nan), x, LONGITUDE, 25.0) == 0
    flying.run(15.0)
    assert _place(flying) == pytest.approx((33.35, 0, 25), abs=0.6)
    assert flying.command_int(192, 11, (-1, 0, 0, math.nan), x, LONGITUDE, 25.0) == 2
    flying.vehicle.pilot_set_mode("LOITER")
    assert flying.command_int(192, 6, (-1, 0, 0, math.nan), x, LONGITUDE, 25.0) == 2
    assert flying.vehicle.mode == "LOITER"
    assert flying.command_int(192, 6, (-1, 1, 0, math.nan), x, LONGITUDE, 25.0) == 0
    assert flying.vehicle.mode == "GUIDED"


def test_change_speed(flying: Companion) -> None:
    assert flying.command(178, 1, 4.0, -1) == 0
    flying.go_to(200.0, 0.0, 30.0)
    flying.run(15.0)
    assert flying.vehicle.truth.velocity_ned_m_s[0] == pytest.approx(4.0, abs=0.3)
    assert flying.command(178, 9, 4.0) == 2
    assert flying.vehicle.parameters["WPNAV_SPEED"] == 1000.0  # a command, not a setting
    flying.vehicle.set_parameter("WPNAV_SPEED", 600.0)
    flying.run(5.0)
    assert flying.vehicle.truth.velocity_ned_m_s[0] == pytest.approx(6.0, abs=0.3)


def test_set_home_here_moves_relative_heights(flying: Companion) -> None:
    assert flying.command(179, 1) == 0
    flying.run(0.1)
    assert flying.last("HOME_POSITION").altitude == pytest.approx(518_100, abs=50)
    assert flying.ask(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT).relative_alt == pytest.approx(0, abs=50)


@pytest.mark.parametrize("base, custom, result", [(1, 99, 4), (0, 4, 2), (1, 4, 0), (209, 5, 0)])
def test_set_mode_results(flying: Companion, base: int, custom: int, result: int) -> None:
    assert flying.command(176, base, custom) == result
    (ack, *_) = flying.send(mavlink.MAVLink_set_mode_message(1, base, custom))
    assert (ack.command, ack.result) == (11, result)


def test_unknown_commands_are_unsupported(flying: Companion) -> None:
    assert flying.command(31999) == 3


def test_a_mode_change_shows_in_a_heartbeat_at_once(flying: Companion) -> None:
    answers = flying.send(mavlink.MAVLink_command_long_message(1, 1, 176, 0, 1, 17, 0, 0, 0, 0, 0))
    assert [m.get_type() for m in answers] == ["COMMAND_ACK", "HEARTBEAT"]
    assert answers[1].custom_mode == 17


def test_brake_and_loiter_stop_within_a_few_seconds(flying: Companion) -> None:
    for mode in ("BRAKE", "LOITER"):
        flying.command(176, 1, 4)
        flying.go_to(400.0, 0.0, 30.0)
        flying.run(7.0)
        assert flying.vehicle.truth.velocity_ned_m_s[0] > 7.0
        flying.vehicle.pilot_set_mode(mode)
        flying.run(5.0)
        assert flying.vehicle.truth.velocity_ned_m_s[0] == pytest.approx(0.0, abs=0.5)


def test_the_pilots_throttle_sinks_in_loiter(flying: Companion) -> None:
    flying.vehicle.pilot_set_mode("LOITER")
    flying.vehicle.pilot_set_throttle(1000)
    flying.run(4.0)
    assert flying.vehicle.truth.velocity_ned_m_s[2] == pytest.approx(2.5, abs=0.1)
    assert flying.ask(mavlink.MAVLINK_MSG_ID_RC_CHANNELS).chan3_raw == 1000
