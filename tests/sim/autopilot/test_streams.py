"""What comes unasked, what may be asked for, and how fast."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.autopilot.telemetry import BUILDERS
from tests.sim.autopilot.companion import Companion, autopilot


def test_only_heartbeat_timesync_and_texts_come_unasked() -> None:
    companion = Companion(autopilot())
    kinds = Counter(m.get_type() for m in companion.run(40.0))
    assert kinds == {"HEARTBEAT": 40, "TIMESYNC": 4}


@pytest.mark.parametrize("hz", [1, 4, 50, 100])
def test_rates_are_honoured_up_to_100_hz(hz: int) -> None:
    companion = Companion(autopilot())
    assert companion.stream(mavlink.MAVLINK_MSG_ID_ATTITUDE, hz) == 0
    kinds = Counter(m.get_type() for m in companion.run(5.0))
    assert kinds["ATTITUDE"] == 5 * hz


def test_faster_than_100_hz_is_100_hz_and_a_negative_interval_stops() -> None:
    companion = Companion(autopilot())
    assert companion.command(511, 30, 2000) == 0
    assert Counter(m.get_type() for m in companion.run(1.0))["ATTITUDE"] == 100
    assert companion.command(511, 30, -1) == 0
    assert Counter(m.get_type() for m in companion.run(1.0))["ATTITUDE"] == 0


def test_an_unknown_message_is_denied_and_so_is_the_truth() -> None:
    companion = Companion(autopilot())
    assert companion.stream(60000, 1) == 2
    for truth in (mavlink.MAVLINK_MSG_ID_SIMSTATE, mavlink.MAVLINK_MSG_ID_SIM_STATE):
        assert truth not in BUILDERS
        assert companion.stream(truth, 1) == 2
        assert companion.command(512, truth) == 4


def test_get_message_interval() -> None:
    companion = Companion(autopilot())
    companion.stream(30, 20)
    assert companion.command(510, 30) == 0
    assert companion.last("MESSAGE_INTERVAL").interval_us == 50_000
    companion.command(510, 33)
    assert companion.last("MESSAGE_INTERVAL").interval_us == -1


def test_every_message_can_be_requested_once() -> None:
    companion = Companion(autopilot())
    companion.take_off(10.0)
    companion.go_to(10.0, 0.0, 10.0)
    companion.run(1.0)
    for message_id in BUILDERS:
        if message_id in (mavlink.MAVLINK_MSG_ID_GPS2_RAW, mavlink.MAVLINK_MSG_ID_FENCE_STATUS):  # it has neither
            assert companion.command(512, message_id) == 4
        else:
            assert companion.ask(message_id) is not None


def test_streams_are_each_links_own() -> None:
    vehicle = autopilot()
    one, two = Companion(vehicle, 0), Companion(vehicle, 1, 255, 190)
    one.stream(30, 10)
    one.run(2.0)
    two.listen()
    assert one.last("ATTITUDE") is not None and two.last("ATTITUDE") is None


def test_data_stream_groups() -> None:
    companion = Companion(autopilot())
    companion.send(mavlink.MAVLink_request_data_stream_message(1, 1, 10, 4, 1))
    assert Counter(m.get_type() for m in companion.run(2.0))["ATTITUDE"] == 8
    companion.send(mavlink.MAVLink_request_data_stream_message(1, 1, 0, 2, 1))
    kinds = Counter(m.get_type() for m in companion.run(2.0))
    assert kinds["ATTITUDE"] == kinds["SYS_STATUS"] == kinds["GLOBAL_POSITION_INT"] == 4
    companion.send(mavlink.MAVLink_request_data_stream_message(1, 1, 0, 2, 0))
    assert set(m.get_type() for m in companion.run(2.0)) == {"HEARTBEAT"}


def test_timesync_answers_with_the_vehicles_own_clock() -> None:
    vehicle = autopilot(ready_at_boot=False, clock_offset_ns=7_000_000_000)
    companion = Companion(vehicle)
    companion.run(3.0)
    (answer,) = companion.send(mavlink.MAVLink_timesync_message(0, 123456))
    assert (answer.tc1, answer.ts1) == (10_000_000_001, 123456)
    assert companion.send(mavlink.MAVLink_timesync_message(5, 123456)) == []


def test_position_before_there_is_one() -> None:
    companion = Companion(autopilot(ready_at_boot=False))
    companion.run(10.5)
    position = companion.ask(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT)
    assert (position.lat, position.lon, position.alt) == (0, 0, 0)
    assert companion.ask(mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED) is None
    assert companion.ask(mavlink.MAVLINK_MSG_ID_HOME_POSITION) is None
    companion.run(31.0)
    assert companion.ask(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT).lat == 473977000
    assert companion.ask(mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED) is not None


def test_battery_drains_in_flight_only() -> None:
    companion = Companion(autopilot(battery_capacity_mah=3300.0))
    companion.run(20.0)
    assert companion.ask(mavlink.MAVLINK_MSG_ID_SYS_STATUS).battery_remaining == 100
    companion.take_off(20.0)
    companion.run(60.0)
    status = companion.ask(mavlink.MAVLINK_MSG_ID_BATTERY_STATUS)
    # 28 A for 72 s of 3300 mAh
    assert status.battery_remaining == pytest.approx(100 - 100 * 28.1 * 72 / 3.6 / 3300, abs=2)
    assert status.current_battery == pytest.approx(2810, abs=30)
    assert companion.ask(mavlink.MAVLINK_MSG_ID_SYS_STATUS).voltage_battery < 12600


def test_attitude_matches_its_quaternion() -> None:
    companion = Companion(autopilot(home_heading_deg=70.0, attitude_bias_deg=2.0))
    euler = companion.ask(mavlink.MAVLINK_MSG_ID_ATTITUDE)
    q = companion.ask(mavlink.MAVLINK_MSG_ID_ATTITUDE_QUATERNION)
    yaw = math.atan2(2 * (q.q1 * q.q4 + q.q2 * q.q3), 1 - 2 * (q.q3**2 + q.q4**2))
    assert yaw == pytest.approx(euler.yaw, abs=1e-5)
    assert math.degrees(math.hypot(euler.roll, euler.pitch)) == pytest.approx(2.0, abs=1e-3)
