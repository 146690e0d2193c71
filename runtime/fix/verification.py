"""Verification of the matches one after another: in which order, until when, and what became of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.fix.local_features import Kind, pair
from runtime.fix.memory import Memory
from runtime.fix.query import Known
from runtime.fix.retrieve import Matches, Retriever
from runtime.fix.verify import Refused, Sighting, Verified, verify

MAX_VERIFIED = 10
FIRST = 4  # keyframes verified before the maps are asked to sort the rest; one that passed by then is enough
_ENOUGH_PAIRS = 40  # that agree, where the pose is known: more add little
_SURE_PAIRS = 6  # beyond what chance made: of foreign views one in a hundred million; what lies elsewhere is not asked
_ENOUGH_KEYFRAMES = 10  # that pass, where the pose is unknown: each one's own share of error matters more


@dataclass(frozen=True, slots=True)
class Verifications:
    """What became of the keyframes that were verified by features of a ``kind``, each in the order of its turn."""

    kind: Kind
    passed: tuple[Verified, ...]
    refused: tuple[Refused, ...]

    @property
    def count(self) -> int:
        """How many were verified."""
        return len(self.passed) + len(self.refused)

    @property
    def nearest_miss(self) -> Refused:
        """Of those that did not pass, the last of those with the most pairs."""
        return max(reversed(self.refused), key=lambda one: one.inliers, default=NOTHING)


NOTHING = Refused(0, 0, "there is nothing to compare with")


def verify_in_turn(
    query: Sighting, known: Known, matches: Matches, memory: Memory, retriever: Retriever, most: int
) -> Verifications:
    """Verifies at most so many of the matches, the most promising first, until enough have passed. Where the pose is
    known and one has passed beyond doubt, only those that share ground with it are verified."""
    rung_m = matches.crops[0].footprint_m
    places_m = {match.keyframe_id: match.place_m for match in matches.ranked}
    passed: list[Verified] = []
    refused: list[Refused] = []
    sure_m: list[tuple[float, float]] = []
    for turn, keyframe_id in enumerate(_in_turn(query, known, matches, memory, retriever), start=1):
        if not sure_m or any(math.dist(places_m[keyframe_id], one) < rung_m for one in sure_m):
            outcome = verify(query, memory.ground(keyframe_id, query.kind, rung_m))
            if isinstance(outcome, Refused):
                refused.append(outcome)
            else:
                passed.append(outcome)
                if known.posed and outcome.inliers >= query.kind.chance_pairs + _SURE_PAIRS:
                    sure_m.append(places_m[keyframe_id])
        if len(passed) + len(refused) >= most or _enough(passed, turn, known.posed):
            break
    return Verifications(query.kind, tuple(passed), tuple(refused))


def _in_turn(
    query: Sighting, known: Known, matches: Matches, memory: Memory, retriever: Retriever
) -> Iterator[int]:
    """Where the pose is known: the most similar few, then the rest as their maps fit. Where it is not, time matters
    less: those with the most features in common first."""
    ids = [match.keyframe_id for match in matches.ranked]
    if not known.posed:
        yield from _by_pairs(ids, query, memory, matches.crops[0].footprint_m)
        return
    yield from ids[:FIRST]
    if ids[FIRST:]:
        yield from retriever.by_map(matches, FIRST)


def _by_pairs(ids: Sequence[int], query: Sighting, memory: Memory, rung_m: float) -> list[int]:
    ratio = query.kind.max_ratio
    common = {one: len(pair(query.features, memory.ground(one, query.kind, rung_m).features, ratio)) for one in ids}
    return sorted(ids, key=lambda one: -common[one])


def _enough(passed: Sequence[Verified], turns: int, posed: bool) -> bool:
    """Whether more keyframes would add little to those that passed."""
    if not posed:
        return len(passed) >= _ENOUGH_KEYFRAMES
    return sum(one.inliers for one in passed) >= _ENOUGH_PAIRS or (len(passed) > 0 and turns >= FIRST)
