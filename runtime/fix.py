"""From one drone frame to its position by sight alone: search the history, verify a few keyframes, decide.

Decision: FIX when at least one keyframe passes `runtime.verify` and everything that passed agrees on one place;
else NO_FIX with the reason. The frame's own position, time and name are never looked at.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.embedder import Embedder
from runtime.geodesy import north_east_m, offset
from runtime.history import Gallery, History
from runtime.local_features import KIND, Features, extract
from runtime.planar_pose import PlanarPose
from runtime.search import Index
from runtime.sighting import Known, Look, known_of, looks, rays_of, sight
from runtime.values import Decision, Fix, Frame, GeoPoint, Keyframe, Pose, ViewKind
from runtime.verify import Ground, Refused, Sighting, Verified, pool, verify

_LOG = logging.getLogger(__name__)

MAX_VERIFIED = 10
ENOUGH = 3  # keyframes that agree: more add little
_SHORTLIST = 50
_FEATURES_PER_KEYFRAME = 800
_CACHED_KEYFRAMES = 4000  # features of one take about 100 kB


@dataclass(frozen=True, slots=True)
class _Shelf:
    gallery: Gallery
    index: Index


class Fixer:
    """Fixes frames of one camera against one history; follows the history while it grows."""

    def __init__(self, history: History, embedder: Embedder, camera: CameraModel) -> None:
        self._history = history
        self._embedder = embedder
        self._camera = camera
        self._shelves: dict[tuple[ViewKind, float], _Shelf] = {}
        self._grounds: dict[int, Ground] = {}
        self._origin: GeoPoint | None = None
        self._seen_footprints: tuple[float, ...] = ()
        self._last_id = -1

    def fix(
        self, frame: Frame, pose: Pose, *, any_heading: bool = False, camera: CameraModel | None = None
    ) -> Fix:
        """Where ``frame`` was taken. Of ``pose`` only attitude, heading and height are used.

        Args:
            any_heading: distrust the pose's heading.
            camera: where it differs from frame to frame (photos); else the fixer's own.
        """
        self._refresh()
        known = known_of(frame, camera or self._camera, pose, any_heading)
        candidates = self._candidates(frame, known)
        if not candidates:
            return _no_fix(frame, 0, 0, "the history holds nothing to compare with")
        return self._verify(frame, known, candidates)

    def _candidates(self, frame: Frame, known: Known) -> list[int]:
        """Keyframe ids, the most similar first."""
        best: dict[int, float] = {}
        for view in self._history.views():
            rungs = self._history.footprints(view)
            sides = () if known.height else self._footprints_to_try()
            tried = looks(frame, known, rungs, sides, self._embedder.bundle.input_size_px)
            for keyframe_id, similarity in self._search(view, tried):
                best[keyframe_id] = max(similarity, best.get(keyframe_id, -1.0))
        return sorted(best, key=lambda keyframe_id: -best[keyframe_id])[:_SHORTLIST]

    def _search(self, view: ViewKind, tried: Sequence[Look]) -> Iterator[tuple[int, float]]:
        if not tried:
            return
        embeddings = self._embedder.embed(ViewKind.DRONE, np.stack([look.crop for look in tried]))
        rungs = np.array([look.footprint_m for look in tried])
        for rung in np.unique(rungs):
            shelf = self._shelf(view, float(rung))
            rows, similarities = shelf.index.search(embeddings.vectors[rungs == rung], _SHORTLIST)
            for row, similarity in zip(rows.ravel(), similarities.ravel(), strict=True):
                yield int(shelf.gallery.ids[row]), float(similarity)

    def _verify(self, frame: Frame, known: Known, candidates: Sequence[int]) -> Fix:
        query = sight(frame, known)
        passed: list[Verified] = []
        best: Refused | None = None
        count = 0
        for keyframe_id in candidates[:MAX_VERIFIED]:
            count += 1
            outcome = verify(query, self._ground(keyframe_id))
            if isinstance(outcome, Verified):
                passed.append(outcome)
                if len(passed) >= ENOUGH:
                    break
            elif best is None or outcome.inliers > best.inliers:
                best = outcome
        if not passed:
            assert best is not None
            return _no_fix(frame, best.inliers, count, f"no keyframe passed: {best.reason}")
        return self._fix(frame, known, query, passed, count)

    def _fix(
        self, frame: Frame, known: Known, query: Sighting, passed: list[Verified], count: int
    ) -> Fix:
        pose, agreeing = pool(passed, query.prior)
        strongest = max(agreeing, key=lambda one: one.inliers)
        if 2 * len(agreeing) < len(passed):
            return _no_fix(frame, strongest.inliers, count, "the keyframes that passed disagree on the place")
        middle = np.array([[known.camera.width_px / 2, known.camera.height_px / 2]])
        east, south = pose.ground_of(rays_of(known, middle))[0]
        assert self._origin is not None
        return Fix(
            t_ns=frame.t_ns,
            decision=Decision.FIX,
            aircraft=offset(self._origin, -pose.south_m, pose.east_m),
            ground=offset(self._origin, -float(south), float(east)),
            sigma_m=sigma_of(pose, agreeing),
            keyframe_id=strongest.keyframe_id,
            inliers=strongest.inliers,
            verified=count,
            reason=f"{len(agreeing)} of {count} keyframes agree",
        )

    def _ground(self, keyframe_id: int) -> Ground:
        found = self._grounds.get(keyframe_id)
        if found is None:
            if len(self._grounds) >= _CACHED_KEYFRAMES:
                self._grounds.pop(next(iter(self._grounds)))
            found = self._grounds[keyframe_id] = self._read_ground(keyframe_id)
        return found

    def _read_ground(self, keyframe_id: int) -> Ground:
        keyframe = self._history.keyframe(keyframe_id)
        if self._origin is None:
            self._origin = keyframe.ground
        arrays = self._history.features(keyframe_id, KIND)
        if arrays is None:
            features = extract(keyframe.crop, _FEATURES_PER_KEYFRAME)
            self._history.store_features(keyframe_id, KIND, features.packed())
        else:
            features = Features.unpacked(arrays)
        return ground_of(keyframe, features, self._origin)

    def _shelf(self, view: ViewKind, rung: float) -> _Shelf:
        shelf = self._shelves.get((view, rung))
        if shelf is None:
            gallery = self._history.gallery(view, rung)
            shelf = self._shelves[view, rung] = _Shelf(gallery, Index(gallery.vectors))
        return shelf

    def _refresh(self) -> None:
        last_id = self._history.last_id()
        if last_id != self._last_id:
            self._shelves.clear()
            self._seen_footprints = ()
            self._last_id = last_id

    def _footprints_to_try(self) -> tuple[float, ...]:
        if not self._seen_footprints:
            sides = [keyframe.footprint_m for keyframe in self._history.keyframes()]
            self._seen_footprints = distinct_footprints(sides)
        return self._seen_footprints


_SCALE_STEP = 1.2  # between footprints that are tried: half a rung of the ladder
_MAX_SCALES = 6


def distinct_footprints(sides_m: Sequence[float]) -> tuple[float, ...]:
    """At most six sides that stand for all, the commonest first: medians of bins of a factor 1.2."""
    logs = np.log(np.asarray(sides_m, dtype=np.float64)) / math.log(_SCALE_STEP)
    bins, counts = np.unique(np.round(logs), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MAX_SCALES]
    return tuple(float(np.exp(np.median(logs[np.round(logs) == bins[i]]) * math.log(_SCALE_STEP))) for i in order)


def ground_of(keyframe: Keyframe, features: Features, origin: GeoPoint) -> Ground:
    """A keyframe's features laid out on the ground, in metres east and south of ``origin``."""
    north, east = north_east_m(origin, keyframe.ground)
    side_px = keyframe.crop.shape[0]
    metres: NDArray[np.float64] = (features.points.astype(np.float64) / side_px - 0.5) * keyframe.footprint_m
    points = metres + [east, -north]
    return Ground(keyframe.keyframe_id, features, points, keyframe.footprint_m, keyframe.ground_sigma_m)


def sigma_of(pose: PlanarPose, agreeing: Sequence[Verified]) -> float:
    """1-sigma per axis: the pose's own, and the keyframes' georeference, which neighbours share in part."""
    sigmas = [one.sigma_m for one in agreeing if math.isfinite(one.sigma_m)]
    shared = float(np.mean(sigmas)) / math.sqrt(math.sqrt(len(sigmas))) if sigmas else 0.0
    spread = 0.0
    if len(agreeing) > 1:
        spread = float(np.std([(one.pose.east_m, one.pose.south_m) for one in agreeing], axis=0).mean())
    return math.sqrt(pose.sigma_m**2 + shared**2 + spread**2 / len(agreeing))


def _no_fix(frame: Frame, inliers: int, verified: int, reason: str) -> Fix:
    return Fix(frame.t_ns, Decision.NO_FIX, None, None, None, None, inliers, verified, reason)
