"""Every way in which a user can be wrong: one clear sentence, an exit status that tells, nothing lost, no traceback."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from runtime.bundle import Bundle
from runtime.geodesy import offset
from runtime.history.history import History, StoredEmbedding
from runtime.values import GeoPoint, Keyframe, Pose, Position, PositionSource, ViewKind
from tests.runtime.cli.called import homing

ROOT = Path(__file__).parents[3]
HOME = GeoPoint(60.4, 22.4)
CONFIG = """
[camera]
uri = "{camera}"
width_px = 640
height_px = 480
hfov_deg = 70.0

[vehicle]
uri = "{vehicle}"
answer_within_s = 2.0

[history]
path = "history.db"

[record]
enabled = true

[control]
socket = "control.sock"
"""


def started(*arguments: str | Path, limit_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run `homing` as a process of its own; ``limit_bytes`` is a disk that holds no larger file."""

    def little_disk() -> None:
        if limit_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as on a full disk, writing fails instead of killing
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-m", "runtime.cli.main", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, preexec_fn=little_disk,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def assert_one_sentence(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    said = done.stderr + done.stdout
    for word in words:
        assert word in said, f"{word!r} is not in {said!r}"


def texture(seed: int, side: int = 320) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 235, (side // 16, side // 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def keyframe(number: int) -> Keyframe:
    ground = offset(HOME, 20.0 * number, 0.0)
    pose, at = Pose(number * 10**9), Position.circular(ground, 1.0, PositionSource.AUTOPILOT)
    return Keyframe(0, "test", ViewKind.DRONE, f"{number}", pose, at, ground, 1.0, 90.0, texture(number))


def gps_exif(point: GeoPoint) -> Image.Exif:
    def dms(value: float) -> tuple[float, float, float]:
        minutes = abs(value) % 1 * 60
        return float(int(abs(value))), float(int(minutes)), minutes % 1 * 60

    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: dms(point.latitude_deg), 3: "E", 4: dms(point.longitude_deg), 5: 0, 6: 140.0}
    return exif


def strip(folder: Path, seed: int = 3, north_m: float = 0.0) -> Path:
    """A folder of three photos of a strip with GPS tags, cut from one picture."""
    folder.mkdir()
    ground = texture(seed, 1600)
    for number in range(3):
        crop = ground[200 * number : 200 * number + 480, :640]
        point = offset(HOME, north_m - 200 * number * 0.2, 0.0)
        Image.fromarray(crop).save(folder / f"{number}.jpg", exif=gps_exif(point), quality=92)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return strip(tmp_path / "photos")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A small history of the default bundle's embedding space."""
    bundle = Bundle.load()
    path = tmp_path / "history.db"
    rng = np.random.default_rng(0)
    with History.create(path, bundle.embedding_space_id, bundle.name) as opened:
        for number in range(3):
            opened.add(keyframe(number), [stored(bundle, rng)])
    return path


def stored(bundle: Bundle, rng: np.random.Generator) -> StoredEmbedding:
    vector = rng.standard_normal(16).astype(np.float32)
    spatial = None
    if bundle.map_shape is not None:
        spatial = rng.standard_normal(bundle.map_shape).astype(np.float32)
    return StoredEmbedding(bundle.footprints_m[0], 0.0, vector / np.linalg.norm(vector), spatial)


# Recording


def test_photos_without_gps_truncated_or_no_images_are_named_and_skipped(photos: Path, tmp_path: Path) -> None:
    Image.fromarray(texture(9)).save(photos / "no_gps.jpg")
    whole = (photos / "0.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "text.jpg").write_text("hello")
    done = homing(
        "record", "--images", photos, "--history", tmp_path / "h.db", "--height-agl-m", "100", "--heading-deg", "0",
        "--hfov-deg", "60", "--json",
    )  # fmt: skip
    assert_one_sentence(done, 0)
    line = json.loads(done.stdout)
    skipped = {one["image"]: one["reason"] for one in line["skipped"]}
    assert {"no_gps.jpg", "cut.jpg", "text.jpg"} <= {Path(name).name for name in skipped}
    assert "GPS" in next(reason for name, reason in skipped.items() if name.endswith("no_gps.jpg"))
    assert line["keyframes"] >= 1 and line["schema"] == 1


def test_a_folder_without_images(tmp_path: Path) -> None:
    done = homing("record", "--images", tmp_path, "--history", tmp_path / "h.db")
    assert_one_sentence(done, 1, str(tmp_path), "images")
    assert not (tmp_path / "h.db").exists()


def test_a_map_without_georeference(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    Image.fromarray(texture(1)).save(tmp_path / "plain.tif")
    done = homing("record", "--map", tmp_path / "plain.tif", "--history", tmp_path / "h.db")
    assert_one_sentence(done, 1, "plain.tif", "georeference")


def test_two_sources_and_no_source_are_wrong_usage(tmp_path: Path) -> None:
    assert_one_sentence(homing("record", "--history", tmp_path / "h.db"), 2, "--images")
    assert_one_sentence(homing("record"), 2, "--history")


@pytest.mark.slow
def test_a_full_disk_keeps_what_was_recorded(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    flags = ("--height-agl-m", "100", "--heading-deg", "0", "--hfov-deg", "60")
    first = homing("record", "--images", photos, "--history", path, *flags, "--json")
    kept = json.loads(first.stdout)["keyframes"]
    others = strip(tmp_path / "others", seed=4, north_m=2000.0)
    limit = path.stat().st_size + 8192
    done = started("record", "--images", others, "--history", path, *flags, limit_bytes=limit)
    assert_one_sentence(done, 1, "h.db")
    info = json.loads(homing("history", "info", path, "--json").stdout)
    assert info["keyframes"] >= kept


def test_an_interrupted_recording_keeps_what_was_recorded(photos: Path, tmp_path: Path) -> None:
    for number in range(3, 40):
        shutil.copy(photos / f"{number % 3}.jpg", photos / f"{number}.jpg")
    path = tmp_path / "h.db"
    command = [sys.executable, "-m", "runtime.cli.main", "record", "--images", str(photos), "--history", str(path)]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not path.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode != 0
    assert "Traceback" not in errors
    done = homing("history", "info", path, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["keyframes"] >= 0


# Histories and bundles


@pytest.mark.parametrize("command", [("locate",), ("fix",)])
def test_histories_that_cannot_be_used(command: tuple[str], history: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.fromarray(texture(1)).save(picture)
    missing = homing(*command, "--history", tmp_path / "none.db", picture)
    assert_one_sentence(missing, 1, "none.db")
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "corrupt.db").write_bytes(b"SQLite format 3\0" + b"\x55" * 4096)
    assert_one_sentence(homing(*command, "--history", tmp_path / "corrupt.db", picture), 1, "corrupt.db")
    with sqlite3.connect(tmp_path / "foreign.db") as foreign:
        foreign.execute("CREATE TABLE shopping (item TEXT)")
    foreign.close()
    assert_one_sentence(homing(*command, "--history", tmp_path / "foreign.db", picture), 1, "foreign.db")


def test_a_history_of_another_embedding_space_names_the_command_that_mends_it(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.fromarray(texture(1)).save(picture)
    History.create(tmp_path / "other.db", "another-space", "another bundle").close()
    done = homing("locate", "--history", tmp_path / "other.db", picture)
    assert_one_sentence(done, 1, "other.db", "homing history reembed")


def test_a_bundle_whose_hash_does_not_fit(history: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.fromarray(texture(1)).save(picture)
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "runtime/bundles/default", bundle)
    onnx = next(bundle.glob("*.onnx"))
    data = bytearray(onnx.read_bytes())
    data[len(data) // 2] ^= 1
    onnx.write_bytes(data)
    done = homing("locate", "--history", history, "--bundle", bundle, picture)
    assert_one_sentence(done, 1, onnx.name)


# Targets


def test_targets_that_are_none_do_not_stop_the_others(history: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((200, 200, 3), np.uint8)).save(tmp_path / "black.png")
    Image.fromarray(texture(2)[:8, :8]).save(tmp_path / "tiny.png")
    (tmp_path / "text.png").write_text("hello")
    Image.fromarray(texture(2)).save(tmp_path / "good.png")
    names = ["black.png", "tiny.png", "text.png", "missing.png", "good.png"]
    done = homing("locate", "--history", history, "--target-gsd", "0.3", "--json", *[tmp_path / name for name in names])
    assert_one_sentence(done, 1)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["decision"] for line in lines] == ["error"] * 4 + ["no_match"]
    assert all(line["schema"] == 1 and line["reason"] for line in lines)
    assert [Path(line["target"]).name for line in lines] == names


# The daemon


def configured(folder: Path, camera: str, vehicle: str, old: str = "", new: str = "") -> Path:
    path = folder / "homing.toml"
    path.write_text(CONFIG.format(camera=camera, vehicle=vehicle).replace(old, new) if old else CONFIG.format(
        camera=camera, vehicle=vehicle))  # fmt: skip
    return path


def test_a_misspelt_key_names_its_line_and_the_right_one(tmp_path: Path) -> None:
    config = configured(tmp_path, "frames", "udpin:127.0.0.1:0", "hfov_deg", "hfov_degs")
    done = homing("run", "--config", config)
    line = config.read_text().splitlines().index("hfov_degs = 70.0") + 1
    assert_one_sentence(done, 1, "homing.toml", f"line {line}", "hfov_degs", "hfov_deg")


def test_a_camera_that_does_not_open(tmp_path: Path) -> None:
    config = configured(tmp_path, "http://127.0.0.1:9/stream", "udpin:127.0.0.1:0")
    assert_one_sentence(started("run", "--config", config), 1, "camera", "http://127.0.0.1:9/(left out)")


def test_a_vehicle_that_never_answers(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(3):
        Image.fromarray(texture(number)).save(frames / f"{number}.png")
    config = configured(tmp_path, "frames", "udpin:127.0.0.1:0")
    config.write_text(config.read_text().replace('"frames"', f'"{frames}"'))
    assert_one_sentence(homing("run", "--config", config), 1, "vehicle", "udpin:127.0.0.1:0")


def test_asking_a_daemon_that_is_not_running(tmp_path: Path) -> None:
    config = configured(tmp_path, "frames", "udpin:127.0.0.1:0")
    done = homing("status", "--config", config)
    assert_one_sentence(done, 1, "control.sock")
