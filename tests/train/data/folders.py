"""Tiny folders in the data sets' layouts, each place a colour and a bar of its own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def picture(seed: int, size_px: int = 32) -> np.ndarray:
    """(S, S, 3) uint8: coarse blocks that differ from seed to seed."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(blocks, (size_px, size_px), interpolation=cv2.INTER_NEAREST))


def write(path: Path, seed: int, size_px: int = 32) -> None:
    """A picture on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(seed, size_px))


def university(root: Path, places: int = 4, drone_views: int = 2) -> Path:
    """University-1652's layout: an empty google class, a place without satellite, one gallery place more."""
    for place in range(places):
        name = f"{place:04d}"
        for view in range(drone_views):
            write(root / f"train/drone/{name}/image-{view:02d}.jpeg", place)
            write(root / f"test/query_drone/{name}/image-{view:02d}.jpeg", 100 + place)
            write(root / f"test/gallery_drone/{name}/image-{view:02d}.jpeg", 100 + place)
        if place > 0:
            write(root / f"train/satellite/{name}/{name}.jpg", place)
        write(root / f"test/query_satellite/{name}/{name}.jpg", 100 + place)
        write(root / f"test/gallery_satellite/{name}/{name}.jpg", 100 + place)
    write(root / "test/gallery_satellite/9999/9999.jpg", 999)
    (root / "train/google/0000").mkdir(parents=True)
    write(root / "train/google/0001/a.jpg", 1)
    return root
