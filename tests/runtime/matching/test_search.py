"""The index finds what a plain sort over all cosines finds."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.matching.search import Index


def unit_rows(count: int, dimension: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dimension))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(("count", "dimension"), [(1, 8), (37, 16), (1000, 256)])
def test_it_agrees_with_sorting_everything(count: int, dimension: int) -> None:
    rows, queries = unit_rows(count, dimension, 1), unit_rows(5, dimension, 2)
    k = min(10, count)
    ids, similarity = Index(rows).search(queries, k)
    assert ids.shape == similarity.shape == (5, k)
    cosines = queries @ rows.T
    np.testing.assert_allclose(similarity, -np.sort(-cosines, axis=1)[:, :k], atol=2e-3)
    np.testing.assert_allclose(np.take_along_axis(cosines, ids, axis=1), similarity, atol=2e-3)


@pytest.mark.parametrize(("count", "k"), [(5, 9), (4_200, 1), (9_000, 7)])
def test_many_queries_at_once_find_the_same(count: int, k: int) -> None:
    rows, queries = 3.0 * unit_rows(count, 24, 8), 0.2 * unit_rows(30, 24, 9)
    ids, similarity = Index(rows, leading=16).search(queries, k)
    kept, asked = (one[:, :16] / np.linalg.norm(one[:, :16], axis=1, keepdims=True) for one in (rows, queries))
    cosines = asked @ kept.T
    np.testing.assert_allclose(similarity, -np.sort(-cosines, axis=1)[:, :k], atol=1e-3)
    np.testing.assert_allclose(np.take_along_axis(cosines, ids, axis=1), similarity, atol=1e-3)
    assert all(len(set(row)) == min(k, count) for row in ids.tolist())


def test_rows_need_not_be_unit() -> None:
    rows = unit_rows(20, 32, 3)
    ids, similarity = Index(7.0 * rows).search(0.1 * rows, 1)
    assert ids[:, 0].tolist() == list(range(20))
    np.testing.assert_allclose(similarity, 1.0, atol=2e-3)


def test_asking_for_more_than_there_is_gives_all() -> None:
    ids, _ = Index(unit_rows(3, 8, 4)).search(unit_rows(2, 8, 5), 50)
    assert sorted(ids[0].tolist()) == [0, 1, 2]


def test_only_the_leading_numbers_are_compared_where_asked() -> None:
    rows, queries = unit_rows(50, 24, 6), unit_rows(4, 24, 7)
    ids, similarity = Index(rows, leading=16).search(queries, 5)
    own, same = Index(rows[:, :16]).search(queries[:, :16], 5)
    np.testing.assert_array_equal(ids, own)
    np.testing.assert_array_equal(similarity, same)
    assert (ids != Index(rows).search(queries, 5)[0]).any()


def test_nothing_to_search_or_to_ask() -> None:
    assert Index(np.zeros((0, 8))).search(unit_rows(2, 8, 5), 5)[0].shape == (2, 0)
    assert Index(unit_rows(3, 8, 4)).search(np.zeros((0, 8)), 5)[0].shape == (0, 3)
    assert len(Index(unit_rows(3, 8, 4))) == 3
