"""A training set that a test can afford: places of one little area, their crops cut from one drawn ground."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from train.data.places import Square, write_places

SIDE_M, STRIDE_M, CELL_PX = 90.0, 30.0, 32


def ground(seed: int, side_px: int) -> np.ndarray:
    """(S, S, 3) uint8: soft blobs of several sizes and colours."""
    rng = np.random.default_rng(seed)
    image = np.zeros((side_px, side_px, 3), np.float32)
    for cells in (6, 14, 30):
        coarse = rng.random((cells, cells, 3)).astype(np.float32)
        image += cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return np.clip(image / 3 * 255, 0, 255).astype(np.uint8)


def area(root: Path, places: int = 16, seeds: tuple[int, ...] = (0,), test: bool = True) -> Path:
    """A folder in the layout: train/ and test/ of squares 30 m apart; the satellite sees other colours, blurred."""
    squares = {}
    for seed in seeds:
        columns = int(np.ceil(np.sqrt(places)))
        whole = ground(seed, CELL_PX * (columns // 3 + 3))
        for i in range(places):
            row, column = divmod(i, columns)
            name = f"{seed}-{i:03d}"
            squares[name] = Square(f"w{seed}", -STRIDE_M * row, STRIDE_M * column, SIDE_M)
            step = CELL_PX * STRIDE_M / SIDE_M
            top, left = round(row * step), round(column * step)
            crop = whole[top : top + CELL_PX, left : left + CELL_PX]
            satellite = cv2.GaussianBlur(255 - crop[..., ::-1], (0, 0), 0.8)
            for part in ("train", *(("test/query_", "test/gallery_") if test else ())):
                folder = root / part if part == "train" else root
                for view, image in (("drone", crop), ("satellite", satellite)):
                    path = (folder / view if part == "train" else root / f"{part}{view}") / name / "0.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    assert cv2.imwrite(str(path), image)
    write_places(root, squares)
    return root


CONFIG = """
[data]
train = ["{data}"]
validation = "{data}"
size_px = 32
weather = 0.0
heading_deg = 0.0
scale = 0.0
window = 1.0

[towers.backbone]
name = "resnet18"
stage = 2

[towers.head]
map_channels = 8

[[loss]]
name = "info_nce"

[[loss]]
name = "dense_correspondence"
weight = 0.1

[run]
out = "{out}"
steps = {steps}
batch = 6
learning_rate = 0.003
backbone_factor = 1.0
precision = "{precision}"
evaluate_every = 50
checkpoint_every = 50
threads = 1
"""


def config(folder: Path, data: Path, out: str = "run", steps: int = 8, precision: str = "fp32", more: str = "") -> Path:
    """A configuration file beside the data."""
    path = folder / f"{out}.toml"
    path.write_text(CONFIG.format(data=data, out=out, steps=steps, precision=precision) + more)
    return path
