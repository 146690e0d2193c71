"""The answers of `locate` and `fix`: decisions, hypotheses, fixes, candidates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runtime.values.quantities import Covariance, GeoPoint, Slopes, axis_sigma_m


class Decision(str, Enum):
    """What `locate` and `fix` decided."""

    MATCH = "match"
    NO_MATCH = "no_match"
    FIX = "fix"
    NO_FIX = "no_fix"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A place where a frame may have been taken, with what speaks for it.

    ``aircraft`` with its ``covariance_m2``, and ``ground``, the point at the image's centre. ``keyframe_ids``: those it
    rests on, the strongest first. ``inliers``: pairs of features of the strongest that agree, or nearly did.
    ``log_likelihood_ratio``: natural log of how much likelier what was seen is there than by chance; 0 where nothing
    was measured, below 0 where it looks more like chance. By layout on a map, chance is the best that it makes anywhere
    on this ground, so that with even odds beforehand that the frame is over the map, place i has the probability
    exp(l_i) / (1 + sum_j exp(l_j)), and none of them has 1 / (1 + sum_j exp(l_j)).
    ``similarity``: the highest cosine of its keyframes with the frame, None where none was found by it.
    ``tilt_slopes_m``: how far ``aircraft`` is off, north and east, for a radian by which the attitude errs, so that the
    aircraft seems to be farther forward (first column) or to the right (second), and erred alike when the keyframes
    were recorded: over ground that was seen on the same heading nothing, twice the height on the way back.
    """

    aircraft: GeoPoint
    ground: GeoPoint
    covariance_m2: Covariance
    keyframe_ids: tuple[int, ...]
    inliers: int
    log_likelihood_ratio: float
    similarity: float | None
    tilt_slopes_m: Slopes = ((0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Fix:
    """Where one frame was taken, by sight alone.

    ``aircraft``, its ``covariance_m2`` and ``ground`` (the point at the image's centre) are set when ``decision`` is
    FIX. ``verified`` counts the keyframes that were verified geometrically. ``hypotheses``: every place that was
    considered, the likeliest first, whatever was decided. Make one with `at` or `none`.
    """

    t_ns: int
    decision: Decision
    aircraft: GeoPoint | None
    ground: GeoPoint | None
    covariance_m2: Covariance | None
    keyframe_id: int | None
    inliers: int
    verified: int
    reason: str
    hypotheses: tuple[Hypothesis, ...] = ()

    @classmethod
    def at(
        cls, t_ns: int, place: Hypothesis, reason: str, hypotheses: tuple[Hypothesis, ...] = (), verified: int = 0
    ) -> Fix:
        """A fix at one of the hypotheses."""
        return cls(
            t_ns=t_ns,
            decision=Decision.FIX,
            aircraft=place.aircraft,
            ground=place.ground,
            covariance_m2=place.covariance_m2,
            keyframe_id=place.keyframe_ids[0],
            inliers=place.inliers,
            verified=verified,
            reason=reason,
            hypotheses=hypotheses or (place,),
        )

    @classmethod
    def none(
        cls,
        t_ns: int,
        reason: str,
        hypotheses: tuple[Hypothesis, ...] = (),
        inliers: int = 0,
        verified: int = 0,
    ) -> Fix:
        """An honest no. ``inliers``: the most pairs that agreed on a keyframe that was refused."""
        return cls(t_ns, Decision.NO_FIX, None, None, None, None, inliers, verified, reason, hypotheses)

    @property
    def sigma_m(self) -> float | None:
        """1-sigma per axis of ``aircraft``."""
        return None if self.covariance_m2 is None else axis_sigma_m(self.covariance_m2)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A distinct place that resembles a target; ``ground`` is the estimated point at the target's centre.

    ``log_likelihood_ratio``: natural log of how much likelier such a score is at the right place than as the best of
    what chance makes on this ground, other places left aside; ``probability``, that it is the right one, weighs them.
    """

    keyframe_id: int
    ground: GeoPoint
    similarity: float
    probability: float | None
    log_likelihood_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class PlaceAnswer:
    """What `place` says of a target: MATCH with a place, or NO_MATCH with a reason; candidates in either case."""

    decision: Decision
    place: GeoPoint | None
    sigma_m: float | None
    probability: float | None
    candidates: tuple[Candidate, ...]
    reason: str

    @classmethod
    def given(cls, place: GeoPoint, reason: str) -> PlaceAnswer:
        """A place that somebody names, taken as it is."""
        return cls(Decision.MATCH, place, 0.0, None, (), reason)

    @classmethod
    def no_match(
        cls, reason: str, candidates: tuple[Candidate, ...] = (), probability: float | None = None
    ) -> PlaceAnswer:
        """An answer without a place, and why; ``probability``: of the best candidate, where there is one."""
        return cls(Decision.NO_MATCH, None, None, probability, candidates, reason)

    @classmethod
    def error(cls, reason: str) -> PlaceAnswer:
        """An answer to a target that could not be used, and why."""
        return cls(Decision.ERROR, None, None, None, (), reason)
