"""A cache that is bounded by bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from runtime.bounded_cache import BoundedCache


def cache(limit_bytes: int) -> BoundedCache[int, NDArray[np.uint8]]:
    return BoundedCache(limit_bytes, lambda one: one.nbytes)


def test_it_lets_go_of_what_was_used_longest_ago() -> None:
    kept = cache(1000)
    for key in range(10):
        kept.put(key, np.zeros(100, np.uint8))
    assert kept.get(0) is not None and (len(kept), kept.used_bytes) == (10, 1000)
    kept.put(10, np.zeros(150, np.uint8))
    assert kept.get(0) is not None and kept.get(1) is None and kept.get(2) is None and kept.get(3) is not None
    assert kept.used_bytes == 950


def test_a_value_larger_than_all_of_it_is_not_kept() -> None:
    kept = cache(100)
    kept.put(1, np.zeros(60, np.uint8))
    kept.put(2, np.zeros(101, np.uint8))
    assert kept.get(2) is None and kept.get(1) is not None
    kept.put(1, np.zeros(101, np.uint8))
    assert kept.get(1) is None and kept.used_bytes == 0


def test_threads_never_take_it_over_its_limit() -> None:
    kept = cache(5000)

    def use(seed: int) -> int:
        rng, most = np.random.default_rng(seed), 0
        for key in rng.integers(0, 200, 2000):
            if kept.get(int(key)) is None:
                kept.put(int(key), np.zeros(int(rng.integers(1, 300)), np.uint8))
            most = max(most, kept.used_bytes)
        return most

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(use, range(4))) <= 5000
    kept.clear()
    assert (len(kept), kept.used_bytes) == (0, 0)
