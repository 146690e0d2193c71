"""Scores of where a target's centre lies, of all keyframes together on one lattice over the ground.

Each keyframe scores the target at every translation over its own ground. Laid where the keyframes belong and summed,
these scores agree at a true place and scatter for an out-of-coverage query: the whole flight acts as one feature map.
What counts is how far a peak stands out of its surroundings (a few cells), since that is layout; the broad rise around
it is the kind of ground. And a place is a point about which the target fits less on every side: at the border of what
was flown over that is not seen, and a street that leads out to the true place fits best where the ground ends. All its
lengths go with the footprint, as the cells of the maps do.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.place.field import Array, Field
from runtime.place.lattice import Block, Lattice

_PITCH = 3 / 80  # of the footprint, between the lattice's nodes: about half a cell of a map
_SMOOTHING = _PITCH  # of the footprint: joins samples of keyframes that fall between the nodes
_SURROUNDINGS = 10 / 80  # of the footprint: a true peak is half of that wide; beyond is the kind of ground
APART = 2 * _SURROUNDINGS  # of the footprint: so far a peak's own flanks reach; what fits beyond is another place
_MIN_COVER = 0.5  # of one keyframe's full overlap: less is too little evidence to score
_MIN_COVER_BEYOND = 0.25  # of the same, beyond it: less does not even tell whether the target fits less there
_FALLS = 0.5  # of a place's sharpness: by so much the fit falls to its surroundings; along a street by less
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_KERNEL = 4.0  # deviations to the edge of OpenCV's Gaussian kernels in double precision


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How samples of N surfaces are shared out, each between the four nodes around it, which rows and columns do by
    themselves: what a surface adds to the nodes about its keyframe is two products of matrices, with ``to_north``
    (N, H, K) and ``to_east`` (N, K, W). ``nodes`` (N * H * W,): where those nodes are kept."""

    nodes: NDArray[np.int64]
    to_north: NDArray[np.float32]
    to_east: NDArray[np.float32]


class Ground:
    """Collects surfaces on a lattice over the squares of ``footprint_m`` about (N, 2) keyframe centres; only there
    can a target's centre be found, however far its border reaches.

    Memory goes with the ground that the squares cover, and not with how far apart they lie.
    """

    def __init__(self, centres_ne_m: Array, footprint_m: float) -> None:
        low, high = centres_ne_m.min(axis=0) - footprint_m, centres_ne_m.max(axis=0) + footprint_m
        self._pitch_m = _PITCH * footprint_m
        self._origin = low
        rows, columns = np.ceil((high - low) / self._pitch_m).astype(int) + 2
        first = np.ceil((centres_ne_m - footprint_m / 2 - low) / self._pitch_m).astype(np.int64)
        last = np.floor((centres_ne_m + footprint_m / 2 - low) / self._pitch_m).astype(np.int64)
        self._smoothing, self._surroundings = _SMOOTHING / _PITCH, _SURROUNDINGS / _PITCH  # in nodes
        near = _reach(self._smoothing)
        self._lattice = Lattice((int(rows), int(columns)), first - near, last + near)
        # There is a ground for each of five versions at once. The last of each is of all nodes that are not kept (-1).
        self._dots, self._counts = np.zeros((2, self._lattice.size + 1), np.float32)
        self._flown = np.zeros(self._lattice.size, dtype=bool)
        for (south, west), (north, east) in zip(first, last, strict=True):
            self._flown[self._lattice.at(np.arange(south, north + 1)[:, None], np.arange(west, east + 1)[None])] = True
        self._full = 0.0  # what one keyframe under the whole target adds to a square metre

    def another(self) -> Ground:
        """An empty one over the same squares, which shares with this what does not change."""
        empty = copy(self)
        empty._dots, empty._counts, empty._full = np.zeros_like(self._dots), np.zeros_like(self._counts), 0.0
        return empty

    def expect(self, full: float, cell_m: float) -> None:
        """That crops are to be laid which, where they lie fully on a keyframe, overlap it by ``full``, in the unit of
        the counts that `lay` is given with them."""
        self._full += full / cell_m**2

    def spread(self, centres_ne_m: Array, cells: int, cell_m: float) -> Spread:
        """How surfaces of (cells, cells) samples of a target's centre, about N points, are laid on this ground and on
        all that share its squares."""
        shifts_m = (np.arange(cells) - cells // 2) * cell_m
        rows, to_north = self._shared_out(centres_ne_m[:, :1] - shifts_m, 0)
        columns, to_east = self._shared_out(centres_ne_m[:, 1:] + shifts_m, 1)
        nodes = self._lattice.at(rows[:, :, None], columns[:, None, :]).ravel()
        return Spread(nodes, to_north, np.ascontiguousarray(to_east.transpose(0, 2, 1)))

    def lay(self, spread: Spread, dots: NDArray[np.float32], counts: NDArray[np.float32]) -> None:
        """Lays (N, K, K) summed cosines, with their (K, K) overlaps."""
        np.add.at(self._dots, spread.nodes, (spread.to_north @ dots @ spread.to_east).ravel())
        np.add.at(self._counts, spread.nodes, (spread.to_north @ counts @ spread.to_east).ravel())

    def _shared_out(self, at_m: Array, axis: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """For samples at (N, K) metres along an axis: the (N, H) nodes along it about each of the N, and how much each
        of them has of each sample, (N, H, K); nothing of one that lies outside."""
        at = (at_m - self._origin[axis]) / self._pitch_m
        corner = np.floor(at).astype(np.int64)
        part, last = (at - corner).astype(np.float32), self._lattice.shape[axis] - 1
        inside = (corner >= 0) & (corner < last)
        low = corner.min(axis=1, keepdims=True)
        nodes = low + np.arange(int((corner - low).max()) + 2)
        shares = np.zeros((*nodes.shape, at.shape[1]), np.float32)
        number, sample = np.indices(at.shape, sparse=True)
        shares[number, corner - low, sample] = np.where(inside, 1 - part, 0)
        shares[number, corner - low + 1, sample] = np.where(inside, part, 0)
        return nodes.clip(0, last), shares

    def field(self) -> Field:
        """The scores so far."""
        border = _reach(self._smoothing) + _reach(self._surroundings)
        parts = [self._scored(block) for block in self._lattice.blocks(border)]
        nodes, *scores = (np.concatenate(one) for one in zip(*parts, strict=True))
        order = np.lexsort((nodes[:, 1], nodes[:, 0]))
        return Field(self._origin, self._pitch_m, nodes[order], *(one[order] for one in scores))

    def _scored(self, block: Block) -> tuple[NDArray[Any], ...]:
        """Of a block's nodes with enough evidence: where they are, sharpness, similarity, cover, top, open."""
        here = block.nodes >= 0
        dots, counts = (np.where(here, sums[block.nodes], 0.0).astype(float) for sums in (self._dots, self._counts))
        similarity, counts = _blurred(dots, self._smoothing), _blurred(counts, self._smoothing)
        cover = counts / (max(self._full, 1e-9) * self._pitch_m**2)
        known = (cover >= _MIN_COVER) & here & self._flown[block.nodes]
        similarity /= np.maximum(counts, 1e-9)
        beyond = np.where(known, -np.inf, np.where(cover < _MIN_COVER_BEYOND, np.inf, similarity))
        similarity[~known] = 0.0
        weight = _blurred(known.astype(np.float64), self._surroundings)
        sharpness = similarity - _blurred(similarity, self._surroundings) / np.maximum(weight, 1e-6)
        opens = cv2.dilate(beyond, _ring(self._surroundings)) > similarity - _FALLS * sharpness
        tops = sharpness >= cv2.dilate(np.where(known, sharpness, -np.inf), _NEIGHBOURS)
        inner = known[block.inner]
        corner = np.array([block.first[axis] + block.inner[axis].start for axis in (0, 1)])
        found = (one[block.inner][inner] for one in (sharpness, similarity, cover, tops, opens))
        return np.argwhere(inner) + corner, *found


def _reach(sigma: float) -> int:
    return int(np.ceil(_KERNEL * sigma)) + 1


def _ring(radius: float) -> NDArray[np.uint8]:
    """The nodes that lie about so far from the middle one."""
    reach = round(radius)
    north, east = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(np.abs(np.hypot(north, east) - reach) <= 0.5, np.uint8)


def _blurred(image: Array, sigma: float) -> Array:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT), dtype=np.float64)
