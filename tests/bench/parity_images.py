"""Makes the sheets of the parity set that ship; each asks for a new export of the default bundle.

    python -m tests.bench.parity_images                   # the rendered views, three minutes
    python -m tests.bench.parity_images --photos FOLDER   # the photographs, cut from the pictures of deepforest 2.1.0

Every exported tower is compared with its reference on them. Each rendered place is seen three times: by a drone, by it
again a few metres on, and by a satellite on another date; each photographed crop overlaps the next. So every view has
near neighbours, which are what a wrong engine swaps first. A sheet is one WebP file, so that 216 views weigh 1.4 MB in
the wheel; the reference is computed from what the file decodes to.

FOLDER is `deepforest/data` of the wheel (``pip download --no-deps deepforest==2.1.0``, unpacked): survey photographs
from an aircraft at 10 cm a pixel, of the National Ecological Observatory Network, which puts them in the public domain.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.embedder.parity_set import PARITY_PHOTOS, PARITY_VIEWS, write_sheet
from sim.galleries import drone_gallery, satellite_gallery, scattered
from sim.world.world import World

SEEDS = (100031, 100032, 100033, 100034)  # none of those that anything was fitted on or is judged by
PLACES = 18  # of each world
SIDES_M = (56.0, 80.0, 112.0)
STEP_SHARE = 0.06  # of the side, from a view to its near neighbour
SIZE_PX = 256
QUALITY = 80  # of WebP; below it the texture that the towers look at goes first


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture, cut into ``rows`` x ``columns`` crops of ``side_px`` that overlap, from corner to corner."""

    name: str
    side_px: int
    rows: int
    columns: int


PHOTOGRAPHS = (
    Photograph("2019_YELL_2_541000_4977000_image_crop.png", 512, 2, 4),  # a road through a wood
    Photograph("2019_YELL_2_528000_4978000_image_crop2.png", 1024, 2, 4),  # meadows and the wood's edge
    Photograph("OSBS_029.png", 256, 2, 2),  # sand and scrub
    Photograph("SOAP_031.png", 256, 1, 2),  # a slope with fallen trees
    Photograph("SOAP_061.png", 256, 1, 2),
)


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


def photographs(folder: Path) -> NDArray[np.uint8]:
    """(24, 256, 256, 3) uint8 RGB: the pictures' crops, row by row."""
    crops = []
    for one in PHOTOGRAPHS:
        picture = cv2.imread(str(folder / one.name), cv2.IMREAD_COLOR)
        if picture is None:
            raise SystemExit(f"{folder / one.name} is no picture: name the folder deepforest/data of the wheel.")
        for top in np.linspace(0, picture.shape[0] - one.side_px, one.rows).astype(int):
            for left in np.linspace(0, picture.shape[1] - one.side_px, one.columns).astype(int):
                crop = picture[top : top + one.side_px, left : left + one.side_px]
                crops.append(cv2.resize(crop, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)[..., ::-1])
    return np.stack(crops).astype(np.uint8)


def main() -> None:
    """Render or cut, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="cut the photographs instead")
    folder = parser.parse_args().photos
    out, crops = (PARITY_VIEWS, views()) if folder is None else (PARITY_PHOTOS, photographs(folder))
    write_sheet(out, crops, QUALITY)
    print(f"{out}: {len(crops)} views of {SIZE_PX} px, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
