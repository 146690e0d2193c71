"""One stretch from deep values to eight bits: whatever the type and the damage, in range and in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from runtime.sources.stretch import Stretch, eight_bit, stretch_of

DEEP = [np.uint16, np.int16, np.uint32, np.int32, np.float16, np.float32, np.float64]


def test_eight_bits_stay_as_they_are() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert eight_bit(values) is values


@pytest.mark.parametrize("kind", DEEP)
def test_the_middle_of_the_values_fills_the_range(kind: Any) -> None:
    values = np.linspace(300, 2300, 10_000).astype(kind).reshape(100, 100)
    values[0, 0] = 30_000  # one glint does not darken the rest
    shown = eight_bit(values)
    low, high = np.percentile(np.linspace(300, 2300, 10_000), [2, 98])
    expected = np.clip((np.linspace(300, 2300, 10_000) - low) / (high - low), 0, 1) * 255
    assert shown.dtype == np.uint8 and shown.shape == (100, 100)
    assert np.abs(shown.reshape(-1)[1:] - expected[1:]).max() <= 1.01


def test_one_stretch_keeps_what_is_bright_and_dark_of_parts() -> None:
    dark, bright = np.full((50, 50), 1000, np.uint16), np.full((50, 50), 3000, np.uint16)
    stretch = stretch_of(np.concatenate([dark, bright]))
    assert (stretch.eight_bit(dark) == 0).all() and (stretch.eight_bit(bright) == 255).all()


def test_a_picture_of_one_colour_stays_one_and_steps_are_not_blown_up() -> None:
    assert np.ptp(eight_bit(np.full((40, 40), 4800, np.uint16))) == 0
    steps = np.full((40, 40), 4800, np.uint16)
    steps[:, 20:] += 1
    assert 0 < np.ptp(eight_bit(steps)) < 32


def test_what_is_no_number_is_black_and_does_not_count() -> None:
    values = np.linspace(0.1, 0.4, 10_000).reshape(100, 100).astype(np.float32)
    holed = values.copy()
    holed[:50], holed[0, 0], holed[0, 1] = np.nan, np.inf, -np.inf
    assert stretch_of(holed) == stretch_of(values[50:])
    shown = eight_bit(holed)
    assert (shown[1:50] == 0).all() and shown[0, 0] == 255 and shown[0, 1] == 0
    with np.errstate(all="raise"):
        assert np.ptp(eight_bit(np.array([-1.7e308, 0.0, 1.7e308] * 50))) == 255
    assert stretch_of(np.full((5, 5), np.nan, np.float32)) == Stretch(0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.bool_, np.int8, *DEEP, np.int64, np.uint64]).flatmap(
        lambda kind: arrays.arrays(
            kind,
            st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 3)),
            elements=arrays.from_dtype(np.dtype(kind), allow_subnormal=False),  # other tests' libraries flush them to 0
        )
    )
)
def test_any_values_are_eight_bits_in_their_own_order(values: np.ndarray) -> None:
    shown = eight_bit(values)
    assert shown.dtype == np.uint8 and shown.shape == values.shape
    known = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    order = np.argsort(values[known], kind="stable")
    assert (np.diff(shown[known][order].astype(int)) >= 0).all()
    assert (shown[~known] == 0).all()
