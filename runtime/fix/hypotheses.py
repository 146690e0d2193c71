"""Hypotheses: every place where a frame may have been taken, with what speaks for each.

Keyframes that were verified and agree on a place make one hypothesis; those that agree on another make the next.
Matches that were not verified are hypotheses too, as wide as the squares that were compared: a single frame may not
decide between them, a sequence of frames may.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runtime.fix.consensus import Array, Consensus, consensuses_of
from runtime.fix.local_features import Kind
from runtime.fix.memory import Memory
from runtime.fix.query import Known
from runtime.fix.retrieve import Match, Matches
from runtime.fix.tilt import tilt_slopes_m
from runtime.fix.verification import Verifications
from runtime.fix.verify import log_likelihood_ratio
from runtime.geodesy import offset, offsets
from runtime.values import Covariance, Hypothesis, circular

_MATCH_SIGMA = 0.25  # of the footprint: flights keep a keyframe for each quarter of it, so the nearest is that near
_SAME_PLACE = 0.5  # of the footprint: a match nearer than this to a better one speaks for the same place

_Similarities = dict[int, float | None]  # by keyframe


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """``verified``: places on which verified keyframes agree, the one with the most pairs first; ``unverified``: places
    of the other matches, the most similar first."""

    verified: tuple[Hypothesis, ...]
    unverified: tuple[Hypothesis, ...]

    @property
    def all(self) -> tuple[Hypothesis, ...]:
        """Those that were verified, then the others."""
        return self.verified + self.unverified


def hypotheses_of(
    known: Known, matches: Matches, verifications: Verifications, memory: Memory, as_tagged: bool
) -> Hypotheses:
    """The places that the matches speak for, with those that were verified among them.

    ``as_tagged``: a verified aircraft is where the tags of its keyframes' flight would have it.
    """
    similarities = {match.keyframe_id: match.similarity for match in matches.ranked}
    verified = tuple(
        _verified(agreed, verifications.kind, known, memory, as_tagged, similarities)
        for agreed in consensuses_of(verifications.passed, known.middle_ray, known.prior)
    )
    spoken_for = {keyframe_id for one in verified for keyframe_id in one.keyframe_ids}
    rest = [match for match in matches.ranked if match.keyframe_id not in spoken_for]
    pairs = {one.keyframe_id: one.inliers for one in verifications.refused}
    return Hypotheses(verified, _unverified(_by_place(rest, matches), matches, memory, pairs))


def _verified(
    agreed: Consensus, kind: Kind, known: Known, memory: Memory, as_tagged: bool, similarities: _Similarities
) -> Hypothesis:
    east, south, covariance_m2 = agreed.pose.east_m, agreed.pose.south_m, agreed.covariance_m2
    tags = memory.tag_field(agreed.strongest.keyframe.flight) if as_tagged else None
    if tags is not None:
        said = tags.at(np.array([-south, east]), known.heading_rad + agreed.pose.heading_rad)
        east, south = east + said.east_m, south - said.north_m
        covariance_m2 = covariance_m2 + np.eye(2) * said.sigma_m**2
    ground_east, ground_south = agreed.pose.ground_of(np.array([known.middle_ray]))[0]
    ids = [one.keyframe.keyframe_id for one in sorted(agreed.members, key=lambda one: -one.inliers)]
    return Hypothesis(
        aircraft=offset(memory.origin, -south, east),
        ground=offset(memory.origin, -float(ground_south), float(ground_east)),
        covariance_m2=_covariance(covariance_m2),
        keyframe_ids=tuple(ids),
        inliers=agreed.strongest.inliers,
        log_likelihood_ratio=log_likelihood_ratio(agreed.strongest.inliers, kind),
        similarity=_highest(ids, similarities),
        tilt_slopes_m=tilt_slopes_m(agreed, known),
    )


def _unverified(
    groups: Sequence[Sequence[Match]], matches: Matches, memory: Memory, pairs: dict[int, int]
) -> tuple[Hypothesis, ...]:
    """A hypothesis for each group of matches of one place, from the most similar of it: the camera was over the middle
    of that keyframe, less how far it looked."""
    if not groups:
        return ()
    places_m = [_aircraft_m(group[0], matches) for group in groups] + [group[0].place_m for group in groups]
    places = offsets(memory.origin, np.array(places_m))
    found = []
    for group, below, seen in zip(groups, places[: len(groups)], places[len(groups) :], strict=True):
        ids = tuple(match.keyframe_id for match in group)
        one = Hypothesis(
            aircraft=below,
            ground=seen,
            covariance_m2=circular(_MATCH_SIGMA * matches.footprint_m(group[0])),
            keyframe_ids=ids,
            inliers=max(pairs.get(keyframe_id, 0) for keyframe_id in ids),
            log_likelihood_ratio=0.0,
            similarity=_highest(ids, {match.keyframe_id: match.similarity for match in group}),
        )
        found.append(one)
    return tuple(found)


def _by_place(rest: Sequence[Match], matches: Matches) -> list[list[Match]]:
    """The matches in their order, those together that put the aircraft within half a footprint of the first."""
    groups: list[tuple[tuple[float, float], list[Match]]] = []
    for match in rest:
        at = _aircraft_m(match, matches)
        reach_m = _SAME_PLACE * matches.footprint_m(match)
        same = next((group for first, group in groups if math.dist(first, at) <= reach_m), None)
        if same is None:
            groups.append((at, [match]))
        else:
            same.append(match)
    return [group for _, group in groups]


def _aircraft_m(match: Match, matches: Matches) -> tuple[float, float]:
    """(north, east) from the memory's origin."""
    north_m, east_m = matches.crops[match.crop].centre_ne_m
    return match.place_m[0] - north_m, match.place_m[1] - east_m


def _highest(ids: Sequence[int], similarities: _Similarities) -> float | None:
    known = [one for one in (similarities.get(keyframe_id) for keyframe_id in ids) if one is not None]
    return max(known, default=None)


def _covariance(matrix_m2: Array) -> Covariance:
    (north, cross), (_, east) = matrix_m2.tolist()
    return (north, cross), (cross, east)
