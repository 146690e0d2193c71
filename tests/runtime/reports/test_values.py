"""A report is a value in range, or none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.reports import flags, messages, values
from runtime.values import GeoPoint

ANY = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=False)  # other tests' libraries flush them


@settings(max_examples=200, deadline=None)
@given(ANY, ANY)
def test_a_place_is_on_this_planet_or_none(latitude_deg: float, longitude_deg: float) -> None:
    point = values.geo_point(latitude_deg, longitude_deg)
    inside = math.isfinite(latitude_deg) and abs(latitude_deg) <= 90 and abs(longitude_deg) <= 180
    assert (point is not None) == (inside and (latitude_deg, longitude_deg) != (0.0, 0.0))


@settings(max_examples=100, deadline=None)
@given(st.tuples(ANY, ANY, ANY, ANY))
def test_a_quaternion_is_of_unit_length_or_none(wxyz: tuple[float, float, float, float]) -> None:
    turned = values.attitude_of_quaternion(wxyz)
    if turned is not None:
        assert math.dist(turned.ned_from_body, (0, 0, 0, 0)) == pytest.approx(1.0)


def test_what_is_said_and_what_is_not() -> None:
    assert values.geo_point(0.0, 0.0) is None and values.geo_point(0.0, 8.0) == GeoPoint(0.0, 8.0)
    assert values.attitude((0.0, math.nan, 0.0)) is None
    assert values.attitude_of_quaternion((0.0, 0.0, 0.0, 0.0)) is None
    assert values.attitude_of_quaternion((1.01, 0.0, 0.0, 0.0)) == values.Attitude((1.0, 0.0, 0.0, 0.0))
    assert values.sigma_m(0.0) is None and values.sigma_m(math.inf) is None and values.sigma_m(1e-6) == 0.01
    assert values.altitude_m(-432.0) == -432.0 and values.altitude_m(1e6) is None and values.height_m(math.nan) is None
    assert values.ground(0.2, 0.2, 50.0) is None and values.ground(12.0, 0.2, 50.0) == values.Ground(12.0)


def test_a_receiver_without_a_fix_knows_nothing_whatever_accuracy_it_repeats() -> None:
    stale = mavlink.MAVLink_gps_raw_int_message(0, 1, 480000000, 110000000, 0, 121, 121, 0, 0, 3, 0, 300, 300)
    said = messages.receiver(stale)
    assert not said.fixed and said.sigma_m == math.inf
    fixed = mavlink.MAVLink_gps_raw_int_message(0, 6, 480000000, 110000000, 0, 121, 121, 0, 0, 10, 0, 300, 300)
    assert messages.receiver(fixed).sigma_m == pytest.approx(0.3)
    silent = mavlink.MAVLink_gps_raw_int_message(0, 3, 480000000, 110000000, 0, 121, 121, 0, 0, 10)
    assert messages.receiver(silent).sigma_m == values.FALLBACK_SIGMA_M


@pytest.mark.parametrize(("fix_type", "fixed"), [(0, False), (2, False), (3, True), (6, True), (8, True), (9, False)])
def test_which_fixes_are_fixes(fix_type: int, fixed: bool) -> None:
    assert values.Receiver(fix_type, 9).fixed is fixed


def test_a_range_is_down_inside_and_valid() -> None:
    def reading(orientation: int, cm: int, quality: int = 0) -> values.Ground | None:
        message = mavlink.MAVLink_distance_sensor_message(0, 20, 5000, cm, 0, 0, orientation, 0)
        message.signal_quality = quality
        return messages.ground(message)

    assert reading(25, 1230) == values.Ground(pytest.approx(12.3))
    assert reading(0, 1230) is None and reading(25, 20) is None and reading(25, 5000) is None
    assert reading(25, 1230, quality=1) is None and reading(25, 1230, quality=80) is not None


@pytest.mark.parametrize(
    ("dialect", "word", "ok", "glitch"),
    [  # recorded words of ArduCopter and PX4, and dataflash's own bits for the same
        (flags.ArduPilotFlags, 0x33F, True, False),
        (flags.ArduPilotFlags, 0x0A7, False, False),
        (flags.ArduPilotFlags, 0x400, False, False),
        (flags.ArduPilotFlags, 0x833F, False, True),
        (flags.Px4Flags, 0x3FF, True, False),
        (flags.Px4Flags, 0x17F, True, False),
        (flags.Px4Flags, 0x3FF | mavlink.ESTIMATOR_GPS_GLITCH, False, True),
        (flags.DataflashFlags, 0x33F | 1 << 13, True, False),
        (flags.DataflashFlags, 0x33F | 1 << 14, False, True),
        (flags.DataflashFlags, 0x33F | 1 << 10, True, False),  # it took off: no sign of being uninitialised
        (flags.DataflashFlags, 0x33F | 1 << 18, False, False),
        (flags.DataflashFlags, 0x0A7, False, False),
    ],
)
def test_flags_by_their_dialect(dialect: flags.Dialect, word: int, ok: bool, glitch: bool) -> None:
    assert (flags.estimator_ok(dialect, word), flags.gps_glitch(dialect, word)) == (ok, glitch)
