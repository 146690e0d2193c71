"""How fast a bundle is on this computer: the towers alone, and a whole fix by its stages.

The ground that is flown over is a mosaic of the bundle's parity views, so an owner of a Jetson needs nothing but the
bundle to get the same table.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.embedder.embedder import Embedder
from runtime.embedder.parity_set import parity_images
from runtime.errors import UsageError
from runtime.fix.fixer import Fixer
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.record.recorder import Recorder
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Decision, Frame, GeoPoint, ImageRGB, Measured, Pose, Position, PositionSource

_HEIGHT_M = 80.0
_HFOV_DEG = 70.0
_WIDTH_PX, _HEIGHT_PX = 640, 480
_GRID = 6  # views along each side of the mosaic
_STEP_M = 20.0  # between keyframes
_OFF_M = 7.0  # a live frame from the nearest keyframe
_ORIGIN = GeoPoint(60.0, 22.0)


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds of ``runs`` runs after warm-up."""

    what: str
    runs: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, what: str, spent_ms: list[float]) -> Latency:
        """The percentiles of what was measured."""
        p50, p90, p99 = (float(value) for value in np.percentile(spent_ms, (50, 90, 99)))
        return cls(what, len(spent_ms), p50, p90, p99, max(spent_ms))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A whole fix, stage by stage; ``fixed`` of ``frames``."""

    keyframes: int
    frames: int
    fixed: int
    stages: tuple[Latency, ...]


def embedding_latency(embedder: Embedder, runs: int, warm_up: int = 10) -> list[Latency]:
    """One crop at a time through each view's tower; towers that share a file are measured once."""
    bundle = embedder.bundle
    crop = parity_images(bundle)[:1]
    once = {bundle.model(view, embedder.precision).file: view for view in reversed(bundle.views)}
    found = []
    for file, view in once.items():
        spent_ms = timed(lambda view=view: embedder.embed(view, crop), runs, warm_up)  # type: ignore[misc]
        found.append(Latency.of(f"embed {file}, batch 1", spent_ms))
    return found


def throughput_hz(embedder: Embedder, seconds: float = 2.0) -> float:
    """Crops per second at the engine's own batch."""
    view = embedder.bundle.views[0]
    crops = parity_images(embedder.bundle)[: max(embedder.batch, 8)]
    embedder.embed(view, crops)
    began_s, done = time.perf_counter(), 0
    while time.perf_counter() - began_s < seconds:
        embedder.embed(view, crops)
        done += len(crops)
    return done / (time.perf_counter() - began_s)


def pipeline(embedder: Embedder, frames: int, warm_up: int = 5) -> Pipeline:
    """Record a flight over the mosaic, then fix frames between its keyframes."""
    ground = _Ground(parity_images(embedder.bundle))
    camera = CameraModel.from_hfov(_WIDTH_PX, _HEIGHT_PX, _HFOV_DEG)
    bundle = embedder.bundle
    with tempfile.TemporaryDirectory() as scratch:
        with History.create(Path(scratch) / "bench.db", bundle.embedding_space_id, bundle.name) as history:
            recorder = Recorder(history, embedder, camera, "bench", moved=0.05)
            for index, (north_m, east_m) in enumerate(ground.places(_STEP_M)):
                recorder.add(ground.frame(north_m, east_m, index), _pose(index), _position(north_m, east_m))
            return _fixed(history, embedder, camera, ground, frames, warm_up)


def resident_mib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], object], runs: int, warm_up: int) -> list[float]:
    """Milliseconds of each run, the warm-up left out."""
    spent = []
    for run in range(warm_up + runs):
        began_s = time.perf_counter()
        work()
        if run >= warm_up:
            spent.append((time.perf_counter() - began_s) * 1e3)
    return spent


class _Watch:
    """Collects the milliseconds of every stage."""

    def __init__(self) -> None:
        self.spent_ms: dict[str, list[float]] = defaultdict(list)
        self.last_s = 0.0

    def __call__(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.spent_ms[stage].append((now_s - self.last_s) * 1e3)
        self.last_s = now_s


class _Ground:
    """A mosaic of views, and frames of it as a level camera over it sees them."""

    def __init__(self, views: NDArray[np.uint8]) -> None:
        if len(views) < _GRID:
            raise UsageError(f"the bundle has only {len(views)} parity images: export it again to measure a pipeline.")
        rows = [np.concatenate([views[(r * _GRID + c) % len(views)] for c in range(_GRID)], 1) for r in range(_GRID)]
        self.m_per_px = 2 * _HEIGHT_M * float(np.tan(np.radians(_HFOV_DEG / 2))) / _WIDTH_PX
        self._image = np.asarray(cv2.GaussianBlur(np.concatenate(rows), (0, 0), 0.7), np.uint8)

    def places(self, step_m: float) -> list[tuple[float, float]]:
        """Where a frame lies wholly inside, north and east of the middle, line by line."""
        height, width = self._image.shape[:2]
        reach_n = (height - _HEIGHT_PX) / 2 * self.m_per_px - 2 * _OFF_M
        reach_e = (width - _WIDTH_PX) / 2 * self.m_per_px - 2 * _OFF_M
        norths, easts = (np.arange(-reach, reach, step_m) for reach in (reach_n, reach_e))
        return [(float(north), float(east)) for north in norths for east in easts]

    def frame(self, north_m: float, east_m: float, index: int) -> Frame:
        """What the camera sees, north up."""
        height, width = self._image.shape[:2]
        top = round(height / 2 - north_m / self.m_per_px - _HEIGHT_PX / 2)
        left = round(width / 2 + east_m / self.m_per_px - _WIDTH_PX / 2)
        image: ImageRGB = self._image[top : top + _HEIGHT_PX, left : left + _WIDTH_PX]
        return Frame(np.ascontiguousarray(image), index * 10**9, "bench", index)


def _position(north_m: float, east_m: float) -> Position:
    return Position.circular(offset(_ORIGIN, north_m, east_m), 1.0, PositionSource.AUTOPILOT)


def _pose(index: int) -> Pose:
    return Pose(
        t_ns=index * 10**9,
        height_agl_m=Measured(_HEIGHT_M, 1.0, "bench"),
        attitude=Attitude(ned_from_euler(0.0, 0.0, 0.0), 0.02, "bench"),
    )


def _fixed(
    history: History, embedder: Embedder, camera: CameraModel, ground: _Ground, frames: int, warm_up: int
) -> Pipeline:
    watch = _Watch()
    fixer = Fixer(history, embedder, camera, watch)
    rng = np.random.default_rng(5)
    places = ground.places(_STEP_M)
    whole, fixed = [], 0
    for index in range(warm_up + frames):
        north_m, east_m = places[int(rng.integers(len(places)))]
        frame = ground.frame(north_m + _OFF_M, east_m - _OFF_M, index)
        if index == warm_up:
            watch.spent_ms.clear()
        began_s = watch.last_s = time.perf_counter()
        fix = fixer.fix(frame, _pose(index))
        if index >= warm_up:
            whole.append((time.perf_counter() - began_s) * 1e3)
            fixed += fix.decision is Decision.FIX
    stages = (*(Latency.of(stage, spent) for stage, spent in watch.spent_ms.items()), Latency.of("whole fix", whole))
    return Pipeline(len(history), frames, fixed, stages)
