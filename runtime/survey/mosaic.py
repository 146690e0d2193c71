"""A first guess of a flight's geometry from overlaps alone: headings, heights and places, each by linear algebra.

Laid on level ground, photos are similarities of it. With ground points as complex numbers north + i east and sight
rays, freed of the tilt that is known, as forward + i right, photo k shows
``ground = h_k exp(i heading_k) ray + place_k``; ratios of heights and differences of headings between overlapping
photos are synchronised over the whole flight, then places follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

from runtime.survey.overlaps import similarity
from runtime.survey.rays import bluntness, on_ground

_MAX_TURN_MISFIT_RAD = 0.35  # an overlap that disagrees this much with the rest is a false one
_MAX_LOG_SCALE_MISFIT = 0.3
_REWEIGHTINGS = 10  # enough for a third digit


@dataclass(frozen=True, slots=True)
class Ties:
    """Pairs of sight rays to the same ground: photo ``first[k]`` along ``first_ray[k]``, and the second's.

    ``first``, ``second`` (K,) int; ``first_ray``, ``second_ray`` (K, 3) in the level frame (forward, right, down);
    ``overlap`` (K,) the pair of photos that the tie belongs to.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_ray: NDArray[np.float64]
    second_ray: NDArray[np.float64]
    overlap: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    def only(self, keep: NDArray[np.bool_]) -> Ties:
        """Those marked in (K,) ``keep``."""
        rays = self.first_ray[keep], self.second_ray[keep]
        return Ties(self.first[keep], self.second[keep], *rays, self.overlap[keep])


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The flight up to a similarity: ``factor`` (N,) height times exp(i heading), ``place`` (N,) north + i east."""

    factor: NDArray[np.complex128]
    place: NDArray[np.complex128]


def components(count: int, ties: Ties) -> list[NDArray[np.int64]]:
    """Groups of photos that hang together by overlaps, the largest first."""
    links = csr_matrix((np.ones(len(ties)), (ties.first, ties.second)), shape=(count, count))
    _, label = connected_components(links, directed=False)
    groups = [np.flatnonzero(label == value) for value in np.unique(label)]
    return sorted(groups, key=len, reverse=True)


def within(ties: Ties, group: NDArray[np.int64]) -> Ties:
    """The ties inside a group of photos, which are renumbered from zero in the group's order."""
    inside = ties.only(np.isin(ties.first, group))
    return replace(inside, first=np.searchsorted(group, inside.first), second=np.searchsorted(group, inside.second))


def without_false(count: int, ties: Ties) -> Ties:
    """The ties without overlaps whose turn or scale contradicts the rest of their group."""
    kept = np.zeros(0, np.int64)
    for group in components(count, ties):
        if len(group) > 1:
            kept = np.append(kept, np.unique(_consistent(len(group), within(ties, group)).overlap))
    return ties.only(np.isin(ties.overlap, kept))


def _consistent(count: int, ties: Ties) -> Ties:
    for _ in range(2):  # the second time with a synchronisation that the worst no longer bend
        factor = _factors(count, ties)
        step = _steps(ties)
        misfit = np.log(np.array([factor[i] / (ratio * factor[j]) for i, j, ratio in step]))
        false = (np.abs(misfit.imag) > _MAX_TURN_MISFIT_RAD) | (np.abs(misfit.real) > _MAX_LOG_SCALE_MISFIT)
        bad = {(i, j) for (i, j, _), wrong in zip(step, false, strict=True) if wrong}
        ends = zip(ties.first.tolist(), ties.second.tolist(), strict=True)
        ties = ties.only(np.array([pair not in bad for pair in ends], dtype=bool))
        if not bad or not len(ties):
            break
    return ties


def assemble(count: int, ties: Ties) -> Mosaic:
    """Heights, headings and places of ``count`` connected photos, in units and axes of their own."""
    factor = _factors(count, ties)
    a, b = on_ground(ties.first_ray), on_ground(ties.second_ray)
    shift = factor[ties.second] * b - factor[ties.first] * a  # place of the first less that of the second
    blunt = np.maximum(bluntness(ties.first_ray), bluntness(ties.second_ray))
    level = np.sqrt(np.abs(factor[ties.first] * factor[ties.second])) * blunt
    rows = np.arange(len(ties))
    anchor = len(ties)  # one row that holds the first photo at zero
    weight = 1.0 / level
    for _ in range(_REWEIGHTINGS):
        values = np.concatenate([weight, -weight, [1.0]])
        index = (np.concatenate([rows, rows, [anchor]]), np.concatenate([ties.first, ties.second, [0]]))
        system = csr_matrix((values, index), shape=(anchor + 1, count))
        normal = (system.T @ system).tocsc()
        place = spsolve(normal.astype(np.complex128), system.T @ np.append(weight * shift, 0.0))
        misfit = np.abs(place[ties.first] - place[ties.second] - shift) / level
        weight = 1.0 / level / np.sqrt(1.0 + (misfit / max(float(np.median(misfit)), 1e-6)) ** 2)
    return Mosaic(factor, np.asarray(place, dtype=np.complex128))


def _steps(ties: Ties) -> Sequence[tuple[int, int, complex]]:
    """Per overlap (i, j, r): a ray of i times r is that of j, so that factor_i = factor_j r."""
    a, b = on_ground(ties.first_ray), on_ground(ties.second_ray)
    weight = 1.0 / np.maximum(bluntness(ties.first_ray), bluntness(ties.second_ray))
    steps = []
    for pair in np.unique(ties.overlap):
        own = ties.overlap == pair
        points = [np.stack([side[own].real, side[own].imag], axis=1) for side in (a, b)]
        scale, turn, _ = similarity(points[0], points[1], weight[own])
        k = int(np.argmax(own))
        steps.append((int(ties.first[k]), int(ties.second[k]), scale * np.exp(1j * turn)))
    return steps


def _factors(count: int, ties: Ties) -> NDArray[np.complex128]:
    """Height times exp(i heading) per photo, up to one common factor, from the ratios of all overlaps."""
    steps = _steps(ties)
    first = np.array([i for i, _, _ in steps])
    second = np.array([j for _, j, _ in steps])
    ratio = np.array([r for _, _, r in steps])
    return np.asarray(np.exp(_log_scales(count, first, second, ratio) + 1j * _turns(count, first, second, ratio)))


def _turns(
    count: int, first: NDArray[np.int64], second: NDArray[np.int64], ratio: NDArray[np.complex128]
) -> NDArray[np.float64]:
    """Angular synchronisation by the leading eigenvector (Singer 2011): no chain of turns to go astray."""
    links = np.zeros((count, count), np.complex128)
    np.add.at(links, (first, second), ratio / np.abs(ratio))
    np.add.at(links, (second, first), np.conj(ratio) / np.abs(ratio))
    degree = np.sqrt(np.maximum(np.abs(links).sum(axis=1), 1e-9))
    _, vectors = np.linalg.eigh(links / np.outer(degree, degree))
    return np.asarray(np.angle(vectors[:, -1]))


def _log_scales(
    count: int, first: NDArray[np.int64], second: NDArray[np.int64], ratio: NDArray[np.complex128]
) -> NDArray[np.float64]:
    rows, ones = np.arange(len(first)), np.ones(len(first))
    index = (np.concatenate([rows, rows]), np.concatenate([first, second]))
    design = csr_matrix((np.concatenate([ones, -ones]), index), shape=(len(first), count))
    hold = csr_matrix(([1.0], ([0], [0])), shape=(count, count))  # the first photo's, at zero
    wanted = np.log(np.abs(ratio))
    weight = ones
    for _ in range(_REWEIGHTINGS):
        weighted = design.multiply(weight[:, None] ** 2).tocsr()
        found = spsolve((design.T @ weighted + hold).tocsc(), weighted.T @ wanted)
        misfit = design @ found - wanted
        weight = 1.0 / np.sqrt(1.0 + (misfit / 0.03) ** 2)  # 3 %: what terrain does to a scale
    return np.asarray(found - found.mean())
