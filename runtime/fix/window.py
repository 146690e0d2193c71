"""How well crops of a frame fit a map about the places where each should lie: scores over a small window of ground.

Each tile near a place scores the crop at every translation over its own ground (`runtime.matching.alignment`); these
are read off at the nodes of a window about the place and added up, so that all tiles that show it speak together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.matching.alignment import Sought, Surfaces
from runtime.place.gallery import Rung

Array = NDArray[np.float64]

_REACH = 0.32  # of the footprint, each way: a heading that is 15 degrees off moves what lies at 45 degrees by a quarter
_PITCH = 1 / 28  # of the footprint, between nodes: about half a cell of a map
_TILES_WITHIN = 0.36  # of the footprint: tiles whose middles are further off show little of the crop
_MOST_SHIFT = 0.68  # of a map's cells: a tile that far off and a place at the window's edge
_MIN_COVER = 0.25  # of one tile's full overlap: less at the best node is no evidence
_MIN_SHARE = 0.5  # of the window's best cover: nodes with less are not compared with the others
_SMOOTHING = 1.0  # nodes


@dataclass(frozen=True, slots=True)
class Window:
    """Scores of one crop: ``above`` (n, n) is the mean cosine of the cells that overlap, less the window's own mean, at
    nodes from south to north and from west to east, ``pitch_m`` apart; 0 where there is too little evidence."""

    above: Array
    pitch_m: float

    @property
    def best(self) -> float:
        """How far the best node stands above the window's mean."""
        return float(self.above.max())

    @property
    def shift_ne_m(self) -> Array:
        """(2,) north and east from the window's middle to its best node, interpolated between nodes."""
        at = np.unravel_index(int(self.above.argmax()), self.above.shape)
        row, column = int(at[0]), int(at[1])
        part = [_vertex(self.above[:, column], row), _vertex(self.above[row], column)]
        return np.asarray((np.array([row, column]) + part - self.above.shape[0] // 2) * self.pitch_m)

    @classmethod
    def joint(cls, windows: Sequence[Window]) -> Window:
        """The mean of some crops' windows: what fits all of them where each should lie."""
        return cls(np.mean([one.above for one in windows], axis=0), windows[0].pitch_m)


def windows_of(rung: Rung, queries: NDArray[np.float32], places_ne_m: Array) -> list[Window]:
    """The windows of Q crops, with centred maps (Q, C, h, w), about (Q, 2) north and east of where each should lie."""
    pitch_m = _PITCH * rung.footprint_m
    reach = round(_REACH / _PITCH)
    steps_m = np.arange(-reach, reach + 1) * pitch_m
    north, east = np.meshgrid(steps_m, steps_m, indexing="ij")
    within_m = _TILES_WITHIN * rung.footprint_m
    rows = [np.flatnonzero(np.abs(rung.ne_m - place).max(axis=1) <= within_m) for place in places_ne_m]
    every = np.unique(np.concatenate([np.zeros(0, np.int64), *rows]))
    maps = rung.maps(every) if len(every) else None
    if maps is None:
        return [Window(np.zeros_like(north), pitch_m) for _ in places_ne_m]
    cells = queries.shape[-1]
    sought = Sought(queries, round(_MOST_SHIFT * cells), np.ones((len(queries), *queries.shape[2:]), np.float32))
    cell_m = rung.footprint_m / cells
    found = []
    for place, own, surfaces in zip(places_ne_m, rows, sought.surfaces(maps), strict=True):
        away = rung.ne_m[own]
        here = np.stack([place[0] + north - away[:, 0, None, None], place[1] + east - away[:, 1, None, None]], axis=1)
        picked = Surfaces(surfaces.dots[np.searchsorted(every, own)], surfaces.counts)
        found.append(Window(_above(picked, here / cell_m, cells * cells), pitch_m))
    return found


def _above(surfaces: Surfaces, cells_ne: Array, full: float) -> Array:
    """(n, n) summed over (N, 2, n, n) shifts, in cells to the north and east, over each of N tiles."""
    middle = surfaces.counts.shape[0] // 2
    dots, counts = np.zeros((2, *cells_ne.shape[2:]))
    for one, (north, east) in zip(surfaces.dots, cells_ne.astype(np.float32), strict=True):
        dots += cv2.remap(one, east + middle, middle - north, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        counts += cv2.remap(
            surfaces.counts, east + middle, middle - north, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
    known = counts >= max(_MIN_SHARE * counts.max(initial=0.0), _MIN_COVER * full)
    if not known.any():
        return np.zeros_like(dots)
    similarity = dots / np.maximum(counts, 1e-6)
    mean = float(similarity[known].mean())
    filled = np.where(known, similarity, mean)
    smooth = cv2.GaussianBlur(filled, (0, 0), _SMOOTHING, borderType=cv2.BORDER_REPLICATE)
    return np.where(known, smooth - mean, 0.0)


def _vertex(line: Array, at: int) -> float:
    """Where between samples the top of a parabola lies; 0 at an end."""
    if not 0 < at < len(line) - 1:
        return 0.0
    left, middle, right = line[at - 1 : at + 2]
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-9 else 0.0
