"""Between two samples: in proportion, the short way round, and as scipy has it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from runtime.interpolation import mix, mix_measured, mix_velocities, point_between, slerp
from runtime.rotations import ned_from_euler, rotation
from runtime.values import GeoPoint, Measured, Quaternion

# No subnormal numbers: a ray caster in the same test process sets the processor to flush them to zero.
ANGLE = st.floats(-3.1, 3.1, allow_subnormal=False)
TILT = st.floats(-1.4, 1.4, allow_subnormal=False)
SHARE = st.floats(0.0, 1.0, allow_subnormal=False)
ATTITUDE = st.builds(ned_from_euler, TILT, TILT, ANGLE)


@given(ATTITUDE, ATTITUDE, SHARE, st.booleans())
def test_slerp_agrees_with_scipy(a: Quaternion, b: Quaternion, share: float, negated: bool) -> None:
    pair = Rotation.concatenate([rotation(a), rotation(b)])
    if (pair[0].inv() * pair[1]).magnitude() > 3.1:
        return  # opposite rotations have no shorter arc
    expected = Slerp([0.0, 1.0], pair)(share)
    other = (-b[0], -b[1], -b[2], -b[3]) if negated else b  # the same rotation
    assert (expected.inv() * rotation(slerp(a, other, share))).magnitude() < 1e-6


@given(ATTITUDE)
def test_between_equal_attitudes_nothing_turns(a: Quaternion) -> None:
    assert slerp(a, a, 0.3) == pytest.approx(a, abs=1e-12)


def test_numbers_go_in_proportion() -> None:
    assert mix(2.0, 6.0, 0.25) == 3.0
    assert mix_velocities((0.0, 1.0, 2.0), (4.0, 1.0, 0.0), 0.5) == (2.0, 1.0, 1.0)
    assert mix_measured(Measured(10.0, 1.0, "a"), Measured(20.0, 3.0, "b"), 0.1) == Measured(11.0, 3.0, "b")


@pytest.mark.parametrize(
    ("a_deg", "b_deg", "middle_deg"), [(10.0, 11.0, 10.5), (179.9, -179.7, -179.9), (-179.9, 179.7, 179.9)]
)
def test_places_go_the_short_way_across_the_date_line(a_deg: float, b_deg: float, middle_deg: float) -> None:
    point = point_between(GeoPoint(60.0, a_deg), GeoPoint(61.0, b_deg), 0.5)
    assert (point.latitude_deg, point.longitude_deg) == pytest.approx((60.5, middle_deg))


@given(SHARE, st.floats(-180.0, 180.0, allow_subnormal=False))
def test_a_place_between_equal_ones_is_that_one(share: float, longitude_deg: float) -> None:
    point = point_between(GeoPoint(50.0, longitude_deg), GeoPoint(50.0, longitude_deg), share)
    assert point.latitude_deg == 50.0 and math.remainder(point.longitude_deg - longitude_deg, 360.0) == 0.0
