"""What the filter assumes of motion and of measurements, each with its unit and its origin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MotionModel:
    """How an aircraft may move where nothing measures it.

    ``acceleration_psd``: m2/s3, of the white noise that drives the velocity (Bar-Shalom, Li and Kirubarajan,
    "Estimation with Applications to Tracking and Navigation", section 6.2.2): after t seconds of coasting the position
    is unknown by sqrt(psd t^3 / 3). ``speed_sigma_m_s``: of a velocity that nothing is known of, per axis.
    """

    acceleration_psd: float = 1.0
    speed_sigma_m_s: float = 12.0


@dataclass(frozen=True, slots=True)
class OdometryModel:
    """What displacements share: a factor on all lengths (``scale_sigma``, its natural log), a turn of all directions
    (``heading_sigma_rad``); both wander by their ``_walk`` a square root of a second. A displacement beyond
    ``gate_sigma`` of what is expected is not taken, unless up to ``manoeuvre_s`` of turning or braking at
    ``manoeuvre_m_s2`` explain it."""

    scale_sigma: float = 0.1
    scale_walk: float = 0.002
    heading_sigma_rad: float = math.radians(6.0)
    heading_walk_rad: float = math.radians(0.1)
    gate_sigma: float = 5.0
    manoeuvre_m_s2: float = 5.0
    manoeuvre_s: float = 1.0


@dataclass(frozen=True, slots=True)
class FixModel:
    """What is assumed of fixes.

    Their errors have two parts: each one's own, by its covariance, and one that successive fixes share
    (``shared_sigma_m`` per axis), which fades over ``shared_reach_m`` of flight, and not with time: over one place all
    fixes are off alike, however long it hovers there. The first is multiplied by one of ``levels``, because how good
    fixes are differs from place to place; the second by the same level where that is above one, and by one of
    ``shared_levels``: that fixes scatter little says nothing of what they have in common. Which pair holds is estimated
    (``level_log_sigma``, ``shared_log_sigma``: of their natural logs beforehand; ``level_change``: how likely another
    pair holds at the next fix; multiple models: Magill, IEEE Trans. Automatic Control 10(4), 1965).

    ``wrong``: the share of fixes that lie anywhere on ``area_m2``; ``carried_away``: how likely, at any fix, the
    aircraft is where no kept place is. ``floor_m``: of the remembered positions themselves, per axis; no filter sees
    it, and it is added to what is said. ``tilt_sigma_rad``: per axis, of the attitude and of how the camera is mounted,
    in the frame of the body: one error for a whole flight, of which each fix says how it moves it, and which shows once
    the aircraft turns. What the pairs of a fix themselves tell of its tilt is taken off.
    """

    shared_sigma_m: float = 1.5
    shared_reach_m: float = 150.0
    levels: tuple[float, ...] = (0.35, 0.6, 1.0, 1.7, 2.8, 4.8)
    level_log_sigma: float = 1.0
    shared_levels: tuple[float, ...] = (1.0,)
    shared_log_sigma: float = 1.0
    level_change: float = 0.05
    wrong: float = 0.02
    carried_away: float = 1e-4
    area_m2: float = 1e6
    floor_m: float = 1.0
    tilt_sigma_rad: float = math.radians(0.3)

    @property
    def factors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(L,) of a fix's own error and (L,) of the shared one, by the number of a pair of levels."""
        return _factors(self.levels, self.shared_levels)

    @property
    def prior_logs(self) -> NDArray[np.float64]:
        """(L,) natural logs of how likely each pair is beforehand, but for a common term."""
        own, shared = self.factors
        deviations = np.log(own) / self.level_log_sigma, np.log(shared / np.maximum(own, 1.0)) / self.shared_log_sigma
        return np.asarray(-0.5 * (deviations[0] ** 2 + deviations[1] ** 2))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept of the belief: places a level (``most``), none less likely than the likeliest by a factor of
    e^``least_log_share``; places within the Bhattacharyya distance ``merge_distance`` are one. ``replay_s``: how late a
    measurement may come."""

    most: int = 4
    least_log_share: float = -9.0
    merge_distance: float = 0.15
    replay_s: float = 4.0


@dataclass(frozen=True, slots=True)
class FilterParameters:
    """All assumptions together."""

    motion: MotionModel = MotionModel()
    odometry: OdometryModel = OdometryModel()
    fixes: FixModel = FixModel()
    bounds: Bounds = Bounds()


@lru_cache(maxsize=16)
def _factors(
    levels: tuple[float, ...], shared_levels: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """See `FixModel.factors`; asked for with every prediction, so made once."""
    own = np.repeat(levels, len(shared_levels))
    shared = np.maximum(own, 1.0) * np.tile(shared_levels, len(levels))
    for made in (own, shared):
        made.flags.writeable = False
    return own, shared
