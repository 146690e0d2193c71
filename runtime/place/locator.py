"""Where in the flight history a target lies, or an honest "no match".

Every keyframe says, at every translation, how well the target's spatial map fits its own; on the ground these
surfaces are added up (`runtime.place.ground`), and the sharpest point is the place. It must stand out of its
surroundings and of the second distinct place by what the bundle's acceptance asks for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.centred import centred
from runtime.errors import BundleError
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.matching.acceptance import CHANCE_PAIRS, Acceptance
from runtime.matching.boresight import Boresights
from runtime.matching.gallery import GalleryCache
from runtime.place.attempt import SCALE_STEP, Attempt, Crop, crops_of, rungs_for, scales_m
from runtime.place.gallery import Rung
from runtime.place.hypothesis import TargetHypothesis, compare
from runtime.place.nudge import Reading, nudge_of, sharpened
from runtime.place.pairs import KEYFRAMES, PLACES, PairFinder
from runtime.place.target import Target
from runtime.place.versions import Layer, wrong_layouts
from runtime.values import Candidate, Decision, Embeddings, GeoPoint, ImageRGB, PlaceAnswer, ViewKind

if TYPE_CHECKING:  # optional, and so is what runs it
    from runtime.features.network import FeatureNetwork

HEADINGS = 24  # tried where north is unknown: at most 7.5 degrees off, refined afterwards
_MAX_SKETCHED = 24  # attempts compared by their middle alone, of those that the vectors rank first
_MAX_COMPARED = 2  # of those compared by the whole target
_AT_ONCE = 32  # attempts whose crops are held, with their maps in single precision: 6 MB
_REFINEMENTS = ((-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5))  # steps in heading and in scale
_PLACES = 8  # kept of an attempt, whatever is asked for: the right one's rivals among them
_MIN_SHARE_EMBEDDED = 0.6  # of the keyframes: a rung that fewer have would leave ground unsearched
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

    def locate(self, target: Target, *, any_heading: bool = False, top: int = 5) -> PlaceAnswer:
        """The place of a target's centre, and the ``top`` distinct candidates in either case.

        ``any_heading``: the target's upper edge may point anywhere; else it is north.
        """
        view = self._refreshed()
        if view is None:
            return PlaceAnswer.no_match("the history holds no keyframes")
        acceptance = Acceptance.of(self._embedder.bundle.acceptance(self._query, view))
        hypothesis, tried = self._judged(target, view, any_heading or not target.north_up, acceptance)
        if hypothesis is None:
            return PlaceAnswer.no_match(self._why_no_rung(target, view))
        if not hypothesis.peaks:
            return PlaceAnswer.no_match("the target overlaps too little of what was flown")
        return self._answer(target, hypothesis, acceptance, tried, top)

    def features(
        self, target: Target, *, any_heading: bool = False
    ) -> tuple[tuple[dict[str, float], ...], GeoPoint] | None:
        """What the acceptance is fitted on: the distinct places' features, the best first, and where that is; None
        where there is none."""
        view = self._refreshed()
        if view is None:
            return None
        hypothesis, tried = self._judged(target, view, any_heading or not target.north_up, None)
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

    def _judged(
        self, target: Target, view: ViewKind, any_heading: bool, acceptance: Acceptance | None
    ) -> tuple[TargetHypothesis | None, int]:
        """See `_by_layout`; where the layout of that place is not accepted, the network looks at the best ones too."""
        hypothesis, tried = self._by_layout(target, view, any_heading, acceptance)
        if hypothesis is None or not hypothesis.peaks or self._pairs is None:
            return hypothesis, tried
        if acceptance is not None and acceptance.accepts(hypothesis.places(tried)):
            return hypothesis, tried
        rung = self._gallery.rung(view, hypothesis.attempt.footprints_m[0])
        near = [rung.near(np.array(peak.ne_m), rung.footprint_m, KEYFRAMES) for peak in hypothesis.peaks[:PLACES]]
        origin, shift_m = self._gallery.origin, self._boresights.shift_m
        return hypothesis.supported(self._pairs.supports(target, hypothesis, origin, near, shift_m)), tried

    def _by_layout(
        self, target: Target, view: ViewKind, any_heading: bool, acceptance: Acceptance | None
    ) -> tuple[TargetHypothesis | None, int]:
        """The hypothesis whose best place stands out most, with what chance makes here, and how many were tried. Where
        that place is not accepted as the target is said to lie, it is looked at a little turned and stretched too."""
        reading, tried = self._best_reading(target, view, any_heading)
        if reading is None or not reading.hypothesis.peaks:
            return (None if reading is None else reading.hypothesis), tried
        hypothesis = reading.hypothesis
        if tried > 1 or (acceptance is not None and acceptance.accepts(hypothesis.places(tried))):
            return hypothesis, tried
        nudge = nudge_of(reading)
        if nudge is None:
            return hypothesis, tried
        again = self._read(target, nudge.attempt, view, nudge.rows)
        return sharpened(hypothesis, again.hypothesis), tried

    def _best_reading(self, target: Target, view: ViewKind, any_heading: bool) -> tuple[Reading | None, int]:
        """The reading whose best place stands out most, and how many were tried."""
        attempts = self._attempts(target, view, any_heading)
        if not attempts:
            return None, 0
        if len(attempts) == 1:
            return self._read(target, attempts[0], view, chance=True), 1
        sketched = sorted(self._sketched(target, attempts, view), key=lambda hypothesis: -hypothesis.contrast)
        full = [self._read(target, one.attempt, view) for one in sketched[:_MAX_COMPARED]]
        best = max(full, key=lambda reading: reading.hypothesis.contrast)
        refined = [self._read(target, one, view) for one in _refined(best.hypothesis.attempt, target, any_heading)]
        best = max([best, *refined], key=lambda reading: reading.hypothesis.contrast)
        return self._read(target, best.hypothesis.attempt, view, chance=True), len(attempts)

    def _attempts(self, target: Target, view: ViewKind, any_heading: bool) -> list[Attempt]:
        footprints = self._footprints(view)
        headings = np.arange(HEADINGS) * (math.tau / HEADINGS) if any_heading else np.zeros(1)
        attempts = []
        for gsd_m in scales_m(target, footprints):
            rungs = rungs_for(min(target.image.shape[:2]) * gsd_m, footprints)
            if rungs:
                attempts += [Attempt(gsd_m, float(heading), rungs) for heading in headings]
        return attempts

    def _sketched(self, target: Target, attempts: Sequence[Attempt], view: ViewKind) -> list[TargetHypothesis]:
        """The attempts whose middle resembles some keyframe most, by vector, aligned by that middle alone."""
        parts = [self._alone(target, attempts[n : n + _AT_ONCE]) for n in range(0, len(attempts), _AT_ONCE)]
        vectors = np.concatenate([part[0] for part in parts])
        sides_m = np.array([one.footprints_m[0] for one in attempts])
        rungs = {side_m: self._rung(view, side_m) for side_m in np.unique(sides_m).tolist()}
        similarity = np.full(len(attempts), -1.0, np.float32)
        for side_m, rung in rungs.items():
            own = np.flatnonzero(sides_m == side_m)  # together: one by one they would each read all vectors
            similarity[own] = rung.index.search(vectors[own], 1)[1].max(axis=1, initial=-1.0)
        hypotheses = []
        for n in np.argsort(similarity)[::-1][:_MAX_SKETCHED]:
            rung = rungs[float(sides_m[n])]
            crop = self._crops(target, attempts[n], attempts[n].footprints_m[0], alone=True)
            layer = Layer(rung, crop, parts[n // _AT_ONCE][1][n % _AT_ONCE][None].astype(np.float32))
            hypotheses.append(compare(attempts[n], [layer], rung.shortlist(vectors[[n]]), 1))
        return hypotheses

    def _alone(
        self, target: Target, attempts: Sequence[Attempt]
    ) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """Vectors (N, D) and centred maps (N, C, h, w) of a target's middle as each of N attempts has it."""
        crops = [self._crops(target, one, one.footprints_m[0], alone=True)[0] for one in attempts]
        vectors, maps = self._embedded(crops)
        return vectors, maps.astype(np.float16)

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
        self, target: Target, attempt: Attempt, view: ViewKind, rows: NDArray[np.int64] | None = None,
        chance: bool = False,
    ) -> Reading:  # fmt: skip
        """A target of that scale and heading laid on the keyframes (``rows`` of the first rung alone), with what chance
        makes of it where asked for."""
        layers, first = [], None
        for footprint_m in attempt.footprints_m:
            crops = self._crops(target, attempt, footprint_m)
            vectors, maps = self._embedded(crops)
            layers.append(Layer(self._rung(view, footprint_m), crops, maps))
            first = vectors if first is None else first
        assert first is not None  # an attempt has at least one rung
        rows = layers[0].rung.shortlist(first) if rows is None else rows
        wrong = wrong_layouts(layers) if chance else ()
        return Reading(compare(attempt, layers, rows, _PLACES, wrong), layers, rows)

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


def _refined(best: Attempt, target: Target, any_heading: bool) -> list[Attempt]:
    """The best attempt half a step further in what was searched."""
    steps = [
        (heading, scale)
        for heading, scale in _REFINEMENTS
        if (heading == 0.0 or any_heading) and (scale == 0.0 or target.gsd_m is None)
    ]
    return [
        replace(
            best,
            heading_rad=best.heading_rad + heading * math.tau / HEADINGS,
            gsd_m=best.gsd_m * SCALE_STEP**scale,
        )
        for heading, scale in steps
    ]


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
