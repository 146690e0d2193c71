"""Every kind of telemetry log becomes the same track."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from runtime.errors import TelemetryError, UsageError
from runtime.rotations import rotation
from runtime.sources.logs.choice import Asked
from runtime.sources.telemetry import read_telemetry
from runtime.sources.track import Track
from runtime.values import GeoPoint, PositionSource
from tests.runtime.sources.logs import (
    LATITUDE,
    LONGITUDE,
    latitude_at,
    write_dataflash,
    write_srt,
    write_tlog,
    write_ulog,
)

RECORDED = Path(__file__).parents[4] / "shared/data/mavlink"


def check(track: Track, t_s: float, height_m: float | None = 60.0, heading_deg: float | None = 45.0) -> None:
    """The flight north of the log writers."""
    state = track.at(t_s)
    assert state is not None and state.position is not None
    pose, at = state.pose, state.position.point
    assert at.latitude_deg == pytest.approx(latitude_at(t_s), abs=2e-7)
    assert at.longitude_deg == pytest.approx(LONGITUDE, abs=2e-7)
    assert pose.t_ns == round(t_s * 1e9)
    if height_m is not None:
        assert pose.height_agl_m is not None and pose.height_agl_m.value == pytest.approx(height_m, abs=0.01)
    if heading_deg is not None:
        assert pose.heading is not None
        assert math.degrees(pose.heading.value) == pytest.approx(heading_deg, abs=0.1)


def test_tlog(tmp_path: Path) -> None:
    track = read_telemetry(write_tlog(tmp_path / "a.tlog", seconds=4)).track
    assert len(track) == 41 and track.span_s == pytest.approx((0.0, 4.0))
    for t_s in (0.0, 1.23, 4.0):
        check(track, t_s)
    state = track.at(2.0)
    assert state is not None and state.position is not None
    assert state.position.velocity_ned_m_s == (5.0, 0.0, 0.0)
    assert state.position.source is PositionSource.AUTOPILOT
    pose = state.pose
    assert pose.altitude_amsl_m is not None and pose.altitude_amsl_m.value == pytest.approx(560.0)
    assert pose.height_takeoff_m is not None and pose.height_takeoff_m.value == pytest.approx(60.0)
    assert pose.ned_from_body is not None and pose.attitude_measured
    _, pitch, roll = rotation(pose.ned_from_body).as_euler("ZYX")
    assert (roll, pitch) == pytest.approx((0.02, -0.05), abs=1e-6)


def test_a_rangefinder_beats_the_barometer(tmp_path: Path) -> None:
    check(read_telemetry(write_tlog(tmp_path / "a.tlog", 2, range_m=57.3)).track, 1.0, height_m=57.3)
    check(read_telemetry(write_ulog(tmp_path / "a.ulg", 2, ground_m=57.3)).track, 1.0, height_m=57.3)


def test_dataflash(tmp_path: Path) -> None:
    track = read_telemetry(write_dataflash(tmp_path / "a.BIN", seconds=4)).track
    for t_s in (0.0, 1.23, 4.0):
        check(track, t_s)
    raw = read_telemetry(write_dataflash(tmp_path / "b.bin", seconds=2, fused=False)).track
    check(raw, 1.0, height_m=None)
    state = raw.at(1.0)
    assert state is not None and state.pose.height_agl_m is None  # a GPS altitude is no height above ground


def test_ulog(tmp_path: Path) -> None:
    track = read_telemetry(write_ulog(tmp_path / "a.ulg", seconds=4)).track
    for t_s in (0.0, 1.23, 4.0):
        check(track, t_s)


BRACKETS = (
    '<font size="28">SrtCnt : {n}, DiffTime : 33ms\n2023-05-01 10:00:00.123\n'
    "[iso: 110] [shutter: 1/1000.0] [fnum: 2.8] [focal_len: 24.00] [latitude: {lat:.9f}] "
    "[{spelt}: {lon:.9f}] [rel_alt: {h:.3f} abs_alt: {amsl:.3f}] "
    "[gb_yaw: 45.0 gb_pitch: -90.0 gb_roll: 0.0] </font>"
)
ONE_LINE = (
    "F/2.8, SS 1000, ISO 100, EV 0, GPS ({lon:.9f}, {lat:.9f}, 15), D 24.10m, H {h:.2f}m, H.S 5.00m/s, V.S 0.00m/s, "
    "F.PRY (1.0°, -3.7°, 44.0°), G.PRY (-90.0°, 0.0°, 45.0°)"
)
TWO_LINES = (
    "HOME(11.6000,48.2000) 2017.08.05 14:11:51\nGPS({lon:.9f},{lat:.9f},16) BAROMETER:{h:.1f}\nISO:100 Shutter:60"
)


@pytest.mark.parametrize(
    ("dialect", "spelt", "heading_deg", "focal"),
    [
        (BRACKETS, "longitude", 45.0, 24.0),
        (BRACKETS.replace("24.00", "240"), "longtitude", 45.0, 24.0),
        (ONE_LINE, "", 45.0, None),
        (TWO_LINES, "", None, None),
    ],
)
def test_srt_of_several_generations(
    tmp_path: Path, dialect: str, spelt: str, heading_deg: float | None, focal: float | None
) -> None:
    texts = [
        dialect.format(n=k + 1, lat=latitude_at(k), lon=LONGITUDE, h=60.0, amsl=560.0, spelt=spelt) for k in range(5)
    ]
    said = read_telemetry(write_srt(tmp_path / "a.SRT", texts))
    assert said.focal.at(2.0) == focal and said.track.stabilised
    check(said.track, 0.0, heading_deg=heading_deg)
    check(said.track, 2.4, heading_deg=heading_deg)
    last = said.track.at(4.9)  # within a period of the last subtitle: still its second
    assert last is not None and said.track.at(5.2) is None
    if heading_deg is None:
        assert last.pose.heading is None and last.pose.ned_from_body is None


def test_south_and_west_and_swapped_coordinates(tmp_path: Path) -> None:
    south = read_telemetry(write_srt(tmp_path / "a.srt", ["GPS(-70.66,-33.44,16) BAROMETER:50.0"] * 2)).track.at(0.0)
    swapped = read_telemetry(write_srt(tmp_path / "b.srt", ["GPS(-33.44,151.2,16) BAROMETER:50.0"] * 2)).track.at(0.0)
    assert south is not None and south.position is not None
    assert south.position.point == GeoPoint(-33.44, -70.66) and south.position.source is PositionSource.TAG
    assert swapped is not None and swapped.position is not None
    assert swapped.position.point == GeoPoint(-33.44, 151.2)


def test_a_gimbal_of_zeros_is_no_attitude(tmp_path: Path) -> None:
    text = BRACKETS.format(n=1, lat=LATITUDE, lon=LONGITUDE, h=60.0, amsl=560.0, spelt="longitude")
    zeros = text.replace("gb_yaw: 45.0 gb_pitch: -90.0", "gb_yaw: 0.0 gb_pitch: 0.0")
    state = read_telemetry(write_srt(tmp_path / "a.srt", [zeros] * 2)).track.at(0.5)
    assert state is not None and state.pose.heading is None


@pytest.mark.parametrize("suffix", [".srt", ".tlog", ".bin", ".log", ".ulg"])
def test_files_that_are_no_logs(tmp_path: Path, suffix: str) -> None:
    for name, content in (("empty", b""), ("words", b"hello world\n" * 50), ("noise", bytes(range(256)) * 20)):
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(content)
        with pytest.raises(TelemetryError, match=rf"{name}\{suffix}: .+\.|{name}\{suffix}: .+\?"):
            read_telemetry(path)
    with pytest.raises(TelemetryError, match="no such file"):
        read_telemetry(tmp_path / f"none{suffix}")


def test_subtitles_have_no_vehicles_and_no_boots(tmp_path: Path) -> None:
    path = write_srt(tmp_path / "a.srt", ["GPS(11.6,48.2,16) BAROMETER:50.0"] * 2)
    with pytest.raises(UsageError, match="leave --vehicle and --boot out"):
        read_telemetry(path, asked=Asked(boot=1))


def test_an_unknown_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,lat,lon")
    with pytest.raises(UsageError, match=r"not '\.csv'"):
        read_telemetry(tmp_path / "a.csv")


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded exchanges are not here")
@pytest.mark.parametrize("name", ["arducopter_mission_auto_rtl", "px4_goto_offboard"])
def test_logs_of_real_autopilots(name: str) -> None:
    track = read_telemetry(RECORDED / f"{name}.tlog").track
    first_s, last_s = track.span_s
    flown = [track.at(first_s + k * (last_s - first_s) / 50) for k in range(51)]
    poses = [state.pose for state in flown if state is not None]
    assert len(poses) >= 45 and all(pose.attitude_measured for pose in poses)
    heights = [pose.height_takeoff_m.value for pose in poses if pose.height_takeoff_m is not None]
    assert max(heights) > 8.0 and min(heights) < 2.0  # it took off
    tilts = [rotation(pose.ned_from_body).apply([0, 0, 1])[2] for pose in poses if pose.ned_from_body]
    assert min(tilts) > math.cos(math.radians(45))
