"""Search over a large pool of real vectors, by several ways in one run: ``python -m tests.bench.large_search``.

    python -m tests.bench.large_search --map FILE ... [--sizes N ...] [--queries N] [--ways WAY ...]
        [--pool ADDRESS [--server PID]]

Crops of the maps, of any place, heading and side, are embedded by the default bundle. A pool's rows are such vectors
changed as places of the ground differ, a + s (b - c) of three of them, in half precision. Each way runs in a process of
its own, one query at a time on one thread: p50 and p99 by the clock, p50 of the processor's time in this process, the
memory that it holds, and of how many queries the top 50 differ from what comparing every row in single precision gives;
differences within rounding (1e-6) are no differences. ``--server``: the process of this computer that serves the pool,
whose memory and processor's time are counted as well.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import rasterio
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.machine import usable_cores
from runtime.matching.coarse import Codes, InSteps, unit
from runtime.matching.growing_rows import GrowingRows, lies_in_file
from runtime.matching.milvus import Milvus
from runtime.matching.search import Index
from runtime.values import ViewKind

SIZES = (167_486, 1_000_000)
TOP = 50
_TIMED = 50  # queries
_CHANGE = (0.1, 0.6)  # s
_PIECE = 8_192
_HELD_OUT = 1_000  # crops that no row of the pool is made of
_SAME = 1e-6
Search = Callable[[NDArray[np.float32]], tuple[NDArray[np.int64], NDArray[np.float32]]]


def embedded(maps: list[Path], count: int, seed: int) -> NDArray[np.float16]:
    """(count, D) vectors of crops of maps."""
    embedder = Embedder(Bundle.load(), threads=1, bulk=True)
    side, rng, found, grounds = embedder.bundle.input_size_px, np.random.default_rng(seed), [], []
    for path in maps:
        with rasterio.open(path) as opened:
            grounds.append(np.ascontiguousarray(opened.read((1, 2, 3)).transpose(1, 2, 0)))
    while sum(map(len, found)) < count:
        crops = [_crop(grounds[rng.integers(len(grounds))], side, rng) for _ in range(32)]
        found.append(embedder.embed(ViewKind.SATELLITE, np.stack(crops)).vectors.astype(np.float16))
    return np.concatenate(found)[:count]


def _crop(ground: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    span_px, turn = rng.uniform(120.0, 260.0), rng.uniform(0.0, math.tau)
    low, high = 0.71 * span_px, np.array(ground.shape[1::-1]) - 0.71 * span_px
    matrix = span_px / side * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    middle = rng.uniform((low, low), high)
    shift = middle - matrix @ np.full(2, side / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(ground, np.hstack([matrix, shift[:, None]]), (side, side), flags=flags), np.uint8)


def changed(base: NDArray[np.float16], count: int, seed: int) -> GrowingRows:
    """Rows made of three of ``base`` each."""
    rng, rows = np.random.default_rng(seed), GrowingRows(np.float16)
    for start in range(0, count, _PIECE):
        size = min(_PIECE, count - start)
        a, b, c = (base[rng.integers(0, len(base), size)].astype(np.float32) for _ in range(3))
        rows.append(unit(a + rng.uniform(*_CHANGE, (size, 1)).astype(np.float32) * (b - c)).astype(np.float16))
    return rows


def flat(rows: NDArray[np.float16], _: str) -> Search:
    """faiss's exhaustive search in single precision."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(rows.shape[1])
    for start in range(0, len(rows), _PIECE):
        index.add(unit(rows[start : start + _PIECE].astype(np.float32)))
    return lambda query: (lambda found: (found[1], found[0]))(index.search(query, TOP))


def exact(rows: NDArray[np.float16], _: str) -> Search:
    """As flown: every row in half precision."""
    index = Index(rows)
    return lambda query: index.search(query, TOP)


def two_steps(rows: NDArray[np.float16], _: str) -> Search:
    """By codes, then exactly."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = InSteps(rows, Codes())
    return lambda query: index.search(query, TOP)


def milvus(rows: NDArray[np.float16], address: str) -> Search:
    """By a database; what a run before this one has put there is not put again."""
    pool = Milvus(address, within_s=600.0)
    collection = pool.collection(f"bench_{len(rows)}", rows.shape[1])
    there = len(collection)
    if there < len(rows):
        collection.put(np.arange(there, len(rows)), rows[there:])
        collection.flush()
    return lambda query: collection.nearest(query, TOP)[0]


WAYS: dict[str, Callable[[NDArray[np.float16], str], Search]] = {
    "faiss flat f32": flat, "exact f16": exact, "two steps": two_steps, "milvus": milvus,
}  # fmt: skip

_HELD = ("two steps", "milvus")  # against the truth; the others compare every row themselves


def resident_mb() -> float:
    """Of this process, now."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class Server:
    """What the process that serves a pool has used; nothing where there is none."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid) if pid else None
        self._before_mb, self._counted_s = self._mb(), self._cpu_s()

    def _mb(self) -> float:
        return self._process.memory_info().rss / 2**20 if self._process else 0.0

    def _cpu_s(self) -> float:
        return sum(self._process.cpu_times()[:2]) if self._process else 0.0

    def used(self, name: str, per: float = 1.0) -> dict[str, float]:
        """Processor's time since it was asked last, by that name, and memory since the beginning."""
        before, self._counted_s = self._counted_s, self._cpu_s()
        figures = {name: (self._counted_s - before) / per, "server_mb": self._mb() - self._before_mb}
        return figures if self._process else {}


def measured(way: str, folder: Path, size: int, queries: int, address: str, pid: int) -> dict[str, Any]:
    """Build seconds, latencies, memory beyond the libraries', and differences of one way."""
    base = np.load(folder / "base.npy")
    rows = changed(base[_HELD_OUT:], size, 1).first(size)
    questions = _questions(base, queries)
    server = Server(pid)
    before_mb = resident_mb() if lies_in_file(rows) else resident_mb() - rows.nbytes / 2**20
    started, began = time.perf_counter(), time.process_time()
    search = WAYS[way](rows, address)
    built = {"build_s": time.perf_counter() - started, "build_cpu_s": time.process_time() - began}
    built |= server.used("server_build_cpu_s")
    search(questions[:1])
    server.used("first")
    taken, used, found = [], [], []
    for number, query in enumerate(questions):
        started, began = time.perf_counter(), time.process_time()
        ids, _ = search(query[None])
        taken.append(1e3 * (time.perf_counter() - started))
        used.append(1e3 * (time.process_time() - began))
        if number < queries:
            found.append(np.ravel(ids))
        elif number >= _TIMED:
            break
    answer = {
        **built, "p50_ms": float(np.percentile(taken, 50)), "p99_ms": float(np.percentile(taken, 99)),
        "cpu_p50_ms": float(np.median(used)), "mb": resident_mb() - before_mb,
        **server.used("server_cpu_ms", len(taken) / 1e3),
    }  # fmt: skip
    truth = folder / f"truth_{size}.npz"
    if truth.is_file() and queries:
        answer |= _differences(np.stack(found), dict(np.load(truth)), rows, questions)
    return answer


def _differences(
    found: NDArray[np.int64], truth: dict[str, NDArray[Any]], rows: NDArray[np.float16], questions: NDArray[np.float32]
) -> dict[str, int]:
    queries = places = 0
    for ids, true, near, query in zip(found, truth["ids"], truth["near"], questions, strict=False):
        strange = np.setdiff1d(ids, true)
        if len(strange):
            similarity = unit(rows[strange].astype(np.float32)) @ query
            wrong = int((similarity < near[-1] - _SAME).sum())
            queries, places = queries + (wrong > 0), places + wrong
    return {"differing_queries": queries, "differing_rows": places, "of_queries": len(found)}


def _questions(base: NDArray[np.float16], queries: int) -> NDArray[np.float32]:
    count = max(queries, _TIMED + 1)
    return unit(changed(np.concatenate([base[:_HELD_OUT], base]), count, 2).first(count).astype(np.float32))


def write_truth(folder: Path, size: int, queries: int) -> None:
    """What comparing every row in single precision gives, by all cores."""
    import faiss

    base = np.load(folder / "base.npy")
    rows = changed(base[_HELD_OUT:], size, 1).first(size)
    index = faiss.IndexFlatIP(rows.shape[1])
    for start in range(0, size, _PIECE):
        index.add(unit(rows[start : start + _PIECE].astype(np.float32)))
    near, ids = index.search(_questions(base, queries)[:queries], TOP)
    np.savez(folder / f"truth_{size}.npz", ids=ids, near=near)


def main() -> None:
    """Embed, measure each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", type=Path, action="append", help="a map; may be given again")
    parser.add_argument("--vectors", type=Path, help="instead of crops of maps: a .npy of (N, D) real vectors")
    parser.add_argument("--crops", type=int, default=12_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--queries", type=int, default=10_000, help="whose answers are held against the truth")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS][:3])
    parser.add_argument("--pool", default="", help="of the way milvus; a file of its own by default")
    parser.add_argument("--server", type=int, default=0, metavar="PID", help="what serves the pool on this computer")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        way, folder = options.child[0], Path(options.child[1])
        address = options.pool or str(folder / "bench.db")
        print(json.dumps(measured(way, folder, options.sizes[0], options.queries, address, options.server)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        cores = usable_cores()
        if options.vectors is not None:
            found = np.load(options.vectors)
            np.save(folder / "base.npy", found[np.random.default_rng(0).permutation(len(found))])
        else:
            share = -(-options.crops // cores)
            with ProcessPoolExecutor(cores) as processes:
                parts = processes.map(embedded, [options.map] * cores, [share] * cores, range(cores))
                np.save(folder / "base.npy", np.concatenate(list(parts)))
        for size in options.sizes:
            if options.queries:
                write_truth(folder, size, options.queries)
            for way in options.ways:
                command = [sys.executable, "-m", "tests.bench.large_search", "--sizes", str(size)]
                held = options.queries if way in _HELD else 0
                command += ["--queries", str(held), "--pool", options.pool]
                command += ["--server", str(options.server if way == "milvus" else 0), "--child", way, place]
                run = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
                row = json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else {}
                print(f"{size:>10,} {way:<15}", *(f"{key} {value:.5g}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
