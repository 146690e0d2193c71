"""The ground that several keyframes show is no one sheet: each was laid out by a pose with errors of its own.

Where a camera's pose is solved through points of several keyframes, the moves of their sheets are unknowns too; they
are linear, so for each pose the best are known, and only the pose is searched for (variable projection: Golub and
Pereyra, SIAM J. Numer. Anal. 10, 1973).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sheets:
    """Ground points that come from K keyframes, whose cameras were not quite where and how they were said to be.

    ``of`` (N,): which keyframe each point is of. ``centres_m`` (K, 2): east and south of the keyframes' centres, and
    ``heights_m`` (K,) of their cameras above them; infinite where none took it. ``sigma`` (K, 6): 1-sigma by which each
    keyframe's pose errs against the others', in position (east and south, metres), heading (radians), height (a share)
    and attitude (two tilts, radians); all points of a keyframe move with it.
    """

    of: NDArray[np.int64]
    centres_m: Array
    heights_m: Array
    sigma: Array


class Moves:
    """What eliminates the moves, since they are linear, while a pose through (N, 2) ``ground`` points is solved."""

    def __init__(self, sheets: Sheets, ground: Array) -> None:
        self._sheets = sheets
        east, south = (ground - sheets.centres_m[sheets.of]).T
        one, zero = np.ones_like(east), np.zeros_like(east)
        height = np.where(np.isfinite(sheets.heights_m), sheets.heights_m, 0.0)[sheets.of]
        bend = 1.0 / sheets.heights_m[sheets.of]
        by_axis = [
            [one, zero, -south, east, height + east**2 * bend, east * south * bend],
            [zero, one, east, south, east * south * bend, height + south**2 * bend],
        ]
        self._slopes = np.array(by_axis).transpose(2, 0, 1)  # (N, 2, 6)
        self._member = (sheets.of == np.arange(len(sheets.centres_m))[:, None]).astype(np.float64)  # (K, N)
        self._known = np.eye(6) * (np.maximum(sheets.sigma, _LEAST) ** -2)[:, None]  # (K, 6, 6)

    def best(self, missed: Array, weights: Array) -> Array:
        """(N, 2) by how much the points move at best, for a pose that misses them by (N, 2) metres."""
        pull = self._of_each((self._slopes * weights[:, None, None] ** 2).transpose(0, 2, 1) @ missed[:, :, None])
        return np.asarray((self._slopes @ np.linalg.solve(self._precision(weights), pull)[self._sheets.of])[:, :, 0])

    def taken(self, jacobian: Array, weights: Array) -> Array:
        """(6, 6) that the moves take from the pose's normal matrix; (2 N, 6) ``jacobian`` is weighted already."""
        slopes = (self._slopes * weights[:, None, None]).transpose(0, 2, 1)
        shared = self._of_each(slopes @ jacobian.reshape(-1, 2, 6))
        own = np.linalg.solve(self._precision(weights), shared)
        return np.asarray((shared.transpose(0, 2, 1) @ own).sum(axis=0))

    def _precision(self, weights: Array) -> Array:
        """(K, 6, 6) of the moves, the pose being known."""
        slopes = self._slopes * weights[:, None, None]
        return np.asarray(self._of_each(slopes.transpose(0, 2, 1) @ slopes) + self._known)

    def _of_each(self, pairs: Array) -> Array:
        """(K, 6, m) sums of (N, 6, m) over each keyframe's pairs."""
        return np.asarray((self._member @ pairs.reshape(len(pairs), -1)).reshape(-1, *pairs.shape[1:]))


_LEAST = 1e-6  # metre, radian, share: as good as none
