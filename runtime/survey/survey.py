"""A folder of photos as a survey: read them all, solve the heights and headings that they do not say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from runtime.camera_model import CameraModel
from runtime.errors import ImageError
from runtime.geodesy import north_east_m
from runtime.rotations import quaternion, rotation
from runtime.sources.fingerprint import photo_fingerprint
from runtime.sources.folder import SUFFIXES, photo_folder
from runtime.sources.photo import CameraFlags, Photo, read_photo
from runtime.survey.overlaps import Features, Overlap, candidate_pairs, features_of, overlap_of
from runtime.survey.solver import MIN_PHOTOS, SOURCE, Solution, Tagged, seen_headings, solve
from runtime.values import Attitude, Pose, Position

_MAX_HEADING_ERROR_RAD = math.radians(30.0)  # more than a bad compass: the pixels were turned
_SEEN_SIGMA_RAD = math.radians(5.0)

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that did not become a keyframe, and why."""

    image: str
    reason: str


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A photo that can be recorded once its pose is complete. ``pose`` and ``position`` are the camera's, ``tag`` is
    what its file says of the position where that has been solved; ``features`` where something is to be solved or
    checked; ``fingerprint`` names the picture by its content and place."""

    name: str
    pose: Pose
    position: Position
    camera: CameraModel
    features: Features | None
    index: int = 0
    tag: Position | None = None
    fingerprint: str = ""

    @property
    def told(self) -> Tagged:
        """What the photo's file says, as the solver takes it."""
        return Tagged(self.pose, self.tag or self.position)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a folder holds: photos in file order, those left out, and how the rest was solved (None: all said).

    ``assumed_lens`` names the first photo whose field of view nobody knows; empty where all are known.
    ``turned`` names the photos whose pixels contradict their recorded heading.
    """

    photos: tuple[Surveyed, ...]
    skipped: tuple[Skipped, ...]
    solution: Solution | None = None
    assumed_lens: str = ""
    turned: tuple[str, ...] = ()

    def flight(self, folder: Path) -> str:
        """A name for the flight: the folder's, with the day of the first photo where it is known."""
        first_ns = next((photo.pose.t_ns for photo in self.photos if photo.pose.t_ns is not None), 0)
        day = datetime.fromtimestamp(first_ns * 1e-9, tz=timezone.utc).date() if first_ns > 10**15 else None
        return f"{folder.resolve().name} {day}" if day else folder.resolve().name


def list_images(folder: Path) -> list[Path]:
    """The photos of one folder in the order of their numbers.

    Raises:
        ImageError: the folder is missing, is no folder, or holds no images.
    """
    found = list(photo_folder(folder).images)
    if not found:
        raise ImageError(f"{folder}: holds no images ({', '.join(sorted(SUFFIXES))}).")
    return found


def survey(paths: Sequence[Path], flags: CameraFlags, step: Step = lambda: None) -> Survey:
    """Read all photos, one in memory at a time; ``step`` is called after each."""
    photos: list[Surveyed] = []
    skipped: list[Skipped] = []
    assumed = ""
    for index, path in enumerate(paths):
        try:
            photo = read_photo(path, flags, index)
        except ImageError as error:
            skipped.append(Skipped(path.name, str(error).removeprefix(f"{path}: ").rstrip(".")))
        else:
            if photo.tag is None or photo.unusable:
                skipped.append(Skipped(path.name, photo.unusable))
            else:
                fingerprint = photo_fingerprint(path, photo.frame.image, photo.tag.point)
                photos.append(_surveyed(photo, photo.tag, index, flags, fingerprint))
                assumed = assumed or (photo.name if photo.lens_source == "assumed" else "")
        step()
    return Survey(tuple(photos), tuple(skipped), assumed_lens=assumed)


def complete(read: Survey, step: Step = lambda: None) -> Survey:
    """The survey with heights, headings and tilts solved where photos do not say them, and with the headings that
    they do say held against the overlaps; ``step`` is called per pair matched."""
    return _corrected(_solved(read, step), step)


def pairs_to_match(read: Survey) -> int:
    """How many steps `complete` will take."""
    return len(_candidates(_unsaid(read))) + len(_candidates(_doubtful(read), check=True))


def _solved(read: Survey, step: Step) -> Survey:
    unsaid = _unsaid(read)
    if not unsaid:
        return read
    overlaps = _overlaps(unsaid, _candidates(unsaid), step)
    solution = solve([photo.told for photo in unsaid], [photo.camera for photo in unsaid], overlaps)
    outcomes = zip(solution.photos, solution.reasons, strict=True)
    outcome = {photo.name: found for photo, found in zip(unsaid, outcomes, strict=True)}
    photos: list[Surveyed] = []
    skipped = list(read.skipped)
    for photo in read.photos:
        solved, reason = outcome.get(photo.name, (None, ""))
        if solved is not None:
            found = replace(photo, pose=solved.pose, position=solved.position, tag=photo.position, features=None)
            photos.append(found)
        elif reason:
            skipped.append(Skipped(photo.name, f"{_missing(photo.pose)} is not recorded, and it {reason}"))
        else:
            photos.append(photo)
    return replace(read, photos=tuple(photos), skipped=tuple(skipped), solution=solution)


def _corrected(read: Survey, step: Step) -> Survey:
    """Photos whose pixels were turned after the exposure, as software for showing them does, get the heading that
    their overlaps show."""
    doubtful = _doubtful(read)
    overlaps = _overlaps(doubtful, _candidates(doubtful, check=True), step)
    seen = seen_headings([photo.told for photo in doubtful], [photo.camera for photo in doubtful], overlaps)
    headings = {photo.name: heading for photo, heading in zip(doubtful, seen, strict=True)}
    photos, turned = [], []
    for photo in read.photos:
        said, heading = photo.pose.heading, headings.get(photo.name)
        if said is not None and heading is not None and _apart(said.value, heading) > _MAX_HEADING_ERROR_RAD:
            photo = replace(photo, pose=_turned(photo.pose, heading))
            turned.append(photo.name)
        photos.append(replace(photo, features=None))
    return replace(read, photos=tuple(photos), turned=tuple(turned))


def _unsaid(read: Survey) -> list[Surveyed]:
    return [photo for photo in read.photos if photo.features is not None and _missing(photo.pose)]


def _doubtful(read: Survey) -> list[Surveyed]:
    """Photos with a heading that their file says, if there are enough of them to hold it against."""
    said = [photo for photo in read.photos if photo.features is not None and not _missing(photo.pose)]
    return said if len(said) >= MIN_PHOTOS else []


def _apart(a_rad: float, b_rad: float) -> float:
    return abs(math.remainder(a_rad - b_rad, math.tau))


def _turned(pose: Pose, heading_rad: float) -> Pose:
    """The pose of a camera turned about its own axis until the image's top points to ``heading_rad``."""
    assert pose.heading is not None and pose.attitude is not None
    turn = Rotation.from_euler("Z", heading_rad - pose.heading.value)
    turned = quaternion(rotation(pose.attitude.ned_from_body) * turn)
    return replace(pose, attitude=Attitude(turned, _SEEN_SIGMA_RAD, SOURCE, pose.attitude.tilt_measured))


def _surveyed(photo: Photo, tag: Position, index: int, flags: CameraFlags, fingerprint: str) -> Surveyed:
    trusted = flags.heading_deg is not None and not _missing(photo.pose)
    features = None if trusted else features_of(photo.frame.image)
    return Surveyed(photo.name, photo.pose, tag, photo.camera, features, index, fingerprint=fingerprint)


def _missing(pose: Pose) -> str:
    lacking = [what for what, value in (("height", pose.height_agl_m), ("heading", pose.heading)) if value is None]
    return " and ".join(lacking)


def _candidates(photos: Sequence[Surveyed], check: bool = False) -> list[tuple[int, int]]:
    """Pairs to match; a check needs fewer."""
    at = [photo.position.point for photo in photos]
    places = np.array([north_east_m(at[0], one) for one in at], dtype=np.float64).reshape(-1, 2)
    return candidate_pairs(places, neighbours=4, consecutive=1) if check else candidate_pairs(places)


def _overlaps(photos: Sequence[Surveyed], pairs: Sequence[tuple[int, int]], step: Step) -> list[Overlap]:
    features = [photo.features for photo in photos if photo.features is not None]
    found = []
    for first, second in pairs:
        overlap = overlap_of(first, second, features)
        if overlap is not None:
            found.append(overlap)
        step()
    return found
