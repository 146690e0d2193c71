"""The protocol against its own definition: sort everything, walk down the list."""

from __future__ import annotations

import numpy as np
import pytest

from train.evaluate.protocol import (
    JUNK,
    average_precision,
    best,
    multi_query,
    normalised,
    rank,
)


def _slow(queries: np.ndarray, query_labels: np.ndarray, gallery: np.ndarray, labels: np.ndarray, curve: int):
    """Walk down each sorted list: the curve's first entries, and AP, over all queries."""
    cmc, precision = np.zeros(curve), 0.0
    for query, label in zip(queries, query_labels, strict=True):
        order = [int(i) for i in np.argsort(gallery @ query, kind="stable")[::-1] if labels[i] != JUNK]
        right = [position for position, i in enumerate(order) if labels[i] == label]
        if not right:
            continue
        cmc[right[0] :] += 1
        for found, position in enumerate(right):
            after = (found + 1) / (position + 1)
            before = found / position if position else 1.0
            precision += (before + after) / 2 / len(right)
    return cmc / len(queries), precision / len(queries)


def _case(seed: int, coarse: bool = False):
    rng = np.random.default_rng(seed)
    gallery = rng.integers(-2, 3, (400, 6)) if coarse else rng.normal(size=(400, 6))
    queries = rng.integers(-2, 3, (60, 6)) if coarse else rng.normal(size=(60, 6))
    labels = rng.integers(0, 40, 400)
    labels[rng.choice(400, 30, replace=False)] = JUNK
    query_labels = rng.integers(0, 45, 60)  # five places have no answer
    return queries.astype(np.float32), query_labels, gallery.astype(np.float32), labels


@pytest.mark.parametrize("coarse", [False, True])  # coarse: many equal scores, exactly
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_walk_down_the_list(seed: int, coarse: bool) -> None:
    queries, query_labels, gallery, labels = _case(seed, coarse)
    curve, precision = _slow(queries, query_labels, gallery, labels, 400)
    ranking = rank(queries, query_labels, gallery, labels)
    assert ranking.mean_average_precision == pytest.approx(precision, abs=1e-12)
    for k in (1, 5, 10, 200):
        assert ranking.recall(k) == pytest.approx(curve[k - 1], abs=1e-12)
    assert ranking.recall_top_percent == pytest.approx(curve[4], abs=1e-12)
    assert max(curve) < 1.0  # some query had no answer, and counted


@pytest.mark.parametrize("coarse", [False, True])
def test_distractors_in_chunks_are_a_longer_gallery(coarse: bool) -> None:
    queries, query_labels, gallery, labels = _case(7, coarse)
    more = _case(8, coarse)[2]
    whole = rank(queries, query_labels, np.vstack([gallery, more]), np.concatenate([labels, np.full(400, -2)]))
    chunked = rank(queries, query_labels, gallery, labels, (more[i : i + 150] for i in range(0, 400, 150)))
    assert chunked.gallery == whole.gallery == 800
    for a, b in zip(chunked.ranks, whole.ranks, strict=True):
        np.testing.assert_array_equal(a, b)
    alone = rank(queries, query_labels, gallery, labels)
    assert chunked.mean_average_precision < alone.mean_average_precision


def test_average_precision_by_hand() -> None:
    assert average_precision(np.array([0])) == 1.0
    assert average_precision(np.array([1])) == 0.25  # (0/1 + 1/2) / 2
    assert average_precision(np.array([0, 2])) == pytest.approx((1.0 + (1 / 2 + 2 / 3) / 2) / 2)
    assert average_precision(np.array([], np.int64)) == 0.0


def test_the_best_are_the_head_of_the_sorted_list() -> None:
    queries, _, gallery, _ = _case(3, coarse=True)
    index, scores = best(queries[:5], gallery, 7)
    for q in range(5):
        expected = sorted(gallery @ queries[q], reverse=True)[:7]
        np.testing.assert_allclose(scores[q], expected)
        np.testing.assert_allclose((gallery @ queries[q])[index[q]], expected)


def test_many_queries_of_a_place_become_one() -> None:
    features = normalised(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    merged, places = multi_query(features, np.array([4, 4, 9]))
    np.testing.assert_array_equal(places, [4, 9])
    np.testing.assert_allclose(merged, np.full((2, 2), np.sqrt(0.5)), atol=1e-6)
