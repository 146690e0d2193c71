"""The search in steps answers as comparing every row does, and compares every row where that is not sure."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.matching.coarse import Asked, Codes, InSteps, available, unit
from runtime.matching.pool import Embedded
from runtime.matching.search import Index
from runtime.values import ViewKind

pytestmark = pytest.mark.skipif(not available(), reason="faiss is not installed (extra `large`)")

ROWS, NUMBERS = 6_000, 64


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float16]:
    """Clustered rows, as overlapping tiles are, and not of length one."""
    rng = np.random.default_rng(1)
    places = rng.standard_normal((ROWS // 20, NUMBERS))
    made = np.repeat(places, 20, axis=0) + 0.6 * rng.standard_normal((ROWS, NUMBERS))
    return np.asarray(3.0 * made, np.float16)


@pytest.fixture(scope="module")
def codes(rows: NDArray[np.float16]) -> Codes:
    return Codes().cover(rows)


def queries_near(rows: NDArray[np.float16], count: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(2)
    return np.asarray(rows[:: len(rows) // count][:count] + rng.standard_normal((count, rows.shape[1])), np.float32)


def exhaustive(rows: NDArray[np.float16], queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    cosines = unit(queries) @ unit(rows.astype(np.float32)).T
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


class Blind(Codes):
    """Codes that know nothing: what they rank first is anything."""

    def best(self, asked: Asked, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        rows = np.random.default_rng(5).permutation(ROWS)[:count]
        return rows, np.linspace(0.9, 0.1, count, dtype=np.float32)


class BlindInAll(Blind):
    """And their bytes know nothing either."""

    def by_bytes(self, asked: Asked, rows: NDArray[np.int64] | int) -> NDArray[np.float32]:
        count = rows if isinstance(rows, int) else len(rows)
        return np.random.default_rng(6).uniform(0.1, 0.9, count).astype(np.float32)


def test_it_finds_what_comparing_every_row_in_single_precision_finds(
    rows: NDArray[np.float16], codes: Codes
) -> None:
    queries = queries_near(rows, 60)
    ids, similarity = InSteps(rows, codes).search(queries, 50)
    np.testing.assert_array_equal(ids, exhaustive(rows, queries, 50))
    cosines = unit(queries) @ unit(rows.astype(np.float32)).T
    np.testing.assert_allclose(similarity, np.take_along_axis(cosines, ids, axis=1), atol=1e-6)


@pytest.mark.parametrize("blind", [Blind, BlindInAll])
def test_where_the_codes_leave_it_open_every_row_is_compared(rows: NDArray[np.float16], blind: type[Codes]) -> None:
    queries = queries_near(rows, 3)
    ids, _ = InSteps(rows, blind().cover(rows)).search(queries, 10)
    np.testing.assert_array_equal(ids, exhaustive(rows, queries, 10))


def test_most_queries_compare_few_rows_exactly(rows: NDArray[np.float16], codes: Codes) -> None:
    compared: list[int] = []

    class Counted(InSteps):
        def _similarity(self, asked: Asked, rows: NDArray[np.int64]) -> NDArray[np.float32]:
            compared.append(len(rows))
            return super()._similarity(asked, rows)

    queries = queries_near(rows, 40)
    Counted(rows, codes).search(queries, 10)
    assert np.mean(compared) * len(compared) / len(queries) < ROWS / 20


def test_an_older_state_is_searched_while_the_codes_grow(rows: NDArray[np.float16]) -> None:
    growing = Codes(leading=48)
    before = InSteps(rows[:4_000], growing, leading=48)
    after = InSteps(rows, growing, leading=48)
    queries = queries_near(rows, 10)
    for searched, count in ((before, 4_000), (after, ROWS)):
        expected = exhaustive(rows[:count, :48], queries[:, :48], 20)
        np.testing.assert_array_equal(searched.search(queries, 20)[0], expected)


def test_roughly_it_finds_nearly_the_same_in_an_older_state_too(rows: NDArray[np.float16]) -> None:
    growing = Codes()
    before, after = InSteps(rows[:4_000], growing), InSteps(rows, growing)
    queries = queries_near(rows, 40)
    found, near = after.roughly(queries, 20)
    expected, exact = after.search(queries, 20)
    assert np.mean(found[:, 0] == expected[:, 0]) > 0.95 and np.abs(near[:, 0] - exact[:, 0]).max() < 1e-3
    assert before.roughly(queries, 20)[0].max() < 4_000
    np.testing.assert_array_equal(Index(rows).roughly(queries, 5)[0], Index(rows).search(queries, 5)[0])


def test_few_rows_are_all_compared_and_many_go_by_codes(rows: NDArray[np.float16]) -> None:
    searched = Embedded(large=5_000).searched((ViewKind.SATELLITE, 80.0))
    ids = np.arange(ROWS)
    assert isinstance(searched(ids[:4_999], rows[:4_999], None), Index)
    assert isinstance(searched(ids, rows, None), InSteps)


def test_nothing_to_ask_or_to_find(rows: NDArray[np.float16], codes: Codes) -> None:
    two = InSteps(rows, codes)
    assert two.search(np.zeros((0, NUMBERS), np.float32), 5)[0].shape == (0, 5)
    assert two.search(queries_near(rows, 2), 0)[0].shape == (2, 0)
    assert len(two) == ROWS
