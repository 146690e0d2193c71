"""Rotations in plain arithmetic, against scipy's."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from runtime.rotations import ned_from_euler, rotation, turned_by_rates
from runtime.values import yaw_of

# No subnormal numbers: a ray caster in the same test process sets the processor to flush them to zero.
ANGLE = st.floats(-3.1, 3.1, allow_subnormal=False)
TILT = st.floats(-1.4, 1.4, allow_subnormal=False)


@given(TILT, TILT, ANGLE)
def test_euler_angles_are_yaw_then_pitch_then_roll(roll: float, pitch: float, yaw: float) -> None:
    expected = Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_matrix()
    np.testing.assert_allclose(rotation(ned_from_euler(roll, pitch, yaw)).as_matrix(), expected, atol=1e-9)


@given(
    st.tuples(TILT, TILT, ANGLE),
    st.floats(-2.0, 2.0, allow_subnormal=False),
    st.floats(-2.0, 2.0, allow_subnormal=False),
    st.floats(-2.0, 2.0, allow_subnormal=False),
)
def test_turning_by_rates_agrees_with_the_rotation_vector(
    angles: tuple[float, ...], p: float, q: float, r: float
) -> None:
    start = ned_from_euler(*angles)
    expected = rotation(start) * Rotation.from_rotvec(np.array([p, q, r]) * 0.05)
    assert (expected.inv() * rotation(turned_by_rates(start, (p, q, r), 0.05))).magnitude() < 1e-9


@given(ANGLE)
def test_yaw_is_the_heading_of_the_nose(yaw: float) -> None:
    assert math.isclose(math.cos(yaw_of(ned_from_euler(0.2, -0.3, yaw)) - yaw), 1.0, abs_tol=1e-9)
