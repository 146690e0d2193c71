"""A value survives its way in a float32, whichever way the autopilot has it travel."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.parameters.encoding import decoded, encoded

INT32, UINT8, REAL32, REAL64 = 6, 1, 9, 10


@given(st.integers(-(2**31), 2**31 - 1))
@settings(max_examples=50, deadline=None)
def test_every_whole_number_travels_byte_for_byte(value: int) -> None:
    assert decoded(encoded(value, INT32, True), INT32, True) == value


@given(st.integers(-(2**24), 2**24))
@settings(max_examples=20, deadline=None)
def test_a_cast_carries_whole_numbers_as_far_as_a_float_does(value: int) -> None:
    assert struct.unpack("<f", encoded(value, INT32, False)) == (value,)
    assert decoded(encoded(value, INT32, False), INT32, False) == value


def test_the_two_encodings_of_one() -> None:
    assert encoded(1, INT32, True) == b"\1\0\0\0" and encoded(1, INT32, False) == struct.pack("<f", 1.0)
    assert encoded(1.5, REAL32, True) == encoded(1.5, REAL32, False) == struct.pack("<f", 1.5)
    assert mavlink.MAV_PARAM_TYPE_INT32 == INT32


@pytest.mark.parametrize("value, kind", [(256, UINT8), (-1, UINT8), (1.5, INT32), (2**31, INT32), (1.0, REAL64)])
def test_what_does_not_fit_is_refused(value: float, kind: int) -> None:
    with pytest.raises(ValueError, match="too large|no whole number|does not fit"):
        encoded(value, kind, True)


def test_a_type_that_does_not_fit_into_the_message_has_no_value() -> None:
    assert decoded(b"\0\0\0\0", REAL64, True) is None
