"""Boot, readiness, arming and disarming."""

from __future__ import annotations

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.sim.autopilot.companion import Companion, autopilot

PREARM = 0x10000000


def _prearm_bit(companion: Companion) -> bool:
    return bool(companion.ask(mavlink.MAVLINK_MSG_ID_SYS_STATUS).onboard_control_sensors_health & PREARM)


def test_boot_takes_41_seconds_until_gps_is_used() -> None:
    companion = Companion(autopilot(ready_at_boot=False))
    companion.stream(mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT, 4)
    companion.run(45.0)
    flags = [m.flags for m in companion.heard if m.get_type() == "EKF_STATUS_REPORT"]
    changes = [flag for i, flag in enumerate(flags) if i == 0 or flags[i - 1] != flag]
    assert changes == [0x400, 0x000, 0x0A7, 0x33F]
    assert flags.index(0x33F) / 4 == pytest.approx(41.4, abs=0.5)
    assert "EKF3 IMU0 origin set" in companion.texts() and "EKF3 IMU0 is using GPS" in companion.texts()


def test_the_prearm_bit_depends_on_the_mode() -> None:
    companion = Companion(autopilot(ready_at_boot=False))
    companion.run(10.0)
    assert not _prearm_bit(companion)
    companion.run(20.0)
    assert _prearm_bit(companion)  # in STABILIZE, without a position
    assert companion.command(176, 1, 4) == 0  # disarmed: any mode may be chosen
    assert not _prearm_bit(companion)
    assert companion.command(400, 1) == 4
    companion.run(0.1)
    assert "Arm: Need Position Estimate" in companion.texts()
    companion.run(12.0)
    assert _prearm_bit(companion)
    assert companion.command(400, 1) == 0


def test_prearm_texts_every_30_seconds_and_on_demand() -> None:
    companion = Companion(autopilot(ready_at_boot=False, parameters={"GPS1_TYPE": 0}))
    companion.command(176, 1, 4)
    companion.run(95.0)
    assert companion.texts().count("PreArm: Need Position Estimate") == 3
    assert companion.command(401) == 0
    companion.run(0.1)
    assert companion.texts().count("PreArm: Need Position Estimate") == 4


def test_the_acknowledgement_comes_at_once_the_bit_with_the_next_heartbeat() -> None:
    companion = Companion(autopilot())
    companion.run(0.7)
    assert companion.command(400, 1) == 0
    assert not companion.last("HEARTBEAT").base_mode & 0x80
    heard = companion.run(1.0)
    assert [m.base_mode & 0x80 for m in heard if m.get_type() == "HEARTBEAT"] == [0x80]
    assert "Arming motors" in companion.texts()


@pytest.mark.parametrize("mode", [3, 6, 9, 17])
def test_modes_that_refuse_arming(mode: int) -> None:
    companion = Companion(autopilot())
    assert companion.command(176, 1, mode) == 0
    assert companion.command(400, 1) == 4
    companion.run(0.1)
    assert companion.texts()[-1] == "Arm: Mode not armable"


def test_auto_options_allow_arming_in_auto() -> None:
    companion = Companion(autopilot(parameters={"AUTO_OPTIONS": 3}))
    companion.command(176, 1, 3)
    assert companion.command(400, 1) == 0


def test_a_throttle_stick_that_is_up_keeps_it_armed() -> None:
    companion = Companion(autopilot(throttle_pwm=1500))
    companion.command(176, 1, 4)
    companion.command(400, 1)
    companion.run(15.0)
    assert companion.vehicle.armed
    companion.vehicle.pilot_set_throttle(1000)
    companion.run(10.2)
    assert not companion.vehicle.armed


def test_disarms_by_itself_after_10_seconds_on_the_ground() -> None:
    companion = Companion(autopilot(throttle_pwm=1000))
    companion.command(176, 1, 4)
    companion.command(400, 1)
    companion.run(9.9)
    assert companion.vehicle.armed
    companion.run(0.2)
    assert not companion.vehicle.armed
    assert companion.texts()[-1] == "Disarming motors"


def test_disarm_and_reboot_in_flight_fail() -> None:
    companion = Companion(autopilot())
    companion.take_off(10.0)
    assert companion.command(400, 0) == 4
    assert companion.command(246, 1) == 4
    companion.run(1.0)
    assert companion.vehicle.armed


def test_forced_disarm_stops_the_motors_and_the_vehicle_falls() -> None:
    companion = Companion(autopilot())
    companion.take_off(10.0)
    assert companion.command(400, 0, 21196) == 0
    companion.run(3.0)
    assert companion.vehicle.truth.position_ned_m[2] == 0.0
    hit = next(text for text in companion.texts() if text.startswith("SIM Hit ground at "))
    # sqrt(2 g h) without drag
    assert float(hit.split()[-2]) == pytest.approx(14.0, abs=1.0)


def test_reboot_on_the_ground_starts_the_clock_anew_and_keeps_parameters() -> None:
    companion = Companion(autopilot())
    companion.stream(30, 10)
    companion.vehicle.set_parameter("WPNAV_SPEED", 700)
    assert companion.command(246, 1) == 0
    heard = companion.run(5.0)
    assert not [m for m in heard if m.get_type() == "ATTITUDE"]
    assert companion.ask(30).time_boot_ms == 5000
    assert "EKF3 IMU0 initialised" in companion.texts()
    assert companion.vehicle.parameters["WPNAV_SPEED"] == 700


def test_system_status_follows_the_flight() -> None:
    companion = Companion(autopilot())
    companion.run(1.0)
    assert companion.last("HEARTBEAT").system_status == 3
    companion.take_off(5.0)
    assert companion.last("HEARTBEAT").system_status == 4
    assert companion.ask(mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE).landed_state == 2
    companion.command(176, 1, 9)
    companion.run(1.0)
    assert companion.ask(mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE).landed_state == 4
    companion.run(20.0)
    assert companion.last("HEARTBEAT").system_status == 3
    assert not companion.vehicle.armed
