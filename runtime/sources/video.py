"""A video file with a telemetry track: which frames are worth reading, and where each was taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from runtime.camera_model import CameraModel
from runtime.errors import ImageError, UsageError
from runtime.sources.exif import PhotoExif
from runtime.sources.lens import Lens
from runtime.sources.photo import CameraFlags, apply_flags, lens_by
from runtime.sources.subtitles.focal import FocalTrack
from runtime.sources.track import Track
from runtime.sources.xmp.tags import MakerTags
from runtime.values import Attitude, ImageRGB, NavState

_LONGEST_LOG_S = 1e8  # three years: a vehicle's clock since its boot


class Film(Protocol):
    """Frames one after the other, of a video file or of a bag."""

    @property
    def path(self) -> Path:
        """The file or folder that holds them."""
        ...

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        ...

    @property
    def frames(self) -> int:
        """How many there are said to be; 0 where nothing says it."""
        ...

    @property
    def length_s(self) -> float:
        """How long it is said to be; 0 where nothing says it."""
        ...

    def times(self) -> Iterator[tuple[int, float]]:
        """Number and time stamp in seconds of one frame after the other; `image` gives the pixels of the last."""
        ...

    def image(self) -> ImageRGB | None:
        """Pixels of the frame last stepped to; None where it cannot be decoded."""
        ...


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

    @property
    def length_s(self) -> float:
        """How long the container claims to be; 0 where it does not say."""
        return self.frames / self._rate_hz if self._rate_hz > 0 else 0.0

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
class VideoLens:
    """The lens of a video of ``size_px``: by the user's flag, else what its subtitles say of the focal length, which
    may change while it films; make one with `lens_of_video`."""

    size_px: tuple[int, int]
    focal: FocalTrack
    flags: CameraFlags

    @property
    def known(self) -> bool:
        """False where the field of view is only an assumption."""
        return self._flagged or bool(self.focal.focal_mm)

    @property
    def _flagged(self) -> bool:
        return self.flags.hfov_deg is not None or self.flags.calibrated is not None

    def at(self, track_s: float) -> Lens | None:
        """The camera at an instant of the subtitles' time; None while its zoom changes."""
        if not self._flagged and self.focal.focal_mm:
            focal_mm = self.focal.at(track_s)
            return None if focal_mm is None else self._lens(focal_mm)
        return self._lens(None)

    def _lens(self, focal_mm: float | None) -> Lens:
        return lens_by(self.flags, *self.size_px, PhotoExif(focal_35mm=focal_mm), MakerTags())


def lens_of_video(size_px: tuple[int, int], focal: FocalTrack, flags: CameraFlags) -> VideoLens:
    """The lens behind a video, from the flag or what its subtitles say of the focal length.

    Raises:
        UsageError: the flag is no field of view, or the subtitles can be read in two ways and no flag decides.
    """
    if focal.unclear and flags.hfov_deg is None and flags.calibrated is None:
        raise UsageError(f"The video's field of view is unclear: {focal.unclear}; give --hfov-deg.")
    lens = VideoLens(size_px, focal, flags)
    lens.at(0.0)  # a flag that is no field of view is told at once
    return lens


@dataclass(frozen=True, slots=True)
class Filmed:
    """What is known beforehand of a video: its track, how the two clocks differ, its lens and the user's flags.

    ``offset_s`` is the track's time at the video's time zero.

    Raises:
        UsageError: the offset is no time within a log.
    """

    track: Track
    offset_s: float
    lens: VideoLens
    flags: CameraFlags

    def __post_init__(self) -> None:
        if not abs(self.offset_s) <= _LONGEST_LOG_S:
            raise UsageError(f"A time offset of {self.offset_s:g} s lies beyond any log.")

    def state(self, video_s: float) -> NavState | None:
        """The pose and position at a video time."""
        state = self.track.at(video_s + self.offset_s)
        if state is None:
            return None
        pose = state.pose
        if self.flags.camera_pitch_deg is not None and self.track.stabilised and pose.heading is not None:
            # The flag says how the stabilised camera looked; what remains of its attitude is the heading.
            pose = replace(pose, attitude=Attitude.level(pose.heading))
        return NavState(apply_flags(pose, self.flags), state.position)

    def camera(self, video_s: float) -> CameraModel | None:
        """The camera at a video time; None while its zoom changes."""
        lens = self.lens.at(video_s + self.offset_s)
        return None if lens is None else lens.camera

    def sampled(self, length_s: float, most: int = 50) -> list[tuple[NavState, CameraModel]]:
        """At most ``most`` states with their cameras, spread evenly over a video of ``length_s``."""
        times = (length_s * (number + 0.5) / most for number in range(most))
        views = ((self.state(t_s), self.camera(t_s)) for t_s in times)
        return [(state, camera) for state, camera in views if state is not None and camera is not None]
