"""A companion that feeds the EKF: ODOMETRY as external navigation, GPS_INPUT as a receiver, and a forged GPS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.sim.autopilot.companion import HOME, Companion, autopilot

EKF, GLOBAL, GPS_RAW, GPS2_RAW, LOCAL = 193, 33, 24, 124, 32
FROM_BOOT = {"GPS1_TYPE": 0, "VISO_TYPE": 1, "EK3_SRC1_POSXY": 6, "EK3_SRC1_VELXY": 6}
FALLBACK = {"VISO_TYPE": 1, "EK3_SRC2_POSXY": 6, "EK3_SRC2_VELXY": 6, "EK3_SRC2_YAW": 1}
FRD, BODY = 20, 12
Error = Callable[[float], tuple[float, float]]


def exact(t_s: float) -> tuple[float, float]:
    """A feeder that is right."""
    return 0.0, 0.0


def odometry(companion: Companion, off: tuple[float, float], **other: Any) -> mavlink.MAVLink_odometry_message:
    """The truth, ``off`` by (north, east) metres from an origin at HOME; ``other`` replaces fields."""
    truth = companion.vehicle.truth
    (n, e, d), (w, x, y, z) = truth.position_ned_m, truth.ned_from_body
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    c, s = math.cos(yaw), math.sin(yaw)
    vn, ve, vd = truth.velocity_ned_m_s
    level = (math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))
    fields = {"frame": FRD, "child": BODY, "counter": 0, "quality": 90, **other}
    unknown = [math.nan] * 21
    return mavlink.MAVLink_odometry_message(
        0, fields["frame"], fields["child"], n + off[0], e + off[1], d, level, c * vn + s * ve, c * ve - s * vn, vd,
        0, 0, 0, unknown, unknown, fields["counter"], 2, fields["quality"],
    )  # fmt: skip


def gps_input(companion: Companion, gps_id: int) -> mavlink.MAVLink_gps_input_message:
    """The truth as a receiver's report."""
    truth = companion.vehicle.truth
    latitude = round((HOME.latitude_deg + truth.position_ned_m[0] / 111_178.0) * 1e7)
    longitude = round((HOME.longitude_deg + truth.position_ned_m[1] / 75_460.0) * 1e7)
    return mavlink.MAVLink_gps_input_message(
        0, gps_id, 0, 0, 2446, 3, latitude, longitude, 488.1 - truth.position_ned_m[2], 0.8, 1.0,
        *truth.velocity_ned_m_s, 0.3, 0.8, 1.2, 14,
    )  # fmt: skip


def feed(companion: Companion, seconds: float, error: Error = exact, **other: Any) -> None:
    """Lets time pass with ODOMETRY ten times a second."""
    for _ in range(round(seconds * 10)):
        companion.send(odometry(companion, error(companion.vehicle.t_ns * 1e-9), **other))
        companion.run(0.1)


def off_m(companion: Companion) -> tuple[float, float]:
    """The reported position against the truth, (north, east) metres."""
    here, truth = companion.ask(GLOBAL), companion.vehicle.truth.position_ned_m
    north = (here.lat * 1e-7 - HOME.latitude_deg) * 111_178.0 - truth[0]
    return north, (here.lon * 1e-7 - HOME.longitude_deg) * 75_460.0 - truth[1]


def flying(parameters: dict[str, float], mode: str = "GUIDED", **options: Any) -> Companion:
    companion = Companion(autopilot(parameters=parameters, **options))
    companion.vehicle.start_in_flight((0.0, 0.0, -40.0), mode)
    companion.run(0.1)
    return companion


def set_origin(companion: Companion, north_m: float = 0.0) -> list[Any]:
    latitude = round((HOME.latitude_deg + north_m / 111_178.0) * 1e7)
    return companion.send(mavlink.MAVLink_set_gps_global_origin_message(1, latitude, 85456000, 488100))


def test_without_gps_it_flies_by_what_it_is_fed_once_it_has_an_origin() -> None:
    companion = flying(FROM_BOOT, "ALT_HOLD")
    companion.run(2.0)
    assert companion.ask(EKF).flags == 0x0A7
    feed(companion, 1.0)
    here = companion.ask(GLOBAL)
    assert companion.ask(EKF).flags == 0x33F
    assert (here.lat, here.lon, here.alt) == (0, 0, 0)
    assert here.relative_alt == pytest.approx(40_000, abs=500)  # the barometer needs no origin
    (echo, *_) = set_origin(companion)
    assert (echo.get_type(), echo.latitude, echo.altitude) == ("GPS_GLOBAL_ORIGIN", 473977000, 488100)
    feed(companion, 0.5)
    assert companion.last("HOME_POSITION") is not None
    assert companion.command(176, 1, 4) == 0
    companion.go_to(60.0, 30.0, 40.0)
    feed(companion, 20.0)
    assert math.hypot(*off_m(companion)) < 0.4
    assert companion.vehicle.truth.position_ned_m[0] == pytest.approx(60.0, abs=1.0)
    assert set_origin(companion, 50.0) == []  # there is one already


def test_an_origin_elsewhere_moves_what_is_fed_with_it() -> None:
    companion = flying(FROM_BOOT, "ALT_HOLD")
    feed(companion, 1.0)
    set_origin(companion, 30.0)
    feed(companion, 1.0)
    assert off_m(companion)[0] == pytest.approx(30.0, abs=0.3)
    assert companion.ask(LOCAL).x == pytest.approx(companion.vehicle.truth.position_ned_m[0], abs=0.3)


def test_on_the_ground_it_waits_for_odometry_and_an_origin() -> None:
    companion = Companion(autopilot(parameters=FROM_BOOT))
    assert companion.command(176, 1, 0) == 0
    companion.command(401)
    companion.run(0.1)
    assert "PreArm: VisOdom: not healthy" in companion.texts()
    feed(companion, 0.5)
    assert companion.command(400, 1) == 4
    companion.run(0.1)
    assert companion.texts()[-1] == "Arm: AHRS: waiting for home"
    set_origin(companion)
    feed(companion, 0.5)
    assert companion.command(400, 1) == 0


@pytest.mark.parametrize(
    "other",
    [{"frame": 1}, {"frame": 18}, {"child": 8}, {"quality": -1}],
    ids=["local NED", "vision", "no FRD body", "failed"],
)
def test_what_is_not_taken_ends_as_silence_does(other: dict[str, int]) -> None:
    companion = flying(FROM_BOOT, "ALT_HOLD")
    feed(companion, 1.0)
    set_origin(companion)
    feed(companion, 0.5)
    assert companion.command(176, 1, 4) == 0
    feed(companion, 7.4, **other)
    assert companion.vehicle.mode == "GUIDED"
    feed(companion, 1.2, **other)
    assert companion.vehicle.mode == "LAND"
    assert "EKF Failsafe: changed to LAND Mode" in companion.texts()


def test_gps_lost_and_the_source_set_switched_in_time() -> None:
    companion = flying(FALLBACK)
    companion.go_to(300.0, 0.0, 40.0)
    feed(companion, 3.0)
    companion.vehicle.set_parameter("SIM_GPS1_ENABLE", 0)
    feed(companion, 2.0)
    before = off_m(companion)
    assert companion.command(42007, 2) == 0
    feed(companion, 0.3)
    assert math.dist(off_m(companion), before) < 0.5
    feed(companion, 20.0)
    assert companion.vehicle.mode == "GUIDED"
    assert math.hypot(*off_m(companion)) < 0.8
    companion.run(9.0)  # and the feeder stops
    assert companion.vehicle.mode == "LAND"


def test_a_switch_without_alignment_leaps_and_the_vehicle_follows() -> None:
    companion = flying(FALLBACK)
    companion.go_to(0.0, 0.0, 40.0)
    feed(companion, 1.0, lambda t_s: (30.0, 0.0))
    assert math.hypot(*off_m(companion)) < 0.3  # not listened to yet
    assert companion.command(42007, 2) == 0
    feed(companion, 0.3, lambda t_s: (30.0, 0.0))
    assert off_m(companion)[0] == pytest.approx(30.0, abs=0.5)
    feed(companion, 15.0, lambda t_s: (30.0, 0.0))
    assert companion.vehicle.truth.position_ned_m[0] == pytest.approx(-30.0, abs=1.0)


def test_a_set_whose_source_is_silent_ends_in_land_while_gps_is_good() -> None:
    companion = flying(FALLBACK)
    assert companion.command(42007, 2) == 0
    companion.run(5.0)
    assert companion.command(42007, 1) == 0
    companion.run(5.0)
    assert companion.vehicle.mode == "GUIDED"
    companion.command(42007, 3)  # no position source at all
    companion.run(9.0)
    assert companion.vehicle.mode == "LAND"


@pytest.mark.parametrize("number, result", [(1, 0), (2, 0), (3, 0), (0, 2), (4, 2), (1.5, 2), (-1, 2)])
def test_there_are_three_source_sets(number: float, result: int) -> None:
    assert flying(FALLBACK).command(42007, number) == result


def test_a_leap_is_believed_at_once_where_it_is_announced_and_late_where_not() -> None:
    companion = flying({**FALLBACK, "EK3_SRC1_POSXY": 6})
    feed(companion, 1.0)
    feed(companion, 0.3, lambda t_s: (20.0, 0.0), counter=1)
    assert off_m(companion)[0] == pytest.approx(20.0, abs=0.5)
    feed(companion, 9.0, lambda t_s: (0.0, 0.0), counter=1)
    assert off_m(companion)[0] == pytest.approx(20.0, abs=0.5)
    feed(companion, 1.5, lambda t_s: (0.0, 0.0), counter=1)
    assert off_m(companion)[0] == pytest.approx(0.0, abs=0.5)
    assert not any("Glitch" in text for text in companion.texts())  # ArduPilot says so of GPS alone


def test_a_small_step_is_followed_with_a_lag() -> None:
    companion = flying({**FALLBACK, "EK3_SRC1_POSXY": 6})
    feed(companion, 1.0)
    feed(companion, 0.5, lambda t_s: (3.0, 0.0))
    assert 0.2 < off_m(companion)[0] < 1.5
    feed(companion, 8.0, lambda t_s: (3.0, 0.0))
    assert off_m(companion)[0] == pytest.approx(3.0, abs=0.3)


def test_the_heading_comes_from_sight_only_where_the_set_says_so() -> None:
    for yaw, expected_deg in ((1, 6.0), (6, 0.0)):
        parameters = {**FROM_BOOT, "EK3_SRC1_YAW": yaw}
        companion = Companion(autopilot(parameters=parameters, heading_bias_deg=6.0))
        feed(companion, 1.0)
        assert abs(math.degrees(companion.ask(30).yaw)) == pytest.approx(expected_deg, abs=0.1)


def test_a_second_receiver_takes_over_when_the_first_is_lost() -> None:
    companion = flying({"GPS2_TYPE": 14})
    companion.go_to(300.0, 0.0, 40.0)
    for second in range(40):
        if second == 20:
            companion.vehicle.set_parameter("SIM_GPS1_ENABLE", 0)
        for _ in range(5):
            companion.send(gps_input(companion, 1))
            companion.run(0.2)
    assert companion.vehicle.mode == "GUIDED"
    assert math.hypot(*off_m(companion)) < 1.3
    first, second_one = companion.ask(GPS_RAW), companion.ask(GPS2_RAW)
    assert (first.fix_type, second_one.fix_type, second_one.satellites_visible) == (1, 3, 14)
    assert second_one.lat - HOME.latitude_deg * 1e7 == pytest.approx(300 / 111_178.0 * 1e7, abs=60)
    companion.run(9.0)
    assert companion.vehicle.mode == "LAND"


def test_gps_input_as_the_only_receiver() -> None:
    companion = Companion(autopilot(parameters={"GPS1_TYPE": 14}, ready_at_boot=False))
    for _ in range(44 * 5):
        companion.send(gps_input(companion, 0))
        companion.run(0.2)
    assert "GPS 1: detected MAV" in companion.texts()
    assert companion.ask(EKF).flags == 0x33F
    assert companion.ask(GPS_RAW).fix_type == 3
    assert companion.ask(GPS2_RAW) is None


@pytest.mark.parametrize("rate", [0.5, 2.0, 5.0])
def test_a_forged_gps_is_followed_without_a_word_and_the_vehicle_with_it(rate: float) -> None:
    companion = flying({})
    companion.go_to(0.0, 0.0, 40.0)
    companion.run(1.0)
    companion.vehicle.drag_gps(0.0, rate)
    companion.run(20.0)
    offset = companion.vehicle.gps_offset_ne_m[1]
    assert offset == pytest.approx(20.0 * rate, rel=0.1)
    assert off_m(companion)[1] == pytest.approx(offset, abs=0.5)
    raw, truth = companion.ask(GPS_RAW), companion.vehicle.truth.position_ned_m
    said = (raw.lon * 1e-7 - HOME.longitude_deg) * 75_460.0
    assert said - truth[1] == pytest.approx(offset, abs=3.0)  # of an instant up to 0.2 s ago
    assert truth[1] == pytest.approx(-offset, abs=2.0 + rate)
    assert companion.ask(EKF).flags == 0x33F
    assert not any("Glitch" in text for text in companion.texts())
    companion.vehicle.drag_gps(0.0, 0.0)
    companion.run(5.0)
    assert companion.vehicle.gps_offset_ne_m[1] == pytest.approx(offset, abs=0.5 + rate * rate / 4.0)


def test_a_forged_step_is_rejected_and_then_believed() -> None:
    companion = flying({})
    companion.vehicle.step_gps(60.0, 0.0)
    companion.run(8.0)
    assert companion.ask(EKF).flags == 0x833F
    assert abs(off_m(companion)[0]) < 0.5
    companion.run(3.0)
    assert off_m(companion)[0] == pytest.approx(60.0, abs=0.5)


def test_a_carried_vehicle_does_not_know_it_until_somebody_tells() -> None:
    companion = flying({**FALLBACK, "EK3_SRC1_POSXY": 6})
    feed(companion, 1.0)
    here = companion.ask(GLOBAL).lat
    for _ in range(20):
        companion.vehicle.carry(5.0, 0.0)
        feed(companion, 0.1, lambda t_s: (-companion.vehicle.truth.position_ned_m[0], 0.0))
    assert companion.vehicle.truth.position_ned_m[0] == pytest.approx(100.0, abs=1.0)
    assert companion.ask(GLOBAL).lat == pytest.approx(here, abs=100)
    feed(companion, 0.3, counter=1)  # the camera knows where it is again, and says that it leapt
    assert abs(off_m(companion)[0]) < 0.5


def test_a_delay_that_is_known_is_taken_out() -> None:
    for told_ms, least, most in ((10, 0.45, 1.0), (90, 0.0, 0.4)):
        companion = flying({**FROM_BOOT, "VISO_DELAY_MS": told_ms}, "ALT_HOLD", wind_ned_m_s=(8.0, 0.0, 0.0))
        for _ in range(200):
            late = odometry(companion, (0.0, 0.0))
            companion.run(0.09)
            companion.send(late)
            companion.run(0.11)
            if companion.last("GPS_GLOBAL_ORIGIN") is None:
                set_origin(companion)
        assert companion.vehicle.truth.velocity_ned_m_s[0] > 6.0
        assert least < abs(off_m(companion)[0]) < most


def test_a_jittering_velocity_does_not_shake_the_vehicle() -> None:
    companion = flying({**FALLBACK, "EK3_SRC1_POSXY": 6})
    feed(companion, 1.0)
    assert companion.command(176, 1, 4) == 0
    companion.go_to(60.0, 0.0, 40.0)
    tilts = []
    for step in range(150):
        message = odometry(companion, (0.4 * math.sin(1.7 * step), 0.4 * math.cos(2.3 * step)))
        message.vx += 0.5 * math.sin(2.1 * step)
        message.vy += 0.5 * math.cos(1.3 * step)
        companion.send(message)
        companion.run(0.2)
        attitude = companion.ask(30)
        tilts.append(math.degrees(math.hypot(attitude.roll, attitude.pitch)))
    assert max(tilts[100:]) < 6.0, "hovering"
    assert companion.vehicle.truth.position_ned_m[0] == pytest.approx(60.0, abs=1.5)
