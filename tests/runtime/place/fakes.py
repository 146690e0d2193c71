"""Ground made of noise, keyframes cut from it, and a tower whose map is the crop's own colours."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geodesy import offset
from runtime.history.history import History, StoredEmbedding
from runtime.place.target import Target
from runtime.values import Attitude, Embeddings, GeoPoint, Keyframe, Measured, Pose, Position, PositionSource, ViewKind

ORIGIN = GeoPoint(60.4, 22.4)
SPACE, SIZE_PX, CELLS = "colours", 64, 16
RUNGS_M = (40.0, 64.0)
TABLE: dict[str, Any] = {
    "model": "logistic", "features": ["contrast", "margin"], "mean": [11.0, 0.12], "scale": [2.0, 0.06],
    "weights": [1.5, 1.5], "bias": 0.0, "threshold": 0.5, "sigma_m": 2.0, "ground_sigma_m": 1.0,
}  # fmt: skip


def noise(side_px: int, seed: int) -> NDArray[np.uint8]:
    """(side, side, 3) uint8 of 1 m pixels: blobs of several sizes, nowhere twice the same."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side_px, side_px, 3), np.float32)
    for cell_px, weight in ((8, 0.5), (20, 0.5), (60, 0.3)):
        count = side_px // cell_px + 2
        blobs = rng.standard_normal((count, count, 3)).astype(np.float32)
        image += weight * cv2.resize(blobs, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(127 + 60 * image, 0, 255), np.uint8)


@dataclass
class Colours:
    """A bundle and its tower in one: each map cell is the colour there, less the crop's mean."""

    table: dict[str, Any] | None = field(default_factory=lambda: dict(TABLE))
    name: str = "colours"
    input_size_px: int = SIZE_PX
    map_shape: tuple[int, int, int] | None = (3, CELLS, CELLS)
    crops: int = 0
    shared_dim: int = 3 * CELLS**2
    pair: tuple[ViewKind, ViewKind] = (ViewKind.SATELLITE, ViewKind.DRONE)

    @property
    def bundle(self) -> Colours:
        return self

    def acceptance(self, query: ViewKind, gallery: ViewKind) -> dict[str, Any] | None:
        return self.table if (query, gallery) == self.pair else None

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> Embeddings:
        self.crops += len(crops)
        small = np.stack([cv2.resize(crop, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for crop in crops])
        maps = small.astype(np.float32).transpose(0, 3, 1, 2)
        maps -= maps.mean(axis=(2, 3), keepdims=True)
        maps /= np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-6)
        vectors = maps.reshape(len(maps), -1)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
        return Embeddings(vectors, None if self.map_shape is None else maps)


class Land:
    """A square of noise about `ORIGIN` (or a point of it), of 1 m pixels."""

    def __init__(self, side_m: int = 700, seed: int = 1, at_ne_m: tuple[float, float] = (0.0, 0.0)) -> None:
        self.image = noise(side_m, seed)
        self.at_ne_m = at_ne_m

    def cut(self, north_m: float, east_m: float, side_m: float, gsd_m: float, heading_rad: float = 0.0) -> Any:
        """(S, S, 3): a square whose upper edge points to ``heading_rad``, about a point from the land's middle."""
        size = round(side_m / gsd_m)
        cos, sin = np.cos(heading_rad), np.sin(heading_rad)
        turn = gsd_m * np.array([[cos, -sin], [sin, cos]])
        half = self.image.shape[0] / 2
        middle = np.array([half + east_m - 0.5, half - north_m - 0.5])
        matrix = np.hstack([turn, (middle - turn @ np.full(2, size / 2 - 0.5))[:, None]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(self.image, matrix, (size, size), flags=flags), np.uint8)

    def target(
        self, north_m: float, east_m: float, side_m: float = 72.0, heading_rad: float = 0.0, known: bool = True,
        position: GeoPoint | None = None, gsd_m: float = 0.5,
    ) -> Target:  # fmt: skip
        """What a satellite of another day saw: paler, and noisy."""
        seen = self.cut(north_m, east_m, side_m, gsd_m, heading_rad).astype(np.float32)
        grain = np.random.default_rng([round(north_m) % 1000, 5]).normal(0, 12, seen.shape)
        image = np.clip(0.7 * seen + 60 + grain, 0, 255).astype(np.uint8)
        return Target(image, gsd_m if known else None, True, position, "target")

    def record(
        self, history: History, tower: Colours, places: list[tuple[float, float]], view: ViewKind = ViewKind.DRONE,
        gsd_m: float | None = None,
    ) -> None:  # fmt: skip
        """Keyframes about places, embedded at every rung; their crops of ``gsd_m``, else of the tower's size."""
        for north, east in places:
            crops = [cv2.resize(self.cut(north, east, rung, rung / SIZE_PX), (SIZE_PX, SIZE_PX)) for rung in RUNGS_M]
            made = tower.embed(view, np.stack(crops))
            ground = offset(ORIGIN, north + self.at_ne_m[0], east + self.at_ne_m[1])
            at = Position.circular(ground, 1.0, PositionSource.AUTOPILOT)
            pose = Pose(0, height_agl_m=Measured(100, 1, "test"), attitude=Attitude.level(Measured(0.0, 0.1, "test")))
            maps = made.maps if made.maps is not None else [None] * len(RUNGS_M)
            stored = [StoredEmbedding(r, 0.0, v, m) for r, v, m in zip(RUNGS_M, made.vectors, maps, strict=True)]
            crop = crops[-1] if gsd_m is None else self.cut(north, east, RUNGS_M[-1], gsd_m)
            keyframe = Keyframe(0, "survey", view, "", pose, at, ground, 1.0, RUNGS_M[-1], crop)
            history.add(keyframe, stored)


def grid(reach_m: float, step_m: float) -> list[tuple[float, float]]:
    """Places over a square."""
    steps = np.arange(-reach_m, reach_m + 1e-6, step_m)
    return [(float(north), float(east)) for north in steps for east in steps]


def new_history(path: Path) -> History:
    return History.create(path, SPACE, "colours")
