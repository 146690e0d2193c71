"""What learned local features say of the places where a target's layout fits: pairs that agree, as evidence.

A square of ground about each place is cut from the nearest keyframes as the target is, and both are described by the
network. Where a keyframe shows the place many pairs agree on it; by chance few do, on any ground: a point that two
pictures have in common is no matter of how the ground at hand looks as a whole. So the evidence adds to what the
layout says, and takes nothing from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import CropDamagedError
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.place.agreement import NONE, Agreement, agreement
from runtime.place.hypothesis import Support, TargetHypothesis
from runtime.place.target import Target
from runtime.values import GeoPoint, ImageRGB, Keyframe

if TYPE_CHECKING:  # optional, and so is what runs it
    from runtime.features.network import Described, FeatureNetwork

TARGET_PX = 256  # of a target's shorter side; the network's input is larger, so that the place may lie off
PLACES = 3  # the best ones are looked at: a right place is rarely below
KEYFRAMES = 4  # of those that show a place, the nearest
_LEAST_COSINE = 0.6  # of a pair, each the other's best


@dataclass(frozen=True, slots=True)
class _Cut:
    """A north-up picture, square or not, of which every pixel is one of ``gsd_m``; its middle is what it is about."""

    image: ImageRGB
    shown: NDArray[np.bool_]


class PairFinder:
    """Holds targets against the keyframes of a history; for one thread at a time."""

    def __init__(self, history: History, network: FeatureNetwork) -> None:
        self._history, self._network = history, network

    def supports(
        self,
        target: Target,
        found: TargetHypothesis,
        origin: GeoPoint,
        near: Sequence[Sequence[int]],
        shift_m: Callable[[int], NDArray[np.float64]] = lambda keyframe_id: np.zeros(2),
    ) -> list[Support]:
        """For each of the best places of a hypothesis what most pairs with one of its keyframes agree on.

        ``origin``: of the places' metres; ``near``: for each place the keyframes to look at, the nearest first;
        ``shift_m``: (2,) metres north and east by which the ground of one of them lies off.
        """
        attempt = found.attempt
        gsd_m = max(attempt.gsd_m, attempt.gsd_m * min(target.image.shape[:2]) / TARGET_PX)
        asked = self._described([_target_cut(target, attempt.gsd_m / gsd_m, attempt.heading_rad)])[0]
        size_px = self._network.manifest.input_size_px
        most = []
        for peak, ids in zip(found.peaks[:PLACES], near, strict=False):
            keyframes = [one for keyframe_id in ids[:KEYFRAMES] if (one := self._keyframe(keyframe_id)) is not None]
            places = [np.array(peak.ne_m) + shift_m(one.keyframe_id) for one in keyframes]
            offsets = [_offset_m(one, origin, place) for one, place in zip(keyframes, places, strict=True)]
            cuts = [_window(one, offset, gsd_m, size_px) for one, offset in zip(keyframes, offsets, strict=True)]
            agreed = [_agreed(asked, one) for one in self._described(cuts)]
            supports = [
                Support(one.count, _moved(peak.ne_m, one.centre_px, gsd_m), keyframe.keyframe_id)
                for one, keyframe in zip(agreed, keyframes, strict=True)
            ]
            most.append(max(supports, key=lambda one: one.pairs, default=Support(0, peak.ne_m, 0)))
        return most

    def _keyframe(self, keyframe_id: int) -> Keyframe | None:
        try:
            return self._history.keyframe(keyframe_id)
        except CropDamagedError:  # it costs this keyframe, not the answer
            return None

    def _described(self, cuts: Sequence[_Cut]) -> list[Described]:
        """The features of what the pictures show, in pixels from their middles."""
        described = []
        for cut, one in zip(cuts, self._network.describe([cut.image for cut in cuts]), strict=True):
            at = np.minimum(one.points.astype(np.int64), np.array(cut.image.shape[1::-1]) - 1)
            shown = cut.shown[at[:, 1], at[:, 0]]
            middle = np.array(cut.image.shape[1::-1], np.float32) / 2
            described.append(replace(one, points=one.points[shown] - middle, descriptors=one.descriptors[shown]))
        return described


def _agreed(target: Described, window: Described) -> Agreement:
    """What the pairs, each the other's best, say of where the target lies in a window."""
    if not len(target) or not len(window):
        return NONE
    similarity = target.descriptors @ window.descriptors.T
    best, rows = similarity.argmax(axis=1), np.arange(len(target))
    kept = (similarity.argmax(axis=0)[best] == rows) & (similarity[rows, best] > _LEAST_COSINE)
    return agreement(target.points[kept].astype(np.float64), window.points[best[kept]].astype(np.float64))


def _moved(ne_m: tuple[float, float], by_px: tuple[float, float], gsd_m: float) -> tuple[float, float]:
    """(north, east) of a point (x, y) pixels east and south of another."""
    return ne_m[0] - by_px[1] * gsd_m, ne_m[1] + by_px[0] * gsd_m


def _target_cut(target: Target, scale: float, heading_rad: float) -> _Cut:
    """The target ``scale`` times as large, turned north-up."""
    height, width = (max(1, round(side * scale)) for side in target.image.shape[:2])
    image = np.asarray(cv2.resize(target.image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    shown = np.ones((height, width), np.uint8)
    if abs(math.remainder(heading_rad, math.tau)) > 1e-6:
        about = (width / 2 - 0.5, height / 2 - 0.5)
        turn = cv2.getRotationMatrix2D(about, -math.degrees(heading_rad), 1.0)
        image = np.asarray(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)
        shown = np.asarray(cv2.warpAffine(shown, turn, (width, height)), np.uint8)
    return _Cut(image, shown > 0)


def _window(keyframe: Keyframe, offset_m: tuple[float, float], gsd_m: float, size_px: int) -> _Cut:
    """``size_px`` of a keyframe's ground about a place that lies (north, east) of its middle."""
    side_px = keyframe.crop.shape[0]
    step = gsd_m / (keyframe.footprint_m / side_px)
    north_m, east_m = offset_m
    crop = keyframe.crop
    if step > 1.0:  # averaged first: a warp alone would alias
        small = max(1, round(side_px / step))
        crop = np.asarray(cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA), np.uint8)
        side_px, step = small, step * small / side_px
    per_m = side_px / keyframe.footprint_m
    middle = np.array([side_px / 2 + east_m * per_m - 0.5, side_px / 2 - north_m * per_m - 0.5])
    matrix = np.hstack([np.eye(2) * step, (middle - step * (size_px / 2 - 0.5))[:, None]])
    how, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (size_px, size_px)
    image = cv2.warpAffine(crop, matrix, size, flags=how, borderMode=cv2.BORDER_REFLECT)
    shown = cv2.warpAffine(np.ones(crop.shape[:2], np.uint8), matrix, size, flags=how)
    return _Cut(np.asarray(image, np.uint8), np.asarray(shown > 0))


def _offset_m(keyframe: Keyframe, origin: GeoPoint, place_m: NDArray[np.float64]) -> tuple[float, float]:
    north_m, east_m = north_east_m(origin, keyframe.ground)
    return float(place_m[0] - north_m), float(place_m[1] - east_m)
