"""Renders the views of the parity set: ``python -m tests.bench.parity_images [--out SHEET]``, three minutes.

Every exported tower is compared with its reference on them. Each place is seen three times: by a drone, by it again a
few metres on, and by a satellite on another date; so every view has near neighbours, which are what a wrong engine
swaps first. The sheet is one WebP file, so that 216 views weigh 1.4 MB in the wheel; the reference is computed from
what the file decodes to. A new sheet asks for a new export of the default bundle.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.embedder.parity_set import PARITY_VIEWS, write_sheet
from sim.galleries import drone_gallery, satellite_gallery, scattered
from sim.world.world import World

SEEDS = (100031, 100032, 100033, 100034)  # none of those that anything was fitted on or is judged by
PLACES = 18  # of each world
SIDES_M = (56.0, 80.0, 112.0)
STEP_SHARE = 0.06  # of the side, from a view to its near neighbour
SIZE_PX = 256
QUALITY = 80  # of WebP; below it the texture that the towers look at goes first


def views() -> NDArray[np.uint8]:
    """(216, 256, 256, 3) uint8 RGB: per place the drone's view, the next one and the satellite's."""
    crops = []
    for number, seed in enumerate(SEEDS):
        world, side_m = World.generate(seed), SIDES_M[number % len(SIDES_M)]
        places = scattered(world, PLACES, side_m * 1.2, 1)
        near = places + np.random.default_rng(seed).normal(0, STEP_SHARE * side_m, places.shape)
        triples = (
            drone_gallery(world, places, side_m, SIZE_PX, seed=1),
            drone_gallery(world, near, side_m, SIZE_PX, seed=2),
            satellite_gallery(world, places, side_m, SIZE_PX),
        )
        crops.append(np.stack([gallery.images for gallery in triples], axis=1).reshape(-1, SIZE_PX, SIZE_PX, 3))
    return np.concatenate(crops)


def main() -> None:
    """Render and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PARITY_VIEWS)
    out = parser.parse_args().out
    crops = views()
    write_sheet(out, crops, QUALITY)
    print(f"{out}: {len(crops)} views of {SIZE_PX} px, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
