"""A target at one scale and heading, compared with the keyframes: the distinct places where it fits, and what speaks
for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BundleError
from runtime.matching.acceptance import OPEN, PAIRS, pairs_log_likelihood_ratio
from runtime.matching.alignment import Sought
from runtime.place.areas import worth_laying_on
from runtime.place.attempt import Attempt
from runtime.place.field import Field, Peak
from runtime.place.gallery import Rung
from runtime.place.ground import APART, Ground, Spread
from runtime.place.versions import Layer
from runtime.values import Maps

_REST = 5  # other places, the best ones: what chance makes of this target elsewhere on this ground
_LEAST_TIMES, _MOST_TIMES = 0.1, 100.0  # no place is told further from chance than that
_AT_ONCE = 32  # keyframes whose maps and surfaces are held: 1 MB of maps, and 37 kB for each crop
_PLACE_M2 = 100.0  # a place is about 10 m by 10 m: the unit of the chances to be wrong


@dataclass(frozen=True, slots=True)
class Support:
    """What learned local features say of a place: how many pairs agree, (north, east) of where they have the target's
    centre, and the keyframe that they were found in."""

    pairs: int
    ne_m: tuple[float, float]
    keyframe_id: int


@dataclass(frozen=True, slots=True)
class TargetHypothesis:
    """What an attempt's scale and heading make of a target: its distinct ``peaks``, best first; ``nearest``, the id of
    the keyframe nearest to each; ``spread``, a robust deviation of the sharpness over all ground, which chance makes;
    ``area_m2``, the ground of the history on which the target's centre could have been found; ``chance``, the sharpness
    of the best place of each copy whose layout is wrong; ``pairs`` of learned features that agree on each of the first
    places, where a network has looked."""

    attempt: Attempt
    peaks: tuple[Peak, ...]
    nearest: tuple[int, ...]
    spread: float
    area_m2: float
    chance: tuple[float, ...] = ()
    pairs: tuple[int, ...] = ()

    def supported(self, supports: Sequence[Support]) -> TargetHypothesis:
        """With what supports each of the first places: one that more pairs support than chance makes agree lies where
        they have it, and comes before those that fewer support; what they have in one place is one."""
        ratios = [pairs_log_likelihood_ratio(one.pairs) for one in supports]
        strong = [place for place in np.argsort([-one for one in ratios], kind="stable") if ratios[place] > 0.0]
        apart_m = APART * self.attempt.footprints_m[0]
        peaks: list[tuple[Peak, int, int]] = []
        for place in [*strong, *(n for n in range(len(self.peaks)) if n not in strong)]:
            peak, nearest, pairs = self.peaks[place], self.nearest[place], 0
            if place < len(supports):
                pairs = supports[place].pairs
            if place in strong:
                peak, nearest = replace(peak, ne_m=supports[place].ne_m, open=False), supports[place].keyframe_id
            if all(math.dist(peak.ne_m, other.ne_m) >= apart_m for other, _, _ in peaks[: len(strong)]):
                peaks.append((peak, nearest, pairs))
        return replace(
            self,
            peaks=tuple(peak for peak, _, _ in peaks),
            nearest=tuple(nearest for _, nearest, _ in peaks),
            pairs=tuple(pairs for _, _, pairs in peaks),
        )

    @property
    def contrast(self) -> float:
        """How far the best place stands out, in deviations; comparable between rungs."""
        return self.peaks[0].sharpness / max(self.spread, 1e-6) if self.peaks else 0.0

    def places(self, tried: int) -> tuple[dict[str, float], ...]:
        """The `features` of every peak."""
        return tuple(self.features(place, tried) for place in range(len(self.peaks)))

    def features(self, place: int, tried: int) -> dict[str, float]:
        """What the probability of a peak depends on; ``tried``: attempts it was chosen from. Margins are to the best
        distinct other place. Those that begin with `log_over` have no unit: they say how many times what chance makes
        on this ground, of this target, the peak is, and mean the same on any ground."""
        peak = self.peaks[place]
        others = [other.sharpness for number, other in enumerate(self.peaks) if number != place]
        next_best = max(others, default=0.0)
        rest = float(np.mean(others[:_REST])) if others else next_best
        return {
            "sharpness": peak.sharpness,
            "similarity": peak.similarity,
            "contrast": peak.sharpness / max(self.spread, 1e-6),
            "margin": peak.sharpness - next_best,
            "log_cover": math.log(max(peak.cover, 1e-3)),
            "log_chances": math.log10(max(self.area_m2 / _PLACE_M2, 1.0) * tried),
            "log_tried": math.log(tried),
            "log_over_spread": _log_times(peak.sharpness, self.spread),
            "log_over_next": _log_times(peak.sharpness, next_best or self.spread),
            "log_over_rest": _log_times(peak.sharpness, rest or self.spread),
            "log_over_wrong": _log_times(peak.sharpness, float(np.mean(self.chance)) if self.chance else rest),
            PAIRS: float(self.pairs[place]) if self.pairs else 0.0,
            OPEN: float(peak.open),
        }


def _log_times(value: float, unit: float) -> float:
    """Natural log of how many times the unit a value is, within what can be told."""
    return math.log(min(max(value / max(unit, 1e-6), _LEAST_TIMES), _MOST_TIMES))


def compare(
    attempt: Attempt, layers: Sequence[Layer], rows: NDArray[np.int64], top: int, wrong: Sequence[Sequence[Layer]] = ()
) -> TargetHypothesis:
    """Lays every crop's surfaces on the ground and takes the peaks; ``rows`` are those of the first layer's rung.

    ``wrong``: copies of the layers whose layout is wrong, for what chance makes.
    """
    rung, rows = layers[0].rung, worth_laying_on([layers, *wrong], rows)
    fields, chance = fields_of([layers, *wrong], rows)
    peaks = _distinct(fields, top, APART * rung.footprint_m)
    nearest = tuple(int(rung.ids[rows[np.hypot(*(rung.ne_m[rows] - peak.ne_m).T).argmin()]]) for peak in peaks)
    area_m2 = sum(field.area_m2 for field in fields) * len(rung.ids) / max(len(rows), 1)
    return TargetHypothesis(
        attempt, peaks, nearest, _spread(fields), area_m2, tuple(best for best in chance if best > 0.0)
    )


def fields_of(versions: Sequence[Sequence[Layer]], rows: NDArray[np.int64]) -> tuple[list[Field], list[float]]:
    """The scores of the first of some versions of a target's layers on each of the areas that ``rows`` lie in, and for
    each other version the sharpness of its sharpest place. Versions share the rungs, and the work on the keyframes'
    maps, of which few are held at a time; and only one area's lattices are."""
    rung = versions[0][0].rung
    groups = rung.groups(rows)
    parts = [[one.rung.rows_of(rung.ids[group]) for group in groups] for one in versions[0]]
    laid = [
        (_Laid(same), rows_in)
        for same, rows_in in zip(zip(*versions, strict=True), parts, strict=True)
        if any(len(some) for some in rows_in)
    ]
    fields, best = [], [0.0] * (len(versions) - 1)
    for number, group in enumerate(groups):
        ground = Ground(rung.ne_m[group], rung.footprint_m)
        grounds = [ground, *(ground.another() for _ in best)]
        for layers, rows_in in laid:
            layers.lay(rows_in[number], grounds)
        fields.append(ground.field())
        best = [max(one, sharpest([other.field()])) for one, other in zip(best, grounds[1:], strict=True)]
    return fields, best


class _Laid:
    """Each version of a target's crops at one rung, to be laid on its own ground. Every rung counts the same per square
    metre, however many crops and cells it has."""

    def __init__(self, versions: Sequence[Layer]) -> None:
        self._versions, self._rung = versions, versions[0].rung
        queries = np.concatenate([one.queries for one in versions])
        weights = np.stack([crop.weights for layer in versions for crop in layer.crops])
        self._sought = Sought(queries, queries.shape[-1] // 2, weights)
        self._cell_m = self._rung.footprint_m / queries.shape[-1]
        sums = [sum(float(crop.weights.sum()) for crop in one.crops) for one in versions]
        self._shares = [self._cell_m**2 / max(one, 1e-6) for one in sums]

    def lay(self, rows: NDArray[np.int64], grounds: Sequence[Ground]) -> None:
        """Over ``rows`` of the rung's keyframes."""
        rung, cell_m, every = self._rung, self._cell_m, list(zip(self._versions, grounds, self._shares, strict=True))
        for layer, ground, share in every:
            for crop in layer.crops:
                ground.expect(share * float(crop.weights.sum()), cell_m)
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            scores = iter(self._sought.surfaces(_maps(rung, some)))
            spreads: dict[tuple[float, float], Spread] = {}  # crops of turned copies lie where others do
            for layer, ground, share in every:
                for crop in layer.crops:
                    one = next(scores)
                    if crop.ne_m not in spreads:
                        centres_ne_m = rung.ne_m[some] - np.array(crop.ne_m)
                        spreads[crop.ne_m] = ground.spread(centres_ne_m, one.counts.shape[0], cell_m)
                    ground.lay(spreads[crop.ne_m], share * one.dots, share * one.counts)


def _maps(rung: Rung, rows: NDArray[np.int64]) -> Maps:
    maps = rung.maps(rows)
    if maps is None:
        raise BundleError("this history has no spatial maps, which locating needs; embed it with a bundle that has.")
    return maps


def sharpest(fields: Sequence[Field]) -> float:
    """The sharpness of the sharpest place, 0 where there is none."""
    return max((float(field.sharpness.max()) for field in fields if len(field.sharpness)), default=0.0)


def _distinct(fields: Sequence[Field], top: int, apart_m: float) -> tuple[Peak, ...]:
    peaks = [peak for field in fields for peak in field.peaks(top, apart_m)]
    return tuple(sorted(peaks, key=lambda peak: -peak.sharpness)[:top])


def _spread(fields: Sequence[Field]) -> float:
    """A robust deviation of the sharpness over all ground."""
    values = np.concatenate([field.sharpness for field in fields])
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else 0.0
