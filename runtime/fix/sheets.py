"""Corrections of the keyframes' own poses while a query's pose is solved through ground points of several of them.

A keyframe's points lie on the ground where its recorded pose put them; an error of that pose moves all of them together
(as a sheet: shifted, turned, stretched, tilted), and differently from those of the next keyframe. Taken as one rigid
ground they would bend the query's pose. So each keyframe has six corrections as further unknowns, held by the sigmas of
its pose. Points depend on them linearly: for a given query pose the best corrections follow from linear least squares,
and only the pose is searched for (variable projection: Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MIN_SIGMA = 1e-6  # metre, radian or share: as good as no correction, and still invertible


@dataclass(frozen=True, slots=True)
class Sheets:
    """Which of N ground points come from which of K keyframes, and how far the keyframes' recorded poses may err.

    ``of`` (N,): which keyframe each point is of. ``centres_m`` (K, 2): east and south of the keyframes' centres, and
    ``heights_m`` (K,) of their cameras above them; infinite where none took it. ``sigma`` (K, 6): 1-sigma by which each
    keyframe's pose errs against the others', in position (east and south, metres), heading (radians), height (a share)
    and attitude (two tilts, radians); all points of a keyframe move with it.
    """

    of: NDArray[np.int64]
    centres_m: Array
    heights_m: Array
    sigma: Array


class Corrections:
    """Eliminates the keyframes' corrections from the least squares for a pose through (N, 2) ``ground`` points."""

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
        self._last: tuple[Array, Array] | None = None
        self._known = np.eye(6) * (np.maximum(sheets.sigma, _MIN_SIGMA) ** -2)[:, None]  # (K, 6, 6)

    def best(self, missed: Array, weights: Array) -> Array:
        """(N, 2) metres by which the best corrections move the points, for a pose that misses them by (N, 2) metres."""
        pull = self._of_each((self._slopes * weights[:, None, None] ** 2).transpose(0, 2, 1) @ missed[:, :, None])
        return np.asarray((self._slopes @ np.linalg.solve(self._precision(weights), pull)[self._sheets.of])[:, :, 0])

    def taken(self, jacobian: Array, weights: Array) -> Array:
        """(6, 6) to subtract from the pose's normal matrix (Schur's complement), since part of what the points say goes
        to the corrections; (2 N, 6) ``jacobian`` is weighted already."""
        slopes = (self._slopes * weights[:, None, None]).transpose(0, 2, 1)
        shared = self._of_each(slopes @ jacobian.reshape(-1, 2, 6))
        own = np.linalg.solve(self._precision(weights), shared)
        return np.asarray((shared.transpose(0, 2, 1) @ own).sum(axis=0))

    def _precision(self, weights: Array) -> Array:
        """(K, 6, 6) normal matrices of the corrections, for a known pose; asked for three times of the same weights."""
        if self._last is None or self._last[0] is not weights:
            slopes = self._slopes * weights[:, None, None]
            self._last = weights, np.asarray(self._of_each(slopes.transpose(0, 2, 1) @ slopes) + self._known)
        return self._last[1]

    def _of_each(self, pairs: Array) -> Array:
        """(K, 6, m) sums of (N, 6, m) over each keyframe's points."""
        return np.asarray((self._member @ pairs.reshape(len(pairs), -1)).reshape(-1, *pairs.shape[1:]))
