"""A long history for benchmarks, made once and kept under out/bench: the keyframes of many flights around a place.

    python -m tests.bench.long_history [--keyframes N]

Every keyframe passes the gate and is committed by itself, as in flight. Its picture is one of a few hundred textures
that the network has embedded, rolled; its vector is that texture's, disturbed, so that all differ as views of other
places do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.geodesy import offset
from runtime.history.history import History, stored
from runtime.rotations import ned_from_euler
from runtime.values import (
    Attitude,
    Embeddings,
    GeoPoint,
    ImageRGB,
    Keyframe,
    Measured,
    Pose,
    Position,
    PositionSource,
    ViewKind,
)
from tests.bench.fix_latency import texture

KEPT = Path(__file__).parents[2] / "out" / "bench"
_SIDE_M, _HEIGHT_M = 90.0, 100.0
_CROP_PX = 320  # what the recorder keeps of 640 x 480 at that height
_TEXTURES = 256
_KEYFRAMES_A_FLIGHT = 500
_DISTURBED = 0.5  # of a vector's length


@dataclass(frozen=True)
class _Pool:
    crops: list[ImageRGB]
    embedded: Embeddings


def long_history(origin: GeoPoint, count: int) -> Path:
    """A history of the default bundle with ``count`` keyframes within 2 km of ``origin``; kept once it is made."""
    bundle = Bundle.load()
    at = f"{origin.latitude_deg:.4f},{origin.longitude_deg:.4f}"
    path = KEPT / f"{count}-{at}-{bundle.embedding_space_id}.db"
    if not path.is_file():
        KEPT.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.part")
        with History.create(draft, bundle.embedding_space_id, bundle.name) as history:
            _fill(history, Embedder(bundle, threads=1), origin, count)
        draft.rename(path)
    return path


def _fill(history: History, embedder: Embedder, origin: GeoPoint, count: int) -> None:
    rng = np.random.default_rng(11)
    pool = _pool(rng, embedder)
    rungs = [rung for rung in embedder.bundle.footprints_m if rung <= _SIDE_M][-2:]
    for number in range(count):
        one = number % _TEXTURES
        embedded = Embeddings(
            _disturbed(rng, pool.embedded.vectors[one], len(rungs)),
            None if pool.embedded.maps is None else np.repeat(pool.embedded.maps[one : one + 1], len(rungs), axis=0),
        )
        crop = np.roll(pool.crops[one], tuple(map(int, rng.integers(0, _CROP_PX, 2))), (0, 1))
        history.add(_keyframe(rng, origin, number, crop), stored(embedded, rungs))


def _pool(rng: np.random.Generator, embedder: Embedder) -> _Pool:
    size_px = embedder.bundle.input_size_px
    crops = [texture(rng, _CROP_PX) for _ in range(_TEXTURES)]
    small = np.stack([cv2.resize(crop, (size_px, size_px), interpolation=cv2.INTER_AREA) for crop in crops])
    parts = [embedder.embed(ViewKind.DRONE, small[start : start + 16]) for start in range(0, _TEXTURES, 16)]
    maps = [part.maps for part in parts if part.maps is not None]
    whole = replace(
        parts[0],
        vectors=np.concatenate([part.vectors for part in parts]),
        maps=np.concatenate(maps) if maps else None,
    )
    return _Pool(crops, whole)


def _disturbed(rng: np.random.Generator, vector: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(count, D) unit rows about a vector (D,)."""
    noise = rng.standard_normal((count, len(vector))).astype(np.float32)
    rows = vector + noise * np.float32(_DISTURBED / np.sqrt(len(vector)))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _keyframe(rng: np.random.Generator, origin: GeoPoint, number: int, crop: ImageRGB) -> Keyframe:
    ground = offset(origin, *map(float, rng.uniform(-2000, 2000, 2)))
    pose = Pose(
        t_ns=number * 2 * 10**9,
        altitude_amsl_m=Measured(_HEIGHT_M + 12.0, 2.0, "ekf"),
        height_takeoff_m=Measured(_HEIGHT_M, 1.0, "baro"),
        height_agl_m=Measured(_HEIGHT_M, 2.0, "flat ground"),
        attitude=Attitude(ned_from_euler(0.0, 0.0, float(rng.uniform(-3, 3))), 0.05, "vehicle yaw"),
    )
    at = Position.circular(ground, 2.0, PositionSource.AUTOPILOT)
    flight = f"flight {number // _KEYFRAMES_A_FLIGHT + 1}"
    return Keyframe(0, flight, ViewKind.DRONE, str(number), pose, at, ground, 2.0, _SIDE_M, np.ascontiguousarray(crop))


def main(words: Sequence[str] | None = None) -> None:
    """Make one, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyframes", type=int, default=10_000)
    options = parser.parse_args(words)
    path = long_history(GeoPoint(60.4, 22.4), options.keyframes)
    print(f"{path}: {path.stat().st_size / 2**20:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
