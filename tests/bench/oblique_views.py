"""Which part of a view that looks ahead a place is known by: crops of `ariel` among the tiles of a satellite map.

    python -m tests.bench.oblique_views --flight HISTORY --map HISTORY

--flight: a history of the whole flight, --map: one of its map (`tests.bench.oblique --keep` leaves both). Each
keyframe's frame is cut in three ways by the pose that `record` solved: the near part laid on the ground, as Homing has
it; a square of the ground about the middle of all that is seen down to 20 degrees below the horizon; and the middle
square as the camera gave it, turned to the north. Each is looked for by its vector among all tiles of its size, at most
the largest that the map has; a tile is right whose middle is within half of its side of what the crop shows.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel
from runtime.embedder.embedder import Embedder
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache, Snapshot
from runtime.values import Frame, ImageRGB, Keyframe, Pose, ViewKind
from runtime.view import GroundPlane, centre_crop, rectify_about, turned
from tests.bench.oblique import HFOV_DEG, PITCH_DEG, Flight

_FLATTEST_RAD = math.radians(70.0)  # off straight down, of the whole view
_COVERED = 0.8  # of the near part, as of a crop that is compared in flight
_RANKS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Crop:
    """``image`` (S, S, 3), compared with tiles of ``footprint_m``; ``centre_ne_m``: (north, east) of its middle, from
    the camera."""

    image: ImageRGB
    footprint_m: float
    centre_ne_m: tuple[float, float]


def crops_of(frame: Frame, camera: CameraModel, pose: Pose, rungs: Sequence[float], size_px: int) -> dict[str, Crop]:
    """The crops of one frame, by what they show."""
    plane = GroundPlane.of(camera, pose)
    assert plane is not None and pose.heading is not None
    middle = plane.crop_centre()
    near_m = max((one for one in rungs if plane.coverage(*middle, one, size_px) >= _COVERED), default=min(rungs))
    seen = _whole(plane, pose.heading.value)
    whole_m = _nearest(rungs, float(np.ptp(seen, axis=0).max()))
    whole = (float(seen[:, 0].mean()), float(seen[:, 1].mean()))
    square = centre_crop(frame, size_px)
    raw = Crop(turned(square.image, pose.heading.value), _nearest(rungs, _side_m(plane)), plane.ground_of_axis())
    return {
        "near part, on the ground": Crop(_laid(frame, camera, pose, middle, near_m, size_px), near_m, middle),
        "middle of the whole, on the ground": Crop(_laid(frame, camera, pose, whole, whole_m, size_px), whole_m, whole),
        "middle of the view, as it is": raw,
    }


def _laid(
    frame: Frame, camera: CameraModel, pose: Pose, middle: tuple[float, float], side_m: float, size_px: int
) -> ImageRGB:
    return rectify_about(frame, camera, pose, middle, side_m, size_px)


def _whole(plane: GroundPlane, heading_rad: float) -> NDArray[np.float64]:
    """(2, 2) north and east of the ground at the bottom of the view and at its top, or 20 degrees below the horizon."""
    camera = plane.camera
    bottom = plane.ground_of(np.array([[camera.width_px / 2, camera.height_px]]))[0]
    top = plane.ground_of(np.array([[camera.width_px / 2, 0.0]]))[0]
    far_m = plane.height_agl_m * math.tan(_FLATTEST_RAD)
    if not np.isfinite(top).all() or np.linalg.norm(top) > far_m:
        top = far_m * np.array([math.cos(heading_rad), math.sin(heading_rad)])
    return np.array([bottom, top])


def _side_m(plane: GroundPlane) -> float:
    """Side of a square of as much ground as the view's middle square shows."""
    camera = plane.camera
    half, x, y = camera.height_px / 2, camera.width_px / 2, camera.height_px / 2
    corners = plane.ground_of(np.array([[x + a * half, y + b * half] for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]))
    return math.sqrt(abs(cv2.contourArea(corners.astype(np.float32))))


def _nearest(rungs: Sequence[float], side_m: float) -> float:
    return min(rungs, key=lambda rung: abs(math.log(rung / side_m)))


def rank_of(
    crop: Crop, vector: NDArray[np.float32], camera_ne_m: tuple[float, float], gallery: Snapshot, shared_dim: int
) -> int:
    """How many tiles resemble a crop more than the first right one, which counts as one."""
    rung = gallery.rung(ViewKind.SATELLITE, crop.footprint_m)
    rows, _ = rung.index(shared_dim).search(vector[None], len(rung))
    place = np.array(camera_ne_m) + crop.centre_ne_m
    right = np.abs(rung.places_m[rows[0]] - place).max(axis=1) <= crop.footprint_m / 2
    return int(np.argmax(right)) + 1 if right.any() else len(rung) + 1


def ranks_of(keyframes: Sequence[Keyframe], gallery: Snapshot, embedder: Embedder) -> Mapping[str, list[int]]:
    """The ranks of every keyframe's crops, by what they show."""
    bundle, flight, ranks = embedder.bundle, Flight(), dict[str, list[int]]()
    for one in keyframes:
        second = flight.seconds[int(one.name.rpartition(" ")[2])]
        image = np.asarray(cv2.cvtColor(cv2.imread(str(second.image)), cv2.COLOR_BGR2RGB), np.uint8)
        camera = CameraModel.from_hfov(image.shape[1], image.shape[0], HFOV_DEG, PITCH_DEG)
        frame = Frame(image, 0, one.name, second.number)
        crops = crops_of(frame, camera, one.pose, gallery.footprints(ViewKind.SATELLITE), bundle.input_size_px)
        vectors = embedder.embed(ViewKind.DRONE, np.stack([crop.image for crop in crops.values()])).vectors
        assert one.position is not None
        at = north_east_m(gallery.origin, one.position.point)
        for (name, crop), vector in zip(crops.items(), vectors, strict=True):
            ranks.setdefault(name, []).append(rank_of(crop, vector, at, gallery, bundle.shared_dim))
    return ranks


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flight", type=Path, required=True, help="a history of the whole flight")
    parser.add_argument("--map", type=Path, required=True, help="a history of its map")
    options = parser.parse_args()
    embedder = Embedder(Bundle.load(), threads=1)
    with History.open(options.flight) as flight, History.open(options.map) as tiles:
        keyframes = list(flight.keyframes(crops=False))
        ranks = ranks_of(keyframes, GalleryCache(tiles).snapshot(), embedder)
    print(f"{len(keyframes)} keyframes; the right tile among the first " + ", ".join(map(str, _RANKS)))
    for name, found in ranks.items():
        shares = ", ".join(f"{np.mean(np.array(found) <= most):.2f}" for most in _RANKS)
        print(f"{name:34s} {shares}; median rank {np.median(found):.0f}")


if __name__ == "__main__":
    main()
