"""What `locate` and `fix` answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runtime.values.quantities import GeoPoint


class Decision(str, Enum):
    """The honest answers of `locate` and `fix`."""

    MATCH = "match"
    NO_MATCH = "no_match"
    FIX = "fix"
    NO_FIX = "no_fix"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Fix:
    """Where one frame was taken, by sight alone.

    ``aircraft`` and ``ground`` (the point at the image's centre) are set when ``decision`` is FIX. ``sigma_m`` is
    1-sigma horizontal per axis. ``verified`` counts the keyframes that were verified geometrically.
    """

    t_ns: int
    decision: Decision
    aircraft: GeoPoint | None
    ground: GeoPoint | None
    sigma_m: float | None
    keyframe_id: int | None
    inliers: int
    verified: int
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A distinct place that resembles a target; ``ground`` is the estimated point at the target's centre."""

    keyframe_id: int
    ground: GeoPoint
    similarity: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class PlaceAnswer:
    """What `place` says of a target: MATCH with a place, or NO_MATCH with a reason; candidates in either case."""

    decision: Decision
    place: GeoPoint | None
    sigma_m: float | None
    probability: float | None
    candidates: tuple[Candidate, ...]
    reason: str
