"""How many pairs of local features agree on where a target lies: near a place, and nearly as it was read.

Scale and heading are known but for a little, so there is nothing to sample: every pair votes for a shift, at a few
turns and scales, the thickest group of votes is taken, and what a similarity through it explains is what agrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TURNS_RAD = tuple(math.radians(turn) for turn in (-10.0, -5.0, 0.0, 5.0, 10.0))
_SCALES = (1 / 1.2, 1 / 1.1, 1.0, 1.1, 1.2)
_MOST_TURN_RAD, _MOST_SCALE = math.radians(15.0), 1.3
_VOTE_PX = 11.0  # side of a cell of votes, of which four that touch are one group
_MISS_PX = 5.0  # of a pair that agrees
_LEAST_SPREAD_PX = 12.0  # standard deviation of the agreeing points along their narrower axis: else a line fits too
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many pairs agree, and where they have the target's centre, (x, y) in pixels of the window from its middle."""

    count: int
    centre_px: tuple[float, float]


NONE = Agreement(0, (0.0, 0.0))


def agreement(target_px: Array, window_px: Array) -> Agreement:
    """The largest group of (N, 2) pairs that a near identity explains; pixels from the middle of each picture."""
    inside = _voted(target_px, window_px)
    for within_px in (2.5 * _MISS_PX, _MISS_PX, _MISS_PX):  # the first is bent by votes that only happened to be near
        if inside.sum() < _FEWEST:
            return NONE
        factor, shift = _similarity(target_px[inside], window_px[inside])
        if abs(math.log(abs(factor))) > math.log(_MOST_SCALE) or abs(np.angle(factor)) > _MOST_TURN_RAD:
            return NONE
        inside = np.abs(_complex(target_px) * factor + shift - _complex(window_px)) < within_px
    if inside.sum() < _FEWEST or _spread_px(window_px[inside]) < _LEAST_SPREAD_PX:
        return NONE
    return Agreement(int(inside.sum()), (shift.real, shift.imag))


def _voted(target_px: Array, window_px: Array) -> NDArray[np.bool_]:
    """(N,) the thickest group of votes, of all turns and scales."""
    best, most = np.zeros(len(target_px), bool), 0
    for turn in _TURNS_RAD:
        for scale in _SCALES:
            votes = _complex(window_px) - _complex(target_px) * (scale * np.exp(1j * turn))
            cells = np.floor(np.stack([votes.real, votes.imag], axis=1) / _VOTE_PX).astype(np.int64)
            group = _thickest(cells)
            if (count := int(group.sum())) > most:
                best, most = group, count
    return best


def _thickest(cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) which of (N, 2) votes lie in the two by two cells that hold most."""
    low = cells.min(axis=0, initial=0)
    table = np.zeros(cells.max(axis=0, initial=0) - low + 2, np.int64)
    np.add.at(table, tuple((cells - low).T), 1)
    sums = table[:-1, :-1] + table[1:, :-1] + table[:-1, 1:] + table[1:, 1:]
    first = np.array(np.unravel_index(int(sums.argmax()), sums.shape)) + low
    return np.asarray(((cells >= first) & (cells <= first + 1)).all(axis=1))


def _similarity(a: Array, b: Array) -> tuple[complex, complex]:
    """(factor, shift) that carry points onto points by least squares, as complex numbers."""
    x, y = _complex(a), _complex(b)
    centred = x - x.mean()
    factor = complex(np.vdot(centred, y - y.mean()) / max(np.vdot(centred, centred).real, 1e-9))
    return (factor, complex(y.mean() - factor * x.mean())) if abs(factor) > 1e-6 else (1e-6 + 0j, 0j)


def _complex(points: Array) -> NDArray[np.complex128]:
    return np.asarray(points[:, 0] + 1j * points[:, 1])


def _spread_px(points: Array) -> float:
    return math.sqrt(max(float(np.linalg.eigvalsh(np.cov(points.T))[0]), 0.0))
