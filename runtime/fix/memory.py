"""What fixing keeps of a history in memory: its embeddings by rung, and its keyframes' features on the ground."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bounded_cache import BoundedCache
from runtime.camera_model import CameraModel
from runtime.errors import CropDamagedError, HomingError
from runtime.fix.local_features import Features, Kind, features_of
from runtime.fix.rung_choice import fewest_rungs
from runtime.fix.tag_field import TagField, tag_field_of
from runtime.fix.verify import Ground, ObliqueCamera
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.matching import gallery
from runtime.matching.boresight import TILT_SIGMA_RAD, sight_of
from runtime.matching.growing_rows import GrowingRows
from runtime.matching.search import Nearest
from runtime.values import GeoPoint, Keyframe, Maps, ViewKind

_LOG = logging.getLogger(__name__)

FEATURES_BYTES = 32 << 20  # of 75 keyframes' invariant features, or twice as many upright ones; a fix asks for ten
_SCALE_STEP = 1.25  # between footprints that are tried: at most 12 % off
_MAX_SCALES = 4
_MAX_SCALE_SIGMA = 1.0  # of a keyframe, as a share: a height that says nothing says at least this


@dataclass(frozen=True, slots=True)
class Rung:
    """The keyframes of one view embedded at one footprint, with an index for each way in which they are compared. A
    drone's own views have two: by the whole vector, which tells places apart best on one day, and by what all kinds
    of view share, which sees past another day's weather."""

    keyframes: gallery.Rung
    indices: tuple[Nearest, ...]

    @property
    def ids(self) -> NDArray[np.int64]:
        """(N,) of its keyframes, ascending."""
        return self.keyframes.ids

    def place_m(self, keyframe_id: int) -> NDArray[np.float64]:
        """(2,) north and east of one of its keyframes."""
        return self.keyframes.place_m(keyframe_id)

    def near(self, place_m: NDArray[np.float64], reach_m: float, most: int) -> list[int]:
        """The ids of at most so many of its keyframes within ``reach_m`` of a place, the nearest first."""
        return self.keyframes.near(place_m, reach_m, most)


class Memory:
    """What fixing keeps of a history while it grows, in a bounded number of bytes; for one thread at a time.

    ``shared_dim``: how many numbers of a vector views of different kinds share; None: all.
    ``persist``: features are kept in the history too, at the price of a synced write each; not for flight.
    ``galleries``: the history's, where others search it too.
    """

    def __init__(
        self,
        history: History,
        camera: CameraModel,
        size_px: int,
        persist: bool,
        shared_dim: int | None = None,
        galleries: gallery.GalleryCache | None = None,
        features_bytes: int = FEATURES_BYTES,
    ) -> None:
        self._history = history
        self._persist = persist
        self._camera = camera
        self._size_px = size_px
        self._shared_dim = shared_dim
        self._galleries = galleries or gallery.GalleryCache(history)
        self._grounds: BoundedCache[tuple[int, str], Ground] = BoundedCache(features_bytes, _bytes_of)
        self._chosen: dict[tuple[ViewKind, tuple[float, ...]], list[float]] = {}
        self._flights = _Flights(history)
        self._tag_fields: dict[str, TagField | None] = {}
        self._sides_m: dict[int, float] = {}  # of the drone's keyframes, by id
        self._sides_read_to = 0
        self._gallery = self._galleries.snapshot()

    def refresh(self) -> None:
        """Follows the history; what was kept of its keyframes is forgotten where it has been rewritten."""
        latest = self._galleries.snapshot()
        if latest.generation != self._gallery.generation:
            self._grounds.clear()
            self._tag_fields.clear()
            self._sides_m, self._sides_read_to = {}, 0
            self._flights = _Flights(self._history)
        if latest is not self._gallery:
            self._chosen.clear()
        self._gallery = latest

    @property
    def origin(self) -> GeoPoint:
        """Of all metres: the gallery's."""
        return self._gallery.origin

    @property
    def gallery(self) -> gallery.Snapshot:
        """The history's gallery as it was at the last `refresh`."""
        return self._gallery

    @property
    def views(self) -> tuple[tuple[ViewKind, tuple[float, ...]], ...]:
        """The views in the history, each with the footprints at which it is embedded."""
        return tuple((view, self._gallery.footprints(view)) for view in self._gallery.views)

    def rung(self, view: ViewKind, footprint_m: float) -> Rung:
        """The gallery of a view at a footprint."""
        keyframes = self._gallery.rung(view, footprint_m)
        dimension = keyframes.vectors.shape[1]
        shared = self._shared_dim or dimension
        ways = (None, shared) if view is ViewKind.DRONE and shared < dimension else (shared,)
        return Rung(keyframes, tuple(keyframes.index(way) for way in ways))

    def chosen(self, view: ViewKind, rungs: Sequence[float]) -> list[float]:
        """Of ``rungs``, given largest first, those at which a query must be compared: see `fewest_rungs`.

        A keyframe recorded lower than the query flies has no rung as large as the query's own.
        """
        key = (view, tuple(rungs))
        if key not in self._chosen:
            fewest = fewest_rungs([self._gallery.rung(view, rung) for rung in rungs], self._flights.of)
            self._chosen[key] = [rung.footprint_m for rung in fewest]
        return self._chosen[key]

    def maps(self, ids: Sequence[int], footprint_m: float) -> Maps | None:
        """(N, C, h, w) centred maps of keyframes at a rung; None where the model has none."""
        return self._gallery.maps(ids, footprint_m)

    def footprints_to_try(self) -> tuple[float, ...]:
        """Sides that the history's keyframes show, for a frame of unknown height."""
        if self._sides_read_to < self._gallery.last_id:
            for keyframe in self._history.keyframes(ViewKind.DRONE, crops=False, after_id=self._sides_read_to):
                self._sides_m[keyframe.keyframe_id] = keyframe.footprint_m
            self._sides_read_to = self._gallery.last_id
        sides_m = list(self._sides_m.values())
        return distinct_footprints(sides_m or [m for _, rungs in self.views for m in rungs])

    def footprint_m(self, keyframe_id: int) -> float:
        """Side of all that a keyframe shows: at least that of the squares at which it is compared."""
        return self._history.keyframe(keyframe_id, crop=False).footprint_m

    def tag_field(self, flight: str) -> TagField | None:
        """See `tag_field_of`; as the flight was when it was first asked for: photos are recorded before the flight."""
        if flight not in self._tag_fields:
            drone_views = self._history.keyframes(ViewKind.DRONE, crops=False)
            own = (keyframe for keyframe in drone_views if keyframe.flight == flight)
            self._tag_fields[flight] = tag_field_of(own, self.origin, self._camera)
        return self._tag_fields[flight]

    def ground(self, keyframe_id: int, kind: Kind, rung_m: float) -> Ground:
        """A keyframe's features of a kind; upright ones at the resolution of a rung."""
        name = f"{kind.name}-{rung_m:g}m-{self._size_px}px" if kind.upright else kind.name
        found = self._grounds.get((keyframe_id, name))
        if found is None:
            found = self._read(keyframe_id, kind, rung_m, name)
            self._grounds.put((keyframe_id, name), found)
        return found

    def _read(self, keyframe_id: int, kind: Kind, rung_m: float, name: str) -> Ground:
        try:
            keyframe = self._history.keyframe(keyframe_id)
        except CropDamagedError as error:  # it costs this keyframe, not the fix
            _LOG.warning("%s", error)
            return ground_of(self._history.keyframe(keyframe_id, crop=False), Features.none(), self.origin)
        arrays = self._history.features(keyframe_id, name)
        if arrays is None or not Features.packed_in(arrays, kind.descriptor_dim):
            features = self._extract(keyframe, kind, rung_m)
            self._keep(keyframe_id, name, features)
        else:
            features = Features.unpacked(arrays)
        return ground_of(keyframe, features, self.origin)

    def _keep(self, keyframe_id: int, name: str, features: Features) -> None:
        if not self._persist:
            return
        try:
            self._history.store_features(keyframe_id, name, features.packed())
        except HomingError as error:  # a full disk or a busy history costs time at the next start, no fix
            _LOG.warning("features of keyframes are not kept any more: %s", error)
            self._persist = False

    def _extract(self, keyframe: Keyframe, kind: Kind, rung_m: float) -> Features:
        """Features in pixels of the stored crop."""
        if not kind.upright:
            return features_of(keyframe.crop, kind, kind.of_keyframe)
        side_px = max(32, round(self._size_px * keyframe.footprint_m / rung_m))
        own_px = keyframe.crop.shape[0]
        how = cv2.INTER_AREA if side_px < own_px else cv2.INTER_LINEAR
        crop = np.asarray(cv2.resize(keyframe.crop, (side_px, side_px), interpolation=how), dtype=np.uint8)
        features = features_of(crop, kind, kind.of_keyframe)
        return Features(features.points * np.float32(own_px / side_px), features.descriptors)


class _Flights:
    """The flight of each of a history's keyframes, as numbers; read as far as they are asked for."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._read_to = 0
        self._number_of: dict[str, int] = {}
        self._ids, self._numbers = GrowingRows(np.int64), GrowingRows(np.int64)

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) ascending ids of keyframes to (N,) numbers, equal for those of one flight."""
        if len(ids) and ids[-1] > self._read_to:
            rows = self._history.flights_by_id(self._read_to)
            numbers = [self._number_of.setdefault(flight, len(self._number_of)) for _, flight in rows]
            self._ids.append(np.array([keyframe_id for keyframe_id, _ in rows], np.int64))
            self._numbers.append(np.array(numbers, np.int64))
            self._read_to = rows[-1][0]
        at = np.searchsorted(self._ids.first(len(self._ids)), ids)
        return np.asarray(self._numbers.first(len(self._numbers))[at])


def _bytes_of(ground: Ground) -> int:
    features = ground.features
    return features.descriptors.nbytes + features.points.nbytes + ground.points.nbytes


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
    tall = height is not None and height.value > 0
    metres: NDArray[np.float64] = (features.points.astype(np.float64) / side_px - 0.5) * keyframe.footprint_m
    return Ground(
        keyframe_id=keyframe.keyframe_id,
        flight=keyframe.flight,
        features=features,
        points=metres + [east, -north],
        centre=np.array([east, -north]),
        height_m=height.value if height is not None and tall else math.inf,
        footprint_m=keyframe.footprint_m,
        sigma_m=keyframe.ground_sigma_m,
        scale_sigma=min(height.sigma / height.value, _MAX_SCALE_SIGMA) if height is not None and tall else 0.0,
        heading_rad=keyframe.pose.heading.value if tall and keyframe.pose.heading is not None else None,
        camera=_oblique_camera(keyframe, origin),
    )


def _oblique_camera(keyframe: Keyframe, origin: GeoPoint) -> ObliqueCamera | None:
    """Of a view whose attitude was measured; None where it looks down, or was taken to be level."""
    sight = sight_of(keyframe, origin) if keyframe.view is ViewKind.DRONE else None
    if sight is None or keyframe.pose.heading is None or not keyframe.pose.attitude_measured:
        return None
    north_m, east_m = sight.camera_m
    sigma_m = math.hypot(sight.position_sigma_m, sight.height_m * TILT_SIGMA_RAD)
    return ObliqueCamera(np.array([east_m, -north_m]), sigma_m, keyframe.pose.heading.sigma)
