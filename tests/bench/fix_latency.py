"""From exposure to a fix, by stage, beside the bare network in the same run: 640x480 camera, 2,000 keyframes.

    python -m tests.bench.fix_latency [--keyframes N] [--frames N] [--threads N]

A simulated flight over the real map is recorded among foreign keyframes; frames between its keyframes are fixed. Every
fix is followed by one run of the network alone, so that both see the same machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.fix.fixer import Fixer
from runtime.geodesy import offset
from runtime.history.history import History, stored
from runtime.record.recorder import Recorder
from runtime.values import Decision, GeoPoint, Keyframe, Pose, Position, PositionSource, ViewKind
from sim.camera import default_camera
from sim.world.geotiff import GeoTiffWorld
from tests.bench.real_map import DATA, Sample, views

_HEIGHT_M = 60.0


class Watch:
    """Collects the milliseconds of every stage."""

    def __init__(self) -> None:
        self.spent_ms: dict[str, list[float]] = defaultdict(list)
        self._last_s = 0.0

    def start(self) -> None:
        """A frame begins."""
        self._last_s = time.perf_counter()

    def __call__(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.spent_ms[stage].append((now_s - self._last_s) * 1e3)
        self._last_s = now_s


def foreign(history: History, embedder: Embedder, origin: GeoPoint, count: int, side_m: float) -> None:
    """Keyframes of random texture with the network's own vectors, so that nothing about the search is special."""
    rng = np.random.default_rng(3)
    size_px = embedder.bundle.input_size_px
    rungs = [rung for rung in embedder.bundle.footprints_m if rung <= side_m][-2:]
    for start in range(0, count, 16):
        here = min(16, count - start)
        images = [texture(rng, 320) for _ in range(here)]
        crops = np.stack([cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA) for image in images])
        embedded = embedder.embed(ViewKind.DRONE, np.asarray(crops, np.uint8))
        for row, image in enumerate(images):
            ground = offset(origin, *map(float, rng.uniform(-2000, 2000, 2)))
            one = replace(
                embedded,
                vectors=embedded.vectors[[row] * len(rungs)],
                maps=None if embedded.maps is None else embedded.maps[[row] * len(rungs)],
            )
            at, name = Position.circular(ground, 2.0, PositionSource.AUTOPILOT), str(start + row)
            keyframe = Keyframe(0, "foreign", ViewKind.DRONE, name, Pose(0), at, ground, 2.0, side_m, image)
            history.add(keyframe, stored(one, rungs))


def texture(rng: np.random.Generator, side_px: int) -> np.ndarray:
    coarse = [rng.normal(0, 1, (n, n, 3)).astype(np.float32) for n in (5, 17, 67)]
    sums = sum(cv2.resize(noise, (side_px, side_px), interpolation=cv2.INTER_CUBIC) for noise in coarse)
    return np.asarray(np.clip(110 + 30 * np.asarray(sums), 0, 255), np.uint8)


def flown(history: History, embedder: Embedder, samples: Sequence[Sample]) -> float:
    """Records samples with their true positions; the median footprint."""
    recorder = Recorder(history, embedder, default_camera(), "flight", moved=0.02)
    for sample in samples:
        pose = replace(sample.pose, t_ns=sample.pose.t_ns * 10**9)
        recorder.add(sample.frame, pose, Position.circular(sample.truth, 1.5, PositionSource.AUTOPILOT))
    return float(np.median([keyframe.footprint_m for keyframe in history.keyframes()]))


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyframes", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(words)
    path = DATA / "maps" / "turku.tif"
    if not path.is_file():
        raise SystemExit(f"{path} is absent: there is nothing to measure on.")
    cv2.setNumThreads(options.threads)
    world, camera, bundle = GeoTiffWorld.open(path), default_camera(), Bundle.load()
    embedder = Embedder(bundle, threads=options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        with History.create(Path(scratch) / "h.db", bundle.embedding_space_id, bundle.name) as history:
            side_m = flown(history, embedder, views(world, camera, 80, _HEIGHT_M, 1))
            foreign(history, embedder, world.origin, options.keyframes - len(history), side_m)
            measure(history, embedder, views(world, camera, options.frames, _HEIGHT_M, 2))


def measure(history: History, embedder: Embedder, samples: Sequence[Sample]) -> None:
    """Fix every frame, then run the network alone on one crop."""
    watch = Watch()
    fixer = Fixer(history, embedder, default_camera(), watch)
    size_px = embedder.bundle.input_size_px
    crop = np.zeros((1, size_px, size_px, 3), np.uint8)
    started_s = time.perf_counter()
    for sample in samples:  # reads the galleries, and the features of the keyframes that are seen
        fixer.fix(sample.frame, sample.pose)
    first_ms = (time.perf_counter() - started_s) * 1e3 / len(samples)
    watch.spent_ms.clear()
    whole, alone, fixed = [], [], 0
    for sample in samples:
        watch.start()
        started_s = time.perf_counter()
        fixed += fixer.fix(sample.frame, sample.pose).decision is Decision.FIX
        whole.append((time.perf_counter() - started_s) * 1e3)
        started_s = time.perf_counter()
        embedder.embed(ViewKind.DRONE, crop)
        alone.append((time.perf_counter() - started_s) * 1e3)
    resident_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(history)} keyframes, {len(samples)} frames, {fixed} fixed, load {os.getloadavg()[0]:.1f}")
    print(f"{'stage':14s} {'p50 ms':>8s} {'p99 ms':>8s}")
    for name, spent in [*watch.spent_ms.items(), ("whole fix", whole), ("network alone", alone)]:
        print(f"{name:14s} {np.percentile(spent, 50):8.1f} {np.percentile(spent, 99):8.1f}")
    ratio = np.percentile(whole, 50) / np.percentile(alone, 50)
    print(f"at the first sight of its keyframes a fix takes {first_ms:.0f} ms on average")
    print(f"the whole fix costs {ratio:.1f} times the network; at most {resident_mb:.0f} MB were resident")


if __name__ == "__main__":
    main()
