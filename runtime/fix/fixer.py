"""From one drone frame to its position by sight alone.

retrieve ─▶ matches ─▶ verify in turn ─▶ verifications ─▶ hypotheses ─▶ decide ─▶ fix

Each step is a file of its own and keeps what it knows: similarities go along with the matches, and every hypothesis
with the fix, or with the honest no. The frame's own position, time and name are never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import TYPE_CHECKING

from runtime.camera_model import CameraModel
from runtime.fix.any_heading import AnyHeading
from runtime.fix.decide import decide
from runtime.fix.hypotheses import hypotheses_of
from runtime.fix.layout import LayoutFixer, Refusal
from runtime.fix.local_features import DENSE, UPRIGHT, Kind, learned
from runtime.fix.memory import FEATURES_BYTES, Memory
from runtime.fix.query import Known, known_of, sight, sight_upright
from runtime.fix.retrieve import Matches, Retriever, Tower
from runtime.fix.verification import FIRST, MAX_VERIFIED, NOTHING, Verifications, verify_in_turn
from runtime.fix.verify import Sighting
from runtime.heights import is_above_flat_ground
from runtime.history.history import History
from runtime.matching.gallery import GalleryCache
from runtime.values import Decision, Fix, Frame, Pose, Vicinity, ViewKind

if TYPE_CHECKING:  # optional, and so is what runs it
    from runtime.features.network import FeatureNetwork


def _unwatched(stage: str) -> None:
    """Nobody measures."""


class Fixer:
    """Fixes frames of one camera against one history; follows the history while it grows.

    ``watch`` is called with a stage's name when it ends: look, embed, search, features, verify; of a frame of unknown
    heading on a map sweep. ``persist``: local features of keyframes are kept in the history for the next time.
    ``as_tagged``: the aircraft is where the tags of the keyframes' flight would have it, with their receiver's lag and
    drift, for photos that are held against such tags; in flight it is where the camera is over the history's ground, as
    targets are. ``galleries``: the history's,
    where others search it too. ``features_bytes``: of memory, for features of keyframes. ``network``: looks at frames
    of known pose that no keyframe passes by corners; optional.
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
        features_bytes: int = FEATURES_BYTES,
        network: FeatureNetwork | None = None,
    ) -> None:
        self._learned = None if network is None else learned(network)
        self._history = history
        self._galleries = galleries or GalleryCache(history)
        self._as_tagged = as_tagged
        self._embedder = embedder
        self._camera = camera
        self._layout: LayoutFixer | None = None
        bundle = embedder.bundle
        self._memory = Memory(
            history, camera, bundle.input_size_px, persist, bundle.shared_dim, self._galleries, features_bytes
        )
        self._retriever = Retriever(self._memory, embedder, watch)
        self._any_heading = AnyHeading(self._memory, embedder, watch, self._learned)
        self._watch = watch

    def fix(
        self,
        frame: Frame,
        pose: Pose,
        *,
        any_heading: bool = False,
        retry: bool = False,
        camera: CameraModel | None = None,
        vicinity: Vicinity | None = None,
    ) -> Fix:
        """Where ``frame`` was taken. Of ``pose`` only attitude, heading and height are used.

        Args:
            any_heading: distrust the pose's heading.
            retry: where the pose's heading leads to no fix, try every heading, then, where its height is one above
                take-off, every height: the ground below may lie far from the take-off's level; too slow for flight.
            camera: where it differs from frame to frame (photos); else the fixer's own.
            vicinity: where the aircraft may be, by earlier fixes: on a map, a frame that has no feature in common with
                it is laid there before it is laid on all of it.
        """
        self._memory.refresh()
        known = known_of(frame, camera or self._camera, pose, any_heading)
        again = _distrusted(known, pose, any_heading) if retry else []
        fix = self._attempt(frame, known, FIRST if again and known.heading else MAX_VERIFIED, vicinity)
        for heading, height in again:
            if fix.decision is Decision.FIX:
                break
            known = known_of(frame, camera or self._camera, pose, heading, height)
            next_fix = self._attempt(frame, known, MAX_VERIFIED if height else MAX_VERIFIED - fix.verified)
            hypotheses = next_fix.hypotheses + fix.hypotheses
            fix = replace(next_fix, verified=next_fix.verified + fix.verified, hypotheses=hypotheses)
        return fix

    def _attempt(self, frame: Frame, known: Known, most: int, vicinity: Vicinity | None = None) -> Fix:
        """``most``: keyframes to verify."""
        if known.posed or not self._any_heading.usable:
            return self._by_keyframes(frame, known, most, dict(self._memory.views), vicinity)
        fix = self._by_keyframes(frame, known, most, [ViewKind.DRONE])
        if fix.decision is Decision.FIX:
            return fix
        found = self._any_heading.fix(frame, known, self._as_tagged)
        return replace(found, verified=found.verified + fix.verified, hypotheses=found.hypotheses + fix.hypotheses)

    def _by_keyframes(
        self, frame: Frame, known: Known, most: int, views: Container[ViewKind], vicinity: Vicinity | None = None
    ) -> Fix:
        """By those of some views that resemble the frame."""
        matches = self._retriever.retrieve(frame, known, views)
        if not matches.ranked:
            return Fix.none(frame.t_ns, NOTHING.reason)
        verifications = self._verified(frame, known, matches, most)
        hypotheses = hypotheses_of(known, matches, verifications, self._memory, self._as_tagged)
        fix = decide(frame.t_ns, verifications, hypotheses)
        self._watch("verify")
        if fix.decision is Decision.FIX or not known.posed:
            return fix
        return self._by_layout(frame, known, fix, vicinity)

    def _verified(self, frame: Frame, known: Known, matches: Matches, most: int) -> Verifications:
        """Where no keyframe passes by the strongest corners, twice as many are tried: dusk and noise leave few of those
        that a keyframe of the day has, and strong ones last. On tiles of a map more find no more. The
        network comes last."""
        query = _sight_crop(known, matches, UPRIGHT) if known.posed else sight(frame, known)
        self._watch("features")
        found = verify_in_turn(query, known, matches, self._memory, self._retriever, most)
        if not known.posed:
            return found
        closer = (DENSE if ViewKind.DRONE in dict(self._memory.views) else None), self._learned
        for kind in filter(None, closer):
            if not found.passed:
                seen = _sight_crop(known, matches, kind)
                found = verify_in_turn(seen, known, matches, self._memory, self._retriever, most)
        return found

    def _by_layout(self, frame: Frame, known: Known, fix: Fix, vicinity: Vicinity | None) -> Fix:
        """What no feature finds on a map its layout may: tried last, since it costs some ten times more."""
        if ViewKind.SATELLITE not in dict(self._memory.views):
            return fix
        self._layout = self._layout or LayoutFixer(self._history, self._embedder, self._galleries)
        found = self._layout.fix(frame, known, vicinity)
        self._watch("layout")
        hypotheses = found.hypotheses + fix.hypotheses
        if isinstance(found, Refusal):
            return replace(fix, reason=f"{fix.reason}; {found.reason}", hypotheses=hypotheses)
        return replace(found, verified=fix.verified, hypotheses=hypotheses)


def _distrusted(known: Known, pose: Pose, any_heading: bool) -> list[tuple[bool, bool]]:
    """What to try next where a pose leads to no fix: (any heading, any height), in turn."""
    again = [(True, False)] if known.heading else []
    if known.height and pose.height_agl_m is not None and is_above_flat_ground(pose.height_agl_m):
        again.append((any_heading, True))
    return again


def _sight_crop(known: Known, matches: Matches, kind: Kind) -> Sighting:
    """The features of the largest north-up crop, which take a sixth of the time of the frame's."""
    return sight_upright(matches.crops[0].image, matches.crops[0].footprint_m, known, kind)
