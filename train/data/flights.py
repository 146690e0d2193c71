"""Own flights as training data: a recorded history over a georeferenced map gives pairs of one's own ground.

    python -m train.data.flights --history flight.db --map map.tif --out DIR

writes a folder in University-1652's layout, with ``places.csv``: every drone keyframe's rectified crop, and the same
square of the map. Blocks of the flight are kept back for the test; no ground that they show is trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from runtime.errors import HomingError, StorageError, UsageError
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.record.map_tiles import Map, open_map
from runtime.values import GeoPoint, Keyframe, ViewKind
from train.data.places import Square, overlaps, write_places

_BLOCK_OF = 20  # keyframes in order of time to a block; every fifth block is kept for the test
_TEST_EVERY = 5
_SIZE_PX = 256
_COVERED = 0.98  # of a crop that the map must have data for
Image = NDArray[np.uint8]  # (S, S, 3) RGB


@dataclass(frozen=True, slots=True)
class CropPair:
    """A keyframe's crop and the map's, of one square of ground."""

    drone: Image
    satellite: Image
    square: Square
    test: bool


def pairs(history: History, opened: Map, origin: GeoPoint) -> Iterator[CropPair]:
    """Every drone keyframe that the map covers, in order of time; squares that a test block shares with the rest, and
    that are not of the test themselves, are left out, so that no ground is in both."""
    found = history.keyframes(ViewKind.DRONE, crops=False)
    frames = sorted(found, key=lambda one: one.pose.t_ns or 0)  # photos without a date in the order of their recording
    squares = [_square(one, origin) for one in frames]
    test = np.array([(i // _BLOCK_OF) % _TEST_EVERY == _TEST_EVERY - 1 for i in range(len(frames))], bool)
    shared = overlaps(squares, [s for s, t in zip(squares, test, strict=True) if t]).max(axis=1, initial=0.0) > 0
    for index, frame in enumerate(frames):
        if shared[index] and not test[index]:
            continue
        north, east = north_east_m(opened.middle, frame.ground)
        if abs(north) > opened.size_m[0] / 2 or abs(east) > opened.size_m[1] / 2:
            continue
        tile = opened.tile(north, east, frame.footprint_m)
        if tile.coverage < _COVERED:
            continue
        crop = history.keyframe(frame.keyframe_id).crop
        yield CropPair(_resized(crop), _resized(tile.image), squares[index], bool(test[index]))


def write_pairs(found: Iterator[CropPair], out: Path) -> int:
    """Write a folder as `train.data.university` reads it; how many pairs there were.

    Raises:
        UsageError: there was none, or ``out`` holds something.
        StorageError: it cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already: name another folder with --out.")
    squares: dict[str, Square] = {}
    try:
        for number, pair in enumerate(found):
            name = f"{number:06d}"
            squares[name] = pair.square
            for part in ("test/query_", "test/gallery_") if pair.test else ("train/",):
                for view, image in (("drone", pair.drone), ("satellite", pair.satellite)):
                    path = out / f"{part}{view}" / name / "0.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
        if squares:
            write_places(out, squares)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    if not squares:
        raise UsageError("the map covers none of the history's drone views: do they lie in the same place?")
    return len(squares)


def main(
    history: Annotated[Path, typer.Option(help="A recorded flight.")],
    map_file: Annotated[Path, typer.Option("--map", help="A GeoTIFF of the same ground.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
) -> None:
    """Make training pairs of a flight and a map."""
    with History.open(history) as opened_history, open_map(map_file) as opened_map:
        count = write_pairs(pairs(opened_history, opened_map, opened_map.middle), out)
    typer.echo(f"{out}: {count} pairs; train on them with homing-train")


def _square(frame: Keyframe, origin: GeoPoint) -> Square:
    north, east = north_east_m(origin, frame.ground)
    return Square("flight", north, east, frame.footprint_m)


def _resized(image: Image) -> Image:
    shrinks = image.shape[0] > _SIZE_PX
    size = (_SIZE_PX, _SIZE_PX)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8)


if __name__ == "__main__":
    try:
        typer.run(main)
    except HomingError as error:
        typer.echo(f"flights: {error}", err=True)
        raise SystemExit(error.exit_status) from error
