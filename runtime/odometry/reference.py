"""What the next picture is compared with: the reference picture with its features, and the last motion against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.odometry.posed import PosedPicture

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reference:
    """``features`` (N, 2) pixels, with their ``rays`` (N, 2) tangents in the camera and ``level`` turned level."""

    posed: PosedPicture
    features: NDArray[np.float32]
    rays: Array
    level: Array

    @classmethod
    def of(cls, posed: PosedPicture) -> Reference:
        """With the features of a picture that lie on ground seen steeply enough."""
        features = posed.picture.corners()
        rays = posed.picture.rays(features)
        level, usable = posed.level(rays)
        return cls(posed, features[usable], rays[usable], level[usable])


@dataclass(frozen=True, slots=True)
class Last:
    """The last motion that was measured, against the reference that still is one, and the speed (2,) m/s by then."""

    t_ns: int
    state: Array
    north_east_m: Array
    speed_m_s: Array | None
