"""Holds the heights that photos say against what their overlaps and tags show of them.

Two photos' overlap says how far the camera moved in units of its height above the ground that it saw, their tags say
how far in metres. So the height is observable wherever a flight moves further than its tags err; what is really seen is
metres per pixel, and a wrong field of view looks like a wrong height.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri  # chi-squared: scipy.stats takes a third of a second to import

from runtime.camera_model import CameraModel
from runtime.heights import is_above_flat_ground
from runtime.survey.adjust import HEIGHT, Adjusted, Array, Observed, adjust
from runtime.survey.anchor import SOURCE, Anchored, Tagged, anchored, observed, ties_of, without_heading
from runtime.survey.mosaic import Ties, assemble, components, within, without_false
from runtime.survey.overlaps import Overlap
from runtime.values import Measured, Pose

_SIGNIFICANCE = 0.01  # of a contradiction: so rarely is a right height doubted
_INDIFFERENT = 0.03  # of the height: tree tops, lens tables; what a fix does not notice
_MAX_SHARE = 0.25  # 1-sigma of the scale that tags give, as a share: above, they say nothing of height
_MAX_SOLVED_SHARE = 0.15  # 1-sigma of a solved height as a share: above, it is doubt and no answer
_GROUND_SHARE = 0.02  # 1-sigma that the adjustment's own leaves out: ground that is not flat, tags that lag in turns
_MAX_FACTOR = 4.0  # from a height to the solved one: above, the tags are what is wrong
_WILD_FACTOR = 20.0  # from heights to what the tags' scale says: above, both are not of one flight
_MIN_SOLVED = 3  # photos: of two a wild tag looks like a wrong height
_MAX_MISSED = 3.0  # sigmas, of the tags in the middle: above, they do not follow the photos
_FEW_PHOTOS = 8  # of so few each must follow the tags
_MAX_TURN_RAD = math.radians(30.0)  # between heading and overlaps: above, the height is held against the rest alone


@dataclass(frozen=True, slots=True)
class SeenHeight:
    """What overlaps and tags say of one photo's height above ground: ``said`` is the recorded one, ``seen`` what they
    show, ``contradicted`` whether that differs significantly, and ``solved`` whether ``seen`` is good enough to use."""

    said: Measured
    seen: Measured
    contradicted: bool
    solved: bool

    @property
    def height(self) -> Measured:
        """The height to go on with: the recorded one where it agrees; the one seen where that is good enough; else the
        recorded one with a sigma that covers both."""
        if not self.contradicted:
            return self.said
        if self.solved:
            return self.seen
        apart_m = min(abs(self.seen.value - self.said.value), (_MAX_FACTOR - 1.0) * self.said.value)
        return replace(self.said, sigma=math.hypot(self.said.sigma, apart_m))


def held_heights(
    told: Sequence[Tagged], cameras: Sequence[CameraModel], overlaps: Sequence[Overlap]
) -> list[SeenHeight | None]:
    """What overlaps show of photos' heights, for each group that hangs together; see `seen_heights`."""
    ties = without_false(len(told), ties_of(told, cameras, overlaps))
    found: list[SeenHeight | None] = [None] * len(told)
    for group in components(len(told), ties):
        if len(group) > 1:
            for k, seen in zip(group, seen_heights([told[k] for k in group], within(ties, group)), strict=True):
                found[k] = seen
    return found


def seen_heights(told: Sequence[Tagged], ties: Ties) -> list[SeenHeight | None]:
    """What photos that hang together by ``ties`` show of the heights that they say; None for all where the tags say
    nothing of scale, and for photos that say no height.

    Heights are contradicted where one of two tests at half a per cent each, of all heights and of their common factor,
    speaks against heights above take-off over flat ground, and where an adjustment without them then explains ties and
    tags significantly better.
    """
    known = np.array([one.pose.height_agl_m is not None and one.pose.height_agl_m.value > 0 for one in told])
    unseen: list[SeenHeight | None] = [None] * len(told)
    if known.sum() < 2:
        return unseen
    fit, seen = _start([replace(one, pose=replace(one.pose, height_agl_m=None)) for one in told], ties)
    if not fit.sigma < _MAX_SHARE or not _within_reach(fit, told, known):  # a hover, nonsense, or not finite
        return unseen
    adjusted = adjust(fit.photos, fit.common, ties, seen)
    covariance = adjusted.log_height_covariance * _scatter(adjusted, seen)
    if not np.isfinite(covariance).all() or not np.isfinite(adjusted.photos).all():
        return unseen
    contradicted = _contradicts(adjusted, covariance, told, known) and _better(adjusted, told, ties, seen)
    sigmas = np.sqrt(np.diag(covariance) + _GROUND_SHARE**2)
    good = len(told) >= _MIN_SOLVED and _tags_fit(adjusted, seen) and float(sigmas[known].max()) < _MAX_SOLVED_SHARE
    found = unseen
    for k in np.flatnonzero(known).tolist():
        said, height_m = told[k].pose.height_agl_m, math.exp(adjusted.photos[k, HEIGHT])
        assert said is not None
        solved = good and 1.0 / _MAX_FACTOR < height_m / said.value < _MAX_FACTOR
        found[k] = SeenHeight(said, Measured(height_m, height_m * float(sigmas[k]), SOURCE), contradicted, solved)
    return found


def _within_reach(fit: Anchored, told: Sequence[Tagged], known: NDArray[np.bool_]) -> bool:
    """Whether the tags' scale is one that heights such as these could have."""
    said = [one.pose.height_agl_m.value for one, has in zip(told, known, strict=True) if has and one.pose.height_agl_m]
    factor = float(np.median(np.exp(fit.photos[known, HEIGHT]) / said))
    return bool(np.isfinite(fit.photos).all()) and 1.0 / _WILD_FACTOR < factor < _WILD_FACTOR


def _start(free: Sequence[Tagged], ties: Ties) -> tuple[Anchored, Observed]:
    """A first guess, and what is known of the photos; a heading that the overlaps contradict is not."""
    mosaic = assemble(len(free), ties)
    blind = [replace(one, pose=without_heading(one.pose)) for one in free]
    shown = anchored(mosaic, observed(blind))
    trusted = [
        one if _agrees(one.pose, float(heading_rad)) else bare
        for one, bare, heading_rad in zip(free, blind, shown.photos[:, 3], strict=True)
    ]
    seen = observed(trusted)
    return replace(anchored(mosaic, seen), sigma=shown.sigma), seen


def _agrees(pose: Pose, seen_rad: float) -> bool:
    return pose.heading is not None and abs(math.remainder(pose.heading.value - seen_rad, math.tau)) < _MAX_TURN_RAD


def _contradicts(adjusted: Adjusted, covariance: Array, told: Sequence[Tagged], known: NDArray[np.bool_]) -> bool:
    """Whether the heights of the photos marked in (N,) ``known`` are not those seen, nor their noise."""
    poses = [one.pose for one, said in zip(told, known, strict=True) if said]
    said = np.log([pose.height_agl_m.value for pose in poses if pose.height_agl_m])
    apart = adjusted.photos[known, HEIGHT] - said
    flat = np.diag([_flat_share(pose) ** 2 for pose in poses]) + _INDIFFERENT**2
    inverse = np.linalg.inv(covariance[np.ix_(known, known)] + flat)
    each, common = float(apart @ inverse @ apart), float(inverse.sum(axis=0) @ apart) ** 2 / float(inverse.sum())
    return bool(min(chdtrc(len(apart), each), chdtrc(1, common)) < _SIGNIFICANCE / 2)


def _better(adjusted: Adjusted, told: Sequence[Tagged], ties: Ties, seen: Observed) -> bool:
    """Whether ties and tags are explained significantly better without the recorded heights."""
    heights = [one.pose.height_agl_m for one in told]
    held = replace(
        seen,
        log_height=np.array([math.log(one.value) if one and one.value > 0 else math.nan for one in heights]),
        log_height_sigma=np.array([_flat_share(one.pose) for one in told]),
    )
    bound = adjust(adjusted.photos, np.append(adjusted.lever_m, adjusted.drift_m_s), ties, held)
    return 2.0 * (bound.cost - adjusted.cost) > float(chdtri(1, _SIGNIFICANCE))


def _flat_share(pose: Pose) -> float:
    """1-sigma of a recorded height as a share of it, were the ground as flat as is taken for granted; NaN without."""
    height = pose.height_agl_m
    if height is None or height.value <= 0:
        return math.nan
    measured = pose.height_takeoff_m if pose.height_takeoff_m and is_above_flat_ground(height) else height
    return math.hypot(measured.sigma / height.value, _INDIFFERENT)


def _scatter(adjusted: Adjusted, seen: Observed) -> float:
    """By how much the tags' variance exceeds what was expected of them; at least 1."""
    missed = np.linalg.norm(adjusted.tags_missed_m, axis=1) / seen.tag_sigma_m
    return max(1.0, (float(np.median(missed)) / 1.18) ** 2)  # median of a Rayleigh is 1.18 sigma


def _tags_fit(adjusted: Adjusted, seen: Observed) -> bool:
    """Whether the tags follow the photos at all, and if they are few, each of them: few cannot outvote a wild one."""
    missed = np.linalg.norm(adjusted.tags_missed_m, axis=1) / seen.tag_sigma_m
    few = len(missed) <= _FEW_PHOTOS
    each = float(np.sum(missed**2)) < float(chdtri(max(2 * len(missed) - 4, 1), _SIGNIFICANCE))
    return float(np.median(missed)) < _MAX_MISSED and (each or not few)
