"""`homing record` as its users run it: its output, its exit status; and as a process that is interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from runtime.bundle import Bundle
from runtime.cli.record import record
from runtime.cli.source_options import GO_WITH
from runtime.history.history import History
from runtime.values import ViewKind
from tests.runtime.cli.called import homing
from tests.runtime.record.fakes import ground_texture
from tests.runtime.sources.films import write_video
from tests.runtime.sources.logs import LATITUDE, LONGITUDE, Tlog, position_message, write_srt
from tests.runtime.sources.photos import gps, write_photo
from tests.runtime.survey.flights import Truth
from tests.runtime.survey.test_survey import CAMERA, LEVEL, write_flight

ROOT = Path(__file__).parents[3]
BRIGHTON = ROOT.parent / "shared/data/flights/brighton"
LENS = ("--hfov-deg", "69")
PHOTOS = 14  # of a flight that is interrupted: the last is a second and more away when the first has been recorded


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return homing("record", *arguments)


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON line on stdout."""
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def sentence(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The one sentence on stderr, progress aside."""
    assert done.returncode == status, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not re.match(r"(reading|recording|matching).*: \d+ of", line)]
    return lines[-1]


def test_photos_become_keyframes_once(tmp_path: Path) -> None:
    folder, history = tmp_path / "flight", tmp_path / "h.db"
    write_flight(folder, LEVEL)
    write_photo(folder / "A_nowhere.jpg")
    first = answer(run("--images", folder, "--history", history, *LENS, "--json"))
    assert first == {
        "schema": 1, "history": str(history), "keyframes": 5,
        "skipped": [{"image": "A_nowhere.jpg", "reason": "no GPS tag"}],
    }  # fmt: skip
    again = answer(run("--images", folder, "--history", history, *LENS, "--json"))
    assert again["keyframes"] == 0
    assert [one["reason"] for one in again["skipped"][1:]] == ["already recorded"] * 5
    with History.open(history, embedding_space_id=Bundle.load().embedding_space_id) as opened:
        assert len(opened) == 5
        rungs = opened.footprints(ViewKind.DRONE)
        assert rungs and max(rungs) <= 55.0
        assert len(opened.gallery(ViewKind.DRONE, rungs[0])) == 5


def test_people_get_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    write_flight(folder, LEVEL[:2])
    done = run("--images", folder, "--history", tmp_path / "h.db", *LENS)
    assert done.returncode == 0 and done.stdout == f"{tmp_path / 'h.db'}: 2 keyframes recorded, 0 images skipped.\n"


def test_an_unknown_lens_is_assumed_aloud(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    write_flight(folder, LEVEL[:1])
    done = run("--images", folder, "--history", tmp_path / "h.db", "--json")
    assert answer(done)["keyframes"] == 1
    assert "P_000.jpg: its field of view is not recorded; 65 deg is assumed" in done.stderr


def test_wrong_usage_and_bad_input_are_one_sentence(tmp_path: Path) -> None:
    empty, history = tmp_path / "empty", tmp_path / "h.db"
    empty.mkdir()
    picture = tmp_path / "plain.tif"
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(picture)
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    write_photo(nowhere / "a.jpg")
    pytest.importorskip("rasterio")
    assert "Give one of --images, --map, --video and --bag" in sentence(run("--history", history), status=2)
    assert "holds no images" in sentence(run("--images", empty, "--history", history))
    assert "carries no georeference" in sentence(run("--map", picture, "--history", history))
    done = run("--images", nowhere, "--history", history, "--json")
    assert "Nothing could be recorded: no GPS tag (1)." in sentence(done)
    assert json.loads(done.stdout)["skipped"] == [{"image": "a.jpg", "reason": "no GPS tag"}]
    video = tmp_path / "a.mp4"
    video.write_text("no video")
    assert "needs --telemetry" in sentence(run("--video", video, "--history", history), status=2)


@pytest.mark.parametrize(
    ("source", "option", "home"),
    [
        ("--images", ("--max-tiles", "20000"), "--map"),
        ("--images", ("--stride-m", "20"), "--map"),
        ("--images", ("--gps-order", "lat-lon"), "--video"),
        ("--map", ("--recursive",), "--images"),
        ("--map", ("--vehicle", "1"), "--images, --video and --bag"),
        ("--map", ("--hfov-deg", "70"), "--images, --video and --bag"),
        ("--video", ("--recursive",), "--images"),
        ("--video", ("--tile-m", "40"), "--map"),
    ],
)
def test_an_option_that_the_source_has_no_use_for_is_refused(
    tmp_path: Path, source: str, option: tuple[str, ...], home: str
) -> None:
    done = run(source, tmp_path / "a", "--history", tmp_path / "h.db", *option)
    assert sentence(done, status=2) == f"With {source}, leave out {option[0]} (for {home})."
    assert not (tmp_path / "h.db").exists()


def test_all_options_without_a_use_are_named_and_every_one_has_its_place(tmp_path: Path) -> None:
    done = run("--map", tmp_path, "--history", tmp_path / "h.db", "--boot", "1", "--gps-order", "lat-lon")
    useless = "--boot (for --images, --video and --bag) and --gps-order (for --video)"
    assert sentence(done, status=2) == f"With --map, leave out {useless}."
    program = typer.Typer(add_completion=False)
    program.command()(record)
    options = {one.name for one in typer.main.get_command(program).params}
    assert options - {*GO_WITH, "help"} == {"history", "images", "map_file", "video", "bag", "bundle", "as_json"}


def test_the_vehicle_and_the_boot_of_a_log_are_asked_for(tmp_path: Path) -> None:
    log = Tlog(tmp_path / "a.tlog")
    for k in range(40):
        log.say(k / 5, position_message(100.0, k / 5), system=2)
        log.say(k / 5, position_message(500.0, k / 5), system=4)
    video = tmp_path / "a.mp4"
    video.write_text("no video")
    of = ("--video", video, "--telemetry", log.done(), "--history", tmp_path / "h.db")
    assert sentence(run(*of, "--vehicle", "3")) == f"{log.path}: holds no vehicle 3, only 2 and 4."
    assert sentence(run(*of, "--vehicle", "4", "--boot", "2")) == f"{log.path}: holds no boot 2, but only boot 1."
    done = run(*of, "--vehicle", "4")
    assert "holds vehicles 2 and 4; vehicle 4 is read, --vehicle chooses another." in done.stderr
    assert "a.mp4: cannot be read as a video." in sentence(done) and not (tmp_path / "h.db").exists()


def test_a_history_of_another_embedding_space_is_refused_untouched(tmp_path: Path) -> None:
    folder, path = tmp_path / "flight", tmp_path / "h.db"
    write_flight(folder, LEVEL[:1])
    with History.create(path, "another-space", "other"):
        pass
    assert "homing history reembed" in sentence(run("--images", folder, "--history", path))
    with History.open(path) as opened:
        assert len(opened) == 0 and opened.embedding_space_id == "another-space"
    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"not a database" * 100)
    assert "foreign.db" in sentence(run("--images", folder, "--history", foreign))


def test_interrupted_in_the_middle_keeps_what_was_recorded(tmp_path: Path) -> None:
    folder, path = tmp_path / "flight", tmp_path / "h.db"
    write_flight(folder, [Truth(float(k), 3.5 * k - 40.0, 0.0, 50.0, 0.0) for k in range(PHOTOS)])
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime.cli.main", "record", "--images", folder, "--history", path, *LENS, "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("recording: "):
            break
    assert process.poll() is None, seen
    os.kill(process.pid, signal.SIGINT)
    output, rest = process.communicate(timeout=60)
    told = [line for line in rest.splitlines() if not line.startswith("recording: ")]
    assert process.returncode == 130 and output == ""
    assert len(told) == 1 and "kept" in told[0] and "Traceback" not in rest
    with History.open(path) as opened:
        assert 1 <= len(opened) < PHOTOS
        kept = len(opened)
    done = answer(run("--images", folder, "--history", path, *LENS, "--json"))
    assert done["keyframes"] + kept == PHOTOS


def test_a_map_becomes_keyframes_of_the_satellite_view(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    degrees = 0.5 / 111_195
    path = tmp_path / "map.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=300, width=300, count=3, dtype="uint8", crs="EPSG:4326",
        transform=rasterio.Affine(degrees, 0, 11.6, 0, -degrees, 0.1),
    ) as dataset:  # fmt: skip
        dataset.write(np.moveaxis(ground_texture(300), 2, 0))
    history = tmp_path / "h.db"
    first = answer(run("--map", path, "--history", history, "--tile-m", "80", "--stride-m", "40", "--json"))
    assert first["keyframes"] == 9 and first["skipped"] == []
    again = answer(run("--map", path, "--history", history, "--tile-m", "80", "--stride-m", "40", "--json"))
    assert again["keyframes"] == 0 and len(again["skipped"]) == 9
    with History.open(history) as opened:
        assert opened.views() == (ViewKind.SATELLITE,)
    assert "does not fit" in sentence(run("--map", path, "--history", history, "--tile-m", "500"), status=2)


def test_a_video_with_subtitles(tmp_path: Path) -> None:
    flown = [Truth(k / 5, k * 2.0 - 20.0, 0.0, 50.0, 0.0) for k in range(20)]
    video = write_video(tmp_path / "DJI_0001.mp4", ground_texture(1500), 0.1, flown, CAMERA, 5.0)
    metre = 1 / 111_195
    texts = [
        f"[focal_len: 24.00] [latitude: {LATITUDE + 2.0 * k * metre:.9f}] [longitude: {LONGITUDE:.9f}] "
        "[rel_alt: 50.000 abs_alt: 550.0] [gb_yaw: 0.1 gb_pitch: -90.0 gb_roll: 0.0]"
        for k in range(20)
    ]
    telemetry = write_srt(tmp_path / "DJI_0001.SRT", texts, period_s=0.2)
    history = tmp_path / "h.db"
    first = answer(run("--video", video, "--telemetry", telemetry, "--history", history, "--json"))
    assert 3 <= first["keyframes"] <= 6 and first["skipped"] == []
    again = answer(run("--video", video, "--telemetry", telemetry, "--history", history, "--json"))
    assert again["keyframes"] == 0
    late = run("--video", video, "--telemetry", telemetry, "--time-offset-s", "50", "--history", history)
    assert "give --time-offset-s" in sentence(late)
    coarse = write_srt(tmp_path / "coarse.SRT", ["[focal_len: 24.00] [latitude: 48.2] [longitude: 11.6]"] * 4)
    vague = sentence(run("--video", video, "--telemetry", coarse, "--history", history))
    assert "where its frames were taken is known to no better than 50 m (coarse.SRT)" in vague


@pytest.mark.skipif(not BRIGHTON.is_dir(), reason="the real flight is not here")
@pytest.mark.parametrize("photos", [5, pytest.param(18, marks=pytest.mark.long)])
def test_a_real_flight_with_full_tags(tmp_path: Path, photos: int) -> None:
    flight = tmp_path / "flight"
    flight.mkdir()
    for photo in sorted(BRIGHTON.glob("*.JPG"))[:photos]:
        (flight / photo.name).symlink_to(photo)
    done = answer(run("--images", flight, "--history", tmp_path / "h.db", "--json"))
    assert done["keyframes"] == photos and done["skipped"] == []


def test_gps_alone_is_enough_with_flags(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    folder.mkdir()
    write_photo(folder / "a.jpg", ground_texture(400), place=gps(48.2, 11.6))
    flags = (*LENS, "--height-agl-m", "60", "--heading-deg", "30", "--camera-pitch-deg", "-90")
    assert answer(run("--images", folder, "--history", tmp_path / "h.db", *flags, "--json"))["keyframes"] == 1
