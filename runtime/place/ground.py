"""Scores of where a target's centre lies, of all keyframes together on one lattice over the ground.

Each keyframe scores the target at every translation over its own ground. Laid where the keyframes belong and summed,
these scores agree at a true place and scatter for an out-of-coverage query: the whole flight acts as one feature map.
What counts is how far a peak stands out of its surroundings (a few cells), since that is layout; the broad rise around
it is the kind of ground. All its lengths go with the footprint, as the cells of the maps do.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PITCH = 3 / 80  # of the footprint, between the lattice's nodes: about half a cell of a map
_SMOOTHING = _PITCH  # joins samples of keyframes that fall between the nodes
_SURROUNDINGS = 10 / 80  # of the footprint: a true peak is half of that wide; beyond is the kind of ground
_MIN_COVER = 0.5  # of one keyframe's full overlap: less is too little evidence to score
_MAX_NODES = 16_000_000  # a wider field gets a coarser lattice


@dataclass(frozen=True, slots=True)
class Peak:
    """A place that fits: its (north, east) in metres, how far it stands out of its surroundings (``sharpness``),
    the mean cosine there (``similarity``), and how many full overlaps of a keyframe back it (``cover``)."""

    ne_m: tuple[float, float]
    sharpness: float
    similarity: float
    cover: float


@dataclass(frozen=True, slots=True)
class Field:
    """Fitting scores on a lattice: ``sharpness``, ``similarity`` and ``cover`` (rows north, columns east), NaN
    where there is too little evidence; node [i, j] lies at ``origin_ne_m + (i, j) * pitch_m``."""

    origin_ne_m: Array
    pitch_m: float
    sharpness: Array
    similarity: Array
    cover: Array

    @property
    def area_m2(self) -> float:
        """The ground on which a target's centre could have been found."""
        return float(np.isfinite(self.sharpness).sum()) * self.pitch_m**2

    def peaks(self, count: int, apart_m: float) -> list[Peak]:
        """The sharpest places, best first, no two nearer than ``apart_m``."""
        left = np.where(np.isfinite(self.sharpness), self.sharpness, -np.inf)
        north = np.arange(left.shape[0])[:, None] * self.pitch_m
        east = np.arange(left.shape[1])[None, :] * self.pitch_m
        found: list[Peak] = []
        while len(found) < count:
            i, j = np.unravel_index(int(left.argmax()), left.shape)
            if not np.isfinite(left[i, j]):
                break
            found.append(self._peak(int(i), int(j)))
            left[np.hypot(north - north[i], east - east[:, j]) < apart_m] = -np.inf
        return found

    def _peak(self, i: int, j: int) -> Peak:
        at = self.origin_ne_m + np.array([i + self._vertex(i, j, 0), j + self._vertex(i, j, 1)]) * self.pitch_m
        return Peak(
            (float(at[0]), float(at[1])),
            float(self.sharpness[i, j]), float(self.similarity[i, j]), float(self.cover[i, j]),
        )  # fmt: skip

    def _vertex(self, i: int, j: int, axis: int) -> float:
        """Where between the nodes the top lies, by a parabola along one axis."""
        step, at = (1, 0) if axis == 0 else (0, 1), (i, j)
        if not 0 < at[axis] < self.sharpness.shape[axis] - 1:
            return 0.0
        left, middle, right = (float(self.similarity[i + k * step[0], j + k * step[1]]) for k in (-1, 0, 1))
        bend = left - 2 * middle + right
        return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-9 else 0.0


class Ground:
    """Collects surfaces on a lattice over the squares of ``footprint_m`` about (N, 2) keyframe centres; only there
    can a target's centre be found, however far its border reaches."""

    def __init__(self, centres_ne_m: Array, footprint_m: float) -> None:
        low, high = centres_ne_m.min(axis=0) - footprint_m, centres_ne_m.max(axis=0) + footprint_m
        self._footprint_m = footprint_m
        self._pitch_m = max(_PITCH * footprint_m, float(np.sqrt(np.prod(high - low) / _MAX_NODES)))
        self._origin = low
        rows, columns = np.ceil((high - low) / self._pitch_m).astype(int) + 2
        self._shape = (int(rows), int(columns))
        self._dots = np.zeros(rows * columns)
        self._counts = np.zeros(rows * columns)
        self._flown = self._covered(centres_ne_m, footprint_m / 2)
        self._full = 0.0  # what one keyframe under the whole target adds to a square metre

    def add(
        self, centres_ne_m: Array, dots: NDArray[np.float32], counts: NDArray[np.float32], cell_m: float, full: float
    ) -> None:
        """Lays (N, K, K) summed cosines of a target's centre about N points, with their (K, K) overlaps.

        ``full``: the overlap of a crop that lies fully on a keyframe, in the unit of ``counts``.
        """
        self._full += full / cell_m**2
        reach = dots.shape[-1] // 2
        shifts = np.arange(-reach, reach + 1) * cell_m
        to_north, to_east = np.meshgrid(-shifts, shifts, indexing="ij")
        ne_m = centres_ne_m[:, None, None, :] + np.stack([to_north, to_east], axis=-1)
        self._splat(ne_m.reshape(-1, 2), dots.ravel(), np.broadcast_to(counts, dots.shape).ravel())

    def _covered(self, centres_ne_m: Array, half_m: float) -> NDArray[np.bool_]:
        covered = np.zeros(self._shape, dtype=bool)
        first = np.ceil((centres_ne_m - half_m - self._origin) / self._pitch_m).astype(int)
        last = np.floor((centres_ne_m + half_m - self._origin) / self._pitch_m).astype(int)
        for (south, west), (north, east) in zip(first, last, strict=True):
            covered[south : north + 1, west : east + 1] = True
        return covered

    def _splat(self, ne_m: Array, dots: NDArray[np.float32], counts: NDArray[np.float32]) -> None:
        """Shares each sample out between the four nodes around it."""
        at = (ne_m - self._origin) / self._pitch_m
        corner = np.floor(at).astype(np.int64)
        inside = ((corner >= 0) & (corner < np.array(self._shape) - 1)).all(axis=1)
        corner, part = corner[inside], (at - corner)[inside]
        dots, counts = dots[inside], counts[inside]
        for i in (0, 1):
            for j in (0, 1):
                share = np.abs(1 - i - part[:, 0]) * np.abs(1 - j - part[:, 1])
                node = (corner[:, 0] + i) * self._shape[1] + corner[:, 1] + j
                self._dots += np.bincount(node, share * dots, len(self._dots))
                self._counts += np.bincount(node, share * counts, len(self._counts))

    def field(self) -> Field:
        """The scores so far."""
        smoothing, surroundings = (share * self._footprint_m / self._pitch_m for share in (_SMOOTHING, _SURROUNDINGS))
        similarity, counts = (_blurred(one.reshape(self._shape), smoothing) for one in (self._dots, self._counts))
        cover = counts / (max(self._full, 1e-9) * self._pitch_m**2)
        known = (cover >= _MIN_COVER) & self._flown
        similarity /= np.maximum(counts, 1e-9, out=counts)  # in place: over a wide field each of these has 100 MB
        del counts
        similarity[~known] = 0.0
        weight = _blurred(known.astype(np.float64), surroundings)
        sharpness = _blurred(similarity, surroundings)
        sharpness /= np.maximum(weight, 1e-6, out=weight)
        np.subtract(similarity, sharpness, out=sharpness)
        sharpness[~known] = np.nan
        return Field(self._origin, self._pitch_m, sharpness, similarity, cover)


def _blurred(image: Array, sigma: float) -> Array:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT), dtype=np.float64)
