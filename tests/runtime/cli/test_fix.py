"""`homing fix` as its users run it: its output, its exit status."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from runtime.camera_model import CameraModel
from runtime.geodesy import distance_m
from runtime.values import GeoPoint
from tests.runtime.cli.called import homing
from tests.runtime.cli.histories import write_history
from tests.runtime.record.fakes import ground_texture
from tests.runtime.sources.photos import dji_xmp, gps, write_photo
from tests.runtime.survey.flights import Truth, photograph

CAMERA = CameraModel.from_hfov(480, 360, 69.0)
GROUND = ground_texture(1400)
FIELDS = [
    "schema", "image", "decision", "latitude_deg", "longitude_deg", "sigma_m", "ground_latitude_deg",
    "ground_longitude_deg", "keyframe", "inliers", "verified", "latency_ms", "reason",
]  # fmt: skip
HERE = Truth(0.0, 5.0, -6.0, 45.0, 0.35)


def fix(history: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return homing("fix", "--history", history, "--hfov-deg", "69", *arguments)


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert "Traceback" not in done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("fix") / "h.db", GROUND, CAMERA)


def photo(path: Path, truth: Truth = HERE, seed: int = 1, tagged: bool = False, heading: float | None = None) -> Path:
    """A photo from there; with a wrong GPS tag and a time where asked, and DJI's angles with a heading."""
    image = photograph(ground_texture(1400, seed), 0.12, truth, CAMERA)
    angles: dict[str, float] = {}
    if heading is not None:
        angles = {"GimbalYawDegree": math.degrees(heading), "GimbalPitchDegree": -90, "GimbalRollDegree": 0}
    return write_photo(
        path,
        image,
        place=gps(47.0, 12.0, 800.0) if tagged else None,
        detail={0x9003: "2024:05:01 12:00:00"} if tagged else None,
        xmp=dji_xmp(RelativeAltitude=truth.height_m, **angles) if angles else None,
    )


def test_a_photo_without_any_tag_is_fixed(history: Path, tmp_path: Path) -> None:
    done = fix(history, "--json", photo(tmp_path / "a.jpg"))
    (line,) = lines(done)
    assert done.returncode == 0 and list(line) == FIELDS and line["decision"] == "fix"
    at = GeoPoint(line["latitude_deg"], line["longitude_deg"])
    truth = HERE.point
    assert distance_m(at, truth) < 3.0
    assert distance_m(GeoPoint(line["ground_latitude_deg"], line["ground_longitude_deg"]), truth) < 3.0
    assert line["sigma_m"] > 0 and line["inliers"] >= 13 and 1 <= line["verified"] <= 10 and line["latency_ms"] > 0


@pytest.mark.parametrize("heading", [None, HERE.heading])
def test_tags_of_place_and_time_and_the_name_change_nothing(
    history: Path, tmp_path: Path, heading: float | None
) -> None:
    bare = photo(tmp_path / "a.jpg", heading=heading)
    told = photo(tmp_path / "other name.jpg", tagged=True, heading=heading)
    first, second = lines(fix(history, "--json", bare, told))
    assert first.pop("image") == str(bare) and second.pop("image") == str(told)
    del first["latency_ms"], second["latency_ms"]  # a measurement of this run, not of the photo
    assert first == second and first["decision"] == "fix"


def test_a_recorded_heading_that_is_wrong_is_not_believed(history: Path, tmp_path: Path) -> None:
    (line,) = lines(fix(history, "--json", photo(tmp_path / "a.jpg", heading=HERE.heading + math.pi)))
    truth = HERE.point
    assert line["decision"] == "fix" and line["verified"] <= 10
    assert distance_m(GeoPoint(line["latitude_deg"], line["longitude_deg"]), truth) < 3.0


def test_foreign_ground_is_an_honest_no(history: Path, tmp_path: Path) -> None:
    done = fix(history, "--json", photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg", seed=7))
    there, nowhere = lines(done)
    assert done.returncode == 3
    assert there["decision"] == "fix" and nowhere["decision"] == "no_fix"
    assert nowhere["latitude_deg"] is nowhere["sigma_m"] is nowhere["keyframe"] is None
    assert list(nowhere) == FIELDS and nowhere["reason"]


def test_a_digital_zoom_that_can_be_read_in_two_ways_is_asked_for(history: Path, tmp_path: Path) -> None:
    zoomed = write_photo(tmp_path / "a.jpg", detail={0xA405: 24, 0xA404: IFDRational(2)})
    done = homing("fix", "--history", history, "--json", zoomed)
    (line,) = lines(done)
    assert done.returncode == 1 and line["decision"] == "error" and "give --hfov-deg" in line["reason"]


def test_images_that_cannot_be_used_do_not_stop_the_rest(history: Path, tmp_path: Path) -> None:
    good = photo(tmp_path / "good.jpg")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(good.read_bytes()[:4000])
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    even = write_photo(tmp_path / "even.jpg", np.full((200, 300, 3), (200, 60, 20), np.uint8))
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(tmp_path / "tiny.png")
    bad = [cut, text, even, tmp_path / "tiny.png", tmp_path / "missing.jpg", tmp_path]
    done = fix(history, "--json", *bad, good)
    answers = lines(done)
    assert done.returncode == 1
    assert [answer["decision"] for answer in answers] == ["error"] * 6 + ["fix"]
    assert all(list(answer) == FIELDS for answer in answers)
    words = ["truncated", "not an image", "one colour", "too few", "no such file", "is a folder"]
    assert all(word in answer["reason"] for word, answer in zip(words, answers, strict=False))
    assert "6 of 7 images" in done.stderr.splitlines()[-1]


def test_a_height_of_a_centimetre_is_an_honest_no(history: Path, tmp_path: Path) -> None:
    for height in ("0.01", "1e-6", "1e9"):
        done = fix(history, photo(tmp_path / "a.jpg"), "--height-agl-m", height)
        assert done.returncode == 3 and ": no fix: " in done.stdout, (done.stdout, done.stderr)


def test_one_image_of_one_is_said_as_one(history: Path, tmp_path: Path) -> None:
    assert fix(history, tmp_path / "missing.jpg").stderr.splitlines()[-1] == "1 of 1 image could not be used."


def test_people_get_sentences(history: Path, tmp_path: Path) -> None:
    done = fix(history, photo(tmp_path / "a.jpg"))
    assert done.returncode == 0
    assert re.fullmatch(r".*a\.jpg: 48\.\d{7}, 11\.\d{7} within \d+\.\d m \(1 sigma\), .* agree\n", done.stdout)


def test_a_history_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    done = fix(tmp_path / "none.db", "--json", photo(tmp_path / "a.jpg"))
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert "none.db" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_history_that_cannot_be_written_is_read(history: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    copy = folder / "h.db"
    copy.write_bytes(history.read_bytes())
    copy.chmod(0o444)
    folder.chmod(0o555)
    try:
        done = fix(copy, "--json", photo(tmp_path / "a.jpg"))
    finally:
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert lines(done)[0]["decision"] == "fix"
