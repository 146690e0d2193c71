"""GPS loss, GPS jump, ground-station loss, low battery: what the vehicle does and what it says."""

from __future__ import annotations

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.autopilot.config import SITL_DRAG
from tests.sim.autopilot.companion import Companion, autopilot

GPS_RAW, EKF, GLOBAL = 24, 193, 33


def _flying(mode: str = "GUIDED", height: float = 40.0, **options: object) -> Companion:
    companion = Companion(autopilot(**options))
    companion.vehicle.start_in_flight((0.0, 0.0, -height), mode)
    companion.run(1.0)
    return companion


def _lose_gps(companion: Companion) -> None:
    companion.vehicle.set_parameter("SIM_GPS1_ENABLE", 0)


def test_the_fix_falls_within_half_a_second() -> None:
    companion = _flying()
    assert companion.ask(GPS_RAW).fix_type == 6
    _lose_gps(companion)
    companion.run(0.2)
    assert companion.ask(GPS_RAW).fix_type == 6
    companion.run(0.3)
    assert (companion.ask(GPS_RAW).fix_type, companion.ask(GPS_RAW).satellites_visible) == (1, 3)


def test_gps_loss_ends_in_land_after_8_seconds() -> None:
    companion = _flying()
    companion.go_to(500.0, 0.0, 40.0)
    companion.run(6.0)
    _lose_gps(companion)
    companion.run(6.7)
    assert companion.ask(EKF).flags == 0x33F
    companion.run(0.6)
    assert companion.ask(EKF).flags == 0x025
    assert companion.vehicle.mode == "GUIDED"
    companion.run(1.0)
    assert companion.vehicle.mode == "LAND"
    assert companion.last("HEARTBEAT").system_status == 5
    assert companion.texts()[-2:] == ["EKF variance", "EKF Failsafe: changed to LAND Mode"]
    companion.run(7.0)
    assert companion.ask(EKF).flags == 0x0A7
    assert companion.texts()[-1] == "EKF3 IMU0 stopped aiding"


def test_the_pause_before_the_failsafe_descends() -> None:
    companion = _flying()
    _lose_gps(companion)
    companion.run(11.0)
    assert companion.vehicle.truth.position_ned_m[2] == pytest.approx(-40.0, abs=0.5)
    companion.run(6.0)
    assert companion.vehicle.truth.position_ned_m[2] > -38.0


def test_the_blind_estimate_drifts_and_then_stands_still() -> None:
    companion = _flying(drag=SITL_DRAG, wind_ned_m_s=(3.0, 0.0, 0.0))
    _lose_gps(companion)
    companion.run(8.0)
    errors = []
    for _ in range(5):
        position, truth = companion.ask(GLOBAL), companion.vehicle.truth.position_ned_m
        errors.append(abs((position.lat * 1e-7 - 47.3977) * 111_178 - truth[0]))
        companion.run(4.0)
    assert errors[0] < 2.0 < errors[-1]
    before = companion.ask(GLOBAL).lat
    companion.run(5.0)
    assert companion.ask(GLOBAL).lat == before
    assert companion.vehicle.truth.velocity_ned_m_s[0] > 1.0  # the wind has it


def test_gps_that_returns_in_time_changes_nothing() -> None:
    companion = _flying()
    _lose_gps(companion)
    companion.run(5.0)
    companion.vehicle.set_parameter("SIM_GPS1_ENABLE", 1)
    companion.run(10.0)
    assert companion.vehicle.mode == "GUIDED"
    assert companion.ask(EKF).flags == 0x33F
    assert companion.last("HEARTBEAT").system_status == 4


def test_gps_that_returns_late_clears_the_failsafe_but_not_the_mode() -> None:
    companion = _flying()
    _lose_gps(companion)
    companion.run(10.0)
    companion.vehicle.set_parameter("SIM_GPS1_ENABLE", 1)
    companion.run(1.0)
    assert companion.vehicle.mode == "LAND"
    assert companion.last("HEARTBEAT").system_status == 4
    assert companion.command(176, 1, 4) == 0


def test_no_position_no_guided() -> None:
    companion = _flying("ALT_HOLD")
    _lose_gps(companion)
    companion.run(9.0)
    assert companion.command(176, 1, 4) == 4
    companion.run(0.1)
    assert companion.texts()[-1] == "Mode change to GUIDED failed: requires position"


def test_a_jump_is_rejected_for_ten_seconds_then_believed() -> None:
    companion = _flying()
    companion.vehicle.set_parameter("SIM_GPS1_GLTCH_X", 0.002)
    companion.run(2.0)
    assert companion.ask(EKF).flags == 0x833F
    assert "GPS Glitch or Compass error" in companion.texts()
    assert companion.ask(GPS_RAW).lat - 473977000 == pytest.approx(20000, abs=60)
    companion.run(7.5)
    assert companion.ask(GLOBAL).lat == pytest.approx(473977000, abs=30)
    assert companion.vehicle.truth.position_ned_m[0] == pytest.approx(0.0, abs=0.3)
    companion.run(0.5)
    assert companion.ask(GLOBAL).lat - 473977000 == pytest.approx(20000, abs=60)
    companion.run(11.0)
    assert companion.ask(EKF).flags == 0x33F
    assert companion.texts()[-1] == "Glitch cleared"


def test_a_vehicle_with_a_target_flies_off_after_the_jump() -> None:
    companion = _flying()
    companion.go_to(0.0, 0.0, 40.0)
    companion.run(1.0)
    companion.vehicle.set_parameter("SIM_GPS1_GLTCH_X", 0.002)
    companion.run(60.0)
    assert companion.vehicle.truth.position_ned_m[0] == pytest.approx(-222.6, abs=2.0)


def test_a_small_offset_is_followed() -> None:
    companion = _flying()
    companion.vehicle.set_parameter("SIM_GPS1_GLTCH_Y", 3.0 / (111_319 * math.cos(math.radians(47.3977))))
    companion.run(15.0)
    assert companion.ask(EKF).flags == 0x33F
    assert companion.vehicle.truth.position_ned_m[1] == pytest.approx(-3.0, abs=0.3)


def _heartbeat(system: int) -> object:
    return mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)


def test_gcs_failsafe_counts_the_ground_station_only() -> None:
    companion = _flying(parameters={"FS_GCS_ENABLE": 1})
    station = Companion(companion.vehicle, 1, 255, 190)
    station.send(_heartbeat(255))
    for _ in range(4):
        companion.send(_heartbeat(1))
        companion.run(1.0)
    assert companion.vehicle.mode == "GUIDED"
    for _ in range(2):
        companion.send(_heartbeat(1))
        companion.run(1.0)
    assert companion.vehicle.mode == "RTL"
    assert "GCS Failsafe" in companion.texts()
    assert companion.last("HEARTBEAT").system_status == 5
    assert companion.command(176, 1, 4) == 0  # the companion may still take it
    station.send(_heartbeat(255))
    companion.run(1.5)
    assert companion.last("HEARTBEAT").system_status == 4


def test_no_gcs_failsafe_by_default_or_before_a_ground_station_was_heard() -> None:
    for parameters in ({}, {"FS_GCS_ENABLE": 1}):
        companion = _flying(parameters=parameters)
        if not parameters:
            Companion(companion.vehicle, 1, 255, 190).send(_heartbeat(255))
        companion.run(10.0)
        assert companion.vehicle.mode == "GUIDED"


def test_low_battery_brings_it_home() -> None:
    options = {"BATT_LOW_MAH": 2900.0, "BATT_FS_LOW_ACT": 2}
    companion = _flying(battery_capacity_mah=3000.0, parameters=options)
    companion.run(15.0)  # 28 A: 100 mAh in 13 s
    assert companion.vehicle.mode == "GUIDED"
    companion.run(10.0)
    assert companion.vehicle.mode == "RTL"
    assert any(text.startswith("Battery 1 is low") for text in companion.texts())
