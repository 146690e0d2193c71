"""Determinism, errors of the estimate, wind, and runs that begin in the air."""

from __future__ import annotations

import hashlib
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import SITL_DRAG, AutopilotConfig
from tests.sim.autopilot.companion import HOME, Companion, autopilot

METRES_PER_DEGREE = 111_178.0  # of latitude, at HOME


def flight_bytes(seed: int, step_ns: int = 50_000_000) -> bytes:
    """Everything that an autopilot sends in a minute of flight with wind, gusts and GPS noise."""
    config = AutopilotConfig(HOME, seed=seed, wind_ned_m_s=(3.0, -2.0, 0.0), gust_m_s=1.0, ready_at_boot=True)
    vehicle = Autopilot(config)
    packer, sent = mavlink.MAVLink(None, 1, 191), b""

    def command(number: int, *parameters: float) -> None:
        padded = [*parameters, *[0.0] * (7 - len(parameters))]
        vehicle.receive(mavlink.MAVLink_command_long_message(1, 1, number, 0, *padded).pack(packer))

    for message_id in (24, 30, 33, 32, 193):
        command(511, message_id, 100_000)
    command(176, 1, 4)
    command(400, 1)
    command(22, 0, 0, 0, 0, 0, 0, 20)
    while vehicle.t_ns < 60_000_000_000:
        vehicle.advance(vehicle.t_ns + step_ns)
        sent += vehicle.transmit()
    return sent


def test_one_seed_one_flight_to_the_byte() -> None:
    first = flight_bytes(7)
    assert len(first) > 50_000
    assert flight_bytes(7) == first
    assert flight_bytes(8) != first


def test_the_bytes_do_not_depend_on_how_time_is_pushed_or_on_the_process() -> None:
    here = flight_bytes(7)
    assert flight_bytes(7, step_ns=370_000_000)[: len(here) - 3000] == here[: len(here) - 3000]
    code = (
        "import hashlib; from tests.sim.autopilot.test_autopilot import flight_bytes;"
        "print(hashlib.sha256(flight_bytes(7)).hexdigest())"
    )
    root = Path(__file__).parents[3]
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=root
        )
        assert done.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_advancing_to_the_past_does_nothing() -> None:
    vehicle = autopilot()
    vehicle.advance(1_000_000_000)
    vehicle.advance(500_000_000)
    vehicle.advance(1_009_999_999)
    assert vehicle.t_ns == 1_000_000_000


def _errors(seed: int) -> tuple[float, float, float, float]:
    """(tilt, heading, height share, mean horizontal) errors of one hovering vehicle's telemetry."""
    companion = Companion(Autopilot(AutopilotConfig(HOME, seed=seed, ready_at_boot=True)))
    companion.vehicle.start_in_flight((0.0, 0.0, -50.0), "GUIDED")
    off = []
    for _ in range(20):
        companion.run(3.0)
        position, (north, _, down) = companion.ask(33), companion.vehicle.truth.position_ned_m
        off.append((position.lat * 1e-7 - HOME.latitude_deg) * METRES_PER_DEGREE - north)
    attitude, q = companion.ask(30), companion.vehicle.truth.ned_from_body
    yaw = math.atan2(2 * (q[0] * q[3] + q[1] * q[2]), 1 - 2 * (q[2] ** 2 + q[3] ** 2))
    roll = math.atan2(2 * (q[0] * q[1] + q[2] * q[3]), 1 - 2 * (q[1] ** 2 + q[2] ** 2))
    pitch = math.asin(2 * (q[0] * q[2] - q[3] * q[1]))
    tilt = math.hypot(attitude.roll - roll, attitude.pitch - pitch)
    heading = math.remainder(attitude.yaw - yaw, 2 * math.pi)
    return math.degrees(tilt), math.degrees(heading), position.relative_alt / 1e3 / -down - 1, statistics.fmean(off)


def test_the_estimate_is_wrong_by_what_the_configuration_says() -> None:
    errors = [_errors(seed) for seed in range(8)]
    assert [e[0] for e in errors] == pytest.approx([1.0] * 8, abs=0.05)
    assert [abs(e[1]) for e in errors] == pytest.approx([3.0] * 8, abs=0.05)
    assert [abs(e[2]) for e in errors] == pytest.approx([0.03] * 8, abs=1e-3)
    assert {e[1] > 0 for e in errors} == {e[2] > 0 for e in errors} == {True, False}
    assert 0.3 < statistics.stdev(e[3] for e in errors) < 2.0  # metres, over seeds


def test_gps_noise_is_as_large_as_asked_and_slow() -> None:
    companion = Companion(autopilot(gps_noise_m=2.0, gps_noise_time_s=20.0, seed=3))
    companion.stream(33, 2)
    companion.run(1500.0)
    north = [
        (m.lat * 1e-7 - HOME.latitude_deg) * METRES_PER_DEGREE
        for m in companion.heard
        if m.get_type() == "GLOBAL_POSITION_INT"
    ]
    assert statistics.pstdev(north) == pytest.approx(2.0, abs=0.7)
    assert max(abs(b - a) for a, b in zip(north, north[1:], strict=False)) < 0.6  # in half a second


def test_no_message_carries_the_truth() -> None:
    """With an error in everything, nothing that is sent equals what really is."""
    companion = Companion(Autopilot(AutopilotConfig(HOME, seed=5, ready_at_boot=True, home_heading_deg=40.0)))
    companion.vehicle.start_in_flight((30.0, 20.0, -50.0), "GUIDED", yaw_rad=0.7)
    for message_id in (24, 30, 31, 32, 33, 74, 242):
        companion.stream(message_id, 10)
    for _ in range(100):
        companion.run(0.1)
        truth = companion.vehicle.truth
        north, east, down = truth.position_ned_m
        latitude = HOME.latitude_deg + north / METRES_PER_DEGREE
        assert abs(companion.last("GLOBAL_POSITION_INT").lat * 1e-7 - latitude) * METRES_PER_DEGREE > 0.005
        assert abs(companion.last("GLOBAL_POSITION_INT").relative_alt / 1e3 + down) > 1.0
        assert abs(companion.last("LOCAL_POSITION_NED").z - down) > 1.0
        assert abs(companion.last("GPS_RAW_INT").alt / 1e3 - 488.1 + down) > 0.01
        assert abs(companion.last("ATTITUDE_QUATERNION").q4 - truth.ned_from_body[3]) > 0.01
    assert {m.get_type() for m in companion.heard}.isdisjoint({"SIMSTATE", "SIM_STATE"})


@pytest.mark.parametrize("speed", [0.0, 4.0, 8.0])
def test_wind_is_held_by_leaning_into_it(speed: float) -> None:
    companion = Companion(autopilot(wind_ned_m_s=(-speed, 0.0, 0.0), drag=SITL_DRAG))
    companion.vehicle.start_in_flight((0.0, 0.0, -30.0), "GUIDED")
    companion.go_to(0.0, 0.0, 30.0)
    companion.run(40.0)
    assert companion.vehicle.truth.position_ned_m == pytest.approx((0, 0, -30), abs=0.3)
    lean = math.tan(companion.ask(30).pitch) * -9.80665
    assert lean == pytest.approx((SITL_DRAG.linear_per_s + SITL_DRAG.quadratic_per_m * speed) * speed, abs=0.05)


def test_wind_carries_away_what_does_not_hold_its_place() -> None:
    companion = Companion(autopilot(wind_ned_m_s=(0.0, 5.0, 0.0)))
    companion.vehicle.start_in_flight((0.0, 0.0, -30.0), "ALT_HOLD")
    companion.run(60.0)
    north, east, down = companion.vehicle.truth.position_ned_m
    assert east > 100.0 and abs(north) < 0.1 and down == pytest.approx(-30, abs=0.3)
    assert companion.vehicle.truth.velocity_ned_m_s[1] == pytest.approx(5.0, abs=0.3)


def test_body_rates_are_the_turning_of_the_attitude() -> None:
    companion = Companion(autopilot(gust_m_s=2.0))
    companion.vehicle.start_in_flight((0.0, 0.0, -30.0), "GUIDED")
    companion.go_to(80.0, 80.0, 40.0)
    for _ in range(300):
        before = companion.vehicle.truth
        companion.run(0.01)
        after = companion.vehicle.truth
        turned = _product(_conjugate(before.ned_from_body), after.ned_from_body)
        rates = tuple(2.0 * component / 0.01 * math.copysign(1.0, turned[0]) for component in turned[1:])
        assert rates == pytest.approx(after.body_rates_rad_s, abs=0.02)


def _conjugate(q: tuple[float, ...]) -> tuple[float, ...]:
    return q[0], -q[1], -q[2], -q[3]


def _product(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )


@pytest.mark.parametrize("ready", [True, False])
def test_start_in_flight(ready: bool) -> None:
    companion = Companion(autopilot(ready_at_boot=ready, throttle_pwm=1500))
    companion.vehicle.start_in_flight((120.0, -40.0, -60.0), "LOITER", yaw_rad=1.0)
    companion.run(10.0)
    heartbeat = companion.last("HEARTBEAT")
    assert (heartbeat.custom_mode, heartbeat.base_mode, heartbeat.system_status) == (5, 0xD9, 4)
    assert companion.ask(193).flags == 0x33F
    assert companion.vehicle.truth.position_ned_m == pytest.approx((120, -40, -60), abs=0.2)
    assert companion.ask(30).yaw == pytest.approx(1.0, abs=0.02)
    position = companion.ask(33)
    assert (position.relative_alt, position.alt) == (pytest.approx(60_000, abs=100), pytest.approx(548_100, abs=100))
    assert companion.ask(242).altitude == 488_100  # home is where it was launched, on the ground


def test_the_pilots_switch_needs_no_mavlink() -> None:
    companion = Companion(autopilot())
    companion.vehicle.start_in_flight((0.0, 0.0, -30.0), "GUIDED")
    assert companion.vehicle.pilot_set_mode("LOITER")
    heard = companion.run(0.02)
    assert [m.custom_mode for m in heard if m.get_type() == "HEARTBEAT"][-1] == 5
