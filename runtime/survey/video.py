"""A video with its telemetry as a survey: which frames are worth recording, and where each was taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.errors import ImageError, TelemetryError
from runtime.geodesy import distance_m
from runtime.reasons import grouped
from runtime.sources.accuracy import VAGUE, WORST_SIGMA_M
from runtime.sources.fingerprint import frame_fingerprint, video_fingerprint
from runtime.sources.video import Film, Filmed
from runtime.survey.check_frames import CheckFrames
from runtime.survey.overlaps import features_of
from runtime.survey.survey import Skipped, Survey, Surveyed
from runtime.values import Frame, GeoPoint

SAMPLE_PERIOD_S = 0.2  # between frames that are considered: at 20 m/s four metres
SOLVE_MOVED_M = 5.0  # between frames whose heading or height has to be solved: each costs a second of matching
MAX_SOLVED = 400  # frames whose heading or height is solved
FRAME_DIGITS = 6
_OUTSIDE, _VAGUE, _ZOOMING = "no telemetry at its time", f"its position is {VAGUE}", "its zoom is changing"


def survey_video(video: Film, filmed: Filmed, step: Callable[[], None] = lambda: None) -> Survey:
    """A survey of a frame each 0.2 s, some of them with features to hold their heights against; where heading or height
    are not said, of those that moved on, all with features.

    Raises:
        TelemetryError: not one frame falls into the telemetry.
    """
    photos: list[Surveyed] = []
    left_out: Counter[str] = Counter()
    last_s, last_at = -SAMPLE_PERIOD_S, None
    content = video_fingerprint(video.path)
    checks = CheckFrames(filmed, video.length_s)
    for index, t_s in video.times():
        step()
        if t_s - last_s < SAMPLE_PERIOD_S - 1e-6:
            continue
        last_s = t_s
        state = filmed.state(t_s)
        if state is None or state.position is None:
            left_out[_OUTSIDE] += 1
            continue
        if state.position.sigma_m > WORST_SIGMA_M:
            left_out[_VAGUE] += 1
            continue
        camera = filmed.camera(t_s)
        if camera is None:
            left_out[_ZOOMING] += 1
            continue
        pose, position = state.pose, state.position
        said = pose.heading is not None and pose.height_agl_m is not None
        if not said and (not _moved(last_at, position.point) or len(photos) >= MAX_SOLVED):
            continue
        last_at = position.point
        image = video.image() if not said or checks.wants(state) else None
        features = None if image is None else features_of(image)
        name, known_by = frame_name(video.path, index), frame_fingerprint(content, index, position.point)
        photos.append(Surveyed(name, pose, position, camera, features, index, fingerprint=known_by))
    if not photos:
        raise TelemetryError(_nothing(video, filmed, last_s, left_out))
    skipped = tuple(Skipped(f"{video.path.name} ({count} frames)", reason) for reason, count in left_out.items())
    return Survey(tuple(photos), skipped, pitch_told=filmed.flags.pitch_told)


def frame_name(path: Path, index: int) -> str:
    """What a keyframe of a video is called."""
    return f"{path.name} frame {index:0{FRAME_DIGITS}d}"


def frame_reader(video: Film) -> Callable[[Surveyed], Frame]:
    """Reads the frames of a survey in their order from a video opened anew."""
    times = video.times()

    def read(photo: Surveyed) -> Frame:
        for index, _ in times:
            if index == photo.index:
                image = video.image()
                if image is not None:
                    return Frame(image, photo.pose.t_ns or 0, photo.name, index)
                break
        raise ImageError(f"{photo.name}: cannot be decoded.")

    return read


def gathered(skipped: list[Skipped], video: Path) -> list[Skipped]:
    """One entry per kind of reason instead of one per frame; frames that merely showed nothing new are no news."""
    of_frames = f"{video.name} frame "
    kept = [one for one in skipped if not one.image.startswith(of_frames)]
    reasons = [one.reason for one in skipped if one.image.startswith(of_frames)]
    news = [reason for reason in reasons if not reason.startswith("has not moved")]
    return kept + [Skipped(f"{video.name} ({count} frames)", reason) for reason, count in grouped(news)]


def _moved(last: GeoPoint | None, now: GeoPoint) -> bool:
    return last is None or distance_m(last, now) >= SOLVE_MOVED_M


def _nothing(video: Film, filmed: Filmed, length_s: float, left_out: Mapping[str, int]) -> str:
    first_s, last_s = filmed.track.span_s
    if _VAGUE in left_out:
        return f"{video.path}: where its frames were taken is {VAGUE} ({filmed.track.name})."
    if _ZOOMING in left_out:
        return f"{video.path}: its zoom changes in all frames that have telemetry."
    if not left_out:
        return f"{video.path}: holds no frames that can be decoded."
    return (
        f"{video.path}: no frame falls into its telemetry ({filmed.track.name} covers {first_s:.1f} to {last_s:.1f} s, "
        f"the video {filmed.offset_s:.1f} to {filmed.offset_s + length_s:.1f} s); give --time-offset-s."
    )
