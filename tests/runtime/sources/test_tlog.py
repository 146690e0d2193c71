"""Telemetry logs as people have them: several vehicles and boots, GPS lost, fed and rejected, damage."""

from __future__ import annotations

import math
import random
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.errors import TelemetryError
from runtime.sources.logs.choice import Asked
from runtime.sources.logs.tlog import read_tlog
from runtime.sources.track import Track
from runtime.values import Position, PositionSource
from tests.runtime.sources.any_log import UNSHRUNK, read_or_refuse
from tests.runtime.sources.logs import (
    Tlog,
    attitude_message,
    ekf_message,
    heartbeat_message,
    north_m,
    position_message,
    receiver_message,
    write_tlog,
)

Extra = Callable[[Tlog, float], None]


def fly(log: Tlog, seconds: float = 10.0, boot_s: float = 100.0, after_s: float = 0.0, extra: Extra | None = None,
        **who: Any) -> None:  # fmt: skip
    """5 Hz of a vehicle flying north, ``after_s`` after the log's start; ``extra`` says more at each instant."""
    for k in range(round(seconds * 5) + 1):
        t_s = k / 5
        log.say(after_s + t_s, heartbeat_message(), **who)
        log.say(after_s + t_s, attitude_message(boot_s, t_s), **who)
        if extra is not None:
            extra(log, t_s)
        log.say(after_s + t_s, position_message(boot_s, t_s), **who)


def position(track: Track, t_s: float) -> Position:
    state = track.at(t_s)
    assert state is not None and state.position is not None
    return state.position


# Which vehicle, which boot


def test_vehicles_are_told_apart_and_the_longest_flight_is_taken(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, 4.0, system=7)
    fly(log, 9.0, boot_s=500.0, system=3)
    log.say(0.0, heartbeat_message(mavlink.MAV_AUTOPILOT_INVALID, mavlink.MAV_TYPE_GCS), system=255, component=190)
    track, notes = read_tlog(log.done())
    assert track.span_s == pytest.approx((0.0, 9.0))
    assert len(notes) == 1 and "vehicles 3 and 7; vehicle 3 is read, --vehicle" in notes[0]
    assert read_tlog(log.path, Asked(vehicle=7))[0].span_s == pytest.approx((0.0, 4.0))
    with pytest.raises(TelemetryError, match=r"a\.tlog: holds no vehicle 9, only 3 and 7\."):
        read_tlog(log.path, Asked(vehicle=9))


def test_of_two_that_flew_as_long_the_lower_number_is_taken_not_the_first_heard(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, 5.0, system=2)
    fly(log, 5.0, system=1)
    assert "vehicle 1 is read" in read_tlog(log.done())[1][0]


@pytest.mark.parametrize(
    "speaker", [{"component": 191}, {"system": 255, "component": 190}, {"system": 42, "component": 1}]
)
def test_a_companion_a_ground_station_and_a_tracker_are_no_vehicles(tmp_path: Path, speaker: dict[str, int]) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(200):  # it says more than the vehicle does, at another place
        kind = mavlink.MAV_TYPE_ANTENNA_TRACKER if speaker.get("system") == 42 else mavlink.MAV_TYPE_ONBOARD_CONTROLLER
        autopilot = 3 if kind == mavlink.MAV_TYPE_ANTENNA_TRACKER else mavlink.MAV_AUTOPILOT_INVALID
        log.say(k / 10, heartbeat_message(autopilot, kind), **speaker)
        elsewhere = mavlink.MAVLink_global_position_int_message(100_000 + k * 100, 1, 1, 0, 0, 0, 0, 0, 0)
        log.say(k / 10, elsewhere, **speaker)
    fly(log)
    track, notes = read_tlog(log.done())
    assert not notes and north_m(track, 5.0) == pytest.approx(25.0, abs=0.1)


def test_an_autopilot_is_known_by_its_heartbeat_not_by_component_1(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, component=190)
    assert len(read_tlog(log.done())[0]) == 51


def test_a_reboot_divides_and_the_longer_boot_is_taken(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, 4.0, boot_s=300.0)
    fly(log, 8.0, boot_s=30.0, after_s=60.0)
    track, notes = read_tlog(log.done())
    assert track.span_s == pytest.approx((0.0, 8.0)), "times never run negative"
    assert len(notes) == 1 and "boots 1 of 4 s and 2 of 8 s; boot 2 is read, --boot" in notes[0]
    assert read_tlog(log.path, Asked(boot=1))[0].span_s == pytest.approx((0.0, 4.0))
    with pytest.raises(TelemetryError, match=r"holds no boot 3, but boots 1 to 2\."):
        read_tlog(log.path, Asked(boot=3))
    with pytest.raises(TelemetryError, match="but only boot 1"):
        read_tlog(write_tlog(tmp_path / "b.tlog", 2), Asked(boot=2))


def test_a_reboot_to_a_later_time_is_seen_by_the_clock_of_who_wrote_the_log(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, 4.0, boot_s=10.0)
    fly(log, 6.0, boot_s=40.0, after_s=600.0)
    assert "boots 1 of 4 s and 2 of 6 s" in read_tlog(log.done())[1][0]


def test_a_link_that_was_lost_and_a_clock_that_was_set_are_no_reboots(tmp_path: Path) -> None:
    lost = Tlog(tmp_path / "lost.tlog")
    fly(lost, 4.0, boot_s=100.0)
    fly(lost, 4.0, boot_s=160.0, after_s=60.0)
    track, notes = read_tlog(lost.done())
    assert not notes and track.span_s == pytest.approx((0.0, 64.0)) and track.at(30.0) is None
    set_clock = Tlog(tmp_path / "set.tlog")  # a Pi without a clock, which NTP then sets
    fly(set_clock, 4.0, boot_s=100.0)
    fly(set_clock, 4.0, boot_s=104.2, after_s=10_000_000.0)
    track, notes = read_tlog(set_clock.done())
    assert not notes and track.span_s == pytest.approx((0.0, 8.2))
    both = Tlog(tmp_path / "both.tlog")  # it was set while the link was lost, by less than the vehicle's uptime
    fly(both, 4.0, boot_s=100.0)
    fly(both, 4.0, boot_s=114.0, after_s=64.0)
    track, notes = read_tlog(both.done())
    assert not notes and track.span_s == pytest.approx((0.0, 18.0))


def test_two_boots_are_never_mixed_where_their_times_overlap(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, 10.0, boot_s=100.0)
    for k in range(30):  # the second boot, from the same time of its clock, stands still a kilometre to the east
        log.say(600.0 + k / 5, attitude_message(100.1, k / 5))
        log.say(600.0 + k / 5, position_message(100.1, 0.0, east_m=1000.0 + 0 * k))
    track, _ = read_tlog(log.done())
    assert all(north_m(track, t_s) == pytest.approx(5 * t_s, abs=0.2) for t_s in (1.0, 2.33, 4.7, 6.01))


def test_two_vehicles_with_one_number_are_two_clocks(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")

    def other(log: Tlog, t_s: float) -> None:
        log.say(t_s, attitude_message(900.0, t_s))
        log.say(t_s, position_message(900.0, t_s, east_m=1000.0))

    fly(log, extra=other)
    track, notes = read_tlog(log.done())
    assert "boots 1 of 10 s and 2 of 10 s" in notes[0]
    assert all(north_m(track, t_s) == pytest.approx(5 * t_s, abs=0.2) for t_s in (1.0, 2.33, 9.9))


def test_messages_out_of_order_are_one_boot(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    order = list(range(100))
    random.Random(3).shuffle(order)
    for k in sorted(range(100), key=lambda k: k + order[k] / 20):  # by up to a second
        log.say(k / 5, position_message(100.0, k / 5))
    track, notes = read_tlog(log.done())
    assert not notes and len(track) == 100


def test_a_log_of_a_position_every_three_seconds_is_one_boot(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(30):
        log.say(k * 3, position_message(100.0, k * 3))
    track, notes = read_tlog(log.done())
    assert notes == [] and len(track) == 30 and north_m(track, 40.0) == pytest.approx(200.0, abs=0.5)


# Positions that are not to be believed


def test_positions_without_a_fix_are_left_out_and_said(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, extra=lambda log, t_s: log.say(t_s, receiver_message(100.0, t_s, fix=3 if t_s < 6 or t_s > 8 else 1)))
    track, notes = read_tlog(log.done())
    assert track.at(5.7) is not None and track.at(7.0) is None and track.at(8.5) is not None
    assert len(notes) == 1 and "from 6.0 to 8.0 s (GPS lost: no 3D fix)" in notes[0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [(0x25, "no absolute position"), (0xA7, "no absolute position"), (0x833F, "rejected GPS"), (0x400, "GPS lost")],
)
def test_the_estimator_is_asked(tmp_path: Path, flags: int, words: str) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, extra=lambda log, t_s: log.say(t_s, ekf_message(0x33F if t_s < 6 else flags)))
    track, notes = read_tlog(log.done())
    assert track.span_s == pytest.approx((0.0, 5.8)) and words in notes[0]


def test_px4s_estimator_is_asked_by_its_own_flags(tmp_path: Path) -> None:
    def status(log: Tlog, t_s: float) -> None:
        flags = 0x3FF if t_s < 6 else 0x3FF & ~mavlink.ESTIMATOR_POS_HORIZ_ABS
        log.say(t_s, mavlink.MAVLink_estimator_status_message(0, flags, 0, 0, 0, 0, 0, 0, 0, 0))

    log = Tlog(tmp_path / "a.tlog")
    fly(log, extra=status)
    assert read_tlog(log.done())[0].span_s == pytest.approx((0.0, 5.8))


def test_a_reported_accuracy_is_the_sigma(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, extra=lambda log, t_s: log.say(t_s, receiver_message(100.0, t_s, sigma_m=0.8 if t_s < 5 else 7.5)))
    track, _ = read_tlog(log.done())
    assert position(track, 2.0).sigma_m == pytest.approx(0.8) and position(track, 9.0).sigma_m == pytest.approx(7.5)
    state = track.at(2.0)
    assert state is not None and state.pose.altitude_amsl_m is not None
    assert state.pose.altitude_amsl_m.sigma == pytest.approx(1.6)
    silent = read_tlog(write_tlog(tmp_path / "b.tlog", 2))[0]
    assert position(silent, 1.0).sigma_m == 3.0


def test_a_place_that_is_known_to_a_hundred_metres_is_none(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, extra=lambda log, t_s: log.say(t_s, receiver_message(100.0, t_s, sigma_m=1.0 if t_s < 6 else 120.0)))
    track, notes = read_tlog(log.done())
    assert track.at(8.0) is None and "no better than 50 m" in notes[0]


def test_a_second_receiver_stands_in_for_the_first_unless_a_companion_feeds_it(tmp_path: Path) -> None:
    def two(log: Tlog, t_s: float) -> None:
        log.say(t_s, receiver_message(100.0, t_s, fix=3 if t_s < 5 else 0, sigma_m=1.0))
        log.say(t_s, receiver_message(100.0, t_s, fix=3, sigma_m=2.0, second=True))

    def fed(log: Tlog, t_s: float) -> None:
        two(log, t_s)
        gps = mavlink.MAVLink_gps_input_message(0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 9)
        log.say(t_s, gps, component=191)

    log = Tlog(tmp_path / "a.tlog")
    fly(log, extra=two)
    track, notes = read_tlog(log.done())
    assert not notes and position(track, 2.0).sigma_m == pytest.approx(1.0)
    assert position(track, 8.0).sigma_m == pytest.approx(2.0)
    echo = Tlog(tmp_path / "b.tlog")
    fly(echo, extra=fed)
    track, notes = read_tlog(echo.done())
    assert track.at(4.0) is not None and track.at(8.0) is None and "fed by a companion" in notes[0]


def test_a_receiver_that_is_set_up_to_be_fed_is_no_receiver(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    log.say(0.0, mavlink.MAVLink_param_value_message(b"GPS1_TYPE", 14.0, 9, 1, 0))
    fly(log, extra=lambda log, t_s: log.say(t_s, receiver_message(100.0, t_s)))
    with pytest.raises(TelemetryError, match=r"no position of the vehicle that is to be believed \(GPS was fed"):
        read_tlog(log.done())


@pytest.mark.parametrize("known", [True, False])
def test_positions_by_another_source_than_gps_are_no_positions(tmp_path: Path, known: bool) -> None:
    """The estimator is switched to vision while GPS still has its fix, and back."""

    def switched(log: Tlog, t_s: float) -> None:
        log.say(t_s, receiver_message(100.0, t_s))
        if t_s in (4.0, 7.0):
            chosen = 2.0 if t_s == 4.0 else 1.0
            log.say(t_s, mavlink.MAVLink_command_long_message(1, 1, 42007, 0, chosen, 0, 0, 0, 0, 0, 0), component=191)

    log = Tlog(tmp_path / "a.tlog")
    if known:
        log.say(0.0, heartbeat_message())
        log.say(0.0, mavlink.MAVLink_param_value_message(b"EK3_SRC1_POSXY", 3.0, 9, 2, 0))
        log.say(0.0, mavlink.MAVLink_param_value_message(b"EK3_SRC2_POSXY", 6.0, 9, 2, 1))
    fly(log, extra=switched)
    track, notes = read_tlog(log.done())
    assert track.at(3.0) is not None and track.at(5.5) is None and track.at(9.0) is not None
    assert "was not by GPS" in notes[0]


def test_after_a_jump_that_the_estimator_rejected_and_then_took_nothing_is_believed_until_it_is_back(
    tmp_path: Path,
) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(100):
        t_s = k / 5
        glitch, away = 4 <= t_s < 8 or 14 <= t_s < 16, 6 <= t_s < 15
        log.say(t_s, ekf_message(0x833F if glitch else 0x33F))
        log.say(t_s, position_message(100.0, t_s, east_m=222.0 if away else 0.0))
    track, notes = read_tlog(log.done())
    assert track.at(3.0) is not None and track.at(18.0) is not None
    assert all(track.at(t_s) is None for t_s in (5.0, 7.0, 10.0, 13.0, 15.0))
    assert len(notes) == 1 and re.search("leapt by 22[23] m while the estimator rejected GPS", notes[0])


def test_a_reset_after_dead_reckoning_is_the_truth_again(tmp_path: Path) -> None:
    """The estimator drifted 90 m while GPS was gone, and is set back when it returns."""
    log = Tlog(tmp_path / "a.tlog")
    for k in range(100):
        t_s = k / 5
        lost = 4 <= t_s < 10
        log.say(t_s, receiver_message(100.0, t_s, fix=1 if lost else 3))
        log.say(t_s, position_message(100.0, t_s, east_m=15 * (t_s - 4) if lost else 0.0))
    track, _ = read_tlog(log.done())
    assert track.at(7.0) is None and north_m(track, 15.0) == pytest.approx(75.0, abs=0.2)


def test_nothing_to_be_believed_is_a_sentence(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    fly(log, extra=lambda log, t_s: log.say(t_s, receiver_message(100.0, t_s, fix=0)))
    sentence = r"a\.tlog: holds no position of the vehicle that is to be believed \(GPS lost: no 3D fix\)\."
    with pytest.raises(TelemetryError, match=sentence):
        read_tlog(log.done())


def test_times_count_from_the_first_report_believed_or_not(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(50):
        log.say(k / 5, receiver_message(100.0, k / 5, fix=0 if k < 20 else 3))
        log.say(k / 5, position_message(100.0, k / 5))
    track, _ = read_tlog(log.done())
    assert track.span_s[0] == pytest.approx(4.2, abs=0.21) and north_m(track, 6.0) == pytest.approx(30.0, abs=0.1)


# Positions where they are


@pytest.mark.parametrize("version", [1, 2])
def test_the_receivers_own_positions_where_there_are_no_fused_ones(tmp_path: Path, version: int) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(50):
        log.say(k / 5, attitude_message(100.0, k / 5), version=version)
        log.say(k / 5, receiver_message(100.0, k / 5, fix=3 if k > 10 else 2, sigma_m=1.5), version=version)
        log.say(k / 5, mavlink.MAVLink_local_position_ned_message(100_000 + k * 200, 0, 0, -42.0, 0, 0, 0))
    track, notes = read_tlog(log.done())
    assert "the receiver's own are used" in notes[0] and track.at(1.0) is None
    found = track.at(6.0)
    assert found is not None and found.position is not None and north_m(track, 6.0) == pytest.approx(30.0, abs=0.1)
    assert found.position.source is PositionSource.GPS
    assert found.pose.height_takeoff_m is not None and found.pose.height_takeoff_m.value == pytest.approx(42.0)


def test_a_receiver_alone_says_the_time_itself(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(50):
        log.say(k / 5, receiver_message(100.0, k / 5))
    track, _ = read_tlog(log.done())
    assert track.span_s == pytest.approx((0.0, 9.8)) and north_m(track, 6.0) == pytest.approx(30.0, abs=0.1)


def test_attitudes_that_are_none_are_left_out(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(50):
        roll = (0.02, math.nan, math.inf, -math.inf)[k % 4]
        log.say(k / 5, attitude_message(100.0, k / 5, roll))
        log.say(k / 5, position_message(100.0, k / 5))
    state = read_tlog(log.done())[0].at(0.8)
    assert state is not None and state.pose.heading is not None
    assert math.degrees(state.pose.heading.value) == pytest.approx(45.0)


# Damage


@pytest.mark.parametrize("filling", [b"\xfe", b"\xfd", b"\x00", b"\xff", None])
def test_damage_costs_what_is_damaged(tmp_path: Path, filling: bytes | None) -> None:
    path = write_tlog(tmp_path / "a.tlog", 10)
    data = bytearray(path.read_bytes())
    bad = random.Random(5).randbytes(50) if filling is None else filling * 50
    middle = len(data) // 2
    data[middle : middle + 50] = bad
    path.write_bytes(data)
    track, notes = read_tlog(path)
    assert len(track) >= 99 and track.span_s == pytest.approx((0.0, 10.0))
    assert len(notes) == 1 and "damaged in " in notes[0]


def test_a_file_that_ends_within_a_packet_and_one_without_times(tmp_path: Path) -> None:
    path = write_tlog(tmp_path / "a.tlog", 10)
    path.write_bytes(path.read_bytes()[:-20])
    assert not read_tlog(path)[1]
    voice, bare = mavlink.MAVLink(None, 1, 1), tmp_path / "b.tlog"
    bare.write_bytes(b"".join(position_message(100.0, k / 5).pack(voice) for k in range(50)))
    track, notes = read_tlog(bare)
    assert not notes and len(track) == 50


def test_packets_of_other_dialects_are_no_damage(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    foreign = bytes([0xFD, 9, 0, 0, 5, 1, 1, 0x22, 0xEE, 0]) + bytes(9) + b"\x12\x34"

    def other(log: Tlog, t_s: float) -> None:
        log.raw(struct.pack(">Q", 1_700_000_000_000_000) + foreign)

    fly(log, extra=other)
    assert read_tlog(log.done())[1] == []


@pytest.mark.parametrize("filling", [b"\xfd", b"\xfe", b"\xfd\xfe", b"\x00"])
def test_a_file_of_false_starts_is_refused_in_no_time(tmp_path: Path, filling: bytes) -> None:
    path = tmp_path / "a.tlog"
    path.write_bytes(filling * (200_000 // len(filling)))
    begun_s = time.process_time()
    with pytest.raises(TelemetryError, match="not a telemetry log"):
        read_tlog(path)
    assert time.process_time() - begun_s < 10.0


ANY = st.floats(width=32, allow_subnormal=False, allow_nan=True, allow_infinity=True)
I32 = st.integers(-(2**31), 2**31 - 1)
I16 = st.integers(-(2**15), 2**15 - 1)
U32 = st.integers(0, 2**32 - 1)
U16 = st.integers(0, 2**16 - 1)
BYTE = st.integers(0, 255)
BOOT_MS = st.one_of(st.integers(0, 20_000), U32)
MESSAGES = st.one_of(
    st.builds(mavlink.MAVLink_global_position_int_message, BOOT_MS, I32, I32, I32, I32, I16, I16, I16, U16),
    st.builds(mavlink.MAVLink_attitude_message, BOOT_MS, ANY, ANY, ANY, ANY, ANY, ANY),
    st.builds(
        mavlink.MAVLink_gps_raw_int_message, st.integers(0, 2**64 - 1), BYTE, I32, I32, I32, U16, U16, U16, U16, BYTE,
        I32, U32, U32,
    ),
    st.builds(mavlink.MAVLink_ekf_status_report_message, U16, ANY, ANY, ANY, ANY, ANY),
    st.builds(mavlink.MAVLink_distance_sensor_message, BOOT_MS, U16, U16, U16, BYTE, BYTE, BYTE, BYTE),
    st.builds(mavlink.MAVLink_local_position_ned_message, BOOT_MS, ANY, ANY, ANY, ANY, ANY, ANY),
    st.builds(mavlink.MAVLink_heartbeat_message, BYTE, BYTE, BYTE, U32, BYTE, BYTE),
    st.builds(mavlink.MAVLink_command_long_message, BYTE, BYTE, st.just(42007), BYTE, *[ANY] * 7),
)  # fmt: skip


@settings(max_examples=60, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(MESSAGES, st.sampled_from([1, 2]), st.sampled_from([1, 191])), max_size=40),
    st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=40)), max_size=4),
    st.booleans(),
)
def test_whatever_is_in_a_log_what_comes_out_is_in_range_or_a_sentence(
    tmp_path: Path, said: list[tuple[Any, int, int]], damage: list[tuple[int, bytes]], flown: bool
) -> None:
    log = Tlog(tmp_path / "a.tlog")
    if flown:
        fly(log, 4.0, boot_s=2.0)
    for k, (message, system, component) in enumerate(said):
        log.say(k / 10, message, system, component)
    if flown:
        fly(log, 4.0, boot_s=6.2)
    data = bytearray(log.done().read_bytes())
    for at, bad in damage:
        data[at : at + len(bad)] = bad
    log.path.write_bytes(data)
    read_or_refuse(read_tlog, log.path)


