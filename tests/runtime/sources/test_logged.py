"""Photos with their flight's log: where each was taken by its time, and what is refused."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.camera_model import CameraModel
from runtime.errors import TelemetryError, UsageError
from runtime.geodesy import distance_m
from runtime.sources.logged import BEYOND, UNDATED, photo_log, read_logged
from runtime.sources.logs.dataflash import read_dataflash
from runtime.sources.logs.tlog import read_tlog
from runtime.sources.logs.ulog import read_ulog
from runtime.sources.photo import CameraFlags
from runtime.sources.track import Track
from runtime.values import GeoPoint
from tests.runtime.sources.logs import (
    LATITUDE,
    LONGITUDE,
    Dataflash,
    Tlog,
    ULogWriter,
    attitude_message,
    latitude_at,
    position_message,
    write_dataflash,
)
from tests.runtime.sources.photos import TAKEN, dji_xmp, write_photo

START_S = 1_700_000_000.0  # 2023-11-14 22:13:20
GREY = np.full((48, 64, 3), 90, np.uint8)
FLAGS = CameraFlags(hfov_deg=69.0)
CUAV = Path(__file__).parents[4] / "shared/data/flights/cuav"


def _system_time(utc_s: float, boot_s: float) -> Any:
    return mavlink.MAVLink_system_time_message(round(utc_s * 1e6), round(boot_s * 1e3))


def write_dated_tlog(path: Path, said_s: float | None, late_s: float = 0.0) -> Path:
    """20 s, 10 Hz; ``said_s``: the time at its start by the vehicle's word; the writer is ``late_s`` at odd ones."""
    log = Tlog(path, START_S)
    for k in range(201):
        t_s, arrived_s = k / 10, k / 10 + late_s * (k % 2)
        if said_s is not None:
            log.say(arrived_s, _system_time(said_s + t_s, 100 + t_s))
        log.say(arrived_s, attitude_message(100.0, t_s))
        log.say(arrived_s, position_message(100.0, t_s))
    return log.done()


def write_dated_dataflash(path: Path) -> Path:
    formats = {**Dataflash.FORMATS, "GPS": ("QBIHLLf", "TimeUS,Status,GMS,GWk,Lat,Lng,Alt")}
    log = Dataflash(path, formats)
    week, seconds = divmod(START_S + 18 - 315_964_800, 604_800)
    for k in range(201):
        t_us, lat = round((50.0 + k / 10) * 1e6), round(latitude_at(k / 10) * 1e7)
        log.write("POS", t_us, lat, round(LONGITUDE * 1e7), 560.0, 60.0, 60.0)
        if k % 2 == 0:
            log.write("GPS", t_us + 150_000 * (k % 4 > 0), 3, round((seconds + k / 10) * 1e3), int(week), lat, 0, 560.0)
    return log.done()


def write_dated_ulog(path: Path) -> Path:
    formats = {
        "vehicle_global_position": "uint64_t timestamp;double lat;double lon;float alt;",
        "sensor_gps": "uint64_t timestamp;uint64_t time_utc_usec;int32_t lat;int32_t lon;int32_t alt;uint8_t fix_type;",
    }
    log = ULogWriter(path, formats)
    for k in range(201):
        t_us, lat = round((50.0 + k / 10) * 1e6), latitude_at(k / 10)
        log.write("vehicle_global_position", t_us, lat, LONGITUDE, 560.0)
        log.write("sensor_gps", t_us, round((START_S + k / 10) * 1e6), round(lat * 1e7), 1, 560_000, 3)
    return log.done()


def by_stamps(folder: Path) -> Track:
    return read_tlog(write_dated_tlog(folder / "a.tlog", None, late_s=0.4))[0]


def by_nonsense(folder: Path) -> Track:
    """The year 2908, as a real autopilot's clock said that had not been set."""
    return read_tlog(write_dated_tlog(folder / "b.tlog", 29_618_095_652.0))[0]


def by_word(folder: Path) -> Track:
    """The ground station's clock is an hour off; the vehicle's word counts."""
    log = write_dated_tlog(folder / "c.tlog", START_S)
    data = bytearray(log.read_bytes())
    stamp = struct.pack(">Q", round(START_S * 1e6))
    assert data[:8] == stamp
    at = 0
    while at < len(data):
        (us,) = struct.unpack_from(">Q", data, at)
        struct.pack_into(">Q", data, at, us + 3_600_000_000)
        at += 8 + 12 + data[at + 9]
    log.write_bytes(data)
    return read_tlog(log)[0]


@pytest.mark.parametrize(
    "read",
    [
        by_stamps,
        by_nonsense,
        by_word,
        lambda folder: read_dataflash(write_dated_dataflash(folder / "d.BIN"))[0],
        lambda folder: read_ulog(write_dated_ulog(folder / "e.ulg"))[0],
    ],
)
def test_every_kind_of_log_says_its_date(read: Callable[[Path], Track], tmp_path: Path) -> None:
    assert read(tmp_path).utc_start_s == pytest.approx(START_S, abs=0.02)


def named(folder: Path, t_s: float, ending: str = "Z") -> Path:
    at = datetime.fromtimestamp(START_S + t_s, tz=timezone.utc)
    return write_photo(folder / f"{at:%Y%m%d%H%M%S}{at.microsecond // 10_000:02d}{ending}.jpg", GREY)


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return by_stamps(tmp_path_factory.mktemp("log"))


def test_a_photo_has_the_logs_pose_at_its_exposure(track: Track, tmp_path: Path) -> None:
    path = named(tmp_path, 7.25)
    photo = read_logged(path, FLAGS, 0, photo_log(tmp_path / "x", track, [path]))
    assert photo.tag is not None and not photo.unusable
    assert distance_m(photo.tag.point, GeoPoint(latitude_at(7.25), LONGITUDE)) < 0.1
    assert photo.pose.t_ns == photo.frame.t_ns == (int(START_S) * 100 + 725) * 10**7
    assert photo.pose.heading is not None and photo.pose.heading.value == pytest.approx(math.pi / 4, abs=1e-3)
    assert photo.pose.height_agl_m is not None and photo.pose.height_agl_m.value == pytest.approx(60.0)


def test_offset_and_the_cameras_delay_move_the_instant(track: Track, tmp_path: Path) -> None:
    path = named(tmp_path, 7.0)
    late = CameraModel.from_hfov(64, 48, 69.0, delay_s=0.5)
    photo = read_logged(path, CameraFlags(calibrated=late), 0, photo_log(tmp_path / "x", track, [path], 2.0))
    assert photo.tag is not None
    assert distance_m(photo.tag.point, GeoPoint(latitude_at(8.5), LONGITUDE)) < 0.1
    with pytest.raises(UsageError, match="beyond any log"):
        photo_log(tmp_path / "x", track, [path], math.nan)


def test_a_stamp_of_whole_seconds_widens_the_position(track: Track, tmp_path: Path) -> None:
    path = write_photo(tmp_path / "a.jpg", GREY, detail={TAKEN: "2023:11:14 22:13:30"})
    photo = read_logged(path, FLAGS, 0, photo_log(tmp_path / "x", track, [path]))
    assert photo.tag is not None
    assert distance_m(photo.tag.point, GeoPoint(latitude_at(10.5), LONGITUDE)) < 0.1, "the middle of the second"
    fine = read_logged(named(tmp_path, 10.5), FLAGS, 0, photo_log(tmp_path / "x", track, [named(tmp_path, 10.5)]))
    assert fine.tag is not None
    assert photo.tag.sigma_m**2 - fine.tag.sigma_m**2 == pytest.approx(5.0**2 / 12, rel=0.01)


def test_a_gimbals_own_angles_are_kept(track: Track, tmp_path: Path) -> None:
    at = named(tmp_path, 3.0)
    write_photo(at, GREY, xmp=dji_xmp(GimbalYawDegree=90, GimbalPitchDegree=-80, GimbalRollDegree=0))
    photo = read_logged(at, FLAGS, 0, photo_log(tmp_path / "x", track, [at]))
    assert photo.pose.heading is not None and photo.pose.heading.value == pytest.approx(math.pi / 2, abs=1e-3)


def test_single_photos_without_a_place_in_the_log_are_left_out_with_the_reason(track: Track, tmp_path: Path) -> None:
    inside, outside = named(tmp_path, 3.0), named(tmp_path, 300.0)
    undated = write_photo(tmp_path / "DSC1.jpg", GREY)
    log = photo_log(tmp_path / "x", track, [inside, outside, undated])
    reasons = [read_logged(path, FLAGS, 0, log).unusable for path in (inside, outside, undated)]
    assert reasons == ["", BEYOND, UNDATED]
    assert read_logged(outside, FLAGS, 0, log).tag is None


def test_times_that_do_not_overlap_are_refused(track: Track, tmp_path: Path) -> None:
    local = [named(tmp_path, 2 * 3600 + 1.0, ""), named(tmp_path, 2 * 3600 + 17.0, "")]
    with pytest.raises(TelemetryError, match=r"ends 2 h before the first of the 2 .*--time-offset-s -7200 all lie"):
        photo_log(tmp_path / "x", track, local)
    photo_log(tmp_path / "x", track, local, -7200.0)
    early = [named(tmp_path, -86400 * 40)]
    with pytest.raises(TelemetryError, match=r"begins 40 days after the last of .*; --time-offset-s says"):
        photo_log(tmp_path / "x", track, early)
    with pytest.raises(TelemetryError, match="without an offset all lie within it"):
        photo_log(tmp_path / "x", track, [named(tmp_path, 5.0)], 3600.0)


def test_a_log_without_a_date_is_refused(tmp_path: Path) -> None:
    track = read_dataflash(write_dataflash(tmp_path / "a.BIN", 5))[0]
    assert track.utc_start_s is None and LATITUDE
    with pytest.raises(TelemetryError, match="holds no date"):
        photo_log(tmp_path / "a.BIN", track, [named(tmp_path, 1.0)])


def test_a_calibration_holds_for_pictures_of_its_shape(tmp_path: Path) -> None:
    path = named(tmp_path, 1.0)
    calibrated = CameraModel(128, 96, 100.0, 101.0, 63.0, 47.0, (0.1, 0.0, 0.0, 0.0, 0.0))
    photo = read_logged(path, CameraFlags(calibrated=calibrated), 0, None)
    assert photo.lens_source == "calibration" and photo.camera == calibrated.scaled_to(64, 48)
    with pytest.raises(UsageError, match="of another shape"):
        read_logged(path, CameraFlags(calibrated=CameraModel.from_hfov(64, 64, 60.0)), 0, None)
    with pytest.raises(UsageError, match="not both"):
        CameraFlags(hfov_deg=60.0, calibrated=calibrated)


@pytest.mark.skipif(not CUAV.is_dir(), reason="the real flight is not here")
def test_a_real_flight_is_found_in_its_log_by_the_names_of_its_pictures() -> None:
    """Its vehicle's clock says the year 2908; the ground station's is right."""
    pictures = sorted(CUAV.glob("*.jpg"))
    log = photo_log(CUAV / "flight.tlog", read_tlog(CUAV / "flight.tlog")[0], pictures)
    states = [log.state(path) for path in pictures]
    assert len(states) == 18 and all(state is not None and state.pose.attitude_measured for state in states)
    heights_m = [state.pose.height_agl_m.value for state in states if state is not None and state.pose.height_agl_m]
    assert len(heights_m) == 18 and np.median(heights_m) == pytest.approx(81.0, abs=3.0)
