"""Keyframes for tests of the history, and a program that records them until it is killed.

Run as ``python -m tests.runtime.history.recording``: for each FILE that it is given, one a line, it forks a process,
which has nothing left to import. That prints its own id, then the id and the time of each keyframe that the history has
acknowledged, each line in one write: a pipe takes all of it or nothing.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from runtime.history.history import History, StoredEmbedding
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, GeoPoint, Keyframe, Measured, Pose, Position, PositionSource, ViewKind

SPACE = "space-a"
FOOTPRINTS_M = (56.0, 80.0)


def keyframe(number: int, view: ViewKind = ViewKind.DRONE, size_px: int = 64) -> Keyframe:
    """A keyframe whose every field follows from its number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 255, (size_px // 8, size_px // 8, 3), np.uint8)
    pose = Pose(
        t_ns=1_760_000_000 * 10**9 + number * 10**9,
        altitude_amsl_m=Measured(137.25, 2.0, "ekf"),
        height_takeoff_m=Measured(100.0, 1.0, "baro"),
        height_agl_m=Measured(99.5, 3.0, "rangefinder"),
        attitude=Attitude(ned_from_euler(0.1, -0.2, 1.25), 0.05, "vehicle yaw"),
    )
    position = Position(
        point=GeoPoint(60.0 + number * 1e-4, 22.0 - number * 1e-4),
        covariance_m2=((2.25, -0.5), (-0.5, 1.75)),
        source=PositionSource.AUTOPILOT,
        velocity_ned_m_s=(8.0, -1.0, 0.25),
    )
    ground = GeoPoint(60.0 + number * 1e-4, 22.0)
    crop = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    return Keyframe(0, "flight one", view, f"frame {number}", pose, position, ground, 3.0, 112.0, crop)


def embeddings(number: int, dimension: int = 32) -> list[StoredEmbedding]:
    """One embedding with a map at each of `FOOTPRINTS_M`, from a keyframe's number."""
    rng = np.random.default_rng([number, 1])
    made = []
    for footprint_m in FOOTPRINTS_M:
        vector = rng.standard_normal(dimension).astype(np.float32)
        spatial = rng.standard_normal((4, 6, 6)).astype(np.float32)
        unit = spatial / np.linalg.norm(spatial, axis=0)
        made.append(StoredEmbedding(footprint_m, 0.0, vector / np.linalg.norm(vector), unit))
    return made


def record(path: Path) -> None:
    """Record until killed."""
    with History.append(path, SPACE, "bundle") as history:
        for number in range(1, 1_000_000):
            keyframe_id = history.add(keyframe(number), embeddings(number))
            sys.stdout.write(f"{keyframe_id} {time.monotonic()}\n")
            sys.stdout.flush()


def main() -> None:
    """One process after another; ``ended`` says that one was killed."""
    while line := sys.stdin.readline():
        process = os.fork()
        if process == 0:
            sys.stdout.write(f"{os.getpid()}\n")
            record(Path(line.rstrip("\n")))
        os.waitpid(process, 0)
        sys.stdout.write("ended\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
