"""Fixes simulated drone frames against a real satellite map: `record --map`, then views over it through `fix`.

    python -m tests.bench.real_map [--map FILE.tif] [--views N] [--height M] [--seed N]

The camera sees the map's ground on another date: other colours by material, other shadows, raised trees, no texture
in common (`sim.world.geotiff`). Pose: attitude 1 degree, heading 3 degrees, height 3 % wrong; position not given.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel
from runtime.embedder.embedder import Embedder
from runtime.fix.fixer import Fixer
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.history.history import History
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Decision, Fix, Frame, GeoPoint, Measured, Pose
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer
from sim.world.geotiff import GeoTiffWorld

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame, the pose that telemetry claims, and where it truly was."""

    frame: Frame
    pose: Pose
    truth: GeoPoint


def views(world: GeoTiffWorld, camera: CameraModel, count: int, height_m: float, seed: int) -> list[Sample]:
    """Frames at random places and headings over the middle of the map, tilted by 4 degrees, 1-sigma."""
    rng = np.random.default_rng([seed, 5])
    simulated = SimulatedCamera(Renderer(world.scene("flight")), camera, seed)
    north, east = world.extent_m
    margin = 0.75 * height_m
    samples = []
    for index in range(count):
        place = rng.uniform(-1, 1, 2) * [north / 2 - margin, east / 2 - margin]
        roll, pitch = rng.normal(0, math.radians(4.0), 2)
        yaw, height = rng.uniform(-math.pi, math.pi), height_m * math.exp(rng.normal(0, 0.05))
        image = simulated.capture((*place, -height), ned_from_euler(roll, pitch, yaw), (8.0, 0.0, 0.0))
        wrong = np.radians(rng.normal(0, 1, 3)) * [1, 1, 3]
        attitude = ned_from_euler(roll + wrong[0], pitch + wrong[1], yaw + wrong[2])
        pose = Pose(
            t_ns=index,
            height_agl_m=Measured(height * (1 + 0.03 * float(rng.normal())), 0.03 * height, "simulated"),
            attitude=Attitude(attitude, math.radians(3.0), "simulated"),
        )
        truth = offset(world.origin, float(place[0]), float(place[1]))
        samples.append(Sample(Frame(np.asarray(image), index, "simulated", index), pose, truth))
    return samples


def report(name: str, samples: Sequence[Sample], fixes: Sequence[Fix]) -> str:
    """Share fixed, median, 90th percentile, worst, and how honest sigma is."""
    errors, axes = [], []
    for sample, fix in zip(samples, fixes, strict=True):
        if fix.decision is Decision.FIX and fix.aircraft is not None and fix.sigma_m is not None:
            errors.append(distance_m(fix.aircraft, sample.truth))
            axes.append(np.abs(north_east_m(fix.aircraft, sample.truth)) / fix.sigma_m)
    if not errors:
        return f"{name:30s}   0 %"
    middle, high = np.percentile(errors, [50, 90])
    within = [float(np.mean(np.array(axes) < k)) for k in (1, 2)]
    return (
        f"{name:30s} {len(errors) / len(samples):5.0%} {middle:9.1f} {high:8.1f} {max(errors):8.1f}"
        f" {within[0]:8.0%} {within[1]:8.0%}"
    )


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", type=Path, default=DATA / "maps" / "turku.tif")
    parser.add_argument("--views", type=int, default=80)
    parser.add_argument("--height", type=float, default=100.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    if not options.map.is_file():
        raise SystemExit(f"{options.map} is absent: there is nothing to measure on.")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "map.db"
        command = [sys.executable, "-m", "runtime.cli.main", "record", "--map", str(options.map)]
        subprocess.run([*command, "--history", str(path)], check=True, stderr=subprocess.DEVNULL)
        world, camera = GeoTiffWorld.open(options.map, options.seed), default_camera()
        samples = views(world, camera, options.views, options.height, options.seed)
        bundle = Bundle.load()
        with History.open(path, embedding_space_id=bundle.embedding_space_id) as history:
            fixer = Fixer(history, Embedder(bundle, threads=2), camera)
            started_s = time.perf_counter()
            fixes = [fixer.fix(sample.frame, sample.pose) for sample in samples]
            spent_ms = (time.perf_counter() - started_s) * 1e3 / len(samples)
            middles = [keyframe.ground for keyframe in history.keyframes()]
    print(f"{options.map.name}, {len(middles)} tiles, {options.height:g} m above ground, {spent_ms:.0f} ms a fix")
    print(f"{'':30s} fixed  median m    p90 m  worst m  in 1 sg  in 2 sg")
    print(report("fix", samples, fixes))
    print("  no fix:", dict(Counter(fix.reason for fix in fixes if fix.decision is not Decision.FIX)))
    rng = np.random.default_rng(1)
    drawn = [distance_m(middles[rng.integers(len(middles))], sample.truth) for sample in samples for _ in range(20)]
    print(f"{'a random tile':30s}  100% {np.median(drawn):9.1f} {np.percentile(drawn, 90):8.1f} {max(drawn):8.1f}")


if __name__ == "__main__":
    main()
