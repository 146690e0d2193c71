"""A target at one scale and heading, compared with the keyframes: the distinct places where it fits, and what speaks
for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BundleError
from runtime.matching.alignment import surfaces_of_many
from runtime.place.attempt import Attempt, Crop
from runtime.place.gallery import Rung
from runtime.place.ground import Field, Ground, Peak

_PLACE_M2 = 100.0  # a place is about 10 m by 10 m: the unit of the chances to be wrong


@dataclass(frozen=True, slots=True)
class Layer:
    """The crops of a target at one rung, with their centred maps ``queries`` (len(crops), C, h, w)."""

    rung: Rung
    crops: Sequence[Crop]
    queries: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TargetHypothesis:
    """What an attempt's scale and heading make of a target: its distinct ``peaks``, best first; ``nearest``, the id of
    the keyframe nearest to each; ``spread``, a robust deviation of the sharpness over all ground, which chance makes;
    ``area_m2``, the ground of the history on which the target's centre could have been found."""

    attempt: Attempt
    peaks: tuple[Peak, ...]
    nearest: tuple[int, ...]
    spread: float
    area_m2: float

    @property
    def contrast(self) -> float:
        """How far the best place stands out, in deviations; comparable between rungs."""
        return self.peaks[0].sharpness / max(self.spread, 1e-6) if self.peaks else 0.0

    def features(self, place: int, tried: int) -> dict[str, float]:
        """What the probability of a peak depends on; ``tried``: attempts it was chosen from. The margin is to the
        best distinct other place."""
        peak = self.peaks[place]
        others = [other.sharpness for number, other in enumerate(self.peaks) if number != place]
        return {
            "sharpness": peak.sharpness,
            "similarity": peak.similarity,
            "contrast": peak.sharpness / max(self.spread, 1e-6),
            "margin": peak.sharpness - max(others, default=0.0),
            "log_cover": math.log(max(peak.cover, 1e-3)),
            "log_chances": math.log10(max(self.area_m2 / _PLACE_M2, 1.0) * tried),
        }


def compare(attempt: Attempt, layers: Sequence[Layer], rows: NDArray[np.int64], top: int) -> TargetHypothesis:
    """Lays every crop's surfaces on the ground and takes the peaks; ``rows`` are those of the first layer's rung."""
    rung = layers[0].rung
    groups = rung.groups(rows)
    grounds = [Ground(rung.ne_m[group], rung.footprint_m) for group in groups]
    for layer in layers:
        _lay(layer, grounds, [layer.rung.rows_of(rung.ids[group]) for group in groups])
    fields = [ground.field() for ground in grounds]
    peaks = _distinct(fields, top, rung.footprint_m / 2)
    nearest = tuple(int(rung.ids[rows[np.hypot(*(rung.ne_m[rows] - peak.ne_m).T).argmin()]]) for peak in peaks)
    area_m2 = sum(field.area_m2 for field in fields) * len(rung.ids) / max(len(rows), 1)
    return TargetHypothesis(attempt, peaks, nearest, _spread(fields), area_m2)


def _lay(layer: Layer, grounds: Sequence[Ground], groups: Sequence[NDArray[np.int64]]) -> None:
    """Every rung counts the same per square metre, however many crops and cells it has."""
    rows = np.concatenate(groups) if groups else np.zeros(0, np.int64)
    if not len(rows):
        return
    maps = layer.rung.maps(rows)
    if maps is None:
        raise BundleError("this history has no spatial maps, which locating needs; embed it with a bundle that has.")
    cells = maps.shape[-1]
    cell_m = layer.rung.footprint_m / cells
    share = cell_m**2 / max(sum(float(crop.weights.sum()) for crop in layer.crops), 1e-6)
    ends = np.cumsum([len(group) for group in groups])
    weights = np.stack([crop.weights for crop in layer.crops])
    scores = surfaces_of_many(layer.queries, maps, cells // 2, weights)
    for crop, scored in zip(layer.crops, scores, strict=True):
        centres = layer.rung.ne_m[rows] - np.array(crop.ne_m)
        full = share * float(crop.weights.sum())
        for ground, last, group in zip(grounds, ends, groups, strict=True):
            mine = slice(last - len(group), last)
            ground.add(centres[mine], share * scored.dots[mine], share * scored.counts, cell_m, full)


def _distinct(fields: Sequence[Field], top: int, apart_m: float) -> tuple[Peak, ...]:
    peaks = [peak for field in fields for peak in field.peaks(top, apart_m)]
    return tuple(sorted(peaks, key=lambda peak: -peak.sharpness)[:top])


def _spread(fields: Sequence[Field]) -> float:
    """A robust deviation of the sharpness over all ground."""
    values = np.concatenate([field.sharpness[np.isfinite(field.sharpness)] for field in fields])
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else 0.0
