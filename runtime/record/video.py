"""A video file with a telemetry track: which frames are worth a look, and where each was taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from runtime.camera_model import ned_from_euler
from runtime.errors import ImageError, TelemetryError
from runtime.geodesy import distance_m
from runtime.record.exif import PhotoExif
from runtime.record.lens import Lens, lens_of
from runtime.record.overlaps import features_of
from runtime.record.photo import CameraFlags, apply_flags
from runtime.record.survey import Skipped, Survey, Surveyed
from runtime.record.track import Track
from runtime.record.xmp import DjiXmp
from runtime.values import Frame, GeoPoint, ImageRGB, Pose

LOOK_S = 0.2  # between frames that are looked at: at 20 m/s four metres
SOLVE_MOVED_M = 5.0  # between frames whose heading or height has to be solved: each costs a second of matching
SOLVE_MOST = 400
FRAME_DIGITS = 6


class VideoFile:
    """The frames of an open video, forwards only; make one with `open_video`."""

    def __init__(self, path: Path, capture: cv2.VideoCapture) -> None:
        self.path = path
        self._capture = capture
        self._rate_hz = capture.get(cv2.CAP_PROP_FPS)
        self._next = 0
        self._last_s = -1.0

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        capture = self._capture
        return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))

    @property
    def frames(self) -> int:
        """How many frames the container claims; 0 where it does not say."""
        return max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def times(self) -> Iterator[tuple[int, float]]:
        """Number and time stamp in seconds of one frame after the other; `image` gives the pixels of the last."""
        while self._capture.grab():
            index, self._next = self._next, self._next + 1
            t_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e-3
            if t_s <= self._last_s and self._rate_hz > 0:  # a container without stamps
                t_s = index / self._rate_hz
            self._last_s = t_s
            yield index, t_s

    def image(self) -> ImageRGB | None:
        """Pixels of the frame last stepped to; None where it cannot be decoded."""
        decoded, image = self._capture.retrieve()
        if not decoded or image is None:
            return None
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


@contextmanager
def open_video(path: Path) -> Iterator[VideoFile]:
    """Open a video file.

    Raises:
        ImageError: it is missing or no video.
    """
    if not path.is_file():
        raise ImageError(f"{path}: no such file.")
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise ImageError(f"{path}: cannot be read as a video.")
        yield VideoFile(path, capture)
    finally:
        capture.release()


@dataclass(frozen=True, slots=True)
class Filmed:
    """What is known beforehand of a video: its track, how the two clocks differ, its lens and the user's flags.

    ``offset_s`` is the track's time at the video's time zero.
    """

    track: Track
    offset_s: float
    lens: Lens
    flags: CameraFlags

    def pose(self, video_s: float) -> Pose | None:
        """The pose at a video time."""
        pose = self.track.at(video_s + self.offset_s)
        if pose is None:
            return None
        if self.flags.camera_pitch_deg is not None and self.track.stabilised and pose.heading is not None:
            # The flag says how the stabilised camera looked; what remains of its attitude is the heading.
            level = ned_from_euler(0.0, 0.0, pose.heading.value)
            pose = replace(pose, ned_from_body=level, attitude_measured=False)
        return apply_flags(pose, self.flags)


def lens_of_video(size_px: tuple[int, int], focal_35mm: float | None, flags: CameraFlags) -> Lens:
    """The camera behind a video, from the flag or what its subtitles say of the focal length."""
    pitch_deg = -90.0 if flags.camera_pitch_deg is None else flags.camera_pitch_deg
    return lens_of(*size_px, PhotoExif(focal_35mm=focal_35mm), DjiXmp(), flags.hfov_deg, pitch_deg)


def survey_video(video: VideoFile, filmed: Filmed, step: Callable[[], None] = lambda: None) -> Survey:
    """Look at a frame each 0.2 s; where heading or height are not said, only at those that moved on, with features.

    Raises:
        TelemetryError: not one frame falls into the telemetry.
    """
    photos: list[Surveyed] = []
    outside = 0
    last_s, last_at = -LOOK_S, None
    for index, t_s in video.times():
        step()
        if t_s - last_s < LOOK_S - 1e-6:
            continue
        last_s = t_s
        pose = filmed.pose(t_s)
        if pose is None or pose.position is None:
            outside += 1
            continue
        said = pose.heading is not None and pose.height_agl_m is not None
        if not said and (not _moved(last_at, pose.position) or len(photos) >= SOLVE_MOST):
            continue
        last_at = pose.position
        image = None if said else video.image()
        features = None if image is None else features_of(image)
        photos.append(Surveyed(frame_name(video.path, index), pose, filmed.lens.camera, features, index))
    if not photos:
        raise TelemetryError(_nothing(video, filmed, last_s, outside))
    name = f"{video.path.name} ({outside} frames)"
    return Survey(tuple(photos), (Skipped(name, "no telemetry at its time"),) if outside else ())


def frame_name(path: Path, index: int) -> str:
    """What a keyframe of a video is called."""
    return f"{path.name} frame {index:0{FRAME_DIGITS}d}"


def frame_reader(video: VideoFile) -> Callable[[Surveyed], Frame]:
    """Reads the frames of a survey in their order from a video opened anew."""
    times = video.times()

    def read(photo: Surveyed) -> Frame:
        for index, _ in times:
            if index == photo.index:
                image = video.image()
                if image is not None:
                    return Frame(image, photo.pose.t_ns, photo.name, index)
                break
        raise ImageError(f"{photo.name}: cannot be decoded.")

    return read


def gathered(skipped: list[Skipped], video: Path) -> list[Skipped]:
    """One entry per reason instead of one per frame; frames that merely showed nothing new are no news."""
    counts: dict[str, int] = {}
    kept = []
    for one in skipped:
        if not one.image.startswith(f"{video.name} frame "):
            kept.append(one)
        elif not one.reason.startswith("has not moved"):
            counts[one.reason] = counts.get(one.reason, 0) + 1
    return kept + [Skipped(f"{video.name} ({count} frames)", reason) for reason, count in counts.items()]


def _moved(last: GeoPoint | None, now: GeoPoint) -> bool:
    return last is None or distance_m(last, now) >= SOLVE_MOVED_M


def _nothing(video: VideoFile, filmed: Filmed, length_s: float, outside: int) -> str:
    first_s, last_s = filmed.track.span_s
    if not outside:
        return f"{video.path}: holds no frames that can be decoded."
    return (
        f"{video.path}: no frame falls into its telemetry ({filmed.track.name} covers {first_s:.1f} to {last_s:.1f} s, "
        f"the video {filmed.offset_s:.1f} to {filmed.offset_s + length_s:.1f} s); give --time-offset-s."
    )

