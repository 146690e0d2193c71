"""A folder of photos as a survey: what each of them says of its place, height and heading, and which are left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from runtime.camera_model import CameraModel
from runtime.errors import ImageError
from runtime.sources.fingerprint import photo_fingerprint
from runtime.sources.logged import PhotoLog, read_logged
from runtime.sources.photo import CameraFlags, Photo
from runtime.survey.anchor import Tagged
from runtime.survey.contradiction import Contradiction
from runtime.survey.overlaps import Features, features_of
from runtime.survey.pitch import Pitch
from runtime.survey.solver import Solution
from runtime.values import Pose, Position

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
    ``turned`` names the photos whose pixels contradict their recorded heading, ``contradictions`` those whose overlaps
    contradict their recorded height. ``pitch_told``: the user says how the camera is mounted; ``pitch`` what overlaps
    show of it, where neither he nor the files say it and it does not look straight down.
    """

    photos: tuple[Surveyed, ...]
    skipped: tuple[Skipped, ...]
    solution: Solution | None = None
    assumed_lens: str = ""
    turned: tuple[str, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    pitch_told: bool = False
    pitch: Pitch | None = None

    def flight(self, folder: Path) -> str:
        """A name for the flight: the folder's, with the day of the first photo where it is known."""
        first_ns = next((photo.pose.t_ns for photo in self.photos if photo.pose.t_ns is not None), 0)
        day = datetime.fromtimestamp(first_ns * 1e-9, tz=timezone.utc).date() if first_ns > 10**15 else None
        return f"{folder.resolve().name} {day}" if day else folder.resolve().name


def survey(
    paths: Sequence[Path], flags: CameraFlags, step: Step = lambda: None, log: PhotoLog | None = None
) -> Survey:
    """Read all photos, one in memory at a time, by their flight's ``log`` where there is one; ``step`` is called after
    each."""
    photos: list[Surveyed] = []
    skipped: list[Skipped] = []
    assumed = ""
    for index, path in enumerate(paths):
        try:
            photo = read_logged(path, flags, index, log)
        except ImageError as error:
            skipped.append(Skipped(path.name, str(error).removeprefix(f"{path}: ").rstrip(".")))
        else:
            if photo.tag is None or photo.unusable:
                skipped.append(Skipped(path.name, photo.unusable))
            else:
                fingerprint = photo_fingerprint(path, photo.frame.image, photo.tag.point)
                photos.append(_surveyed(photo, photo.tag, index, fingerprint))
                assumed = assumed or (photo.name if photo.lens_source == "assumed" else "")
        step()
    return Survey(tuple(photos), tuple(skipped), assumed_lens=assumed, pitch_told=flags.pitch_told)


def _surveyed(photo: Photo, tag: Position, index: int, fingerprint: str) -> Surveyed:
    features = features_of(photo.frame.image)
    return Surveyed(photo.name, photo.pose, tag, photo.camera, features, index, fingerprint=fingerprint)


def missing(pose: Pose) -> str:
    """Which of height and heading a pose lacks, for people; empty where it has both."""
    lacking = [what for what, value in (("height", pose.height_agl_m), ("heading", pose.heading)) if value is None]
    return " and ".join(lacking)
