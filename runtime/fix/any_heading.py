"""Fixes a frame of unknown heading against satellite tiles: a sweep of all headings, then a look at the best spot.

At that spot heading and height are known, so that upright features of a few tiles are enough to verify it. Where tiles
of another date share none, the layout verifies it: by how far several crops together stand out, and how many of them
lie where one pose of the camera has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from runtime.fix.decide import decide
from runtime.fix.hypotheses import hypotheses_of
from runtime.fix.local_features import UPRIGHT, Kind
from runtime.fix.memory import Memory
from runtime.fix.query import Known, sight_upright
from runtime.fix.query_crops import query_crops
from runtime.fix.retrieve import Match, Matches, Tower
from runtime.fix.sweep import LEAST_CROPS, Spot, Sweep, largest
from runtime.fix.tilt import map_slopes_m
from runtime.fix.verification import Verifications
from runtime.fix.verify import Refused, Verified, verify
from runtime.geodesy import offset
from runtime.values import Decision, Embeddings, Fix, Frame, Hypothesis, ViewKind

_TILES = 4  # of a spot, the nearest, whose features are compared
_STANDS_OUT = 2.2  # times chance: 1.4 is the most that it made of 47 frames of elsewhere, see docs/benchmarks.md
_TIMES_NEXT = 1.25  # as much as at the next best place
_CHANCE, _RARER_BY = 1.4, 0.2  # times chance: what it makes at most, and the step that is e times rarer
_SLOPE = math.tan(math.radians(3.0))  # 1-sigma of ground that is called level: it moves a camera by that of its height
_GROUND_SIGMA_M = 50.0  # a georeference that says nothing says at least this


class AnyHeading:
    """Fixes frames of unknown heading on the satellite tiles of a history; ``watch`` is called with a stage's name when
    it ends; ``learned``: features of a network, for a spot that corners do not verify."""

    def __init__(
        self, memory: Memory, embedder: Tower, watch: Callable[[str], None], learned: Kind | None = None
    ) -> None:
        self._memory, self._embedder, self._watch = memory, embedder, watch
        self._sweep = Sweep(embedder)
        self._kinds = [UPRIGHT, *([] if learned is None else [learned])]

    @property
    def usable(self) -> bool:
        """Whether there are tiles, and a model with spatial maps to lay on them."""
        return ViewKind.SATELLITE in dict(self._memory.views) and self._embedder.bundle.map_shape is not None

    def fix(self, frame: Frame, known: Known, as_tagged: bool) -> Fix:
        """Where ``frame`` was taken, or why that is not sure; `Hypothesis.aircraft` as `hypotheses_of` has it."""
        sides_m = () if known.height else self._memory.footprints_to_try()
        spots = self._sweep.spots(frame, known, self._memory.gallery, sides_m)
        self._watch("sweep")
        places = tuple(_hypothesis(spot, self._memory) for spot in spots)
        if not spots:
            return Fix.none(frame.t_ns, "the map has nothing to compare with")
        verified, refusal = 0, _refusal(spots)
        for kind in self._kinds:
            found = self._by_features(frame, spots[0], kind, as_tagged)
            verified += found.verified
            alone = all(len(one.keyframe_ids) == 1 for one in found.hypotheses[:1])
            if found.decision is Decision.FIX and (refusal or not alone):  # alone a tile says less than many crops
                return replace(found, hypotheses=found.hypotheses + places, verified=verified)
        self._watch("verify")
        if refusal:
            return replace(found, reason=f"{found.reason}; on the map {refusal}", hypotheses=places, verified=verified)
        best = spots[0]
        turned = f"turned {math.degrees(best.known.heading_rad) % 360.0:.0f} degrees"
        reason = f"by its layout on the map, {turned}: {best.agreeing} of {best.crops} crops agree"
        return Fix.at(frame.t_ns, places[0], reason, places, verified)

    def _by_features(self, frame: Frame, spot: Spot, kind: Kind, as_tagged: bool) -> Fix:
        """A fix by the tiles nearest to a spot."""
        view, size_px = ViewKind.SATELLITE, self._embedder.bundle.input_size_px
        rungs = self._memory.gallery.footprints(view)
        crop = query_crops(frame, spot.known, rungs, largest, (), size_px)[0]
        query = sight_upright(crop.image, crop.footprint_m, spot.known, kind)
        rung = self._memory.rung(view, crop.footprint_m)
        place_m = np.array(spot.place_ne_m) + crop.centre_ne_m
        ids = rung.near(place_m, crop.footprint_m, _TILES)
        outcomes = [verify(query, self._memory.ground(one, kind, crop.footprint_m)) for one in ids]
        passed = tuple(one for one in outcomes if isinstance(one, Verified))
        refused = tuple(one for one in outcomes if isinstance(one, Refused))
        places = [(float(north), float(east)) for north, east in map(rung.place_m, ids)]
        ranked = tuple(Match(one, 0, None, place) for one, place in zip(ids, places, strict=True))
        matches = Matches((crop,), Embeddings(np.zeros((1, 0), np.float32), None), ranked)
        verifications = Verifications(kind, passed, refused)
        hypotheses = hypotheses_of(spot.known, matches, verifications, self._memory, as_tagged)
        by_slope = tuple(_with_slope(one, spot.pose.height_m) for one in hypotheses.verified)
        return decide(frame.t_ns, verifications, replace(hypotheses, verified=by_slope, unverified=()))


def _refusal(spots: Sequence[Spot]) -> str:
    """Why the best place is not accepted by its layout; empty when it is."""
    best = spots[0]
    if best.agreeing < LEAST_CROPS or 2 * best.agreeing <= best.crops:
        return f"{best.agreeing} of {best.crops} crops agree on a place, {LEAST_CROPS} are asked for"
    if best.stands_out < _STANDS_OUT:
        return f"no place stands out: the best {best.stands_out:.1f} times by chance, {_STANDS_OUT:g} is asked for"
    others = [one for one in spots[1:] if math.dist(one.place_ne_m, best.place_ne_m) > one.footprint_m / 2]
    if others and best.stands_out < _TIMES_NEXT * others[0].stands_out:
        return "two places fit about alike"
    return ""


def _with_slope(place: Hypothesis, height_m: float) -> Hypothesis:
    """A place by pairs on one tile or a few, with what a slope of their ground moves it by: seen from one side alone it
    looks like a tilt of the camera, however many pairs agree."""
    (north, cross), (_, east) = place.covariance_m2
    own = (_SLOPE * height_m) ** 2
    return replace(place, covariance_m2=((north + own, cross), (cross, east + own)))


def _hypothesis(spot: Spot, memory: Memory) -> Hypothesis:
    keyframe_sigma_m = min(memory.ground(spot.keyframe_id, UPRIGHT, spot.footprint_m).sigma_m, _GROUND_SIGMA_M)
    (east, cross), (_, south) = spot.pose.covariance_m2.tolist()
    own = keyframe_sigma_m**2
    ground_east, ground_south = spot.pose.ground_of(np.array([spot.known.middle_ray]))[0]
    return Hypothesis(
        aircraft=offset(memory.origin, *spot.place_ne_m),
        ground=offset(memory.origin, -float(ground_south), float(ground_east)),
        covariance_m2=((south + own, -cross), (-cross, east + own)),
        keyframe_ids=(spot.keyframe_id,),
        inliers=0,
        log_likelihood_ratio=max(0.0, (spot.stands_out - _CHANCE) / _RARER_BY),
        similarity=None,
        tilt_slopes_m=map_slopes_m(spot.known.heading_rad, spot.pose.height_m),
    )
