"""Exact search over galleries of three sizes: as flown (numkong), numpy and faiss, with time and peak memory.

``python -m tests.bench.search [--dimension D] [--sizes N ...]``: each library runs in a process of its own, on one
thread, so that its peak memory is its own. University-1652 with its distractors has 167,486 satellite images.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle

SIZES = (1_000, 10_000, 167_486)
TOP = 50
QUERIES = 20
Search = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def gallery(size: int, dimension: int) -> NDArray[np.float16]:
    """(size, dimension) float16 unit rows, made in pieces so that making them costs no memory to speak of."""
    rng = np.random.default_rng(7)
    rows = np.empty((size, dimension), np.float16)
    for start in range(0, size, 4096):
        piece = rng.standard_normal((min(4096, size - start), dimension), dtype=np.float32)
        rows[start : start + 4096] = piece / np.linalg.norm(piece, axis=1, keepdims=True)
    return rows


def flown_index(rows: NDArray[np.float16]) -> Search:
    from runtime.matching.search import Index

    index = Index(rows)
    return lambda query: index.search(query, TOP)[0]


def numpy_index(rows: NDArray[np.float16]) -> Search:
    single = rows.astype(np.float32)  # numpy has no fast product of halves

    def search(query: NDArray[np.float32]) -> NDArray[np.int64]:
        similarity = query @ single.T
        best = np.argpartition(-similarity, TOP, axis=1)[:, :TOP]
        return np.take_along_axis(best, np.argsort(-np.take_along_axis(similarity, best, 1), 1), 1)

    return search


def faiss_index(rows: NDArray[np.float16]) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows.astype(np.float32))
    return lambda query: np.asarray(index.search(query, TOP)[1])


def faiss_half_index(rows: NDArray[np.float16]) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexScalarQuantizer(rows.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for start in range(0, len(rows), 4096):
        index.add(rows[start : start + 4096].astype(np.float32))
    return lambda query: np.asarray(index.search(query, TOP)[1])


LIBRARIES = {
    "flown f16": flown_index,
    "numpy f32": numpy_index,
    "faiss flat f32": faiss_index,
    "faiss flat f16": faiss_half_index,
}


def measure(library: str, size: int, dimension: int) -> dict[str, float]:
    """Latency of single queries, agreement with numpy in float32, and this process's peak memory."""
    rows = gallery(size, dimension)
    search = LIBRARIES[library](rows)
    rng = np.random.default_rng(8)
    noisy = rows[rng.integers(0, size, QUERIES)].astype(np.float32)
    noisy += 0.02 * rng.standard_normal(noisy.shape, dtype=np.float32)
    queries = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
    found = search(queries[:1])
    elapsed_ms = []
    results = []
    for query in queries:
        start = time.perf_counter()
        found = search(query[None])
        elapsed_ms.append(1e3 * (time.perf_counter() - start))
        results.append(set(found[0][:10].tolist()))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    exact = [set(np.argsort(-_similarity(rows, query))[:10].tolist()) for query in queries[:5]]
    agreement = np.mean([len(mine & true) / 10 for mine, true in zip(results, exact, strict=False)])
    return {
        "p50_ms": float(np.percentile(elapsed_ms, 50)),
        "max_ms": max(elapsed_ms),
        "peak_mb": peak_mb,
        "agreement": float(agreement),
    }


def _similarity(rows: NDArray[np.float16], query: NDArray[np.float32]) -> NDArray[np.float32]:
    pieces = [rows[start : start + 4096].astype(np.float32) @ query for start in range(0, len(rows), 4096)]
    return np.concatenate(pieces)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimension", type=int, help="of the vectors; the default bundle's by default")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--library", choices=LIBRARIES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    dimension = arguments.dimension or Bundle.load().embedding_dim
    if arguments.library:
        print(json.dumps(measure(arguments.library, arguments.sizes[0], dimension)))
        return
    print(f"top {TOP} of N x {dimension}, one query at a time, one thread; peak memory of the whole process")
    print(f"{'keyframes':>10} {'library':<15} {'p50 ms':>8} {'max ms':>8} {'peak MB':>8} {'top-10 agreement':>17}")
    for size in arguments.sizes:
        for library in LIBRARIES:
            command = [sys.executable, "-m", "tests.bench.search", "--library", library, "--sizes", str(size)]
            command += ["--dimension", str(dimension)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{size:>10,} {library:<15} {row['p50_ms']:>8.2f} {row['max_ms']:>8.2f} {row['peak_mb']:>8.0f} "
                f"{row['agreement']:>17.3f}"
            )


if __name__ == "__main__":
    main()
