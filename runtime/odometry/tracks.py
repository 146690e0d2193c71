"""Features of a reference picture found again in another: by the pyramidal Lucas-Kanade method, forward and backward.

The other picture is first warped to where the reference saw the ground, by the motion that is expected: turn, scale
and perspective are gone then, and what is left to find is small (Bouguet, "Pyramidal implementation of the Lucas
Kanade feature tracker", 2000; the error forward and back is Kalal's, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.matching.rootsift import pairs_of
from runtime.odometry.picture import LEVEL, Grey, Picture

Pixels = NDArray[np.float32]
Matrix = NDArray[np.float64]

_WINDOW_PX = 15
_LEVELS = 3  # of the pyramid above the picture: finds what lies 50 pixels off
_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.03)
_MAX_RETURN_PX = 0.7  # from the reference to the other picture and back: a track that ends elsewhere slipped
_MARGIN_PX = 6.0  # of the other picture's border, within which half the window is missing
_COARSE = 0.25  # of the picture's side: what correlation looks at; its answer is good to a pixel or two all the same
_LEAST_PEAK = 0.1  # of the correlation: pictures that share nothing peak at 0.05
_MIN_PAIRS = 12  # of descriptors that one homography explains
_MAX_RATIO = 0.85  # Lowe's ratio test, loose: the geometry behind it is strict
_GUESS_PX = 6.0  # of the picture; the ground is no plane, and tracking finds the rest


@dataclass(frozen=True, slots=True)
class Tracks:
    """``index`` (N,) of the reference's features that were found at ``pixels`` (N, 2) of the other picture.

    ``in_view``: the share of the features that should be seen there.
    """

    index: NDArray[np.int64]
    pixels: NDArray[np.float64]
    in_view: float


def track(reference: Picture, features: Pixels, other: Picture, other_from_reference: Matrix) -> Tracks:
    """Finds the (N, 2) ``features`` of ``reference`` in ``other``, near where the (3, 3) homography of pixels puts
    them."""
    expected = _carried(features, other_from_reference)
    width, height = other.size_px
    seen = ((expected >= _MARGIN_PX) & (expected < np.array([width, height]) - 1 - _MARGIN_PX)).all(axis=1)
    index = np.flatnonzero(seen)
    if len(index) == 0:
        return Tracks(index, np.zeros((0, 2)), 0.0)
    warped = _warped(reference, other, other_from_reference)
    start = features[index]
    there, found = _flow(reference.grey, warped, start, start)
    back, returned = _flow(warped, reference.grey, there, start)
    good = found & returned & (np.linalg.norm(back - start, axis=1) < _MAX_RETURN_PX)
    return Tracks(index[good], _carried(there[good], other_from_reference), float(seen.mean()))


def guess_by_correlation(reference: Picture, other: Picture, other_from_reference: Matrix) -> Matrix | None:
    """The homography of pixels that is expected, mended by the shift that the whole pictures agree on; or None.

    Phase correlation (Kuglin and Hines 1975): it sees ground too bare for features, where the turn is known.
    """
    warped = _warped(reference, other, other_from_reference)
    size_px = tuple(round(side * _COARSE) for side in reference.size_px)
    seen, now = (
        cv2.resize(grey, size_px, interpolation=cv2.INTER_AREA).astype(np.float32) - LEVEL
        for grey in (reference.grey, warped)
    )
    shift, peak = cv2.phaseCorrelate(seen, now, cv2.createHanningWindow(size_px, cv2.CV_32F))
    if not peak > _LEAST_PEAK:
        return None
    moved = np.eye(3)
    moved[:2, 2] = np.array(shift) / _COARSE
    return np.asarray(other_from_reference @ moved)


def guess_by_descriptors(reference: Picture, other: Picture) -> Matrix | None:
    """The homography of pixels from ``reference`` to ``other`` by matched descriptors, whatever lies between; or None.
    It takes some 50 ms: for the frame after a gap."""
    points, descriptors = reference.described()
    others, theirs = other.described()
    pairs = pairs_of(descriptors, theirs, _MAX_RATIO)
    if len(pairs) < _MIN_PAIRS:
        return None
    found, mask = cv2.findHomography(points[pairs[:, 0]], others[pairs[:, 1]], cv2.USAC_MAGSAC, _GUESS_PX)
    if np.ndim(found) != 2 or int(mask.sum()) < _MIN_PAIRS:
        return None
    return np.asarray(found, np.float64)


def _warped(reference: Picture, other: Picture, other_from_reference: Matrix) -> Grey:
    """The other picture as the reference would show it."""
    warped = cv2.warpPerspective(
        other.grey, other_from_reference, reference.size_px,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(warped, np.uint8)


def _flow(a: Grey, b: Grey, points: Pixels, start: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        a, b, points, start.copy(), winSize=(_WINDOW_PX, _WINDOW_PX), maxLevel=_LEVELS, criteria=_CRITERIA,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    return np.asarray(there, np.float32), status.ravel().astype(bool)


def _carried(points: NDArray[np.float32], homography: Matrix) -> NDArray[np.float64]:
    rows = np.hstack([points.astype(np.float64), np.ones((len(points), 1))]) @ homography.T
    nearness = np.where(rows[:, 2:] > 1e-6, rows[:, 2:], np.nan)
    return np.asarray(rows[:, :2] / nearness)
