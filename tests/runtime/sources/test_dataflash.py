"""Dataflash logs of all generations of ArduPilot, binary and as text, whole and damaged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import TelemetryError
from runtime.sources.logs.choice import Asked
from runtime.sources.logs.dataflash import read_dataflash
from runtime.values import PositionSource
from tests.runtime.sources.any_log import UNSHRUNK, read_or_refuse
from tests.runtime.sources.logs import LONGITUDE, Dataflash, latitude_at, north_m, state_at, write_dataflash

LON = round(LONGITUDE * 1e7)
MODERN = {
    "ATT": ("QccccCC", "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw"),
    "POS": ("QLLfff", "TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"),
    "GPS": ("QBBIHBcLLefffB", "TimeUS,I,Status,GMS,GWk,NSats,HDop,Lat,Lng,Alt,Spd,GCrs,VZ,U"),
    "GPA": ("QBCCCC", "TimeUS,I,VDop,HAcc,VAcc,SAcc"),
    "XKF4": ("QBHHIb", "TimeUS,C,SV,SP,SS,PI"),
    "XKFS": ("QBBBBBB", "TimeUS,C,MI,BI,GI,AI,SS"),
    "PARM": ("QNf", "TimeUS,Name,Value"),
    "RFND": ("QBCBB", "TimeUS,Instance,Dist,Stat,Orient"),
    "BARO": ("QBf", "TimeUS,I,Alt"),
}


def lat(t_s: float) -> int:
    return round(latitude_at(t_s) * 1e7)


def us(t_s: float, boot_s: float = 50.0) -> int:
    return round((boot_s + t_s) * 1e6)


def gps(log: Dataflash, t_s: float, status: int = 3, instance: int = 0) -> None:
    log.write("GPS", us(t_s), instance, status, 1000, 2000, 12, 80, lat(t_s), LON, 56_000, 5.0, 0.0, 0.0, 1)


def position(log: Dataflash, t_s: float, boot_s: float = 50.0) -> None:
    log.write("POS", us(t_s, boot_s), lat(t_s), LON, 560.0, 60.0, 60.0)


def test_positions_while_the_receiver_has_its_fix_known_as_it_says(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    for k in range(100):
        t_s = k / 5
        gps(log, t_s, status=1 if 8 <= t_s < 12 else 6)
        log.write("GPA", us(t_s), 0, 110, 140, 230, 30)
        position(log, t_s)
    track, notes = read_dataflash(log.done())
    state = state_at(track, 5.0)
    assert state.position is not None and state.position.sigma_m == pytest.approx(1.4)
    assert state.pose.altitude_amsl_m is not None and state.pose.altitude_amsl_m.sigma == pytest.approx(2.3)
    assert track.at(10.0) is None and north_m(track, 15.0) == pytest.approx(75.0, abs=0.2)
    assert len(notes) == 1 and "from 8.0 to 11.8 s (GPS lost: no 3D fix)" in notes[0]


@pytest.mark.parametrize(
    ("status", "words"), [(0xA7, "no absolute position"), (0x33F | 1 << 14, "rejected GPS"), (0x33F | 1 << 18, "GPS")]
)
def test_the_primary_core_of_the_estimator_in_use_is_asked(tmp_path: Path, status: int, words: str) -> None:
    log = Dataflash(tmp_path / "a.bin", {**MODERN, "NKF4": MODERN["XKF4"]})
    log.write("PARM", us(0), b"AHRS_EKF_TYPE", 3.0)
    for k in range(50):
        t_s = k / 5
        log.write("NKF4", us(t_s), 0, 0, 0, 0xA7, 0)  # of an estimator that only watches
        log.write("XKF4", us(t_s), 0, 0, 0, 0xA7, 1)  # of a core that is not the primary one
        log.write("XKF4", us(t_s), 1, 0, 0, 0x33F | 1 << 10 | 1 << 13 if t_s < 6 else status, 1)
        position(log, t_s)
    track, notes = read_dataflash(log.done())
    assert track.span_s == pytest.approx((0.0, 5.8)) and words in notes[0]


def test_an_estimator_that_is_not_used_is_not_asked(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    log.write("PARM", us(0), b"AHRS_EKF_TYPE", 0.0)
    for k in range(50):
        log.write("XKF4", us(k / 5), 0, 0, 0, 0xA7, 0)
        position(log, k / 5)
    assert len(read_dataflash(log.done())[0]) == 50


def test_a_source_set_that_is_not_gps(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    log.write("PARM", us(0), b"EK3_SRC1_POSXY", 3.0)
    log.write("PARM", us(0), b"EK3_SRC2_POSXY", 6.0)
    for k in range(50):
        t_s = k / 5
        gps(log, t_s)
        log.write("XKFS", us(t_s), 0, 0, 0, 0, 0, 1 if t_s >= 5 else 0)
        position(log, t_s)
    track, notes = read_dataflash(log.done())
    assert track.span_s == pytest.approx((0.0, 4.8)) and "was not by GPS" in notes[0]


def test_the_receiver_with_most_positions_where_nothing_is_fused(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    for k in range(50):
        gps(log, k / 5, status=3 if k < 10 else 1)
        gps(log, k / 5, status=4, instance=1)
        log.write("BARO", us(k / 5), 0, 33.0)
    track, notes = read_dataflash(log.done())
    assert len(track) == 50 and "the receiver's own are used" in notes[0]
    state = state_at(track, 7.0)
    assert state.position is not None and state.position.source is PositionSource.GPS
    assert state.pose.height_takeoff_m is not None and state.pose.height_takeoff_m.value == pytest.approx(33.0)


@pytest.mark.parametrize("orient", [25, 0])
def test_range_finders_of_both_layouts(tmp_path: Path, orient: int) -> None:
    old = {**MODERN, "RFND": ("QCBCB", "TimeUS,Dist1,Orient1,Dist2,Orient2")}
    for name, formats, reading in (
        ("new.bin", MODERN, (0, 4200, 4, orient)),
        ("old.bin", old, (1500, 0, 4200, orient)),
    ):
        log = Dataflash(tmp_path / name, formats)
        for k in range(20):
            log.write("RFND", us(k / 5), *reading)
            position(log, k / 5)
        pose = state_at(read_dataflash(log.done())[0], 2.0).pose
        assert pose.height_agl_m is not None
        assert pose.height_agl_m.value == pytest.approx(42.0 if orient == 25 else 60.0)


def test_a_range_that_is_not_good_is_none(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    for k in range(20):
        log.write("RFND", us(k / 5), 0, 4200, 3, 25)  # beyond its range
        position(log, k / 5)
    pose = state_at(read_dataflash(log.done())[0], 2.0).pose
    assert pose.height_agl_m is not None and pose.height_agl_m.value == pytest.approx(60.0)


def test_a_range_at_the_sensors_own_limit_is_none_where_there_is_no_status(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", {**MODERN, "RFND": ("QCBCB", "TimeUS,Dist1,Orient1,Dist2,Orient2")})
    log.write("PARM", us(0.0), b"RNGFND_MAX_CM", 700.0)
    for k in range(20):
        log.write("RFND", us(k / 5), 700 if k < 10 else 690, 25, 0, 0)
        position(log, k / 5)
    track, _ = read_dataflash(log.done())
    beyond, within = state_at(track, 1.0).pose.height_agl_m, state_at(track, 3.0).pose.height_agl_m
    assert beyond is not None and beyond.value == pytest.approx(60.0)
    assert within is not None and within.value == pytest.approx(6.9)


OLD = {
    "ATT": ("IccccCC", "TimeMS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw"),
    "GPS": ("BIHBcLLeeEefI", "Status,TimeMS,Week,NSats,HDop,Lat,Lng,RelAlt,Alt,Spd,GCrs,VZ,T"),
}
OLDER = {**OLD, "GPS": ("BIHBcLLeeEe", "Status,TimeMS,Week,NSats,HDop,Lat,Lng,RelAlt,Alt,Spd,GCrs")}
OLDEST = {"ATT": ("ccccCC", "RollIn,Roll,PitchIn,Pitch,YawIn,Yaw"), "GPS": OLDER["GPS"]}


def write_old(log: Dataflash, formats: dict[str, tuple[str, str]]) -> Path:
    for k in range(80):
        t_s, ms = k / 8, round(50_000 + k * 125)
        log.write("ATT", *([ms] if formats is not OLDEST else []), 0, 115, 0, -286, 4500, 4500)
        fields = (3, 604_000_000 + k * 125, 1871, 9, 150, lat(t_s), LON, 6000, 46_000, 500, 0)
        log.write("GPS", *fields, *((0.0, ms) if formats is OLD else ()))
    return log.done()


@pytest.mark.parametrize("formats", [OLD, OLDER], ids=["3.2", "3.1"])
def test_logs_of_arducopter_3(tmp_path: Path, formats: dict[str, tuple[str, str]]) -> None:
    track, _ = read_dataflash(write_old(Dataflash(tmp_path / "a.bin", formats), formats))
    assert len(track) >= 79 and north_m(track, 6.0) == pytest.approx(30.0, abs=0.2)
    pose = state_at(track, 6.0).pose
    assert pose.height_takeoff_m is not None and pose.height_takeoff_m.value == pytest.approx(60.0)
    assert pose.heading is not None


def test_a_log_without_times_is_too_old(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match=r"a\.bin: its records carry no boot time; .* are not read\."):
        read_dataflash(write_old(Dataflash(tmp_path / "a.bin", OLDEST), OLDEST))


def as_text(path: Path, row: str, mark: bytes = b"") -> Path:
    """A text log of positions in ``row``."""
    lines = ["FMT, 128, 89, FMT, BBnNZ, Type,Length,Name,Format,Columns"]
    lines += ["FMT, 11, 31, POS, QLLfff, TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"]
    path.write_bytes(mark + "\n".join([*lines, *(row.format(us(k / 5)) for k in range(50))]).encode())
    return path


def test_a_text_log_with_an_editors_mark(tmp_path: Path) -> None:
    path = as_text(tmp_path / "a.log", "POS, {}, 48.2, 11.6, 560.0, 60.0, 60.0,", b"\xef\xbb\xbf")
    assert len(read_dataflash(path)[0]) == 50


def test_decimal_commas_are_not_read_as_other_columns(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match=r"more fields than their formats; with decimal commas\?"):
        read_dataflash(as_text(tmp_path / "a.log", "POS, {}, 48,2, 11,6, 560, 60, 60"))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_same_as_text(tmp_path: Path, ends: str) -> None:
    lines = ["ArduCopter V3.3", "Free RAM: 1234", "FMT, 128, 89, FMT, BBnNZ, Type,Length,Name,Format,Columns"]
    lines += ["FMT, 10, 23, ATT, QccccCC, TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw"]
    lines += ["FMT, 11, 31, POS, QLLfff, TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"]
    for k in range(50):
        lines.append(f"ATT, {us(k / 5)}, 0.00, 1.15, 0.00, -2.86, 45.00, 45.00")
        lines.append(f"POS, {us(k / 5)}, {latitude_at(k / 5):.7f}, {LONGITUDE:.7f}, 560.0, 60.0, 60.0")
        lines.append(f"POS, {us(k / 5)}, 47.1")  # cut off
        lines.append("GPS, 3, \ufffd\x01, garbage, \x00")
    path = tmp_path / "a.log"
    path.write_bytes(ends.join(lines).encode())
    track, notes = read_dataflash(path)
    assert notes == [] and len(track) == 50 and north_m(track, 6.0) == pytest.approx(30.0, abs=0.2)


def test_two_boots_in_one_file(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    for boot_s, seconds in ((300.0, 3), (20.0, 7)):
        for k in range(seconds * 5):
            position(log, k / 5, boot_s)
    track, notes = read_dataflash(log.done())
    assert track.span_s == pytest.approx((0.0, 6.8)) and "boots 1 of 3 s and 2 of 7 s; boot 2 is read" in notes[0]
    assert read_dataflash(log.path, Asked(boot=1))[0].span_s == pytest.approx((0.0, 2.8))
    with pytest.raises(TelemetryError, match="of one vehicle, which has no number; leave --vehicle out"):
        read_dataflash(log.path, Asked(vehicle=1))


@pytest.mark.parametrize("filling", [b"\x00", b"\xff", b"\xa3\x95", b"\xa3\x95\x77", None])
@pytest.mark.parametrize("where", [0.0, 0.5, 0.98])
def test_damage_costs_what_is_damaged(tmp_path: Path, filling: bytes | None, where: float) -> None:
    path = write_dataflash(tmp_path / "a.bin", 20)
    data = bytearray(path.read_bytes())
    at = 89 * 4 + int((len(data) - 89 * 4) * where)
    data[at : at + 600] = random.Random(2).randbytes(600) if filling is None else (filling * 600)[:600]
    path.write_bytes(data)
    track, _ = read_dataflash(path)
    assert 180 <= len(track) < 201


def test_damage_is_said_and_a_page_of_padding_is_not(tmp_path: Path) -> None:
    path = write_dataflash(tmp_path / "a.bin", 20)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\xff" * 250)
    assert read_dataflash(path)[1] == []
    path.write_bytes(whole[:4000] + bytes(100) + whole[4000:])
    notes = read_dataflash(path)[1]
    assert len(notes) == 1 and "damaged (1" in notes[0] and notes[0].endswith("what lies before and after is used.")


def test_what_looks_like_a_message_within_damage_is_none(tmp_path: Path) -> None:
    """The format has no checksum: a message has to end where another begins."""
    log = Dataflash(tmp_path / "a.bin", MODERN)
    for k in range(50):
        position(log, k / 5)
        if k == 25:
            before = len(log.log)
            log.write("POS", us(5.1), lat(0.0) + 10_000_000, LON, 560.0, 60.0, 60.0)
            assert len(log.log) - before == log.length("POS")
            log.log += bytes(40)
    track, _ = read_dataflash(log.done())
    assert all(north_m(track, k / 10) == pytest.approx(k / 2, abs=0.3) for k in range(98))


def test_a_damaged_time_is_no_boot(tmp_path: Path) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    for k in range(50):
        position(log, k / 5)
        if k == 25:
            position(log, 0.0, boot_s=9e9)
    track, notes = read_dataflash(log.done())
    assert notes == [] and track.span_s == pytest.approx((0.0, 9.8))



@settings(max_examples=50, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(sorted(MODERN)), st.binary(min_size=60, max_size=60)), max_size=30),
    st.lists(st.tuples(st.integers(0, 8000), st.binary(min_size=1, max_size=60)), max_size=4),
    st.booleans(),
)
def test_whatever_is_in_a_log_what_comes_out_is_in_range_or_a_sentence(
    tmp_path: Path, said: list[tuple[str, bytes]], damage: list[tuple[int, bytes]], flown: bool
) -> None:
    log = Dataflash(tmp_path / "a.bin", MODERN)
    for k, (name, content) in enumerate(said):
        number = 10 + list(MODERN).index(name)
        length = log.length(name)
        stamp = us(k / 5).to_bytes(8, "little") if k % 3 else b""
        log.log += b"\xa3\x95" + bytes([number]) + (stamp + content)[: length - 3]
        if flown:
            position(log, k / 5)
    data = bytearray(log.done().read_bytes())
    for at, bad in damage:
        data[at : at + len(bad)] = bad
    log.path.write_bytes(data)
    read_or_refuse(read_dataflash, log.path)


@settings(max_examples=50, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=60), max_size=20), st.booleans())
def test_whatever_lines_a_text_log_has(tmp_path: Path, lines: list[str], formats: bool) -> None:
    head = ["FMT, 128, 89, FMT, BBnNZ, Type,Length,Name,Format,Columns"]
    head += ["FMT, 11, 31, POS, QLLfff, TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"] if formats else []
    path = tmp_path / "a.log"
    path.write_text("\n".join([*head, *(f"POS, {line}" for line in lines), *lines]), encoding="utf-8", newline="\n")
    read_or_refuse(read_dataflash, path)
