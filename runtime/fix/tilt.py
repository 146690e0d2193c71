"""How a fix moves when the attitude errs in the frame of the body, as a mounting or a trim that is off does.

What is straight below is then taken for a point beside it, always on the same side of the nose. The keyframes were
recorded with that error too, so that only the difference of the headings shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.fix.consensus import Consensus
from runtime.fix.query import Known
from runtime.fix.verify import Verified
from runtime.values import Slopes

NO_SLOPES: Slopes = ((0.0, 0.0), (0.0, 0.0))


def tilt_slopes_m(agreed: Consensus, known: Known) -> Slopes:
    """`Hypothesis.tilt_slopes_m` of a place on which verified keyframes agree; none where a heading is unknown."""
    if not known.heading:
        return NO_SLOPES
    by_keyframes = _by_keyframes(agreed.members)
    if by_keyframes is None:
        return NO_SLOPES
    return _slopes(over_map(known.heading_rad + agreed.pose.heading_rad, agreed.pose.height_m) - by_keyframes)


def map_slopes_m(heading_rad: float, height_m: float) -> Slopes:
    """The same of a place on a map, which was made without this camera."""
    return _slopes(over_map(heading_rad, height_m))


def over_map(heading_rad: float, height_m: float) -> NDArray[np.float64]:
    """(2, 2) metres a radian, from forward and right to north and east."""
    cosine, sine = math.cos(heading_rad), math.sin(heading_rad)
    return height_m * np.array([[cosine, -sine], [sine, cosine]])


def _by_keyframes(members: Sequence[Verified]) -> NDArray[np.float64] | None:
    """The part that the keyframes bring, each by its pairs; tiles of a map bring none. None: a heading is unknown."""
    total, pairs = np.zeros((2, 2)), 0
    for one in members:
        pairs += one.inliers
        if math.isinf(one.keyframe.height_m):
            continue
        if one.keyframe.heading_rad is None:
            return None
        total += one.inliers * over_map(one.keyframe.heading_rad, one.keyframe.height_m)
    return total / max(pairs, 1)


def _slopes(matrix: NDArray[np.float64]) -> Slopes:
    (nf, nr), (ef, er) = matrix.tolist()
    return (nf, nr), (ef, er)
