"""Each maker's and generation's subtitles: which number is the latitude, which height is which."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from runtime.errors import TelemetryError
from runtime.rotations import rotation
from runtime.sources.subtitles.order import Order
from runtime.sources.telemetry import Telemetry, read_telemetry
from runtime.values import NavState
from tests.runtime.sources.logs import write_srt

NORTH_WEST = (46.8393, -71.9991)


def read(folder: Path, *texts: str, order: Order | None = None) -> Telemetry:
    """A file of these texts, a second each; a single one is told twice."""
    return read_telemetry(write_srt(folder / "a.srt", list(texts) * (2 if len(texts) == 1 else 1)), order)


def first(said: Telemetry) -> NavState:
    state = said.track.at(0.0)
    assert state is not None and state.position is not None
    return state


def refused(folder: Path, *texts: str, order: Order | None = None) -> str:
    with pytest.raises(TelemetryError) as error:
        read(folder, *texts, order=order)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "height_m"),
    [
        ("2023.08.07 20:10:01\nGPS(46.8393,-71.9991,0.0M) BAROMETER:97.7M", 97.7),  # Matrice 300 with XT2
        ("HOME(-71.9990,46.8390) 2017.8.5 14:11:51\nGPS(-71.9991,46.8393,16) Hb:41.9 Hs:1.9\nISO:100 TV:60", 41.9),
        ("HOME(-71.9990,46.8390) 2017.08.05 14:11:51\nGPS(-71.9991,46.8393,16) BAROMETER:41.9", 41.9),  # Mavic Pro
        ("GPS(-71.9991,46.8393,16) BAROMETER:41.9\nISO:100 Shutter:60 EV: Fnum:2.2", 41.9),
        ("GPS(-71.999100,46.839300,469.8) BAROMETER(60.0) HOME(-71.999100,46.839300)", 60.0),
        ("F/2.8, SS 206.14, ISO 150, EV 0, GPS (-71.9991, 46.8393, 10), D 2.80m, H 39.80m, H.S n/a, V.S n/a", 39.8),
        ("F/2.8, SS 206.14, ISO 150, EV 0, GPS (-71.9991, 46.8393, n/a), D n/a, H 39.80m", 39.8),
        ("F/6.3, SS 60, ISO 100, EV 0, RTK (-71.999100, 46.839300, 28), HOME (-71.9, 46.8, 103.55m), H 76.19m", 76.19),
        ("[latitude : 46.8393] [longtitude : -71.9991] [iso : 100]", None),
        ("[focal_len : 240] [dzoom_ratio: 10000, delta:0],[latitude: 46.8393] [longitude: -71.9991] "
         "[rel_alt: 34.600 abs_alt: 137.305]", 34.6),
        ("HOME(W: 71.999000, N: 46.839000) 2024-09-14 12:00:01\nGPS(W: 71.999100, N: 46.839300, 001.01m)", None),
        ("LAT: 46.8393 LON: -71.9991 ALT: 132.86", None),
        ("GPS (N: 46.839300, W: 71.999100, 12.50m)", None),  # the letters say it, whatever comes first
    ],
)  # fmt: skip
def test_the_dialect_says_which_number_is_the_latitude(tmp_path: Path, text: str, height_m: float | None) -> None:
    state = first(read(tmp_path, text))
    assert state.position is not None
    at = state.position.point
    assert (at.latitude_deg, at.longitude_deg) == NORTH_WEST
    takeoff = state.pose.height_takeoff_m
    assert (None if takeoff is None else takeoff.value) == height_m


@pytest.mark.parametrize(
    ("text", "latitude_deg", "longitude_deg"),
    [
        ("GPS(E: 12.300000, N: 45.600000, 9m)", 45.6, 12.3),
        ("GPS (W: 70.1, S: 33.2)", -33.2, -70.1),
        ("GPS(39.906217,116.391305,69.800) BAROMETER(91.2) HOME(39.906206,116.391400)", 39.906217, 116.391305),
        ("GPS(151.2,-33.4,0.0M) BAROMETER:9.0M", -33.4, 151.2),  # no latitude, whatever the dialect
        ("[latitude: 0.000000] [longitude: 12.3]", 0.0, 12.3),  # the equator is a place
    ],
)
def test_letters_names_and_numbers_beyond_ninety_are_proof(
    tmp_path: Path, text: str, latitude_deg: float, longitude_deg: float
) -> None:
    position = first(read(tmp_path, text)).position
    assert position is not None
    assert (position.point.latitude_deg, position.point.longitude_deg) == (latitude_deg, longitude_deg)


def test_an_order_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    bare = "GPS(46.9995,8.0000,469.8) BAROMETER(60.0)"
    assert "nothing says which number" in (sentence := refused(tmp_path, bare)) and "--gps-order" in sentence
    for order, expected in ((Order.LATITUDE_FIRST, 46.9995), (Order.LONGITUDE_FIRST, 8.0)):
        position = first(read(tmp_path, bare, order=order)).position
        assert position is not None and position.point.latitude_deg == expected
    mixed = ("GPS(46.9,8.0,0.0M) BAROMETER:60.0M", "GPS(8.0,46.9,16) BAROMETER:60.0")
    assert "nothing says" in refused(tmp_path, *mixed)
    assert "damaged" in refused(tmp_path, "GPS(100.0,8.0,16)", "GPS(8.0,100.0,16)")
    assert "--gps-order" in refused(tmp_path, "GPS(100.0,8.0,16)", order=Order.LATITUDE_FIRST)


def test_an_order_that_only_a_home_line_tells_is_said(tmp_path: Path) -> None:
    (note,) = read(tmp_path, "GPS(8.000000,46.999460,469.8) BAROMETER(60.0) HOME(8.000000,46.999460)").notes
    assert "longitude is taken to come first" in note and "--gps-order" in note


def test_a_sonar_and_an_altitude_of_unknown_datum_are_no_height_above_take_off(tmp_path: Path) -> None:
    for text in ("HOME(8.0,46.9) GPS(8.0,46.9,16) Hs:1.9", "[latitude: 46.9] [longitude: 8.0] [altitude: 117.0]"):
        pose = first(read(tmp_path, text)).pose
        assert pose.height_takeoff_m is None and pose.altitude_amsl_m is None


def test_a_lone_altitude_is_what_its_generation_means_by_it(tmp_path: Path) -> None:
    at = "DiffTime : 16ms\n2020-04-02 15:19:58,720,764\n"
    lahore = f"FrameCnt : 1, {at}[latitude : 31.45] [longtitude : 74.39] [altitude: 213.98]"
    air_2 = f"SrtCnt : 1, {at}[latitude: 41.42] [longitude: 2.16] [altitude: 27.3]"
    above_sea, above_takeoff = first(read(tmp_path, lahore)).pose, first(read(tmp_path, air_2)).pose
    assert above_sea.altitude_amsl_m is not None and above_sea.altitude_amsl_m.value == 213.98
    assert above_sea.height_takeoff_m is None and above_takeoff.altitude_amsl_m is None
    assert above_takeoff.height_takeoff_m is not None and above_takeoff.height_takeoff_m.value == 27.3


def test_a_height_that_is_none_is_no_height(tmp_path: Path) -> None:
    pose = first(read(tmp_path, f"[latitude: 46.9] [longitude: 8.0] [rel_alt: {'9' * 400}.0 abs_alt: 99999999]")).pose
    assert pose.height_takeoff_m is None and pose.altitude_amsl_m is None


@pytest.mark.parametrize(("decimals", "sigma_m"), [(7, 3.0), (6, 3.0), (5, 3.02), (4, 4.39), (3, 32.28)])
def test_positions_of_few_decimals_say_so_in_their_sigma(tmp_path: Path, decimals: int, sigma_m: float) -> None:
    said = read(tmp_path, f"[latitude: {46.1234567:.{decimals}f}] [longitude: {8.7654321:.{decimals}f}]")
    position = first(said).position
    assert position is not None and position.sigma_m == pytest.approx(sigma_m, abs=0.02)
    assert any("steps of" in note for note in said.notes) == (decimals < 5)


@pytest.mark.parametrize(
    ("text", "latitude", "longitude"),
    [
        ("[latitude: 33.4567S] [longitude: 70.1234W] [rel_alt: 60.0 abs_alt: 560.0]", -33.4567, -70.1234),
        ("Lat: 33.456700° S, Lon: 70.123400° W", -33.4567, -70.1234),
        ("Lat: 33.456700 N Lon: 70.123400 E", 33.4567, 70.1234),
        ("LAT:33.456700S,LON:70.123400W,ALT:60", -33.4567, -70.1234),
        ("[latitude: 33.456700 s] [longitude: 70.123400 w]", -33.4567, -70.1234),
        ("Latitude: 33.456700 South Longitude: 70.123400 West", -33.4567, -70.1234),
        ("lat: -33.456700 S lng: -70.123400 W", -33.4567, -70.1234),
        ("[latitude: 33,456700] [longitude: -70,123400]", 33.4567, -70.1234),
        ("[latitude: 51.476700] [longitude: 5.12e-05]", 51.4767, 0.0000512),
        ("[latitude: 33.4567] [longitude: 70.1234] [home latitude: 1.0] [home longitude: 2.0]", 33.4567, 70.1234),
        ("[Home latitude: 1.0] [Home longitude: 2.0] [latitude: 33.4567] [longitude: 70.1234]", 33.4567, 70.1234),
    ],
)
def test_a_number_is_read_whole_with_its_hemisphere(
    tmp_path: Path, text: str, latitude: float, longitude: float
) -> None:
    position = first(read(tmp_path, text)).position
    assert position is not None
    assert position.point.latitude_deg == pytest.approx(latitude, abs=1e-9)
    assert position.point.longitude_deg == pytest.approx(longitude, abs=1e-9)


def test_half_a_number_is_none(tmp_path: Path) -> None:
    assert "no positions that can be read" in refused(tmp_path, "[latitude: 46°50'21.5\"] [longitude: 8°07'24.2\"]")
    feet = "[latitude: 46.9393] [longitude: 8.0] [rel_alt: 130.6ft abs_alt: 1800 feet]"
    pose = first(read(tmp_path, feet)).pose
    assert pose.height_takeoff_m is None and pose.altitude_amsl_m is None


def test_zeros_before_the_fix_are_no_places_and_tell_no_order(tmp_path: Path) -> None:
    said = read(tmp_path, "GPS(0.0000,0.0000,0.0M) BAROMETER:0.3M", "GPS(46.8393,-71.9991,0.0M) BAROMETER:0.3M")
    assert len(said.track) == 1
    assert "no positions" in refused(tmp_path, "[latitude: 0.000000] [longitude: 0.000000] [rel_alt: 0.4 abs_alt: 2]")
    assert "no positions" in refused(tmp_path, "GPS (n/a, n/a, 0), D n/a, H n/a")


def test_radians_are_not_read_as_degrees(tmp_path: Path) -> None:
    assert "radians" in refused(tmp_path, "[latitude : 0.722959] [longtitude : 0.037736]")
    assert len(read(tmp_path, "[latitude : 4.722959] [longtitude : 0.037736]").track) == 2


@pytest.mark.parametrize(
    "text",
    [
        "[latitude: 46.9] [longitude: 8.0] [gb_yaw: 30.0 gb_pitch: -60.0 gb_roll: 0.0]",
        "[latitude: 46.9] [longitude: 8.0] [gb_yaw: -150.0 gb_pitch: -120.0 gb_roll: 180.0]",  # the same attitude
        "F/2.8, SS 60, GPS (8.0, 46.9, 15), F.PRY (9.0°, 9.0°, 9.0°), G.PRY (-60.0°, 0.0°, 30.0°)",
        "GPS(E: 8.0, N: 46.9, 001.01m)\nF.PRY (-1.0°, 1.0°, 100.1°), G.PRY (-60.0°, 0.0°, 30.0°)",
    ],
)
def test_the_gimbal_is_the_attitude(tmp_path: Path, text: str) -> None:
    pose = first(read(tmp_path, text)).pose
    assert pose.ned_from_body is not None and pose.heading is not None
    assert math.degrees(pose.heading.value) == pytest.approx(30.0)
    down = rotation(pose.ned_from_body).apply([0.0, 0.0, 1.0])  # of a camera mounted straight down
    sine = math.sin(math.radians(30.0))
    assert down == pytest.approx([sine * math.cos(math.radians(30)), sine * sine, math.cos(math.radians(30))])


def test_an_attitude_of_the_airframe_is_not_the_cameras(tmp_path: Path) -> None:
    text = "[latitude: 46.9] [longtitude: 8.0] [altitude: 28.7] [Drone: Yaw:-146.0, Pitch:-0.6, Roll:1.3]"
    assert first(read(tmp_path, text)).pose.attitude is None
