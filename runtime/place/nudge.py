"""A target that lies a little otherwise than it is said to: some degrees off north, or of another scale.

A picture is turned or mis-scaled by what its map, its operator or the heights of a flight have wrong; its layout then
fits worse, also where it belongs. So the best places are looked at again with the target's own maps turned and
stretched by a little, and if one of those fits better, the target is embedded once more as that says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.place.attempt import Attempt
from runtime.place.ground import APART
from runtime.place.hypothesis import TargetHypothesis, fields_of, sharpest
from runtime.place.versions import Layer, nudged

_TURN_RAD, _STRETCH = math.radians(8.0), 1.13  # each way: half a cell at the edge of a map, a cell in its corner
NUDGES = ((_TURN_RAD, 1.0), (-_TURN_RAD, 1.0), (0.0, _STRETCH), (0.0, 1 / _STRETCH))
_PLACES = 3  # the best ones are looked at again: a right place that is turned is rarely below
_MIN_GAIN = 1.02  # times sharper before a target is embedded again


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a target at one scale and heading, and what it came from: its layers, and the ``rows`` of the first
    layer's rung that they were laid on."""

    hypothesis: TargetHypothesis
    layers: Sequence[Layer]
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Nudge:
    """The scale and heading to try, and the ``rows`` of the keyframes about the places that it is for."""

    attempt: Attempt
    rows: NDArray[np.int64]


def nudge_of(reading: Reading, nudges: Sequence[tuple[float, float]] = NUDGES) -> Nudge | None:
    """How else the target fits its best places better; None where it fits best as it was read.

    ``nudges``: the turns, in radians clockwise, and stretches that are tried.
    """
    rows = _rows_about(reading)
    versions = [reading.layers, *(nudged(reading.layers, turn, scale) for turn, scale in nudges)]
    fields, others = fields_of(versions, rows)
    best = int(np.argmax(others))
    if others[best] < _MIN_GAIN * sharpest(fields):
        return None
    turn_rad, scale = nudges[best]
    attempt = reading.hypothesis.attempt
    return Nudge(
        replace(attempt, heading_rad=attempt.heading_rad + turn_rad, gsd_m=attempt.gsd_m * scale), rows
    )


def sharpened(before: TargetHypothesis, again: TargetHypothesis) -> TargetHypothesis:
    """The hypothesis with its best place as it was found again, if it is sharper there; what chance makes stays."""
    if not again.peaks or again.peaks[0].sharpness <= before.peaks[0].sharpness:
        return before
    best = again.peaks[0]
    apart_m = APART * before.attempt.footprints_m[0]
    kept = [n for n, one in enumerate(before.peaks) if math.dist(one.ne_m, best.ne_m) >= apart_m]
    return replace(
        before,
        attempt=again.attempt,
        peaks=(best, *(before.peaks[n] for n in kept)),
        nearest=(again.nearest[0], *(before.nearest[n] for n in kept)),
    )


def _rows_about(reading: Reading) -> NDArray[np.int64]:
    """The keyframes that show one of the best places."""
    rung = reading.layers[0].rung
    places = np.array([peak.ne_m for peak in reading.hypothesis.peaks[:_PLACES]])
    away = np.abs(rung.ne_m[reading.rows][:, None] - places[None]).max(axis=2)
    return np.asarray(reading.rows[(away <= rung.footprint_m / 2).any(axis=1)])
