"""Fixes a frame against satellite tiles by the layout of what it shows, where local features share nothing.

Another date, another sensor and another season leave no corner as it was, but the order of roofs, trees and roads
stays: the frame, cut north-up at its known scale, is laid on the map like a target (`runtime.place`), and accepted by
the acceptance of drone views among satellite tiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.fix.sighting import Known
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache
from runtime.place.locator import Locator, Tower
from runtime.place.target import Target
from runtime.values import Decision, Fix, Frame, PlaceAnswer, ViewKind
from runtime.view import GroundPlane, rectify

_COVERAGE = 0.9  # of the square that is cut from the frame
_OVERSAMPLED = 1.25  # pixels of that square for one of the network's: it is cut once more, at the rungs


@dataclass(frozen=True, slots=True)
class Refusal:
    """No layout fix, and why."""

    reason: str


class LayoutFixer:
    """Lays frames of known height and heading on the satellite tiles of a history."""

    def __init__(self, history: History, embedder: Tower, galleries: GalleryCache | None = None) -> None:
        """``galleries``: the history's, where others search it too."""
        self._size_px = round(embedder.bundle.input_size_px * _OVERSAMPLED)
        self._locator = Locator(history, embedder, ViewKind.SATELLITE, ViewKind.DRONE, galleries)

    def fix(self, frame: Frame, known: Known) -> Fix | Refusal:
        """Where ``frame`` was taken; ``known`` must have height and heading."""
        plane = GroundPlane.of(known.camera, known.pose)
        if plane is None or not known.posed:
            return Refusal("its layout needs a known height and heading")
        target = layout_target(frame, known, plane, self._size_px)
        answer = self._locator.locate(target)
        if answer.decision is not Decision.MATCH:
            return Refusal(f"on the map {answer.reason}")
        return _fix_of(frame, known, plane, answer)


def layout_target(frame: Frame, known: Known, plane: GroundPlane, size_px: int) -> Target:
    """The largest north-up square of a frame, as a target of known scale."""
    side_m = plane.visible_footprint_m(_COVERAGE)
    image = rectify(frame, known.camera, known.pose, side_m, size_px).image
    return Target(image, side_m / size_px, True, None, "the frame")


def _fix_of(frame: Frame, known: Known, plane: GroundPlane, answer: PlaceAnswer) -> Fix:
    assert answer.place is not None and answer.sigma_m is not None  # a match has both
    north_m, east_m = plane.ground_of_axis()
    tilt_m = math.tan(known.prior.tilt_sigma_rad) * plane.height_agl_m  # the axis is off by the attitude's error
    return Fix(
        t_ns=frame.t_ns,
        decision=Decision.FIX,
        aircraft=offset(answer.place, -north_m, -east_m),
        ground=answer.place,
        sigma_m=math.hypot(answer.sigma_m, tilt_m),
        keyframe_id=answer.candidates[0].keyframe_id,
        inliers=0,
        verified=0,
        reason=f"by its layout on the map: {answer.reason}",
    )
