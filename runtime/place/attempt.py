"""What a target could be: its scale and the way it lies, and the north-up crops that are cut for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.place.target import Target
from runtime.values import ImageRGB

HEADINGS = 24  # tried where north is unknown: at most 7.5 degrees off, refined afterwards
SCALE_STEP = 1.15  # between tried scales: at most 7 % off, a cell at the edge of a map
LARGEST_SCALE = 2.5  # a target of unknown scale shows at most this many of the largest rung
_MIN_FILLED = 0.98  # of a rung's side: a target this little smaller still fills it
_MIN_FILLED_SMALLEST = 0.6  # of the smallest rung's side: a smaller target leaves too few cells
_MIN_SECOND_RUNG = 0.6  # of the largest that fits: the next is compared too if this large: finer cells, other crops
_MAX_CROPS_PER_SIDE = 3
_MIN_RUNGS_FOR_TWO_CROPS = 1.04  # along a side: a second crop of nearly the same ground is no evidence of its own


@dataclass(frozen=True, slots=True)
class Attempt:
    """A scale and heading that a target may have: ``gsd_m`` metres per pixel, its upper edge towards ``heading_rad``
    (clockwise from north), compared at the rungs ``footprints_m``, the largest first."""

    gsd_m: float
    heading_rad: float
    footprints_m: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Crop:
    """A north-up crop of a target: ``image`` (S, S, 3); ``ne_m`` from the target's centre to its own; ``weights``
    (h, w) float32: the share of each map cell that the target really shows."""

    image: ImageRGB
    ne_m: tuple[float, float]
    weights: NDArray[np.float32]


def rungs_for(side_m: float, footprints_m: Sequence[float]) -> tuple[float, ...]:
    """The largest rung that a target of that side fills and the one below it; the smallest where the target nearly
    fills it; none where it is smaller still."""
    fitting = sorted((rung for rung in footprints_m if rung * _MIN_FILLED <= side_m), reverse=True)
    if fitting:
        return tuple(rung for rung in fitting[:2] if rung >= _MIN_SECOND_RUNG * fitting[0])
    smallest = min(footprints_m, default=math.inf)
    return (smallest,) if side_m >= _MIN_FILLED_SMALLEST * smallest else ()


def scales_m(target: Target, footprints_m: Sequence[float]) -> list[float]:
    """The metres per pixel to try: the known one, or a ladder over all that could fit the rungs."""
    if target.gsd_m is not None:
        return [target.gsd_m]
    side_px, smallest, largest = min(target.image.shape[:2]), min(footprints_m), LARGEST_SCALE * max(footprints_m)
    steps = math.ceil(math.log(largest / smallest) / math.log(SCALE_STEP))
    return [smallest * SCALE_STEP**step / side_px for step in range(steps + 1)]


def attempts_at(target: Target, footprints_m: Sequence[float], any_heading: bool) -> list[Attempt]:
    """Every scale and heading that a target may have, at the rungs that it fills there: one where both are known."""
    headings = np.arange(HEADINGS) * (math.tau / HEADINGS) if any_heading else np.zeros(1)
    found = []
    for gsd_m in scales_m(target, footprints_m):
        rungs = rungs_for(min(target.image.shape[:2]) * gsd_m, footprints_m)
        if rungs:
            found += [Attempt(gsd_m, float(heading), rungs) for heading in headings]
    return found


def steps_between(target: Target, any_heading: bool) -> list[tuple[float, float]]:
    """Half a step each way in what of a target is unknown: turns, in radians clockwise, and stretches."""
    turn_rad, stretch = math.pi / HEADINGS, math.sqrt(SCALE_STEP)
    turns = [(turn_rad, 1.0), (-turn_rad, 1.0)] if any_heading else []
    return turns + ([(0.0, stretch), (0.0, 1.0 / stretch)] if target.gsd_m is None else [])


def are_beside(one: Attempt, other: Attempt) -> bool:
    """Whether attempts are a step apart at most, in heading and in scale."""
    turn_rad = abs(math.remainder(one.heading_rad - other.heading_rad, math.tau))
    stretch = abs(math.log(one.gsd_m / other.gsd_m))
    return turn_rad < 1.5 * math.tau / HEADINGS and stretch < 1.5 * math.log(SCALE_STEP)


def crops_of(
    target: Target, attempt: Attempt, footprint_m: float, size_px: int, map_shape: tuple[int, int], alone: bool = False
) -> list[Crop]:
    """The crops of a target at a rung: a few that together show it, or one about its centre (``alone``)."""
    height, width = target.image.shape[:2]
    up_m = [0.0] if alone else _offsets(height * attempt.gsd_m, footprint_m)
    right_m = [0.0] if alone else _offsets(width * attempt.gsd_m, footprint_m)
    shrunk, gsd_m = _near_scale(target.image, attempt.gsd_m, footprint_m, size_px)
    cut = _Cut(shrunk, gsd_m, attempt.heading_rad, footprint_m, size_px)
    return [_crop(cut, (up, right), map_shape) for up in up_m for right in right_m]


def _offsets(length_m: float, footprint_m: float) -> list[float]:
    if length_m <= _MIN_RUNGS_FOR_TWO_CROPS * footprint_m:
        return [0.0]
    count = min(_MAX_CROPS_PER_SIDE, max(2, math.ceil(length_m / footprint_m)))
    room = (length_m - footprint_m) / 2
    reach = min(room, footprint_m * (count - 1) / 2)  # of a very large target the middle is enough
    return [float(offset) for offset in np.linspace(-reach, reach, count)]


@dataclass(frozen=True, slots=True)
class _Cut:
    """How crops are cut: from an image of ``gsd_m`` whose upper edge points to ``heading_rad``."""

    image: ImageRGB
    gsd_m: float
    heading_rad: float
    footprint_m: float
    size_px: int

    def pixel_from_crop(self, up_m: float, right_m: float) -> NDArray[np.float64]:
        """(2, 3) affine from the pixels of the crop at that offset to the image's, both counted at their centres."""
        height, width = self.image.shape[:2]
        step = self.footprint_m / self.size_px / self.gsd_m
        cos, sin = math.cos(self.heading_rad), math.sin(self.heading_rad)
        # The crop's x is east and its y south; in the image east lies (cos, -sin) right and down of its heading.
        turn = step * np.array([[cos, sin], [-sin, cos]])
        middle = np.array([width / 2 + right_m / self.gsd_m - 0.5, height / 2 - up_m / self.gsd_m - 0.5])
        own = np.full(2, self.size_px / 2 - 0.5)
        return np.hstack([turn, (middle - turn @ own)[:, None]])


def _near_scale(image: ImageRGB, gsd_m: float, footprint_m: float, size_px: int) -> tuple[ImageRGB, float]:
    """The target averaged down to about the crop's own pixels, and its new scale: a warp alone would alias."""
    factor = footprint_m / size_px / gsd_m
    if factor < 1.2:
        return image, gsd_m
    height, width = image.shape[:2]
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    shrunk = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return shrunk, gsd_m * width / size[0]


def _crop(cut: _Cut, up_right_m: tuple[float, float], map_shape: tuple[int, int]) -> Crop:
    matrix, size = cut.pixel_from_crop(*up_right_m), (cut.size_px, cut.size_px)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(cut.image, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    whole = np.ones(cut.image.shape[:2], np.float32)
    shown = cv2.warpAffine(whole, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)
    weights = cv2.resize(shown, map_shape[::-1], interpolation=cv2.INTER_AREA)
    up, right = up_right_m
    cos, sin = math.cos(cut.heading_rad), math.sin(cut.heading_rad)
    ne_m = (up * cos - right * sin, up * sin + right * cos)
    return Crop(np.asarray(image, np.uint8), ne_m, np.asarray(np.where(weights > 0.5, weights, 0.0), np.float32))
