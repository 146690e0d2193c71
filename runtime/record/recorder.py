"""Chooses keyframes while frames pass by, and adds them to the flight history; no threads, no clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.bundle import rungs_within
from runtime.camera_model import CameraModel
from runtime.errors import KeyframeRefusedError
from runtime.geodesy import distance_m, offset
from runtime.history.gate import MIN_COVERAGE, NO_ORIGIN, Origin, refusal, state_fault
from runtime.history.history import StoredEmbedding, stored
from runtime.plain import PLAIN, is_plain
from runtime.record.sharpness import BlurGate
from runtime.rotations import rotation
from runtime.values import Embeddings, Frame, GeoPoint, ImageRGB, Keyframe, Pose, Position, ViewKind
from runtime.view import GroundPlane, rectify

MIN_HEIGHT_M = 10.0
MOVED = 0.25  # of the footprint: the next keyframe
RESCALED = 1.2  # ratio of footprints: the next keyframe
CROP_PX = (320, 640)  # stored crops: at least what a network takes, at most what a flight's disk takes
_MAX_TURN_RAD_S = math.radians(60.0)  # at 1/250 s a quarter of a degree: two pixels of smear
_TURN_WINDOW_NS = 500_000_000  # poses further apart say nothing of the rate at the exposure
_HOVER_MEMORY = 16  # keyframes: drifting to and fro among them adds nothing
STUCK = "shows the same picture as the last keyframe, although it has moved: the camera hangs"
_PROBE_STEP_PX = 7  # every seventh pixel each way tells as much as all of them
_SAME_LEVELS = 0.5  # grey levels between two pictures, on average: coding alone; ground that has moved differs by ten
_LEVEL_SIGMA_RAD = math.radians(5.0)  # a camera taken for level
_TILT_SIGMA_RAD = math.radians(1.5)  # a camera whose tilt was measured


class Ladder(Protocol):
    """The part of a bundle that recording needs."""

    @property
    def footprints_m(self) -> tuple[float, ...]:
        """Sides in metres of the squares that are embedded."""
        ...

    @property
    def input_size_px(self) -> int:
        """Side in pixels of what the network takes."""
        ...


class Tower(Protocol):
    """The part of an embedder that recording needs."""

    @property
    def bundle(self) -> Ladder:
        """The bundle behind it."""
        ...

    def embed(self, view: ViewKind, crops: ImageRGB) -> Embeddings:
        """(N, S, S, 3) uint8 RGB to embeddings."""
        ...


class Store(Protocol):
    """The part of a history that recording needs."""

    def add(self, keyframe: Keyframe, embeddings: Sequence[StoredEmbedding], origin: Origin = NO_ORIGIN) -> int:
        """Store one keyframe made from ``origin``; its new id."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a frame: a new keyframe, or the reason why not."""

    keyframe_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class _Seen:
    ground: GeoPoint
    footprint_m: float


@dataclass(frozen=True, slots=True)
class _View:
    """A square of the ground, ``side_m`` about ``centre``, seen from ``position``; ``rungs_m``: footprints within."""

    position: Position
    plane: GroundPlane
    side_m: float
    rungs_m: tuple[float, ...]
    centre: GeoPoint


class Recorder:
    """Adds frames to a history as keyframes of one flight.

    A frame becomes a keyframe when its view has moved by ``moved`` of its footprint, or changed scale by 1.2,
    against each of the last 16 keyframes; never without position, height above ground or heading, below 10 m,
    where the camera looks so far ahead that no footprint is shown sharply enough, while turning fast, or blurred.
    """

    def __init__(
        self, history: Store, embedder: Tower, camera: CameraModel, flight: str, *, moved: float = MOVED
    ) -> None:
        self._history = history
        self._embedder = embedder
        self._camera = camera
        self._flight = flight
        self._moved = moved
        self._blur = BlurGate()
        self._seen: deque[_Seen] = deque(maxlen=_HOVER_MEMORY)
        self._last_pose: Pose | None = None
        self._last_kept: NDArray[np.uint8] | None = None

    def remember(self, keyframe: Keyframe) -> None:
        """Take a keyframe that is already in the history as one that this recorder has kept."""
        self._seen.append(_Seen(keyframe.ground, keyframe.footprint_m))

    def add(
        self,
        frame: Frame,
        pose: Pose,
        position: Position | None,
        *,
        camera: CameraModel | None = None,
        name: str = "",
        tag: Position | None = None,
        fingerprint: str = "",
    ) -> Recorded:
        """Records a frame as a keyframe if it shows something new, with the pose and position of its exposure.

        Args:
            position: the camera's.
            camera: where it differs from frame to frame (a folder of photos); else the recorder's own.
            name: the keyframe's name; the frame's source by default.
            tag: what the camera's receiver wrote, when that is not where the camera is (a lever arm, a lag).
            fingerprint: names the picture by its content, where it is to be known again.

        Raises:
            StorageError, HistoryError: the history cannot be written.
        """
        previous, self._last_pose = self._last_pose, pose
        camera = (camera or self._camera).scaled_to(frame.image.shape[1], frame.image.shape[0])
        probe = frame.image[::_PROBE_STEP_PX, ::_PROBE_STEP_PX]
        view = self._new_view(frame, pose, position, camera, previous, probe)
        if isinstance(view, str):
            return Recorded(None, view)
        keyframe = Keyframe(
            keyframe_id=0,
            flight=self._flight,
            view=ViewKind.DRONE,
            name=name or frame.source,
            pose=pose,
            position=view.position,
            ground=view.centre,
            ground_sigma_m=_ground_sigma_m(pose, view.position, view.plane),
            footprint_m=view.side_m,
            crop=rectify(frame, camera, pose, view.side_m, self._crop_px(view.side_m, view.plane)).image,
            tag=tag,
        )
        origin = self._origin(fingerprint, view.plane, view.side_m)
        if reason := refusal(keyframe, origin):  # asked before the network is, which costs much more
            return Recorded(None, reason)
        try:
            new_id = self._history.add(keyframe, self._embeddings(frame, camera, pose, view.rungs_m), origin)
        except KeyframeRefusedError as error:
            return Recorded(None, error.reason)
        self._last_kept = probe.copy()
        self._seen.append(_Seen(view.centre, view.side_m))
        return Recorded(new_id, "recorded")

    def _new_view(
        self,
        frame: Frame,
        pose: Pose,
        position: Position | None,
        camera: CameraModel,
        previous: Pose | None,
        probe: NDArray[np.uint8],
    ) -> _View | str:
        """What a frame shows of the ground where the flight has not seen it, or why it is not to be kept."""
        seen = _seen_ground(pose, position, camera, self._embedder.bundle)
        if isinstance(seen, str) or position is None:
            return str(seen)
        if turning := _turning(previous, pose):
            return turning
        if is_plain(frame.image):
            return PLAIN
        if self._blur.blurred(frame.image):
            return "blurred"
        plane, side_m = seen
        rungs_m = rungs_within(self._embedder.bundle.footprints_m, side_m)
        centre = offset(position.point, *plane.crop_centre())
        if not self._new(centre, side_m, max(rungs_m)):
            return "has not moved since the last keyframe"
        if _same(self._last_kept, probe):
            return STUCK
        return _View(position, plane, side_m, rungs_m, centre)

    def _origin(self, fingerprint: str, plane: GroundPlane, side_m: float) -> Origin:
        middle = plane.crop_centre()
        coverage = plane.coverage(*middle, side_m, self._embedder.bundle.input_size_px)
        return Origin(fingerprint, coverage, float(plane.metres_per_pixel(np.array([middle]))[0]))

    def _crop_px(self, side_m: float, plane: GroundPlane) -> int:
        """As many pixels as the smallest rung needs, but not more than the camera gave."""
        bundle = self._embedder.bundle
        wanted = bundle.input_size_px * side_m / min(bundle.footprints_m)
        given = plane.camera.fx_px * side_m / plane.height_agl_m
        return round(min(max(min(wanted, given), CROP_PX[0]), CROP_PX[1]))

    def _new(self, ground: GeoPoint, side_m: float, rung_m: float) -> bool:
        """Whether no recent keyframe shows the same; ``rung_m``: the largest square that will be compared."""
        for seen in self._seen:
            ratio = max(side_m / seen.footprint_m, seen.footprint_m / side_m)
            if ratio < RESCALED and distance_m(seen.ground, ground) < self._moved * rung_m:
                return False
        return True

    def _embeddings(
        self, frame: Frame, camera: CameraModel, pose: Pose, rungs: tuple[float, ...]
    ) -> list[StoredEmbedding]:
        size = self._embedder.bundle.input_size_px
        crops = np.stack([rectify(frame, camera, pose, rung, size).image for rung in rungs])
        return stored(self._embedder.embed(ViewKind.DRONE, crops), rungs)


def unusable_pose(pose: Pose, position: Position | None, camera: CameraModel, ladder: Ladder) -> str:
    """Why nothing that ``camera`` shows from a pose can be recorded, whatever the frame; empty when it can.

    It needs no pixels, so that a whole flight can be refused before its frames are read.
    """
    seen = _seen_ground(pose, position, camera, ladder)
    return seen if isinstance(seen, str) else ""


def _seen_ground(
    pose: Pose, position: Position | None, camera: CameraModel, ladder: Ladder
) -> tuple[GroundPlane, float] | str:
    """The ground plane below a pose and the side in metres of the square that is seen of it, or why it is of no use."""
    if position is None:
        return "no position"
    if fault := state_fault(pose, position):
        return fault
    if pose.height_agl_m is None:
        return "no height above ground"
    if pose.height_agl_m.value < MIN_HEIGHT_M:
        return f"below {MIN_HEIGHT_M:.0f} m"
    if pose.ned_from_body is None or pose.heading is None:
        return "no heading"
    plane = GroundPlane.of(camera, pose)
    if plane is None:
        return "no height above ground"
    side_m = plane.visible_footprint_m(MIN_COVERAGE, ladder.input_size_px)
    if rungs_within(ladder.footprints_m, side_m):
        return plane, side_m
    return (
        f"shows only {side_m:.0f} m of ground sharply enough, {math.degrees(plane.tilt_rad):.0f} deg from straight "
        f"down at {plane.height_agl_m:.0f} m; the smallest footprint is {min(ladder.footprints_m):.0f} m"
    )


def _same(before: NDArray[np.uint8] | None, now: NDArray[np.uint8]) -> bool:
    """Whether two reduced pictures are one, but for a video's coding."""
    if before is None or before.shape != now.shape:
        return False
    return float(cv2.absdiff(before, np.ascontiguousarray(now)).mean()) < _SAME_LEVELS


def _turning(before: Pose | None, now: Pose) -> str:
    if before is None or before.ned_from_body is None or now.ned_from_body is None:
        return ""
    if before.t_ns is None or now.t_ns is None:  # photos without a time say nothing of rates
        return ""
    elapsed_ns = now.t_ns - before.t_ns
    if not 0 < elapsed_ns <= _TURN_WINDOW_NS:
        return ""
    turned_rad = (rotation(before.ned_from_body).inv() * rotation(now.ned_from_body)).magnitude()
    return "turning too fast" if turned_rad / (elapsed_ns * 1e-9) > _MAX_TURN_RAD_S else ""


def _ground_sigma_m(pose: Pose, position: Position, plane: GroundPlane) -> float:
    tilt_sigma_rad = _TILT_SIGMA_RAD if pose.attitude_measured else _LEVEL_SIGMA_RAD
    height_sigma_m = pose.height_agl_m.sigma if pose.height_agl_m is not None else 0.0
    heading_sigma_rad = pose.heading.sigma if pose.heading is not None else math.pi
    return math.hypot(position.sigma_m, plane.ground_sigma_m(tilt_sigma_rad, height_sigma_m, heading_sigma_rad))
