"""What 167,486 distractors cost: ``python -m tests.bench.distractors [--distractors N] [--queries N] [--compare N]``.

University-1652's drone queries (37,855 of 512 dimensions) against its 951 satellite pictures and so many random unit
features, stored in half precision and read as needed: wall time and peak memory of `train.evaluate.protocol.rank`.
Beside it the way of the official script, one query after the other with everything sorted, on --compare queries in the
same run, extrapolated to all.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.evaluate.distractors import distractors_from
from train.evaluate.protocol import Features, normalised, rank

PLACES, DIMENSIONS = 951, 512
_CHUNK = 16384


def _random(rng: np.random.Generator, count: int) -> Features:
    return normalised(rng.standard_normal((count, DIMENSIONS), dtype=np.float32))


def _store(path: Path, count: int) -> None:
    """(count, 512) float16 unit rows, written in parts."""
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(count, DIMENSIONS))
    rng = np.random.default_rng(1)
    for start in range(0, count, _CHUNK):
        rows[start : start + _CHUNK] = _random(rng, min(_CHUNK, count - start))
    rows.flush()


def official(
    queries: Features, labels: NDArray[np.int64], gallery: Features, gallery_labels: NDArray[np.int64]
) -> float:
    """R@1 as the official script goes about it: a product, a sort of everything and a mask for each query."""
    first = 0
    for query, label in zip(queries, labels, strict=True):
        index = np.argsort(gallery @ query)[::-1]
        good = np.flatnonzero(gallery_labels == label)
        index = index[np.isin(index, np.flatnonzero(gallery_labels == -1), invert=True)]
        first += int(np.flatnonzero(np.isin(index, good))[0] == 0)
    return first / len(queries)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--distractors", type=int, default=167_486)
    parser.add_argument("--queries", type=int, default=37_855)
    parser.add_argument("--compare", type=int, default=1000)
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    gallery, labels = _random(rng, PLACES), np.arange(PLACES)
    query_labels = rng.integers(0, PLACES, a.queries)
    queries = normalised(gallery[query_labels] + 0.15 * rng.standard_normal((a.queries, DIMENSIONS), dtype=np.float32))
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "distractors.npy"
        _store(stored, a.distractors)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def chunks() -> Iterator[Features]:
            return distractors_from(stored)

        begun, cpu = time.monotonic(), time.process_time()
        ranking = rank(queries, query_labels, gallery, labels, chunks())
        wall_s, cpu_s = time.monotonic() - begun, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{a.queries} queries, gallery of {ranking.gallery}: {wall_s:.0f} s wall, {cpu_s:.0f} s of processor,")
        print(f"peak {peak / 1024:.0f} MB ({before / 1024:.0f} MB before it began); R@1 {ranking.recall(1):.4f}")
        if a.compare:
            whole = np.vstack([gallery, *chunks()])
            every = np.concatenate([labels, np.full(a.distractors, -2)])
            begun, cpu = time.monotonic(), time.process_time()
            value = official(queries[: a.compare], query_labels[: a.compare], whole, every)
            wall_s, cpu_s = (t * a.queries / a.compare for t in (time.monotonic() - begun, time.process_time() - cpu))
            print(f"the official script's way, {a.compare} queries extrapolated to all: {wall_s:.0f} s wall, "
                  f"{cpu_s:.0f} s of processor; R@1 of those {value:.4f}")  # fmt: skip
            print(f"its peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
