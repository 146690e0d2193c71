"""`homing track` as its users run it: a flight followed over a history of another."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runtime.camera_model import CameraModel
from runtime.geodesy import distance_m, offset
from runtime.values import GeoPoint
from tests.runtime.cli.called import homing
from tests.runtime.cli.histories import write_history
from tests.runtime.record.fakes import ground_texture
from tests.runtime.sources.films import write_video
from tests.runtime.sources.photos import TAKEN, dji_xmp, gps, write_photo
from tests.runtime.survey.flights import Truth, photograph

CAMERA = CameraModel.from_hfov(480, 360, 69.0)
GROUND = ground_texture(1400)
FLOWN = [Truth(2.0 * k, -14.0 + 4.0 * k, 3.0 * math.sin(k), 45.0, 0.35) for k in range(8)]
LYING_M = 60.0  # tags that say another place: were they used, the estimate would lie there


def track(history: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = homing("track", "--history", history, "--hfov-deg", "69", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def at(line: dict[str, Any]) -> GeoPoint:
    return GeoPoint(line["latitude_deg"], line["longitude_deg"])


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("track") / "h.db", GROUND, CAMERA)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k, truth in enumerate(FLOWN):
        tag = offset(truth.point, LYING_M, 0.0)
        angles = {"GimbalYawDegree": math.degrees(truth.heading), "GimbalPitchDegree": -90, "GimbalRollDegree": 0}
        write_photo(
            folder / f"D{k}.jpg",
            photograph(GROUND, 0.12, truth, CAMERA),
            place=gps(tag.latitude_deg, tag.longitude_deg, 460.0),
            detail={TAKEN: f"2024:05:01 12:00:{2 * k:02d}"},
            xmp=dji_xmp(RelativeAltitude=truth.height_m, **angles),
        )
    return folder


def test_photos_are_followed_by_sight_whatever_their_tags_say(history: Path, photos: Path, tmp_path: Path) -> None:
    done = track(history, "--images", photos, "--json", "--report", tmp_path / "track.html")
    *frames, summary = lines(done)
    assert done.returncode == 0 and len(frames) == summary["frames"] == len(FLOWN)
    assert [one["state"] for one in frames][:2] == ["searching", "searching"]
    trusted = [(one, truth) for one, truth in zip(frames, FLOWN, strict=True) if one["state"] == "tracking"]
    assert len(trusted) == len(FLOWN) - 2 and summary["tracking_share"] == len(trusted) / len(FLOWN)
    assert all(distance_m(at(one), truth.point) < 3.0 for one, truth in trusted)
    assert summary["position_error_m"]["median"] == pytest.approx(LYING_M, abs=3.0)
    assert summary["fixes"] == summary["fixes_tried"] == len(FLOWN) and summary["first_fix_s"] == 4.0
    page = (tmp_path / "track.html").read_text()
    assert "<svg" in page and "8 frames followed" in page and (tmp_path / "track_map.png").stat().st_size > 5000


def test_a_video_is_followed_at_frame_rate_with_few_fixes(history: Path, tmp_path: Path) -> None:
    flown = [Truth(0.2 * k, -14.0 + 0.8 * k, 2.0, 45.0, 0.35) for k in range(36)]
    video = write_video(tmp_path / "v.mp4", GROUND, 0.12, flown, CAMERA, 5.0)
    telemetry = tmp_path / "v.srt"
    telemetry.write_text("".join(_subtitle(k, truth) for k, truth in enumerate(flown)))
    done = track(history, "--video", video, "--telemetry", telemetry, "--json", "--fix-every-s", "1")
    *frames, summary = lines(done)
    assert done.returncode == 0 and len(frames) == 36 and summary["fixes_tried"] <= 8
    assert sum(not one["odometry_faults"] for one in frames) >= 34
    assert summary["tracking_share"] > 0.5 and summary["position_error_m"]["p95"] < 4.0
    assert frames[-1]["velocity_ned_m_s"][0] == pytest.approx(4.0, abs=0.8)


def test_what_cannot_be_followed_is_said(history: Path, photos: Path, tmp_path: Path) -> None:
    both = track(history, "--images", photos, "--video", tmp_path / "v.mp4")
    assert both.returncode == 2 and "one of --images, --video and --bag" in both.stderr
    (tmp_path / "untimed").mkdir()
    write_photo(tmp_path / "untimed" / "a.jpg", photograph(GROUND, 0.12, FLOWN[0], CAMERA))
    untimed = track(history, "--images", tmp_path / "untimed")
    assert untimed.returncode == 1 and "carries no time" in untimed.stderr
    assert "Nothing could be followed" in untimed.stderr
    useless = track(history, "--images", photos, "--vehicle", "2", "--rate-hz", "5")
    assert useless.returncode == 2 and "leave out --rate-hz (for --video and --bag)" in useless.stderr
    no_log = track(history, "--images", photos, "--vehicle", "2")
    assert no_log.returncode == 2 and "give it with --telemetry" in no_log.stderr
    subtitles = track(history, "--images", photos, "--telemetry", tmp_path / "v.SRT")
    assert subtitles.returncode == 2 and "subtitles belong to a video" in subtitles.stderr
    alone = track(history, "--video", tmp_path / "v.mp4")
    assert alone.returncode == 2 and "--telemetry" in alone.stderr


def test_elsewhere_it_never_tracks_and_says_so_by_its_exit_status(history: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for k, truth in enumerate(FLOWN[:4]):
        image = photograph(ground_texture(1400, 5), 0.12, truth, CAMERA)
        write_photo(folder / f"D{k}.jpg", image, detail={TAKEN: f"2024:05:01 12:00:{2 * k:02d}"})
    done = track(history, "--images", folder)
    assert done.returncode == 3 and "tracking in 0%" in done.stdout


def _subtitle(number: int, truth: Truth) -> str:
    start, end = (f"00:00:{int(t_s):02d},{round(t_s % 1 * 1000):03d}" for t_s in (truth.t_s, truth.t_s + 0.199))
    point = truth.point
    return (
        f"{number + 1}\n{start} --> {end}\n[latitude: {point.latitude_deg:.7f}] [longitude: {point.longitude_deg:.7f}] "
        f"[rel_alt: {truth.height_m:.3f} abs_alt: 460.000] "
        f"[gb_yaw: {math.degrees(truth.heading):.1f} gb_pitch: -90.0 gb_roll: 0.0]\n\n"
    )
