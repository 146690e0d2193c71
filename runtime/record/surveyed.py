"""A survey into a history: its photos or frames recorded in file order, nothing twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runtime.camera_model import CameraModel
from runtime.errors import ImageError
from runtime.reasons import grouped
from runtime.record.known import Known, Picture
from runtime.record.recorder import Ladder, Recorded, Recorder, unusable_pose
from runtime.sources.photo import read_photo
from runtime.survey.survey import Skipped, Step, Survey, Surveyed
from runtime.values import Attitude, Frame, NavState

PHOTO_MOVED = 0.05  # of the footprint: a photo was taken on purpose; only a second one of the same view is left out
ALREADY = "already recorded"


def photo_reader(folder: Path) -> Callable[[Surveyed], Frame]:
    """Reads the photos of a folder's survey again."""
    return lambda photo: read_photo(folder / photo.name, index=photo.index).frame


def record(
    ready: Survey,
    recorder: Recorder,
    read: Callable[[Surveyed], Frame],
    known: Known,
    step: Step = lambda: None,
) -> Iterator[Skipped | Recorded]:
    """Record the photos in order; yields what became of every one.

    Args:
        read: gives a photo's pixels, or raises ImageError.
        known: what the history holds already is not recorded twice.
    """
    for photo in ready.photos:
        before = known.keyframe(picture_of(photo))
        if before is not None:
            recorder.remember(before)
            yield Skipped(photo.name, ALREADY)
        else:
            outcome = _record_one(photo, recorder, read)
            if isinstance(outcome, Recorded) and outcome.keyframe_id is not None:
                known.add(photo.fingerprint, outcome.keyframe_id)
            yield outcome
        step()


def picture_of(photo: Surveyed) -> Picture:
    """What a photo is known by."""
    said = photo.tag or photo.position
    return Picture(photo.fingerprint, photo.name, photo.pose.t_ns, said.point)


def reasons_of(skipped: Sequence[Skipped]) -> str:
    """The kinds of reasons with their counts, for people."""
    return ", ".join(f"{reason} ({count})" for reason, count in grouped([one.reason for one in skipped]))


def refuse_useless_views(views: Sequence[tuple[NavState, CameraModel]], ladder: Ladder, what: str) -> None:
    """Refuses a flight of which no sampled state shows its camera ground that can be recorded, before its frames are
    read.

    A heading that is not said may still be solved, so north stands for it here; so may a height, and nothing is refused
    where one is not said.

    Raises:
        ImageError: every state is useless; ``what`` names the source, and the sentence says why once.
    """
    reasons = []
    for state, camera in views:
        pose = state.pose
        if pose.height_agl_m is None:
            return
        if pose.heading is None:
            any_way = pose.attitude or Attitude.level()
            pose = replace(pose, attitude=replace(any_way, heading_sigma_rad=math.pi, heading_source="not said"))
        reasons.append(unusable_pose(pose, state.position, camera, ladder))
    if reasons and all(reasons):
        raise ImageError(f"{what}: nothing can be recorded: {grouped(reasons)[0][0]}.")


def _record_one(
    photo: Surveyed, recorder: Recorder, read: Callable[[Surveyed], Frame]
) -> Skipped | Recorded:
    try:
        frame = read(photo)
    except ImageError as error:  # it could be read a moment ago
        return Skipped(photo.name, str(error).rpartition(": ")[2].rstrip("."))
    recorded = recorder.add(
        frame, photo.pose, photo.position,
        camera=photo.camera, name=photo.name, tag=photo.tag, fingerprint=photo.fingerprint,
    )  # fmt: skip
    return recorded if recorded.keyframe_id is not None else Skipped(photo.name, recorded.reason)
