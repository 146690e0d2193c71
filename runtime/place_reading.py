"""One reading of a target against a rung of keyframes: the fields on the ground, their peaks, and the features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.alignment import surfaces
from runtime.place_attempt import Attempt, Crop
from runtime.place_gallery import Rung
from runtime.place_ground import Field, Ground, Peak

_AGREES_M = 8.0  # a keyframe's own best translation this near the place is a vote for it
_PLACE_M2 = 100.0  # a place is about 10 m by 10 m: the unit of the chances to be wrong


@dataclass(frozen=True, slots=True)
class Reading:
    """One attempt, compared: the fields of each area of ground, and the distinct peaks over all of them."""

    attempt: Attempt
    rung: Rung
    rows: NDArray[np.int64]
    fields: tuple[Field, ...]
    peaks: tuple[Peak, ...]
    spread: float
    area_m2: float
    votes: tuple[float, ...]

    @property
    def contrast(self) -> float:
        """How far the best place stands out, in deviations of the field; comparable between rungs."""
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
            "votes": self.votes[place],
            "log_cover": math.log(max(peak.cover, 1e-3)),
            "log_chances": math.log10(max(self.area_m2 / _PLACE_M2, 1.0) * tried),
        }


def compare(
    attempt: Attempt, rung: Rung, rows: NDArray[np.int64], maps: NDArray[np.float32], crops: Sequence[Crop],
    queries: NDArray[np.float32], top: int,
) -> Reading:  # fmt: skip
    """Lays every crop's surfaces on the ground and takes the peaks."""
    cells = maps.shape[-1]
    cell_m, reach = attempt.footprint_m / cells, cells // 2
    overlap = float(sum(crop.weights.sum() for crop in crops))
    wins = np.full((len(rows), 2), np.nan)
    fields = []
    at = {int(row): place for place, row in enumerate(rows)}
    for group in rung.groups(rows):
        ground = Ground(rung.ne_m[group], attempt.footprint_m)
        mine = np.array([at[int(row)] for row in group])
        for crop, query in zip(crops, queries, strict=True):
            scored = surfaces(query, maps[mine], reach, crop.weights)
            centres = rung.ne_m[group] - np.array(crop.ne_m)
            ground.add(centres, scored.dots, scored.counts, cell_m)
            if crop is crops[len(crops) // 2]:
                wins[mine] = centres + _best_offsets(scored.means, cell_m)
        fields.append(ground.field(overlap, cell_m))
    peaks = _distinct(fields, top, attempt.footprint_m / 2)
    votes = tuple(_votes(peak, rung.ne_m[rows], wins, attempt.footprint_m / 2) for peak in peaks)
    values = np.concatenate([field.sharpness[np.isfinite(field.sharpness)] for field in fields])
    spread = float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else 0.0
    return Reading(
        attempt, rung, rows, tuple(fields), peaks, spread, sum(field.area_m2 for field in fields), votes
    )


def _best_offsets(means: NDArray[np.float32], cell_m: float) -> NDArray[np.float64]:
    """(N, 2) north and east from each keyframe to where it alone would put the target."""
    size = means.shape[-1]
    rows, columns = np.divmod(means.reshape(len(means), -1).argmax(axis=1), size)
    return np.stack([size // 2 - rows, columns - size // 2], axis=1) * cell_m


def _distinct(fields: Sequence[Field], top: int, apart_m: float) -> tuple[Peak, ...]:
    peaks = [peak for field in fields for peak in field.peaks(top, apart_m)]
    return tuple(sorted(peaks, key=lambda peak: -peak.sharpness)[:top])


def _votes(peak: Peak, centres: NDArray[np.float64], wins: NDArray[np.float64], reach_m: float) -> float:
    """The share of the keyframes over a place whose own best translation leads there."""
    over = np.abs(centres - peak.ne_m).max(axis=1) <= reach_m
    if not over.any():
        return 0.0
    return float((np.hypot(*(wins[over] - peak.ne_m).T) <= _AGREES_M).mean())
