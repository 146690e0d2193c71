"""Where in the flight history a target lies, or an honest "no match".

Every keyframe says, at every translation, how well the target's spatial map fits its own; on the ground these
surfaces are added up (`runtime.place.ground`), and the sharpest point is the place. It must stand out of its
surroundings and of the second distinct place by what the bundle's acceptance asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.centred import centred
from runtime.errors import BundleError
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.history.history import History
from runtime.matching.acceptance import CHANCE_PAIRS, Acceptance
from runtime.matching.boresight import Boresights
from runtime.matching.gallery import GalleryCache
from runtime.place.attempt import Attempt, Crop, attempts_at, crops_of, steps_between
from runtime.place.gallery import Rung
from runtime.place.hypothesis import TargetHypothesis, compare
from runtime.place.nudge import NUDGES, Reading, nudge_of, sharpened
from runtime.place.pairs import KEYFRAMES, PLACES, PairFinder
from runtime.place.sketch import likeliest
from runtime.place.target import Target
from runtime.place.versions import Layer, wrong_layouts
from runtime.values import Candidate, Decision, Embeddings, GeoPoint, ImageRGB, PlaceAnswer, ViewKind

if TYPE_CHECKING:  # optional, and so is what runs it
    from runtime.features.network import FeatureNetwork

_AT_ONCE = 32  # attempts whose crops are held, with their maps in single precision: 6 MB
_PLACES = 8  # kept of an attempt, whatever is asked for: the right one's rivals among them
_MIN_SHARE_EMBEDDED = 0.6  # of the keyframes: a rung that fewer have would leave ground unsearched
_NARROW = 4  # times as many keyframes in all as in a part that is worth looking at alone
_NO_PICTURE: ImageRGB = np.zeros((0, 0, 3), np.uint8)
_MAX_FROM_OWN_POSITION_M = 15.0  # or 4 sigma: a GeoTIFF further from the match disagrees with it


class Contract(Protocol):
    """The part of a bundle that locating needs."""

    @property
    def name(self) -> str:
        """The bundle's name."""
        ...

    @property
    def input_size_px(self) -> int:
        """Side of the towers' crops."""
        ...

    @property
    def map_shape(self) -> tuple[int, int, int] | None:
        """(C, h, w) of the spatial map."""
        ...

    @property
    def shared_dim(self) -> int:
        """How many of a vector's numbers, from the first, views of different kinds share."""
        ...

    def acceptance(self, query: ViewKind, gallery: ViewKind) -> dict[str, Any] | None:
        """The raw table of an ordered pair of views."""
        ...


class Tower(Protocol):
    """The part of an embedder that locating needs."""

    @property
    def bundle(self) -> Contract:
        """The bundle behind it."""
        ...

    def embed(self, view: ViewKind, crops: ImageRGB) -> Embeddings:
        """(N, S, S, 3) uint8 RGB to embeddings."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Middles:
    """A target's middle as each of N attempts has it: ``crops``, whose pictures are not kept, their ``vectors`` (N, D),
    and their centred ``maps`` (N, C, h, w)."""

    crops: list[Crop]
    vectors: NDArray[np.float32]
    maps: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Within:
    """Where a target's middle is looked for alone: no farther from a ``place``, north and east, than ``reach_m``."""

    place: GeoPoint
    reach_m: float


@dataclass(frozen=True, slots=True)
class Question:
    """A target, the view whose keyframes it is looked for among, whether its upper edge may point anywhere though it
    says north, what accepts a place (None: nothing), and on what ground alone (None: on all)."""

    target: Target
    view: ViewKind
    any_heading: bool
    acceptance: Acceptance | None = None
    within: Within | None = None

    def accepts(self, hypothesis: TargetHypothesis, tried: int) -> bool:
        """Whether the best place of a hypothesis is accepted, chosen from so many attempts."""
        return self.acceptance is not None and self.acceptance.accepts(hypothesis.places(tried))


class Locator:
    """Finds targets in a history; it notices keyframes that are added meanwhile.

    ``view``: the gallery's view; by default the drone's, or the satellite tiles of a history that has nothing else.
    ``query``: the view that targets are. ``galleries``: the history's, where others search it too. ``network``:
    looks for local features where the layout alone is not accepted; optional. For one thread at a time.
    """

    def __init__(
        self,
        history: History,
        embedder: Tower,
        view: ViewKind | None = None,
        query: ViewKind = ViewKind.SATELLITE,
        galleries: GalleryCache | None = None,
        network: FeatureNetwork | None = None,
    ) -> None:
        self._pairs = None if network is None else PairFinder(history, network)
        self._history = history
        self._embedder = embedder
        self._view = view
        self._query = query
        self._galleries = galleries or GalleryCache(history)
        self._gallery = self._galleries.snapshot()
        self._boresights = Boresights(history)

    def locate(
        self, target: Target, *, any_heading: bool = False, top: int = 5, within: Within | None = None
    ) -> PlaceAnswer:
        """The place of a target's centre, and the ``top`` distinct candidates in either case.

        ``any_heading``: the target's upper edge may point anywhere; else it is north. ``within``: on what ground alone
        it is looked for, of known scale and heading; it must stand out as much as if all had been searched.
        """
        view = self._refreshed()
        if view is None:
            return PlaceAnswer.no_match("the history holds no keyframes")
        acceptance = Acceptance.of(self._embedder.bundle.acceptance(self._query, view))
        hypothesis, tried = self._judged(Question(target, view, any_heading, acceptance, within))
        if hypothesis is None:
            return PlaceAnswer.no_match(self._why_no_rung(target, view))
        if not hypothesis.peaks:
            return PlaceAnswer.no_match("the target overlaps too little of what was flown")
        return self._answer(target, hypothesis, acceptance, tried, top)

    def narrows(self, within: Within) -> bool:
        """Whether so little of the history's ground lies there that to look there alone is worth it."""
        view = self._refreshed()
        if view is None:
            return False
        rung = self._rung(view, max(self._footprints(view)))
        return 0 < _NARROW * len(self._rows_within(rung, within)) <= len(rung.ids)

    def features(
        self, target: Target, *, any_heading: bool = False
    ) -> tuple[tuple[dict[str, float], ...], GeoPoint] | None:
        """What the acceptance is fitted on: the distinct places' features, the best first, and where that is; None
        where there is none."""
        view = self._refreshed()
        if view is None:
            return None
        hypothesis, tried = self._judged(Question(target, view, any_heading))
        if hypothesis is None or not hypothesis.peaks:
            return None
        return hypothesis.places(tried), offset(self._gallery.origin, *hypothesis.peaks[0].ne_m)

    def _refreshed(self) -> ViewKind | None:
        generation, self._gallery = self._gallery.generation, self._galleries.snapshot()
        if self._gallery.generation != generation:
            self._boresights = Boresights(self._history)
        asked_for = (ViewKind.DRONE, ViewKind.SATELLITE) if self._view is None else (self._view,)
        return next((view for view in asked_for if self._gallery.footprints(view)), None)

    def _rung(self, view: ViewKind, footprint_m: float) -> Rung:
        drone = view is ViewKind.DRONE
        if drone:
            self._boresights.refresh(self._gallery.last_id)
        boresights = self._boresights if drone else None
        return Rung(self._gallery, view, footprint_m, self._embedder.bundle.shared_dim, boresights)

    def _footprints(self, view: ViewKind) -> list[float]:
        """The rungs that most keyframes have; a larger one would leave ground unsearched."""
        counts = {rung: self._gallery.count(view, rung) for rung in self._gallery.footprints(view)}
        return [rung for rung, count in counts.items() if count >= _MIN_SHARE_EMBEDDED * max(counts.values())]

    def _why_no_rung(self, target: Target, view: ViewKind) -> str:
        smallest = min(self._footprints(view))
        return f"the target shows {target.side_m or 0:.0f} m of ground, the history is searched from {smallest:.0f} m"

    def _judged(self, asked: Question) -> tuple[TargetHypothesis | None, int]:
        """See `_by_layout`; where the layout of that place is not accepted, the network looks at the best ones too."""
        hypothesis, tried = self._by_layout(asked)
        if hypothesis is None or not hypothesis.peaks or self._pairs is None:
            return hypothesis, tried
        if asked.accepts(hypothesis, tried):
            return hypothesis, tried
        rung = self._gallery.rung(asked.view, hypothesis.attempt.footprints_m[0])
        near = [rung.near(np.array(peak.ne_m), rung.footprint_m, KEYFRAMES) for peak in hypothesis.peaks[:PLACES]]
        origin, shift_m = self._gallery.origin, self._boresights.shift_m
        return hypothesis.supported(self._pairs.supports(asked.target, hypothesis, origin, near, shift_m)), tried

    def _by_layout(self, asked: Question) -> tuple[TargetHypothesis | None, int]:
        """The hypothesis whose best place stands out most, with what chance makes here, and how many attempts it was
        chosen from. Its best places are looked at again with the target a little turned and stretched: half a step
        beside where a heading or a scale was searched for; and where neither was, if no place is accepted."""
        target, view, turned = asked.target, asked.view, asked.any_heading or not asked.target.north_up
        attempts = attempts_at(target, self._footprints(view), turned)
        if not attempts:
            return None, 0
        likely = attempts if len(attempts) == 1 else self._likeliest(target, attempts, view)
        readings = (self._read(target, one, view, within=asked.within) for one in likely)
        reading = max(readings, key=lambda one: one.hypothesis.contrast)
        hypothesis, searched = reading.hypothesis, len(attempts) > 1
        if not hypothesis.peaks:
            return hypothesis, len(attempts)
        if not searched and asked.accepts(hypothesis, 1):
            return hypothesis, 1
        nudge = nudge_of(reading, steps_between(target, turned) if searched else NUDGES)
        if nudge is not None:
            hypothesis = sharpened(hypothesis, self._read(target, nudge.attempt, view, nudge.rows).hypothesis)
        return hypothesis, len(attempts)

    def _likeliest(self, target: Target, attempts: Sequence[Attempt], view: ViewKind) -> list[Attempt]:
        """See `likeliest`; asked by the target's middle alone."""
        parts = [self._alone(target, attempts[n : n + _AT_ONCE]) for n in range(0, len(attempts), _AT_ONCE)]
        rungs = {side_m: self._rung(view, side_m) for side_m in {one.footprints_m[0] for one in attempts}}

        def layer_of(n: int) -> Layer:
            part, row = parts[n // _AT_ONCE], n % _AT_ONCE
            rung = rungs[attempts[n].footprints_m[0]]
            return Layer(rung, [part.crops[row]], part.maps[row][None].astype(np.float32))

        return likeliest(attempts, np.concatenate([part.vectors for part in parts]), rungs, layer_of)

    def _alone(self, target: Target, attempts: Sequence[Attempt]) -> _Middles:
        crops = [self._crops(target, one, one.footprints_m[0], alone=True)[0] for one in attempts]
        vectors, maps = self._embedded(crops)
        return _Middles([replace(crop, image=_NO_PICTURE) for crop in crops], vectors, maps.astype(np.float16))

    def _embedded(self, crops: Sequence[Crop]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors (N, D) and centred maps (N, C, h, w) of a target's crops."""
        embedded = self._embedder.embed(self._query, np.stack([crop.image for crop in crops]))
        if embedded.maps is None:
            raise BundleError(f"the bundle {self._embedder.bundle.name} has no spatial maps, which locating needs.")
        return embedded.vectors, centred(embedded.maps)

    def _crops(self, target: Target, attempt: Attempt, footprint_m: float, alone: bool = False) -> list[Crop]:
        bundle = self._embedder.bundle
        _, rows, columns = bundle.map_shape or (0, 1, 1)
        return crops_of(target, attempt, footprint_m, bundle.input_size_px, (rows, columns), alone)

    def _read(
        self,
        target: Target,
        attempt: Attempt,
        view: ViewKind,
        rows: NDArray[np.int64] | None = None,
        within: Within | None = None,
    ) -> Reading:
        """A target of that scale and heading laid on the keyframes, with what chance makes of it; or on ``rows`` of the
        first rung alone, without."""
        layers, first = [], None
        for footprint_m in attempt.footprints_m:
            crops = self._crops(target, attempt, footprint_m)
            vectors, maps = self._embedded(crops)
            layers.append(Layer(self._rung(view, footprint_m), crops, maps))
            first = vectors if first is None else first
        assert first is not None  # an attempt has at least one rung
        wrong = wrong_layouts(layers) if rows is None else ()
        rows = self._to_lay_on(layers[0].rung, first, within) if rows is None else rows
        if not len(rows):
            return Reading(TargetHypothesis(attempt, (), (), 0.0, 0.0), layers, rows)
        return Reading(compare(attempt, layers, rows, _PLACES, wrong), layers, rows)

    def _to_lay_on(self, rung: Rung, vectors: NDArray[np.float32], within: Within | None) -> NDArray[np.int64]:
        """The rows of a rung's keyframes that a target of such vectors (Q, D) is laid on."""
        return rung.shortlist(vectors) if within is None else self._rows_within(rung, within)

    def _rows_within(self, rung: Rung, within: Within) -> NDArray[np.int64]:
        return rung.within(np.array(north_east_m(self._gallery.origin, within.place)), within.reach_m)

    def _answer(
        self, target: Target, hypothesis: TargetHypothesis, acceptance: Acceptance | None, tried: int, top: int
    ) -> PlaceAnswer:
        candidates = self._candidates(hypothesis, acceptance, tried, top)
        best = candidates[0]
        if acceptance is None or best.probability is None:
            reason = "the bundle has no acceptance table for these views, so no place can be accepted"
            return PlaceAnswer.no_match(reason, candidates)
        keyframe = self._history.keyframe(best.keyframe_id, crop=False)
        ground_sigma_m = min(keyframe.ground_sigma_m, self._boresights.sigma_m(best.keyframe_id))
        sigma_m = acceptance.place_sigma_m(ground_sigma_m)
        refusal = _refusal(target, best, acceptance, sigma_m, hypothesis.peaks[0].open)
        if refusal:
            return PlaceAnswer.no_match(refusal, candidates, best.probability)
        reason = f"it stands out of its surroundings by {hypothesis.contrast:.1f} deviations"
        if hypothesis.pairs and hypothesis.pairs[0] > CHANCE_PAIRS:
            reason += f", and {hypothesis.pairs[0]} local features agree on it"
        return PlaceAnswer(Decision.MATCH, best.ground, sigma_m, best.probability, candidates, reason)

    def _candidates(
        self, hypothesis: TargetHypothesis, acceptance: Acceptance | None, tried: int, top: int
    ) -> tuple[Candidate, ...]:
        places = hypothesis.places(tried)
        known: Sequence[float | None] = [None] * len(places)
        ratios: Sequence[float | None] = [None] * len(places)
        if acceptance is not None:
            known = acceptance.probabilities(places)
            ratios = [acceptance.log_likelihood_ratio(place) for place in places]
        found = [
            Candidate(keyframe_id, offset(self._gallery.origin, *peak.ne_m), peak.similarity, probability, ratio)
            for keyframe_id, peak, probability, ratio in zip(
                hypothesis.nearest, hypothesis.peaks, known, ratios, strict=True
            )
        ]
        return tuple(found[:top])


def _refusal(target: Target, best: Candidate, acceptance: Acceptance, sigma_m: float, is_open: bool) -> str:
    """Why the best place is not accepted; empty when it is."""
    assert best.probability is not None
    if best.probability < acceptance.threshold:
        asked = acceptance.threshold
        return f"no place stands out: the best has probability {best.probability:.2f}, {asked:.2f} is asked for"
    if is_open:
        return "it fits best at the edge of what the history shows, so its middle may lie beyond"
    if target.position is not None:
        apart_m = distance_m(target.position, best.ground)
        if apart_m > max(_MAX_FROM_OWN_POSITION_M, 4 * sigma_m):
            return f"it matches {apart_m:.0f} m away from where the target's own georeference puts it"
    return ""
