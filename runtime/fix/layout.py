"""Fixes a frame against satellite tiles by the layout of what it shows, where local features share nothing.

Another date, another sensor and another season leave no corner as it was, but the order of roofs, trees and roads
stays: the frame, cut north-up at its known scale, is laid on the map like a target (`runtime.place`), and accepted by
the acceptance of drone views among satellite tiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.fix.query import Known
from runtime.fix.tilt import map_slopes_m
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache
from runtime.place.locator import Locator, Tower, Within
from runtime.place.target import Target
from runtime.values import Decision, Fix, Frame, Hypothesis, PlaceAnswer, Vicinity, ViewKind, circular
from runtime.view import GroundPlane, rectify

_COVERAGE = 0.9  # of the square that is cut from the frame
_CANDIDATE_SIGMA_M = 10.0  # of a place that was not accepted: a peak's surroundings, see `runtime.place.ground`
_MOST_PLACES = 8  # of a frame, accepted or not: a sequence of frames tells them apart
_VICINITY_SIGMAS = 3.0
_SURE_THERE = 0.98  # of a place in a vicinity: on little ground chance shows less of itself, and all else is at hand
_WIDEST_VICINITY_M = 60.0  # 1-sigma: to lay a frame on more ground takes nearly as long as on all of it
_OVERSAMPLED = 1.25  # pixels of that square for one of the network's: it is cut once more, at the rungs


@dataclass(frozen=True, slots=True)
class Refusal:
    """No layout fix, why, and the places that the layout resembles all the same."""

    reason: str
    hypotheses: tuple[Hypothesis, ...] = ()


class LayoutFixer:
    """Lays frames of known height and heading on the satellite tiles of a history."""

    def __init__(self, history: History, embedder: Tower, galleries: GalleryCache | None = None) -> None:
        """``galleries``: the history's, where others search it too."""
        self._size_px = round(embedder.bundle.input_size_px * _OVERSAMPLED)
        self._locator = Locator(history, embedder, ViewKind.SATELLITE, ViewKind.DRONE, galleries)

    def fix(self, frame: Frame, known: Known, vicinity: Vicinity | None = None) -> Fix | Refusal:
        """Where ``frame`` was taken; ``known`` must have height and heading. On a wide map it is laid on the ground of
        the ``vicinity`` first, and on all where no place there is sure."""
        plane = GroundPlane.of(known.camera, known.pose)
        if plane is None or not known.posed:
            return Refusal("its layout needs a known height and heading")
        target = layout_target(frame, known, plane, self._size_px)
        within = _seen_in(vicinity, plane)
        answer = None
        if within is not None and self._locator.narrows(within):
            answer = self._locator.locate(target, top=_MOST_PLACES, within=within)
        if answer is None or answer.decision is not Decision.MATCH or (answer.probability or 0.0) < _SURE_THERE:
            answer = self._locator.locate(target, top=_MOST_PLACES)
        hypotheses = _hypotheses(answer, known, plane)
        if answer.decision is not Decision.MATCH:
            return Refusal(f"on the map {answer.reason}", hypotheses)
        return Fix.at(frame.t_ns, hypotheses[0], f"by its layout on the map: {answer.reason}", hypotheses)


def _seen_in(vicinity: Vicinity | None, plane: GroundPlane) -> Within | None:
    """Where the middle of what a camera sees may lie; None where that is not worth looking at by itself."""
    if vicinity is None or vicinity.sigma_m > _WIDEST_VICINITY_M:
        return None
    return Within(offset(vicinity.place, *plane.crop_centre()), _VICINITY_SIGMAS * vicinity.sigma_m)


def layout_target(frame: Frame, known: Known, plane: GroundPlane, size_px: int) -> Target:
    """The largest north-up square of a frame, as a target of known scale."""
    side_m = plane.visible_footprint_m(_COVERAGE)
    image = rectify(frame, known.camera, known.pose, side_m, size_px).image
    return Target(image, side_m / size_px, True, None, "the frame")


def _hypotheses(answer: PlaceAnswer, known: Known, plane: GroundPlane) -> tuple[Hypothesis, ...]:
    """The candidates of an answer as places where the frame may have been taken, the likeliest first."""
    north_m, east_m = plane.crop_centre()
    tilt_m = math.tan(known.prior.tilt_sigma_rad) * plane.height_agl_m  # the axis is off by the attitude's error
    sigma_m = math.hypot(_CANDIDATE_SIGMA_M if answer.sigma_m is None else answer.sigma_m, tilt_m)
    return tuple(
        Hypothesis(
            aircraft=offset(one.ground, -north_m, -east_m),
            ground=one.ground,
            covariance_m2=circular(sigma_m),
            keyframe_ids=(one.keyframe_id,),
            inliers=0,
            log_likelihood_ratio=one.log_likelihood_ratio or 0.0,  # no table, nothing measured
            similarity=one.similarity,
            tilt_slopes_m=map_slopes_m(known.heading_rad, plane.height_agl_m),
        )
        for one in answer.candidates
    )
