"""What fixing keeps of a history in memory: its embeddings by rung, and its keyframes' features on the ground."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera_model import CameraModel
from runtime.errors import HomingError
from runtime.fix.local_features import INVARIANT, UPRIGHT, Features, extract, extract_upright
from runtime.fix.tag_field import TagField
from runtime.fix.verify import Ground
from runtime.geodesy import north_east_array_m, north_east_m
from runtime.history.history import History
from runtime.matching.alignment import centred
from runtime.matching.search import Index
from runtime.survey.solver import SOURCE
from runtime.values import GeoPoint, Keyframe, ViewKind
from runtime.view import GroundPlane

_LOG = logging.getLogger(__name__)

_INVARIANT_FEATURES = 800
_UPRIGHT_FEATURES = 400  # a keyframe's crop is larger than the query's, so it gets more
_CACHED = 4000  # keyframes: features of one take up to 400 kB, of an upright one half of that
_SCALE_STEP = 1.25  # between footprints that are tried: at most 12 % off
_MAX_SCALES = 4
_FEW = 0.002  # of the keyframes: so few are not worth another run of the network
_UPRIGHT_RAD = 1e-3  # of embeddings at several heading offsets the north-up one counts


@dataclass(frozen=True, slots=True)
class Rung:
    """The keyframes of one view embedded at one footprint: ``ids`` (N,) ascending, ``places_m`` (N, 2) north and east
    of their centres, and an index for each way in which they are compared. A drone's own views have two: by the whole
    vector, which tells places apart best on one day, and by what all kinds of view share, which sees past another
    day's weather."""

    ids: NDArray[np.int64]
    places_m: NDArray[np.float64]
    indices: tuple[Index, ...]

    def place_m(self, keyframe_id: int) -> NDArray[np.float64]:
        """(2,) north and east of one of its keyframes."""
        return np.asarray(self.places_m[np.searchsorted(self.ids, keyframe_id)])

    def near(self, place_m: NDArray[np.float64], reach_m: float, most: int) -> list[int]:
        """The ids of at most so many of its keyframes within ``reach_m`` of a place, the nearest first."""
        away_m = np.linalg.norm(self.places_m - place_m, axis=1)
        order = np.argsort(away_m, kind="stable")[:most]
        return [int(keyframe_id) for keyframe_id in self.ids[order[away_m[order] <= reach_m]]]


class Memory:
    """Follows a history while it grows; everything is read once.

    ``shared_dim``: how many numbers of a vector views of different kinds share; None: all.
    ``persist``: features are kept in the history too, at the price of a synced write each; not for flight.
    """

    def __init__(
        self, history: History, camera: CameraModel, size_px: int, persist: bool, shared_dim: int | None = None
    ) -> None:
        self._history = history
        self._persist = persist
        self._camera = camera
        self._size_px = size_px
        self._shared_dim = shared_dim
        self._rungs: dict[tuple[ViewKind, float], Rung] = {}
        self._grounds: dict[tuple[int, float], Ground] = {}
        self._maps: dict[tuple[int, float], NDArray[np.float16]] = {}
        self._chosen: dict[tuple[ViewKind, tuple[float, ...]], list[float]] = {}
        self._tag_fields: dict[str, TagField | None] = {}
        self._footprints: tuple[float, ...] = ()
        self._last_id = -1
        self.origin = GeoPoint(0.0, 0.0)
        self.views: tuple[tuple[ViewKind, tuple[float, ...]], ...] = ()

    def refresh(self) -> None:
        """Forgets what new keyframes have made stale."""
        last_id = self._history.last_id()
        if last_id == self._last_id:
            return
        if not self._grounds and last_id > 0:
            self.origin = self._history.keyframe(last_id).ground
        self._rungs.clear()
        self._chosen.clear()
        self._footprints = ()
        self._last_id = last_id
        self.views = tuple((view, self._history.footprints(view)) for view in self._history.views())

    def rung(self, view: ViewKind, footprint_m: float) -> Rung:
        """The gallery of a view at a footprint."""
        if (view, footprint_m) not in self._rungs:
            gallery = self._history.gallery(view, footprint_m)
            upright = np.abs(gallery.heading_offsets_rad) < _UPRIGHT_RAD
            vectors = gallery.vectors[upright]
            shared = self._shared_dim or vectors.shape[1]
            ways = (None, shared) if view is ViewKind.DRONE and shared < vectors.shape[1] else (shared,)
            places_m = north_east_array_m(self.origin, *gallery.ground[upright].T)
            indices = tuple(Index(vectors, way) for way in ways)
            self._rungs[view, footprint_m] = Rung(gallery.ids[upright], places_m, indices)
        return self._rungs[view, footprint_m]

    def chosen(self, view: ViewKind, rungs: Sequence[float]) -> list[float]:
        """The fewest of ``rungs``, given largest first, that leave out no keyframe: each is compared at its largest.

        A keyframe recorded lower than the query flies has no rung as large as the query's own.
        """
        key = (view, tuple(rungs))
        if key not in self._chosen:
            self._chosen[key] = self._choose(view, rungs)
        return self._chosen[key]

    def _choose(self, view: ViewKind, rungs: Sequence[float]) -> list[float]:
        ids = {rung: self.rung(view, rung).ids for rung in rungs}
        least = _FEW * max((len(one) for one in ids.values()), default=0)
        seen = np.zeros(0, np.int64)
        kept = []
        for rung in rungs:
            if np.isin(ids[rung], seen, invert=True).sum() > least:
                kept.append(rung)
                seen = np.union1d(seen, ids[rung])
        return kept

    def maps(self, ids: Sequence[int], footprint_m: float) -> NDArray[np.float32] | None:
        """(N, C, h, w) centred maps of keyframes at a rung; None where the model has none."""
        missing = [keyframe_id for keyframe_id in ids if (keyframe_id, footprint_m) not in self._maps]
        if missing:
            read = self._history.maps(missing, footprint_m)
            if read is None:
                return None
            for keyframe_id, one in zip(missing, centred(read).astype(np.float16), strict=True):
                self._maps[keyframe_id, footprint_m] = one
        found = np.stack([self._maps[keyframe_id, footprint_m] for keyframe_id in ids]).astype(np.float32)
        while len(self._maps) > _CACHED:
            self._maps.pop(next(iter(self._maps)))
        return np.asarray(found)

    def footprints_to_try(self) -> tuple[float, ...]:
        """Sides that the history's keyframes show, for a frame of unknown height."""
        if not self._footprints:
            sides = [keyframe.footprint_m for keyframe in self._history.keyframes(ViewKind.DRONE, crops=False)]
            self._footprints = distinct_footprints(sides or [m for _, rungs in self.views for m in rungs])
        return self._footprints

    def tag_field(self, flight: str) -> TagField | None:
        """See `tag_field_of`; as the flight was when it was first asked for: photos are recorded before the flight."""
        if flight not in self._tag_fields:
            drone_views = self._history.keyframes(ViewKind.DRONE, crops=False)
            own = (keyframe for keyframe in drone_views if keyframe.flight == flight)
            self._tag_fields[flight] = tag_field_of(own, self.origin, self._camera)
        return self._tag_fields[flight]

    def ground(self, keyframe_id: int, upright_rung_m: float | None) -> Ground:
        """A keyframe's features: invariant ones, or upright ones at the resolution of a rung."""
        key = (keyframe_id, upright_rung_m or 0.0)
        found = self._grounds.get(key)
        if found is None:
            if len(self._grounds) >= _CACHED:
                self._grounds.pop(next(iter(self._grounds)))
            found = self._grounds[key] = self._read(keyframe_id, upright_rung_m)
        return found

    def _read(self, keyframe_id: int, upright_rung_m: float | None) -> Ground:
        keyframe = self._history.keyframe(keyframe_id)
        kind = INVARIANT if upright_rung_m is None else f"{UPRIGHT}-{upright_rung_m:g}m-{self._size_px}px"
        arrays = self._history.features(keyframe_id, kind)
        if arrays is None:
            features = self._extract(keyframe, upright_rung_m)
            self._keep(keyframe_id, kind, features)
        else:
            features = Features.unpacked(arrays)
        return ground_of(keyframe, features, self.origin)

    def _keep(self, keyframe_id: int, kind: str, features: Features) -> None:
        if not self._persist:
            return
        try:
            self._history.store_features(keyframe_id, kind, features.packed())
        except HomingError as error:  # a full disk or a busy history costs time at the next start, no fix
            _LOG.warning("features of keyframes are not kept any more: %s", error)
            self._persist = False

    def _extract(self, keyframe: Keyframe, upright_rung_m: float | None) -> Features:
        """Features in pixels of the stored crop."""
        if upright_rung_m is None:
            return extract(keyframe.crop, _INVARIANT_FEATURES)
        side_px = max(32, round(self._size_px * keyframe.footprint_m / upright_rung_m))
        own_px = keyframe.crop.shape[0]
        how = cv2.INTER_AREA if side_px < own_px else cv2.INTER_LINEAR
        crop = np.asarray(cv2.resize(keyframe.crop, (side_px, side_px), interpolation=how), dtype=np.uint8)
        features = extract_upright(crop, _UPRIGHT_FEATURES)
        return Features(features.points * np.float32(own_px / side_px), features.descriptors)


def distinct_footprints(sides_m: Sequence[float]) -> tuple[float, ...]:
    """At most four sides that stand for all, the commonest first: medians of bins of a factor 1.25."""
    if not sides_m:
        return ()
    logs = np.log(np.asarray(sides_m, dtype=np.float64)) / math.log(_SCALE_STEP)
    bins, counts = np.unique(np.round(logs), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MAX_SCALES]
    medians = [np.median(logs[np.round(logs) == bins[i]]) for i in order]
    return tuple(float(_SCALE_STEP**middle) for middle in medians)


def ground_of(keyframe: Keyframe, features: Features, origin: GeoPoint) -> Ground:
    """A keyframe's features laid out on the ground, in metres east and south of ``origin``."""
    north, east = north_east_m(origin, keyframe.ground)
    side_px = keyframe.crop.shape[0]
    height = keyframe.pose.height_agl_m if keyframe.view is ViewKind.DRONE else None
    metres: NDArray[np.float64] = (features.points.astype(np.float64) / side_px - 0.5) * keyframe.footprint_m
    return Ground(
        keyframe_id=keyframe.keyframe_id,
        flight=keyframe.flight,
        features=features,
        points=metres + [east, -north],
        centre=np.array([east, -north]),
        height_m=height.value if height is not None and height.value > 0 else math.inf,
        footprint_m=keyframe.footprint_m,
        sigma_m=keyframe.ground_sigma_m,
    )


def tag_field_of(keyframes: Iterable[Keyframe], origin: GeoPoint, camera: CameraModel) -> TagField | None:
    """How the tags of a flight's keyframes lie from their cameras, about ``origin``; None where recording did not have
    to solve any of them, and what it was told of their positions is believed.

    ``camera``: as the fixer's; of it only the mounting is used.
    """
    rows = []
    for keyframe in keyframes:
        pose, plane = keyframe.pose, GroundPlane.of(camera, keyframe.pose)
        if pose.heading is None or pose.heading.source != SOURCE or pose.position is None or plane is None:
            continue
        taken_at = np.array(north_east_m(origin, keyframe.ground)) - plane.ground_of_axis()
        rows.append([*taken_at, pose.heading.value, *(np.array(north_east_m(origin, pose.position)) - taken_at)])
    if not rows:
        return None
    table = np.array(rows)
    return TagField(table[:, :2], table[:, 2], table[:, 3:])
