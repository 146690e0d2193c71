"""A recorded flight as frames in their order, each with its pose, its camera and what was said of its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.camera_model import CameraModel
from runtime.errors import ImageError
from runtime.sources.logged import PhotoLog, read_logged
from runtime.sources.photo import CameraFlags
from runtime.sources.video import Film, Filmed
from runtime.survey.survey import Skipped
from runtime.values import Frame, Pose, Position


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame; ``said``: its position by tag or telemetry, to compare with, never to start from. ``pose.t_ns`` and
    ``frame.t_ns`` are one instant."""

    frame: Frame
    pose: Pose
    camera: CameraModel
    said: Position | None


NO_TIME = "carries no time, by which photos of a flight are followed"


def of_photos(paths: Sequence[Path], flags: CameraFlags, log: PhotoLog | None = None) -> Iterator[Moment | Skipped]:
    """Photos of one flight in the order given, with their ``log`` where there is one; those of equal seconds are put a
    millisecond apart in that order."""
    last_t_ns: int | None = None
    for index, path in enumerate(paths):
        try:
            photo = read_logged(path, flags, index, log)
        except ImageError as error:
            yield Skipped(path.name, str(error).removeprefix(f"{path}: "))
            continue
        if photo.pose.t_ns is None:
            yield Skipped(path.name, photo.unusable if log is not None else NO_TIME)
            continue
        t_ns = photo.frame.t_ns
        if last_t_ns is not None and t_ns // 1_000_000_000 == last_t_ns // 1_000_000_000:
            t_ns = max(t_ns, last_t_ns + 1_000_000)
        last_t_ns = t_ns
        frame, pose = replace(photo.frame, t_ns=t_ns), replace(photo.pose, t_ns=t_ns)
        yield Moment(frame, pose, photo.camera, photo.tag)


def of_video(video: Film, filmed: Filmed, rate_hz: float) -> Iterator[Moment | Skipped]:
    """Frames of a video at most ``rate_hz`` apart, with the telemetry of their instants."""
    next_s = 0.0
    for index, t_s in video.times():
        if t_s < next_s - 1e-6:
            continue
        next_s = max(next_s + 1.0 / rate_hz, t_s)
        state, camera = filmed.state(t_s), filmed.camera(t_s)
        name = f"{video.path.name} frame {index:06d}"
        if state is None:
            yield Skipped(name, "no telemetry at its time")
            continue
        image = video.image() if camera is not None else None
        if image is None or camera is None:
            yield Skipped(name, "cannot be decoded" if camera is not None else "its zoom changes")
            continue
        frame = Frame(image, round(t_s * 1e9), name, index)
        yield Moment(frame, replace(state.pose, t_ns=frame.t_ns), camera, state.position)
