"""How hard the simulated worlds are: ``python -m tests.bench.hardness [--seeds 1-10] [--world FILE.tif]``.

The measure is `sim.hardness`'s; the network is ImageNet's EfficientNet-Lite0 with its last features averaged.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from sim.hardness import galleries, measure, table
from sim.world.geotiff import GeoTiffWorld
from sim.world.world import AnyWorld, World
from train.weights import LITE0_LAST, lite0_imagenet

_SIZE_PX, _BATCH = 224, 16


class PooledLastLayer:
    """(N, S, S, 3) uint8 RGB to (N, 1280) float32: the mean over the last feature map."""

    def __init__(self) -> None:
        self._network = lite0_imagenet((LITE0_LAST,)).backbone.eval()

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = np.stack([cv2.resize(one, (_SIZE_PX, _SIZE_PX), interpolation=cv2.INTER_AREA) for one in images])
        with torch.inference_mode():
            parts = [
                self._network(torch.from_numpy(small[at : at + _BATCH]))[LITE0_LAST].mean(dim=(2, 3))
                for at in range(0, len(small), _BATCH)
            ]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


def main() -> int:
    """Measure and print; 3 when a world is not accepted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-10", help="a range, or numbers with commas between")
    parser.add_argument("--world", type=Path, default=None, help="a GeoTIFF instead of procedural worlds")
    arguments = parser.parse_args()
    first, dash, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last) + 1) if dash else [int(one) for one in arguments.seeds.split(",")]
    embed, rows = PooledLastLayer(), []
    for seed in seeds:
        world: AnyWorld = World.generate(seed) if arguments.world is None else GeoTiffWorld.open(arguments.world, seed)
        rows.append((f"seed {seed}", measure(*galleries(world), embed)))
        print(rows[-1], file=sys.stderr, flush=True)
    Console(width=120).print(table(rows))
    return 0 if all(report.accepted for _, report in rows) else 3


if __name__ == "__main__":
    sys.exit(main())
