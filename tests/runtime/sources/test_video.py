"""Video frames meet the telemetry of their own instant."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.errors import ImageError, TelemetryError, UsageError
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.record.known import Known
from runtime.record.recorder import Recorder
from runtime.record.surveyed import record
from runtime.sources.photo import CameraFlags
from runtime.sources.subtitles.focal import FocalTrack
from runtime.sources.track import PlaceSample, Track, TurnSample
from runtime.sources.video import Filmed, lens_of_video, open_video
from runtime.survey.check_frames import CheckFrames
from runtime.survey.complete import complete
from runtime.survey.survey import Skipped
from runtime.survey.video import frame_reader, gathered, survey_video
from runtime.values import PositionSource
from tests.runtime.record.fakes import FakeEmbedder, ground_texture
from tests.runtime.sources.films import write_video
from tests.runtime.survey.flights import ORIGIN, Truth, tagged

CAMERA = CameraModel.from_hfov(320, 240, 69.0)
RATE_HZ = 10.0
GROUND = ground_texture(1600)


def northwards(seconds: float, speed_m_s: float = 6.0) -> list[Truth]:
    """At 50 m, nose north, a frame each 100 ms."""
    count = round(seconds * RATE_HZ)
    return [Truth(k / RATE_HZ, k / RATE_HZ * speed_m_s - 20.0, 0.0, 50.0, 0.0) for k in range(count)]


def track_of(flown: list[Truth], ahead_s: float = 0.0, attitude: bool = True) -> Track:
    """A log of the flight whose clock runs ``ahead_s`` before the video's."""
    places = [PlaceSample(truth.t_s + ahead_s, truth.point, None, truth.height_m) for truth in flown]
    turns = [TurnSample(t.t_s + ahead_s, t.pose.ned_from_body) for t in flown if t.pose.ned_from_body]
    return Track(places, turns if attitude else [], "log", "test", PositionSource.AUTOPILOT)


def filmed(track: Track, offset_s: float = 0.0, **flags: float) -> Filmed:
    said = CameraFlags(hfov_deg=69.0, **flags)
    return Filmed(track, offset_s, lens_of_video((320, 240), FocalTrack(), said), said)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_every_frame_carries_its_own_time(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a{suffix}", GROUND, 0.1, northwards(2.0), CAMERA, RATE_HZ)
    with open_video(path) as video:
        assert video.size_px == (320, 240)
        stamps = list(video.times())
    assert [index for index, _ in stamps] == list(range(20))
    assert [t_s for _, t_s in stamps] == pytest.approx([k / RATE_HZ for k in range(20)], abs=0.011)


@pytest.mark.parametrize("offset_s", [0.0, 3.5])
def test_keyframes_lie_where_the_ground_was(tmp_path: Path, offset_s: float) -> None:
    flown = northwards(8.0)
    path = write_video(tmp_path / "a.mp4", GROUND, 0.1, flown, CAMERA, RATE_HZ)
    with History.create(tmp_path / "h.db", "fake-space", "fake") as history:
        with open_video(path) as video:
            read = survey_video(video, filmed(track_of(flown, ahead_s=offset_s), offset_s))
        assert read.solution is None and not read.skipped
        assert len({photo.fingerprint for photo in read.photos} - {""}) == len(read.photos)
        with open_video(path) as video:
            recorder = Recorder(history, FakeEmbedder(), CAMERA, "a.mp4")
            outcomes = list(record(complete(read), recorder, frame_reader(video), Known(history)))
        keyframes = list(history.keyframes())
    assert 5 <= len(keyframes) <= 8  # 48 m in steps of a quarter of 32 m and more
    assert len(outcomes) == 40  # every other frame was looked at
    for keyframe in keyframes:
        north_m, east_m = north_east_m(ORIGIN, keyframe.ground)
        index = int(keyframe.name.rpartition(" ")[2])
        assert (north_m, east_m) == pytest.approx((flown[index].north_m, 0.0), abs=0.1)
        assert keyframe.pose.t_ns == pytest.approx((index / RATE_HZ + offset_s) * 1e9, abs=2e7)
        half, row, column = round(keyframe.footprint_m / 0.2), round(800 - north_m / 0.1), 800
        patch = GROUND[row - half : row + half, column - half : column + half]
        assert correlation(patch, keyframe.crop) > 0.8  # the picture that lies there, not its neighbour


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of two squares of different size, grey and coarse."""
    from cv2 import INTER_AREA, resize

    small = [resize(image, (48, 48), interpolation=INTER_AREA).mean(axis=2).ravel() for image in (a, b)]
    return float(np.corrcoef(small)[0, 1])


def test_heading_is_solved_where_the_telemetry_has_none(tmp_path: Path) -> None:
    heading = math.radians(70.0)
    flown = [Truth(k / 2, 3.0 * k - 30.0, 4.0 * (k % 8) - 10.0, 50.0, heading) for k in range(18)]
    path = write_video(tmp_path / "a.mp4", GROUND, 0.1, flown, CAMERA, 2.0)
    places = [
        PlaceSample(truth.t_s, told.tag.point, None, truth.height_m)
        for truth, told in zip(flown, tagged(flown, noise_m=0.5), strict=True)
    ]
    with open_video(path) as video:
        read = survey_video(video, filmed(Track(places, [], "log", "test", PositionSource.AUTOPILOT)))
    assert all(photo.features is not None for photo in read.photos)
    ready = complete(read)
    assert ready.solution is not None and len(ready.photos) >= 8
    for photo in ready.photos:
        assert photo.pose.heading is not None and photo.pose.heading.source == "solved from overlaps"
        assert math.degrees(photo.pose.heading.value) == pytest.approx(70.0, abs=4.0)
        assert photo.position.source is PositionSource.SURVEY
        assert photo.tag is not None and photo.tag.source is PositionSource.AUTOPILOT


def test_flags_override_the_log(tmp_path: Path) -> None:
    flown = northwards(1.0)
    state = filmed(track_of(flown), height_agl_m=80.0, heading_deg=30.0).state(0.5)
    assert state is not None
    pose = state.pose
    assert pose.height_agl_m is not None and pose.height_agl_m.value == 80.0
    assert pose.heading is not None and math.degrees(pose.heading.value) == pytest.approx(30.0)


def test_a_pitch_flag_replaces_a_gimbals_tilt_but_not_an_airframes() -> None:
    flown = [Truth(0.0, 0.0, 0.0, 50.0, 0.5, pitch=0.2), Truth(0.1, 0.0, 0.0, 50.0, 0.5, pitch=0.2)]
    fixed = filmed(track_of(flown), camera_pitch_deg=-80.0).state(0.0)
    track = track_of(flown)
    track.stabilised = True
    gimbal = filmed(track, camera_pitch_deg=-90.0).state(0.0)
    assert fixed is not None and fixed.pose.attitude_measured
    assert gimbal is not None and not gimbal.pose.attitude_measured and gimbal.pose.heading is not None
    assert gimbal.pose.heading.value == pytest.approx(0.5)


def test_frames_outside_the_log_are_counted(tmp_path: Path) -> None:
    flown = northwards(4.0)
    path = write_video(tmp_path / "a.mp4", GROUND, 0.1, flown, CAMERA, RATE_HZ)
    with open_video(path) as video:
        read = survey_video(video, filmed(track_of(flown[:20])))
    assert read.skipped == (Skipped("a.mp4 (9 frames)", "no telemetry at its time"),)
    with open_video(path) as video, pytest.raises(TelemetryError, match=r"no frame falls .* give --time-offset-s"):
        survey_video(video, filmed(track_of(flown), offset_s=60.0))


def test_frames_have_the_lens_that_they_were_taken_with_and_none_while_it_is_zoomed(tmp_path: Path) -> None:
    flown = northwards(4.0)
    path = write_video(tmp_path / "a.mp4", GROUND, 0.1, flown, CAMERA, RATE_HZ)
    focal = FocalTrack((0.0, 1.05, 2.05, 4.0), (24.0, 24.0, 48.0, 48.0))
    lens = lens_of_video((320, 240), focal, CameraFlags())
    with open_video(path) as video:
        read = survey_video(video, Filmed(track_of(flown), 0.0, lens, CameraFlags()))
    assert read.skipped == (Skipped("a.mp4 (5 frames)", "its zoom is changing"),)
    fx_px = {photo.pose.t_ns < 1_500_000_000: photo.camera.fx_px for photo in read.photos}
    assert len({photo.camera.fx_px for photo in read.photos}) == 2 and fx_px[False] == pytest.approx(2 * fx_px[True])
    always = lens_of_video((320, 240), FocalTrack((-1.0, 9.0), (24.0, 48.0)), CameraFlags())
    with open_video(path) as video, pytest.raises(TelemetryError, match="its zoom changes in all frames"):
        survey_video(video, Filmed(track_of(flown), 0.0, always, CameraFlags()))


def test_reasons_are_gathered(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    reasons = ["blurred" if k % 2 else "has not moved since the last keyframe" for k in range(9)]
    rows = [Skipped(f"a.mp4 frame {k:06d}", reason) for k, reason in enumerate(reasons)]
    assert gathered([Skipped("x", "y"), *rows], video) == [Skipped("x", "y"), Skipped("a.mp4 (4 frames)", "blurred")]
    tilted = [Skipped(f"a.mp4 frame {k:06d}", f"shows only {k} m of ground from 20 m") for k in (9, 12, 7)]
    one = Skipped("a.mp4 (3 frames)", "shows only 7 to 12 m of ground from 20 m")
    assert gathered(tilted, video) == [one]


def test_what_is_no_video(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "a.mp4"
    text.write_text("hello")
    for path, match in ((text, "cannot be read as a video"), (tmp_path / "none.mp4", "no such file")):
        with pytest.raises(ImageError, match=match), open_video(path):
            pass
    capfd.readouterr()  # FFmpeg's own complaint


def test_a_film_of_a_take_off_on_a_hill_gets_the_height_that_its_frames_show(tmp_path: Path) -> None:
    flown = northwards(14.0)
    path = write_video(tmp_path / "a.mp4", GROUND, 0.1, flown, CAMERA, RATE_HZ)
    places = [PlaceSample(truth.t_s, truth.point, None, truth.height_m - 20.0) for truth in flown]
    turns = [TurnSample(t.t_s, t.pose.ned_from_body) for t in flown if t.pose.ned_from_body]
    with open_video(path) as video:
        read = survey_video(video, filmed(Track(places, turns, "log", "test", PositionSource.AUTOPILOT)))
    looked_at = [photo for photo in read.photos if photo.features is not None]
    assert 6 <= len(looked_at) <= 12 < len(read.photos)  # runs of six, a quarter of the height apart
    ready = complete(read)
    [contradiction] = ready.contradictions
    assert contradiction.solved and contradiction.others == len(read.photos) - len(looked_at)
    for photo in ready.photos:
        height, above_takeoff = photo.pose.height_agl_m, photo.pose.height_takeoff_m
        assert height is not None and height.value == pytest.approx(50.0, abs=5.0)
        assert abs(height.value - 50.0) < 2 * height.sigma and height.sigma < 12.0
        assert above_takeoff is not None and above_takeoff.value == pytest.approx(30.0)


def test_frames_that_are_looked_at_are_few_however_long_the_film() -> None:
    flown = [Truth(k * 0.2, 2.0 * k, 0.0, 50.0, 0.0) for k in range(5000)]
    whole = filmed(track_of(flown))
    checks = CheckFrames(whole, 1000.0)
    states = [whole.state(truth.t_s) for truth in flown]
    taken = [k for k, state in enumerate(states) if state is not None and checks.wants(state)]
    assert 50 <= len(taken) <= 66 and taken[0] == 0 and taken[-1] > 4400
    steps = {b - a for a, b in zip(taken, taken[1:], strict=False)}
    assert min(steps) == 7 and max(steps) > 400  # 14 m within a run, and from one run to the next


@pytest.mark.parametrize("height_m", [50.0, 500.0])
def test_a_short_film_is_looked_at_too_whatever_its_height_is_said_to_be(height_m: float) -> None:
    flown = [Truth(k * 0.2, 2.0 * k, 0.0, height_m, 0.0) for k in range(20)]
    whole = filmed(track_of(flown))
    checks = CheckFrames(whole, 4.0)
    states = [whole.state(truth.t_s) for truth in flown]
    taken = [state for state in states if state is not None and checks.wants(state)]
    assert 5 <= len(taken) <= 6


@pytest.mark.parametrize("offset_s", [math.nan, math.inf, -1e300])
def test_an_offset_that_is_no_time_is_refused(offset_s: float) -> None:
    flown = filmed(track_of([Truth(k * 0.2, 0.0, 0.0, 50.0, 0.0) for k in range(5)]))
    with pytest.raises(UsageError, match="beyond any log"):
        replace(flown, offset_s=offset_s)
