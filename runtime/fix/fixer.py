"""From one drone frame to its position by sight alone: search the history, verify a few keyframes, decide.

FIX when a keyframe passes `runtime.fix.verify` and the strongest half of what passed agrees on one place; else NO_FIX
with the reason. The frame's own position, time and name are never looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import Protocol

import numpy as np

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel
from runtime.fix.consensus import Consensus, consensus_of
from runtime.fix.layout import LayoutFixer, Refusal
from runtime.fix.local_features import pair
from runtime.fix.memory import Memory, Rung
from runtime.fix.sighting import Known, Look, known_of, looks, rays_of, sight, sight_upright
from runtime.fix.verify import Refused, Sighting, Verified, verify
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.matching.alignment import align, centred
from runtime.matching.gallery import GalleryCache
from runtime.values import Decision, Embeddings, Fix, Frame, ImageRGB, Pose, ViewKind

MAX_VERIFIED = 10
CONVINCING = 40  # pairs that agree, where the pose is known: more add little
ENOUGH_UNKNOWN = 10  # keyframes, where it is not: each one's own share of error matters more
FIRST = 4  # keyframes verified before the maps are asked to sort the rest; one that passed by then is enough
_SHORTLIST = 50
_BESIDE = 16  # keyframes next to one, within the side of its square
_MAX_SHIFT_CELLS = 5  # of 16: two thirds of the crop in common


class Tower(Protocol):
    """The part of an embedder that fixing needs."""

    @property
    def bundle(self) -> Bundle:
        """The bundle behind it."""
        ...

    def embed(self, view: ViewKind, crops: ImageRGB) -> Embeddings:
        """(N, S, S, 3) uint8 RGB to embeddings."""
        ...


@dataclass(frozen=True, slots=True)
class Hunt:
    """What was compared, and (keyframe id, index of the look that found it), the most similar first."""

    looks: list[Look]
    embedded: Embeddings
    found: list[tuple[int, int]]


def _unwatched(stage: str) -> None:
    """Nobody measures."""


class Fixer:
    """Fixes frames of one camera against one history; follows the history while it grows.

    ``watch`` is called with a stage's name when it ends: look, embed, search, features, verify. ``persist``: local
    features of keyframes are kept in the history for the next time. ``as_tagged``: the aircraft is where the tags of
    the keyframes' flight would have it, with their receiver's lag and drift, for photos that are held against such
    tags; in flight it is where the camera is over the history's ground, as targets are. ``galleries``: the history's,
    where others search it too.
    """

    def __init__(
        self,
        history: History,
        embedder: Tower,
        camera: CameraModel,
        watch: Callable[[str], None] = _unwatched,
        persist: bool = False,
        as_tagged: bool = False,
        galleries: GalleryCache | None = None,
    ) -> None:
        self._history = history
        self._galleries = galleries or GalleryCache(history)
        self._as_tagged = as_tagged
        self._embedder = embedder
        self._camera = camera
        self._layout: LayoutFixer | None = None
        bundle = embedder.bundle
        self._memory = Memory(
            history, camera, bundle.input_size_px, persist, bundle.shared_dim, self._galleries
        )
        self._watch = watch

    def fix(
        self,
        frame: Frame,
        pose: Pose,
        *,
        any_heading: bool = False,
        retry: bool = False,
        camera: CameraModel | None = None,
    ) -> Fix:
        """Where ``frame`` was taken. Of ``pose`` only attitude, heading and height are used.

        Args:
            any_heading: distrust the pose's heading.
            retry: where the pose's heading leads to no fix, try every heading; too slow for flight.
            camera: where it differs from frame to frame (photos); else the fixer's own.
        """
        self._memory.refresh()
        known = known_of(frame, camera or self._camera, pose, any_heading)
        again = retry and known.heading
        fix = self._attempt(frame, known, FIRST if again else MAX_VERIFIED)
        if fix.decision is Decision.FIX or not again:
            return fix
        known = known_of(frame, camera or self._camera, pose, True)
        second = self._attempt(frame, known, MAX_VERIFIED - fix.verified)
        return replace(second, verified=second.verified + fix.verified)

    def _attempt(self, frame: Frame, known: Known, most: int) -> Fix:
        hunt = self._hunt(frame, known)
        if not hunt.found:
            return _no_fix(frame, 0, 0, "there is nothing to compare with")
        query = sight_upright(hunt.looks[0], known) if known.posed else sight(frame, known)
        self._watch("features")
        fix = self._decide(frame, known, query, hunt, most)
        self._watch("verify")
        if fix.decision is Decision.FIX or not known.posed:
            return fix
        return self._by_layout(frame, known, fix)

    def _by_layout(self, frame: Frame, known: Known, fix: Fix) -> Fix:
        """What no feature finds on a map its layout may: tried last, since it costs some ten times more."""
        if ViewKind.SATELLITE not in dict(self._memory.views):
            return fix
        self._layout = self._layout or LayoutFixer(self._history, self._embedder, self._galleries)
        found = self._layout.fix(frame, known)
        self._watch("layout")
        if isinstance(found, Refusal):
            return replace(fix, reason=f"{fix.reason}; {found.reason}")
        return replace(found, verified=fix.verified)

    def _hunt(self, frame: Frame, known: Known) -> Hunt:
        """Look, embed, search."""
        size_px = self._embedder.bundle.input_size_px
        sides = () if known.height else self._memory.footprints_to_try()
        tried = [
            (view, look)
            for view, rungs in self._memory.views
            for look in looks(frame, known, rungs, partial(self._memory.chosen, view), sides, size_px)
        ]
        self._watch("look")
        tiles = [look for _, look in tried]
        if not tiles:
            return Hunt([], Embeddings(np.zeros((0, 0), np.float32), None), [])
        embedded = self._embedder.embed(ViewKind.DRONE, np.stack([look.crop for look in tiles]))
        self._watch("embed")
        found = self._candidates([view for view, _ in tried], tiles, embedded, beside=not known.posed)
        self._watch("search")
        return Hunt(tiles, embedded, found)

    def _candidates(
        self, views: Sequence[ViewKind], tiles: Sequence[Look], embedded: Embeddings, beside: bool
    ) -> list[tuple[int, int]]:
        """(keyframe id, index of the look that found it), the most similar first: of each way of comparing in turn.

        ``beside``: with those that lie about the place that most of them speak for.
        """
        rungs = [self._memory.rung(view, look.footprint_m) for view, look in zip(views, tiles, strict=True)]
        found: dict[int, int] = {}
        ways = range(max(len(rung.indices) for rung in rungs))
        for in_turn in zip_longest(*(_ranked(rungs, embedded, way) for way in ways)):
            for keyframe_id, number in filter(None, in_turn):
                found.setdefault(keyframe_id, number)
        shortlist = list(found.items())[:_SHORTLIST]
        return _with_those_beside(shortlist, rungs, tiles) if beside and shortlist else shortlist

    def _sorted_by_map(self, hunt: Hunt, start: int) -> list[int]:
        """The candidates from the ``start``-th, by how well their maps fit the query's under the best shift."""
        candidates = hunt.found[start:]
        scores: dict[int, float] = {}
        for number in sorted({number for _, number in candidates}):
            ids = [keyframe_id for keyframe_id, found_by in candidates if found_by == number]
            maps = self._memory.maps(ids, hunt.looks[number].footprint_m)
            if maps is None or hunt.embedded.maps is None:
                return [keyframe_id for keyframe_id, _ in candidates]
            fit = align(centred(hunt.embedded.maps[number : number + 1])[0], maps, _MAX_SHIFT_CELLS)
            scores |= dict(zip(ids, fit.score.tolist(), strict=True))
        return sorted(scores, key=lambda keyframe_id: -scores[keyframe_id])

    def _in_turn(self, known: Known, query: Sighting, hunt: Hunt) -> Iterator[int]:
        """Keyframes to verify. Where the pose is known: the most similar few, then the rest as the maps sort them.
        Where it is not, time matters less: those with the most features in common first."""
        if not known.posed:
            yield from self._sorted_by_pairs([keyframe_id for keyframe_id, _ in hunt.found], query)
            return
        yield from (keyframe_id for keyframe_id, _ in hunt.found[:FIRST])
        if hunt.found[FIRST:]:
            yield from self._sorted_by_map(hunt, FIRST)

    def _sorted_by_pairs(self, ids: Sequence[int], query: Sighting) -> list[int]:
        common = {one: len(pair(query.features, self._memory.ground(one, None).features)) for one in ids}
        return sorted(ids, key=lambda one: -common[one])

    def _decide(self, frame: Frame, known: Known, query: Sighting, hunt: Hunt, most: int) -> Fix:
        upright = hunt.looks[0].footprint_m if known.posed else None
        passed: list[Verified] = []
        best = Refused(0, 0, "there is nothing to compare with")
        count = 0
        for keyframe_id in self._in_turn(known, query, hunt):
            count += 1
            outcome = verify(query, self._memory.ground(keyframe_id, upright))
            if isinstance(outcome, Verified):
                passed.append(outcome)
            elif outcome.inliers >= best.inliers:
                best = outcome
            if count >= most or (_convincing(passed, count) if known.posed else len(passed) >= ENOUGH_UNKNOWN):
                break
        if not passed:
            return _no_fix(frame, best.inliers, count, f"no keyframe passed: {best.reason}")
        agreed = consensus_of(passed, _middle_ray(known), query.prior)
        if 2 * agreed.agreeing < len(passed) + 1:
            return _no_fix(frame, agreed.strongest.inliers, count, "the keyframes that passed disagree on the place")
        return self._fix(frame, known, agreed, count)

    def _fix(self, frame: Frame, known: Known, agreed: Consensus, count: int) -> Fix:
        east, south, sigma_m = agreed.pose.east_m, agreed.pose.south_m, agreed.sigma_m
        keyframe = agreed.strongest.keyframe
        tags = self._memory.tag_field(keyframe.flight) if self._as_tagged else None
        if tags is not None:
            said = tags.at(np.array([-south, east]), known.heading_rad + agreed.pose.heading_rad)
            east, south = east + said.east_m, south - said.north_m
            sigma_m = math.hypot(sigma_m, said.sigma_m)
        ground_east, ground_south = agreed.pose.ground_of(np.array([_middle_ray(known)]))[0]
        return Fix(
            t_ns=frame.t_ns,
            decision=Decision.FIX,
            aircraft=offset(self._memory.origin, -south, east),
            ground=offset(self._memory.origin, -float(ground_south), float(ground_east)),
            sigma_m=sigma_m,
            keyframe_id=keyframe.keyframe_id,
            inliers=agreed.strongest.inliers,
            verified=count,
            reason=f"{agreed.agreeing} of {count} keyframes agree",
        )


def _ranked(rungs: Sequence[Rung], embedded: Embeddings, way: int) -> list[tuple[int, int]]:
    """(keyframe id, index of the look that found it), the most similar first, by one way of comparing; a rung that has
    fewer ways is compared by its last."""
    best: dict[int, tuple[float, int]] = {}
    for number, rung in enumerate(rungs):
        index = rung.indices[min(way, len(rung.indices) - 1)]
        rows, similarities = index.search(embedded.vectors[number : number + 1], _SHORTLIST)
        for row, similarity in zip(rows[0], similarities[0], strict=True):
            keyframe_id = int(rung.ids[row])
            best[keyframe_id] = max(best.get(keyframe_id, (-1.0, 0)), (float(similarity), number))
    order = sorted(best, key=lambda keyframe_id: (-best[keyframe_id][0], keyframe_id))[:_SHORTLIST]
    return [(keyframe_id, best[keyframe_id][1]) for keyframe_id in order]


def _with_those_beside(
    shortlist: Sequence[tuple[int, int]], rungs: Sequence[Rung], tiles: Sequence[Look]
) -> list[tuple[int, int]]:
    """With the keyframes beside those that have most of the others near them: foreign places are strewn, the query's
    own stand together. Over a wood the view from a little further on looks alike and shares no crown; that from the
    next line looks like another place and shares a strip of road.
    """
    places_m = np.array([rungs[number].place_m(keyframe_id) for keyframe_id, number in shortlist])
    reach_m = np.array([tiles[number].footprint_m for _, number in shortlist])
    near = np.linalg.norm(places_m[:, None] - places_m[None], axis=2) <= reach_m
    wide = dict(shortlist)
    for row in np.argsort(-near.sum(axis=1), kind="stable")[:FIRST]:
        number = shortlist[row][1]
        for keyframe_id in rungs[number].near(places_m[row], float(reach_m[row]), _BESIDE):
            wide.setdefault(keyframe_id, number)
    return list(wide.items())


def _convincing(passed: Sequence[Verified], count: int) -> bool:
    """Whether a frame of known pose needs no more keyframes."""
    return sum(one.inliers for one in passed) >= CONVINCING or (len(passed) > 0 and count >= FIRST)


def _middle_ray(known: Known) -> tuple[float, float]:
    """The ray of the image's centre."""
    middle = np.array([[known.camera.width_px / 2, known.camera.height_px / 2]])
    x, y = rays_of(known, middle)[0]
    return float(x), float(y)


def _no_fix(frame: Frame, inliers: int, verified: int, reason: str) -> Fix:
    return Fix(frame.t_ns, Decision.NO_FIX, None, None, None, None, inliers, verified, reason)
