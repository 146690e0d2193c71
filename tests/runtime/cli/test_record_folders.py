"""`homing record --images` on folders as cameras leave them: what is read, and what is said of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from runtime.cli.main import app
from runtime.errors import ImageError
from runtime.history.history import History
from runtime.plain import PLAIN
from tests.runtime.record.fakes import ground_texture
from tests.runtime.sources.photos import dji_xmp, gps, write_photo

GROUND = ground_texture(800)


def run(folder: Path, history: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["record", "--images", str(folder), "--history", str(history), *more])


def shoot(folder: Path, name: str, number: int, level: int | None = None) -> None:
    """A photo of its own piece of ground, or of one grey."""
    folder.mkdir(parents=True, exist_ok=True)
    image = GROUND[20 * number : 20 * number + 240, :320].copy()
    if level is not None:
        image = np.full_like(image, level)
    xmp = dji_xmp(RelativeAltitude=60.0, GimbalYawDegree=25.0, GimbalPitchDegree=-90, GimbalRollDegree=0)
    write_photo(folder / name, image, place=gps(47.0 + 3e-4 * number, 8.0), xmp=xmp)


def test_a_card_is_read_folder_by_folder_and_the_rest_told_by_reasons(tmp_path: Path) -> None:
    card, history = tmp_path / "DCIM", tmp_path / "h.db"
    shoot(card / "100MEDIA", "DJI_0001.JPG", 0)
    shoot(card / "101MEDIA", "DJI_0001.JPG", 1)
    for number in range(2, 5):
        shoot(card / "101MEDIA", f"DJI_000{number}.JPG", number, level=100 + number)
    write_photo(card / "101MEDIA" / "DJI_0009.JPG", GROUND[:240, :320].copy())
    for name in ("DJI_0001.SRT", "._DJI_0001.JPG", "DJI_0007.MP4", "DJI_0008.DNG"):
        (card / "101MEDIA" / name).write_bytes(b"x")
    told = run(card, history, "--hfov-deg", "70")
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert lines[0] == f"{history}: 2 keyframes recorded, 6 images skipped."
    assert lines[1].startswith(f"  3 images (101MEDIA/DJI_0002.JPG for one): {PLAIN}; ")
    assert sorted(line.split(":")[0] for line in lines[2:]) == [
        "  101MEDIA/DJI_0007.MP4", "  101MEDIA/DJI_0008.DNG", "  101MEDIA/DJI_0009.JPG",
    ]  # fmt: skip
    assert "holds no photos itself; reads 6 photos in 2 folders (100MEDIA, 101MEDIA)" in told.stderr
    assert "1 file beside the photos (.SRT) not read" in told.stderr
    with History.open(history) as opened:
        assert opened.flights() == ("100MEDIA", "101MEDIA")
        assert [one.name for one in opened.keyframes(crops=False)] == ["DJI_0001.JPG"] * 2
    again = json.loads(run(card, history, "--hfov-deg", "70", "--json").stdout)
    assert again["keyframes"] == 0
    assert [row["image"] for row in again["skipped"] if row["reason"] == "already recorded"] == [
        "100MEDIA/DJI_0001.JPG", "101MEDIA/DJI_0001.JPG",
    ]  # fmt: skip
    assert len(again["skipped"]) == 8


def test_folders_in_a_folder_of_photos_are_read_when_that_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shoot(folder, "a.jpg", 0)
    shoot(folder / "more", "a.jpg", 1)
    told = run(folder, tmp_path / "h.db", "--hfov-deg", "70", "--json")
    assert json.loads(told.stdout)["keyframes"] == 1
    assert "1 photo in 1 folder (more) left out; --recursive reads all of them" in told.stderr
    told = run(folder, tmp_path / "h.db", "--hfov-deg", "70", "--json", "--recursive")
    assert json.loads(told.stdout) == {
        "schema": 1, "history": str(tmp_path / "h.db"), "keyframes": 1,
        "skipped": [{"image": "a.jpg", "reason": "already recorded"}],
    }  # fmt: skip


def test_a_folder_of_what_is_not_read_says_what_to_do(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"IMG_{number}.HEIC").write_bytes(b"x")
    (tmp_path / "IMG_9.DNG").write_bytes(b"x")
    told = run(tmp_path, tmp_path / "h.db")
    assert isinstance(told.exception, ImageError) and not (tmp_path / "h.db").exists()
    assert "IMG_0.HEIC is HEIF, which is not read: convert it to JPEG" in str(told.exception)
    assert "(3 such)" in str(told.exception) and "IMG_9.DNG is a raw picture" in str(told.exception)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_folder_of_lens_caps_records_nothing_and_fails(tmp_path: Path, depth: type[np.generic]) -> None:
    for number in range(2):
        shoot(tmp_path, f"D{number}.JPG", number, level=0)
    noisy = np.random.default_rng(1).normal(3, 1, (240, 320)).clip(0).astype(depth)
    cv2.imwrite(str(tmp_path / "D2.png"), noisy)
    told = run(tmp_path, tmp_path / "h.db", "--hfov-deg", "70")
    assert isinstance(told.exception, ImageError) and PLAIN in str(told.exception)
