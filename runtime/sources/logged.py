"""Photos whose flight's log lies beside them: where each was taken, and how it was turned, by the log at its time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.counted import counted
from runtime.errors import TelemetryError, UsageError
from runtime.sources.photo import CameraFlags, Photo, apply_flags, read_photo
from runtime.sources.picture_times import PictureTime, times_of
from runtime.sources.track import Track
from runtime.values import Attitude, NavState, Pose, Position

_LONGEST_S = 1e10  # of a time offset: three centuries
_ZONES = range(-14 * 4, 14 * 4 + 1)  # quarters of an hour by which local time may differ from UTC

UNDATED = "carries no time, neither in its name nor in its EXIF, by which the log could say where it was taken"
BEYOND = "the log has no position that is to be believed at its time"


@dataclass(frozen=True, slots=True)
class PhotoLog:
    """A log's track, the pictures' ``times``, and ``offset_s``, from a picture's clock to the log's.

    Make one with `photo_log`, which holds the times against each other.
    """

    track: Track
    times: Mapping[Path, PictureTime]
    offset_s: float = 0.0

    def state(self, path: Path, delay_s: float = 0.0) -> NavState | None:
        """What the log says of the instant at which a picture was taken, ``delay_s`` before its stamp; ``pose.t_ns`` is
        the picture's own time. None where it says nothing. What a coarse stamp leaves open is in the position's
        sigma."""
        time, utc_start_s = self.times.get(path), self.track.utc_start_s
        if time is None or utc_start_s is None:
            return None
        state = self.track.at(time.middle_s + self.offset_s - delay_s - utc_start_s)
        if state is None:
            return None
        position = state.position and _blurred(state.position, time.step_s)
        return NavState(replace(state.pose, t_ns=time.t_ns), position)


def photo_log(path: Path, track: Track, pictures: Sequence[Path], offset_s: float = 0.0) -> PhotoLog:
    """The log at ``path`` for some pictures.

    Raises:
        TelemetryError: it holds no date, or none of the pictures' times lies within it.
        UsageError: the offset is no time.
    """
    if not abs(offset_s) <= _LONGEST_S:
        raise UsageError(f"A time offset of {offset_s:g} s lies beyond any log.")
    if track.utc_start_s is None:
        raise TelemetryError(
            f"{path}: holds no date, by which pictures and log come together; "
            "write positions into the pictures (exiftool -geotag)."
        )
    found = PhotoLog(track, times_of(pictures), offset_s)
    if found.times and all(found.state(picture) is None for picture in found.times):
        raise TelemetryError(f"{path}: {_apart(found)}.")
    return found


def read_logged(path: Path, flags: CameraFlags, index: int, log: PhotoLog | None) -> Photo:
    """A photo as `read_photo` reads it; of its place, height and attitude, what the log says instead of its tags.

    An attitude that the photo's own tags say is kept, for a gimbal does not follow the airframe.

    Raises:
        ImageError: the file is missing, not an image, or truncated.
        UsageError: a flag holds an impossible value.
    """
    photo = read_photo(path, flags, index)
    if log is None:
        return photo
    delay_s = flags.calibrated.delay_s if flags.calibrated is not None else 0.0
    state = log.state(path, delay_s)
    if state is None or state.position is None:
        reason = BEYOND if path in log.times else UNDATED
        return replace(photo, tag=None, pose=replace(photo.pose, t_ns=None), unusable=reason)
    pose = apply_flags(_posed(state.pose, photo.pose, flags), flags)
    frame = replace(photo.frame, t_ns=pose.t_ns or 0)
    return replace(photo, frame=frame, pose=pose, tag=state.position, unusable="")


def _posed(logged: Pose, tagged: Pose, flags: CameraFlags) -> Pose:
    if tagged.attitude is None or not tagged.attitude_measured:
        return logged
    if flags.camera_pitch_deg is None or logged.heading is None:
        return replace(logged, attitude=tagged.attitude)
    return replace(logged, attitude=Attitude.level(tagged.attitude.heading or logged.heading))


def _blurred(position: Position, step_s: float) -> Position:
    """What is flown within a stamp's step, evenly spread over it, is added to the sigma."""
    north, east, _ = position.velocity_ned_m_s or (0.0, 0.0, 0.0)
    sigma_m = math.hypot(position.sigma_m, math.hypot(north, east) * step_s / math.sqrt(12.0))
    return Position.circular(position.point, sigma_m, position.source, position.velocity_ned_m_s)


def _apart(log: PhotoLog) -> str:
    """Why no picture's time lies within the log, and what to do where its camera's clock is an hour or so off."""
    pictures = sorted(time.middle_s + log.offset_s for time in log.times.values())
    assert log.track.utc_start_s is not None
    first_s, last_s = (end_s + log.track.utc_start_s for end_s in log.track.span_s)
    if pictures[0] > last_s:
        where = f"ends {_duration(pictures[0] - last_s)} before the first of"
    elif pictures[-1] < first_s:
        where = f"begins {_duration(first_s - pictures[-1])} after the last of"
    else:
        where = "has no position at the time of any of"
    zones = [quarters * 900.0 for quarters in _ZONES if quarters and _all_within(log, quarters * 900.0)]
    told = "; --time-offset-s says by how much their clock was off, if it was"
    if len(zones) == 1:
        option = f"with --time-offset-s {log.offset_s + zones[0]:g}" if log.offset_s + zones[0] else "without an offset"
        told = f"; {option} all lie within it, as where a clock was set to local time"
    return f"{where} the {counted(len(log.times), 'dated picture')}{told}"


def _all_within(log: PhotoLog, offset_s: float) -> bool:
    moved = replace(log, offset_s=log.offset_s + offset_s)
    return all(moved.state(path) is not None for path in moved.times)


def _duration(seconds: float) -> str:
    for size, name in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
