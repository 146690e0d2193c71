"""How far the ground of a flight's oblique views lies off, from those that show one ground from different sides.

A camera that looks ahead sees ground away from below it, so whatever its pose errs by for a whole flight (a mount or an
attitude that is a degree off, a compass, a height) moves all that it shows the same way, seen from the camera: a degree
of tilt, three of heading and 3 % of height by 8 m from 100 m up at 45 degrees. Views from different sides are moved in
different directions, and how far their common features lie apart says by how much. It is the boresight adjustment of
photogrammetry, with four unknowns a flight: pitch, scale, heading and roll, each with its prior, as some of them are
hardly told apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from runtime.errors import CropDamagedError
from runtime.geodesy import north_east_m
from runtime.matching.rootsift import pairs_of, upright
from runtime.values import GeoPoint, Keyframe, ViewKind

Array = NDArray[np.float64]

LEAST_AWAY = 0.35  # of the height, from below the camera to what it shows: views straight down err by less
_TURNED = 0.5  # cosine between two directions of view: 60 degrees and more
_LEAST_SHARED = 0.5  # of a footprint is the farthest that two centres lie apart
_MOST_OF_EACH = 3  # overlaps of one keyframe: all of a flight is asked
_MOST_OVERLAPS = 24  # of a flight: forty pictures, a second of one core
_MOST_KEYFRAMES = 600  # of a flight are looked through for them
_LEAST_OVERLAPS = 4  # with fewer nothing is said
_PX_PER_M = 2.5  # of the crops that features are looked for in: what the towers see at a rung of 80 to 112 m
_MOST_PX = 640  # of their sides
_FEATURES, _MAX_RATIO = 800, 0.85
_LEAST_PAIRS = 8  # that agree on one shift, of views of one place
_SAME_SHIFT_M = 3.0  # roofs lean by more, and features that agree by chance are strewn
_OVERLAP_SIGMA_M = 1.5  # of a shift: what a receiver wanders from view to view, and relief
_MOST_LEFT_M = 4.0  # in the middle: what is more is no error that a flight's views share, but relief, or bad places
_HUBER_SIGMAS = 2.0
_ROUNDS = 15
TILT_SIGMA_RAD = math.radians(1.5)  # of a mount and an attitude together
_MOST_SCALE_SIGMA = 0.1  # a height that says nothing says at least this
_LEAST_HEADING_SIGMA_RAD = math.radians(3.0)  # a compass is rarely better than this, whatever it claims


class Source(Protocol):
    """The part of a history that is asked."""

    def keyframes(
        self, view: ViewKind | None = None, *, crops: bool = True, after_id: int = 0
    ) -> Iterator[Keyframe]:
        """The keyframes of a view newer than one."""
        ...

    def keyframe(self, keyframe_id: int, *, crop: bool = True) -> Keyframe:
        """One keyframe."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """An oblique keyframe in metres north and east: ``camera_m`` (2,), ``centre_m`` (2,) of what it shows; ``sigma``
    (4,) of what is known beforehand of pitch, scale, heading and roll."""

    keyframe_id: int
    camera_m: Array
    centre_m: Array
    height_m: float
    footprint_m: float
    position_sigma_m: float
    sigma: Array

    @property
    def ahead(self) -> Array:
        """(2,) unit vector from below the camera to what it shows."""
        way = self.centre_m - self.camera_m
        return np.asarray(way / np.linalg.norm(way))

    def slopes(self, ground_m: Array) -> Array:
        """(2, 4) metres north and east by which a ground point of (2,) moves with each error (radians; scale: a share
        of the height): pitch upwards, scale, heading clockwise, roll so that what is seen moves to the right."""
        ahead, height_m = self.ahead, self.height_m
        axes = np.array([[ahead[0], -ahead[1]], [ahead[1], ahead[0]]])  # columns: ahead, and to its right
        x, y = axes.T @ (ground_m - self.camera_m)
        inside = [
            [height_m + x * x / height_m, x, -y, x * y / height_m],
            [x * y / height_m, y, x, height_m + y * y / height_m],
        ]
        return np.asarray(axes @ np.array(inside))


def sight_of(keyframe: Keyframe, origin: GeoPoint) -> Sight | None:
    """A keyframe as seen from its camera; None where it looks down, or where that is not known."""
    height, heading = keyframe.pose.height_agl_m, keyframe.pose.heading
    if keyframe.position is None or height is None or heading is None or height.value <= 0:
        return None
    camera_m = np.array(north_east_m(origin, keyframe.position.point))
    centre_m = np.array(north_east_m(origin, keyframe.ground))
    if np.linalg.norm(centre_m - camera_m) < LEAST_AWAY * height.value:
        return None
    scale_sigma = min(height.sigma / height.value, _MOST_SCALE_SIGMA)
    heading_sigma_rad = max(heading.sigma, _LEAST_HEADING_SIGMA_RAD)
    sigma = np.array([TILT_SIGMA_RAD, max(scale_sigma, 1e-3), heading_sigma_rad, TILT_SIGMA_RAD])
    return Sight(
        keyframe.keyframe_id, camera_m, centre_m, height.value, keyframe.footprint_m, keyframe.position.sigma_m, sigma
    )


@dataclass(frozen=True, slots=True)
class Overlap:
    """Features that two sights share, where each has them in the middle, ``first_m`` and ``second_m`` (2,)."""

    first: Sight
    second: Sight
    first_m: Array
    second_m: Array


@dataclass(frozen=True, slots=True)
class Boresight:
    """The errors (4,) that a flight's views share, see `Sight.slopes`, their (4, 4) covariance, and the 1-sigma per
    axis of what two views disagree by without them."""

    errors: Array
    covariance: Array
    overlap_sigma_m: float

    def shift_m(self, sight: Sight) -> Array:
        """(2,) metres north and east by which the middle of what a sight shows lies off."""
        return np.asarray(sight.slopes(sight.centre_m) @ self.errors)

    def sigma_m(self, sight: Sight) -> float:
        """1-sigma per axis of the middle once it is moved back, the camera's own place included."""
        slopes = sight.slopes(sight.centre_m)
        left_m2 = float(np.trace(slopes @ self.covariance @ slopes.T)) / 2
        return math.sqrt(left_m2 + max(sight.position_sigma_m, self.overlap_sigma_m / math.sqrt(2)) ** 2)


def boresight_of(overlaps: Sequence[Overlap]) -> Boresight | None:
    """The errors that bring the overlaps' features together, by least squares with priors; those that lie far from the
    others count linearly. None of too few, and where most of them lie far apart all the same."""
    if len(overlaps) < _LEAST_OVERLAPS:
        return None
    slopes = np.array([one.first.slopes(one.first_m) - one.second.slopes(one.second_m) for one in overlaps])
    apart_m = np.array([one.first_m - one.second_m for one in overlaps])
    sigma = np.median([one.first.sigma for one in overlaps], axis=0)
    weights, sigma_m = np.ones(len(overlaps)), _OVERLAP_SIGMA_M
    for _ in range(_ROUNDS):
        by_weight = slopes * (weights / sigma_m**2)[:, None, None]
        normal = np.einsum("nij,nik->jk", by_weight, slopes) + np.diag(1.0 / sigma**2)
        errors = np.linalg.solve(normal, np.einsum("nij,ni->j", by_weight, apart_m))
        left_m = np.linalg.norm(apart_m - slopes @ errors, axis=1)
        sigma_m = max(_OVERLAP_SIGMA_M, float(np.median(left_m)) / 1.18)  # median of a Rayleigh is 1.18 sigma
        weights = np.minimum(1.0, _HUBER_SIGMAS * sigma_m / np.maximum(left_m, 1e-9))
    if np.median(left_m) > _MOST_LEFT_M:
        return None
    return Boresight(errors, np.linalg.inv(normal), sigma_m)


def candidates_of(sights: Sequence[Sight]) -> list[tuple[int, int]]:
    """Pairs of sights that show one ground from different sides, those with the most in common first; of each sight
    a few."""
    if len(sights) < 2:
        return []
    centres_m = np.array([one.centre_m for one in sights])
    reach_m = _LEAST_SHARED * np.array([one.footprint_m for one in sights])
    near = cKDTree(centres_m).query_pairs(float(reach_m.max()), output_type="ndarray")
    if not len(near):
        return []
    ahead = np.array([one.ahead for one in sights])
    first, second = near.T
    apart_m = np.linalg.norm(centres_m[first] - centres_m[second], axis=1)
    cosine = np.einsum("ni,ni->n", ahead[first], ahead[second])
    fits = (cosine < _TURNED) & (apart_m < np.minimum(reach_m[first], reach_m[second]))
    cost = np.where(fits, apart_m / np.maximum(1.0 - cosine, 1e-3), np.inf)
    chosen, counts = [], np.zeros(len(sights), int)
    for n in np.argsort(cost, kind="stable")[: int(fits.sum())]:
        pair = int(first[n]), int(second[n])
        if max(counts[list(pair)]) < _MOST_OF_EACH:
            counts[list(pair)] += 1
            chosen.append(pair)
    return chosen[:_MOST_OVERLAPS]


class Boresights:
    """What is known of a history's flights; follows the history while it grows. For one thread at a time."""

    def __init__(self, history: Source) -> None:
        self._history = history
        self._origin: GeoPoint | None = None
        self._sights: dict[str, list[Sight]] = {}
        self._by_id: dict[int, tuple[str, Sight]] = {}
        self._overlaps: dict[tuple[int, int], Overlap | None] = {}
        self._found: dict[str, Boresight | None] = {}
        self._shifts: dict[int, Array] = {}
        self._read_to = 0

    def refresh(self, last_id: int) -> None:
        """Takes note of keyframes up to one; what was there before must be as it was."""
        if last_id <= self._read_to:
            return
        for keyframe in self._history.keyframes(ViewKind.DRONE, crops=False, after_id=self._read_to):
            self._origin = self._origin or keyframe.ground
            sight = sight_of(keyframe, self._origin)
            if sight is not None:
                self._sights.setdefault(keyframe.flight, []).append(sight)
                self._by_id[keyframe.keyframe_id] = keyframe.flight, sight
                self._found.pop(keyframe.flight, None)
                self._shifts.clear()
        self._read_to = last_id

    def shifts_m(self, ids: NDArray[np.int64]) -> Array:
        """(N, 2) metres north and east by which the ground of keyframes lies off; 0 where nothing is known."""
        shifts = np.zeros((len(ids), 2))
        if self._by_id:
            for row, keyframe_id in enumerate(ids.tolist()):
                shifts[row] = self.shift_m(keyframe_id)
        return shifts

    def shift_m(self, keyframe_id: int) -> Array:
        """(2,) of one."""
        if keyframe_id not in self._shifts:
            known = self._of(keyframe_id)
            self._shifts[keyframe_id] = np.zeros(2) if known is None else known[0].shift_m(known[1])
        return self._shifts[keyframe_id]

    def sigma_m(self, keyframe_id: int) -> float:
        """1-sigma of a keyframe's ground once it is moved back; infinite where nothing is known."""
        known = self._of(keyframe_id)
        return math.inf if known is None else known[0].sigma_m(known[1])

    def _of(self, keyframe_id: int) -> tuple[Boresight, Sight] | None:
        if keyframe_id not in self._by_id:
            return None
        flight, sight = self._by_id[keyframe_id]
        found = self.of_flight(flight)
        return None if found is None else (found, sight)

    def of_flight(self, flight: str) -> Boresight | None:
        """What the views of one flight share; None where too few of them are oblique, overlap or agree."""
        if flight not in self._found:
            self._found[flight] = self._solved(self._sights.get(flight, []))
        return self._found[flight]

    def _solved(self, every: Sequence[Sight]) -> Boresight | None:
        if not every:
            return None
        sights = every[:: -(-len(every) // _MOST_KEYFRAMES)]
        features: dict[int, tuple[Array, NDArray[np.float32]]] = {}
        overlaps = []
        for i, j in candidates_of(sights):
            first, second = sights[i], sights[j]
            key = first.keyframe_id, second.keyframe_id
            if key not in self._overlaps:
                seen = [self._features(one, features) for one in (first, second)]
                self._overlaps[key] = _overlap(first, second, *seen)
            overlaps.append(self._overlaps[key])
        return boresight_of([one for one in overlaps if one is not None])

    def _features(
        self, sight: Sight, kept: dict[int, tuple[Array, NDArray[np.float32]]]
    ) -> tuple[Array, NDArray[np.float32]]:
        """(N, 2) metres of a keyframe's features, as it has them on the ground, and their (N, D) descriptors."""
        if sight.keyframe_id not in kept:
            try:
                crop = self._history.keyframe(sight.keyframe_id).crop
            except CropDamagedError:  # it costs this keyframe, not the answer
                crop = np.zeros((2, 2, 3), np.uint8)
            side_px = max(2, min(round(sight.footprint_m * _PX_PER_M), _MOST_PX))
            small = cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA)
            points, descriptors = upright(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), _FEATURES)
            east_south = (points.astype(np.float64) / side_px - 0.5) * sight.footprint_m
            kept[sight.keyframe_id] = sight.centre_m + east_south[:, ::-1] * [-1.0, 1.0], descriptors
        return kept[sight.keyframe_id]


def _overlap(
    first: Sight, second: Sight, a: tuple[Array, NDArray[np.float32]], b: tuple[Array, NDArray[np.float32]]
) -> Overlap | None:
    """What most pairs of features agree on; None where too few do."""
    pairs = pairs_of(a[1], b[1], _MAX_RATIO)
    if len(pairs) < _LEAST_PAIRS:
        return None
    here, there = a[0][pairs[:, 0]], b[0][pairs[:, 1]]
    shifts_m = here - there
    near = np.linalg.norm(shifts_m[:, None] - shifts_m[None], axis=2) < _SAME_SHIFT_M
    agreeing = near[int(near.sum(axis=1).argmax())]
    if agreeing.sum() < _LEAST_PAIRS:
        return None
    return Overlap(first, second, here[agreeing].mean(axis=0), there[agreeing].mean(axis=0))
