"""Fits the shipped head: ``python -m tests.bench.fit_head [--out FILE]``; then export/export.py makes the bundle.

Crops: both views of simulated worlds (seeds from 100101 on, which no acceptance run uses) and every tenth frame of
``juru`` (MIT), which was taken for real texture and holds label maps: a next head is better fitted without them. It is
a mean and a covariance over the crops: nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sim.galleries import drone_gallery, satellite_gallery, scattered
from sim.world.world import World
from train.tower import HEADS
from train.weights import LITE0_STRIDE_16, lite0_imagenet
from train.whitening import channel_samples, fit

SEEDS = (100101, 100102, 100103, 100104)
SIDES_M = (56.0, 80.0, 80.0, 112.0)  # of the crops, one per seed
PER_VIEW = 60
SIZE_PX = 256
JURU = Path(__file__).parents[3] / "shared" / "data" / "texture" / "juru"


def crops() -> Iterator[NDArray[np.uint8]]:
    """Batches of (n, S, S, 3) uint8 RGB."""
    for seed, side in zip(SEEDS, SIDES_M, strict=True):
        world = World.generate(seed)
        yield drone_gallery(world, scattered(world, PER_VIEW, side, 2), side, SIZE_PX, seed=1).images
        yield satellite_gallery(world, scattered(world, PER_VIEW, side, 3), side, SIZE_PX).images
    for path in sorted(JURU.glob("*.jpg"))[::10]:
        image = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        yield cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)[None].astype(np.uint8)


def main() -> None:
    """Fit and write the head's weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HEADS / "efficientnet-lite0.npy", help="file to write")
    out: Path = parser.parse_args().out
    torch.set_num_threads(2)
    backbone = lite0_imagenet((LITE0_STRIDE_16,)).backbone.eval()
    weights = fit(channel_samples(backbone, LITE0_STRIDE_16, crops()), LITE0_STRIDE_16)
    weights.save(out)
    print(f"{out}: mean {weights.mean.shape}, projection {weights.projection.shape}")


if __name__ == "__main__":
    main()
