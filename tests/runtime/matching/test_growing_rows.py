"""Rows that grow while they are read: against a plain concatenation."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.matching.growing_rows import GrowingRows, lies_in_file, picked, released


def test_it_is_a_concatenation_and_what_was_handed_out_stays() -> None:
    rng = np.random.default_rng(1)
    grown, pieces, handed = GrowingRows(np.float16), [], []
    for size in rng.integers(0, 90, 40):
        pieces.append(rng.standard_normal((size, 3)).astype(np.float16))
        grown.append(pieces[-1])
        whole = np.concatenate(pieces)
        assert len(grown) == len(whole)
        handed.append((grown.first(len(grown), (3,)), whole))
    for given, whole in handed:
        np.testing.assert_array_equal(given, whole)


def test_rows_are_copied_about_twice_however_many_come() -> None:
    grown, arrays = GrowingRows(np.int64), set()
    for number in range(5000):
        grown.append(np.array([number]))
        arrays.add(id(grown.first(1).base))
    assert len(arrays) <= 8  # 64 doubled seven times holds 5000


def test_rows_of_another_shape_are_refused() -> None:
    grown = GrowingRows(np.float32)
    assert grown.first(0, (4,)).shape == (0, 4)
    grown.append(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="among rows of"):
        grown.append(np.zeros((2, 5)))


def test_large_rows_lie_in_a_file_and_read_the_same() -> None:
    rng = np.random.default_rng(3)
    small, large = GrowingRows(np.float32), GrowingRows(np.float32, in_memory_bytes=4096)
    for _ in range(5):
        more = rng.standard_normal((200, 16)).astype(np.float32)
        small.append(more)
        large.append(more)
    held = large.first(600)
    large.append(more)
    assert lies_in_file(large.first(1000)) and not lies_in_file(small.first(1000))
    np.testing.assert_array_equal(large.first(1000), small.first(1000))
    released(held)
    np.testing.assert_array_equal(held, small.first(600))
    which = rng.permutation(600)[:50]
    for columns in (slice(None), slice(4), slice(2, 9)):
        np.testing.assert_array_equal(picked(held[:, columns], which), small.first(600)[which, columns])
    np.testing.assert_array_equal(picked(held[::3, ::2], which[:9] // 3), small.first(600)[::3, ::2][which[:9] // 3])


def test_rows_for_which_there_is_room_are_not_copied_again() -> None:
    grown, arrays = GrowingRows(np.int64), set()
    for room in (300, 700):
        grown.reserve(room)
        for number in range(len(grown), room):
            grown.append(np.array([number]))
            arrays.add(id(grown.first(1).base))
    assert len(arrays) == 2
    np.testing.assert_array_equal(grown.first(700), np.arange(700))
