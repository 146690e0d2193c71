"""PX4's logs with old and new sets of fields, whole and damaged."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import TelemetryError
from runtime.sources.logs.choice import Asked
from runtime.sources.logs.ulog import read_ulog
from runtime.sources.track import Track
from runtime.values import PositionSource
from tests.runtime.sources.any_log import UNSHRUNK, read_or_refuse
from tests.runtime.sources.logs import LONGITUDE, ULogWriter, latitude_at, north_m, state_at, write_ulog

POSITION = "uint64_t timestamp;double lat;double lon;float alt;"
NEW = {
    "vehicle_global_position": POSITION
    + "bool lat_lon_valid;bool alt_valid;float eph;float epv;bool dead_reckoning;",
    "vehicle_attitude": "uint64_t timestamp;float[4] q;",
}
OLD_GPS = "uint64_t timestamp;int32_t lat;int32_t lon;int32_t alt;float eph;float epv;uint8_t fix_type;"
NEW_GPS = (
    "uint64_t timestamp;double latitude_deg;double longitude_deg;double altitude_msl_m;float eph;float epv;"
    "uint8_t fix_type;uint8_t spoofing_state;"
)


def us(t_s: float) -> int:
    return round((70.0 + t_s) * 1e6)


def new(path: Path, **bad: float) -> tuple[Track, list[str]]:
    """A flight of 10 s by the new fields, one or some of which are ``bad`` from 5 to 7 s."""
    log = ULogWriter(path, NEW)
    for k in range(51):
        t_s = k / 5
        said = {"lat": latitude_at(t_s), "lon": LONGITUDE, "alt": 560.0, "valid": 1, "alt_valid": 1, "eph": 0.7}
        said |= {"epv": 1.2, "dead": 0, **(bad if 5 <= t_s <= 7 else {})}
        log.write("vehicle_global_position", us(t_s), *said.values())
        log.write("vehicle_attitude", us(t_s), 1.0, 0.0, 0.0, 0.0)
    return read_ulog(log.done())


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"lat": math.nan}, "no position"),
        ({"lon": math.inf}, "no position"),
        ({"lat": 91.0}, "no position"),
        ({"lat": 0.0, "lon": 0.0}, "no position"),
        ({"valid": 0}, "no position"),
        ({"dead": 1}, "dead reckoning"),
        ({"eph": 80.0}, "no better than 50 m"),
    ],
)
def test_positions_that_are_none_are_left_out_and_said(tmp_path: Path, bad: dict[str, float], words: str) -> None:
    track, notes = new(tmp_path / "a.ulg", **bad)
    assert track.at(4.7) is not None and track.at(6.0) is None and track.at(7.3) is not None
    assert len(notes) == 1 and "from 5.0 to 7.0 s" in notes[0] and words in notes[0]


def test_its_own_accuracy_is_the_sigma(tmp_path: Path) -> None:
    track, notes = new(tmp_path / "a.ulg", eph=2.5, alt_valid=0)
    state, doubted = state_at(track, 2.0), state_at(track, 6.0)
    assert notes == [] and state.position is not None and doubted.position is not None
    assert state.position.sigma_m == pytest.approx(0.7) and doubted.position.sigma_m == pytest.approx(2.5)
    assert state.pose.altitude_amsl_m is not None and state.pose.altitude_amsl_m.sigma == pytest.approx(1.2)
    assert doubted.pose.altitude_amsl_m is None


def fly_by_gps(log: ULogWriter, topic: str, new_fields: bool, fix: int = 3, spoofed: int = 0) -> None:
    for k in range(51):
        t_s = k / 5
        if new_fields:
            log.write(topic, us(t_s), latitude_at(t_s), LONGITUDE, 560.0, 0.9, 1.5, fix, spoofed)
        else:
            log.write(topic, us(t_s), round(latitude_at(t_s) * 1e7), round(LONGITUDE * 1e7), 560_000, 0.9, 1.5, fix)


@pytest.mark.parametrize(
    ("topic", "fields"),
    [("vehicle_gps_position", OLD_GPS), ("vehicle_gps_position", NEW_GPS), ("sensor_gps", OLD_GPS),
     ("sensor_gps", NEW_GPS), ("sensor_gps#1", NEW_GPS)],
)  # fmt: skip
def test_the_receivers_own_positions_where_there_are_no_fused_ones(tmp_path: Path, topic: str, fields: str) -> None:
    log = ULogWriter(tmp_path / "a.ulg", {topic: fields})
    fly_by_gps(log, topic, fields is NEW_GPS)
    track, notes = read_ulog(log.done())
    assert len(notes) == 1 and "the receiver's own are used" in notes[0]
    assert len(track) == 51 and north_m(track, 6.0) == pytest.approx(30.0, abs=0.2)
    position = state_at(track, 6.0).position
    assert position is not None and position.source is PositionSource.GPS
    assert position.sigma_m == pytest.approx(0.9)


@pytest.mark.parametrize("fix", [0, 2, 8])
def test_a_receiver_without_a_fix_gives_no_position(tmp_path: Path, fix: int) -> None:
    log = ULogWriter(tmp_path / "a.ulg", {"sensor_gps": NEW_GPS})
    fly_by_gps(log, "sensor_gps", True, fix)
    with pytest.raises(TelemetryError, match="GPS lost: no 3D fix"):
        read_ulog(log.done())


@pytest.mark.parametrize(("fix", "spoofed", "words"), [(1, 0, "no 3D fix"), (3, 2, "spoofed"), (3, 3, "spoofed")])
def test_fused_positions_need_a_receiver_that_has_its_own(
    tmp_path: Path, fix: int, spoofed: int, words: str
) -> None:
    log = ULogWriter(tmp_path / "a.ulg", {"vehicle_global_position": POSITION, "sensor_gps": NEW_GPS})
    fly_by_gps(log, "sensor_gps", True, fix, spoofed)
    for k in range(51):
        log.write("vehicle_global_position", us(k / 5), latitude_at(k / 5), LONGITUDE, 560.0)
    with pytest.raises(TelemetryError, match=words):
        read_ulog(log.done())


def test_the_estimators_own_words(tmp_path: Path) -> None:
    formats = {
        "vehicle_global_position": POSITION,
        "estimator_status": "uint64_t timestamp;uint32_t solution_status_flags;",
        "estimator_status_flags": "uint64_t timestamp;bool cs_gps;bool cs_ev_pos;",
    }
    log = ULogWriter(tmp_path / "a.ulg", formats)
    for k in range(101):
        t_s = k / 5
        log.write("estimator_status", us(t_s), 0x3FF if not 5 < t_s < 8 else 0x3FF & ~0x10)
        log.write("estimator_status_flags", us(t_s), not 12 < t_s < 16, True)
        log.write("vehicle_global_position", us(t_s), latitude_at(t_s), LONGITUDE, 560.0)
    track, notes = read_ulog(log.done())
    assert [track.at(t) is not None for t in (3.0, 6.5, 10.0, 14.0, 18.0)] == [True, False, True, False, True]
    assert "no absolute position" in notes[0] and "not by GPS" in notes[1]


def test_attitudes_heights_and_ranges_that_are_none(tmp_path: Path) -> None:
    formats = {
        "vehicle_global_position": POSITION,
        "vehicle_attitude": "uint64_t timestamp;float[4] q;",
        "vehicle_local_position": "uint64_t timestamp;float z;bool z_valid;float dist_bottom;bool dist_bottom_valid;",
    }
    log = ULogWriter(tmp_path / "a.ulg", formats)
    for k in range(51):
        t_s = k / 5
        log.write("vehicle_global_position", us(t_s), latitude_at(t_s), LONGITUDE, 560.0)
        log.write("vehicle_attitude", us(t_s), *((1.0, 0.0, 0.0, 0.0), (math.nan,) * 4, (0.0,) * 4)[k % 3])
        good = t_s <= 5
        log.write("vehicle_local_position", us(t_s), -60.0 if good else math.nan, good, 57.0 if good else math.nan, 1)
    track, _ = read_ulog(log.done())
    early, late = state_at(track, 3.0).pose, state_at(track, 8.4).pose
    assert early.height_agl_m is not None and early.height_agl_m.value == pytest.approx(57.0)
    assert late.height_takeoff_m is None and late.height_agl_m is None
    assert early.heading is not None and early.heading.value == pytest.approx(0.0)


def test_one_boot_is_all_there_is(tmp_path: Path) -> None:
    path = write_ulog(tmp_path / "a.ulg", 3)
    assert len(read_ulog(path, Asked(boot=1))[0]) == 31
    with pytest.raises(TelemetryError, match="holds no boot 2, but only boot 1"):
        read_ulog(path, Asked(boot=2))


@pytest.mark.parametrize("filling", [b"\x00", b"\xff", b"D", b"\xaa\x10D", None])
@pytest.mark.parametrize("where", [0.05, 0.5, 0.95])
def test_damage_costs_what_is_damaged(tmp_path: Path, filling: bytes | None, where: float) -> None:
    path = write_ulog(tmp_path / "a.ulg", 20)
    data = bytearray(path.read_bytes())
    at = 400 + int((len(data) - 400) * where)
    data[at : at + 300] = random.Random(4).randbytes(300) if filling is None else (filling * 300)[:300]
    path.write_bytes(data)
    track, notes = read_ulog(path)
    assert 192 <= len(track) <= 201 and track.span_s == pytest.approx((0.0, 20.0))
    assert len(notes) == 1 and "damaged (" in notes[0]


def test_a_file_that_ends_within_a_message(tmp_path: Path) -> None:
    path = write_ulog(tmp_path / "a.ulg", 20)
    path.write_bytes(path.read_bytes()[:-17])
    assert read_ulog(path)[1] == []


def test_padding_within_and_at_the_end_of_other_topics_is_no_damage(tmp_path: Path) -> None:
    """PX4 logs what pads an inner type, and not what pads the end of a sample."""
    log = ULogWriter(tmp_path / "a.ulg", {"vehicle_global_position": POSITION})
    log.message(b"F", b"inner:uint16_t a;uint8_t[2] _padding0;")
    log.message(b"F", b"outer:uint64_t timestamp;inner[4] r;uint8_t last;uint8_t[7] _padding0;")
    log.message(b"A", bytes([0, 9, 0]) + b"outer")
    for k in range(51):
        log.message(b"D", bytes([9, 0]) + bytes(8 + 16 + 1))
        log.write("vehicle_global_position", us(k / 5), latitude_at(k / 5), LONGITUDE, 560.0)
    track, notes = read_ulog(log.done())
    assert notes == [] and len(track) == 51


def test_a_damaged_time_is_left_out(tmp_path: Path) -> None:
    log = ULogWriter(tmp_path / "a.ulg", {"vehicle_global_position": POSITION})
    for k in range(51):
        t_us = us(k / 5) if k != 20 else 2**60
        log.write("vehicle_global_position", t_us, latitude_at(k / 5), LONGITUDE, 560.0)
    track, notes = read_ulog(log.done())
    assert notes == [] and len(track) == 50 and track.span_s == pytest.approx((0.0, 10.0))


def test_a_format_of_the_future_is_a_sentence(tmp_path: Path) -> None:
    path = write_ulog(tmp_path / "a.ulg", 2)
    data = bytearray(path.read_bytes())
    data[16 + 3 + 8] = 0x02  # an incompatible flag that is not defined yet
    path.write_bytes(data)
    with pytest.raises(TelemetryError, match="newer format"):
        read_ulog(path)


def test_formats_that_name_themselves_or_grow_without_bound_are_none(tmp_path: Path) -> None:
    log = ULogWriter(tmp_path / "a.ulg", {"vehicle_global_position": POSITION})
    bombs = ["a:b[9999] x;", "b:c[9999] x;", "c:d[9999] x;", "d:double[9999] x;", "e:e x;"]
    bombs += ["vehicle_attitude:uint64_t timestamp;a q;", "sensor_gps:uint64_t timestamp;e x;"]
    for bomb in bombs:
        log.message(b"F", bomb.encode())
    for number, name in ((7, b"vehicle_attitude"), (8, b"sensor_gps")):
        log.message(b"A", bytes([0, number, 0]) + name)
    for k in range(51):
        log.write("vehicle_global_position", us(k / 5), latitude_at(k / 5), LONGITUDE, 560.0)
    assert len(read_ulog(log.done())[0]) == 51


ANY = st.floats(width=32, allow_subnormal=False)  # libraries of other tests flush subnormals to zero


@settings(max_examples=60, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1) | st.integers(us(0), us(5)),
            ANY | st.floats(-90, 90, allow_subnormal=False),
            ANY | st.floats(-180, 180, allow_subnormal=False),
            ANY,
            ANY,
            ANY,
            st.integers(0, 255),
        ),
        max_size=20,
    ),
    st.lists(st.tuples(st.integers(0, 8000), st.binary(min_size=1, max_size=60)), max_size=4),
    st.booleans(),
)
def test_whatever_is_in_a_log_what_comes_out_is_in_range_or_a_sentence(
    tmp_path: Path,
    said: list[tuple[int, float, float, float, float, float, int]],
    damage: list[tuple[int, bytes]],
    flown: bool,
) -> None:
    log = ULogWriter(tmp_path / "a.ulg", {**NEW, **ULogWriter.FORMATS, **NEW, "sensor_gps": NEW_GPS})
    for k, (t_us, lat, lon, alt, eph, epv, byte) in enumerate(said):
        if flown:
            log.write("vehicle_global_position", us(k / 5), latitude_at(k / 5), LONGITUDE, 560.0, 1, 1, 0.7, 1.2, 0)
        log.write("vehicle_global_position", t_us, lat, lon, alt, byte & 1, byte & 2, eph, epv, byte & 4)
        log.write("vehicle_attitude", t_us, alt, eph, epv, 0.0)
        log.write("vehicle_local_position", t_us, alt, eph, byte & 8)
        log.write("sensor_gps", t_us, lat, lon, alt, eph, epv, byte, byte >> 6)
    data = bytearray(log.done().read_bytes())
    for at, bad in damage:
        data[at : at + len(bad)] = bad
    log.path.write_bytes(data)
    read_or_refuse(read_ulog, log.path)
