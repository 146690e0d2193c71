"""`homing calibrate`: from a film to a [camera] that the other commands read."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.calibration.board import Board
from runtime.cli.flight_log import read_camera
from tests.runtime.calibration.filmed import LENS, pictures
from tests.runtime.cli.called import homing

BOARD = "charuco:7x5:30mm"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "board.avi"
    size = (LENS.width_px, LENS.height_px)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, size)
    for image in pictures(Board.named(BOARD), LENS, 16, seed=3, part=0.9):
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_a_film_becomes_a_camera_and_a_picture(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "camera.toml"
    done = homing("calibrate", "board", "--board", BOARD, "--video", film, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    camera = read_camera(out)
    assert camera is not None and camera.fx_px == pytest.approx(LENS.fx_px, rel=0.02)
    assert camera.distortion[0] == pytest.approx(LENS.distortion[0], abs=0.06)
    assert told["looked_at"] == 16 and told["views"] >= 8 and told["predicted_px"] < 1.0
    picture = cv2.imread(told["picture"])
    assert picture is not None and picture.std() > 10


def test_a_film_without_a_board_says_what_to_do(tmp_path: Path) -> None:
    for number in range(3):
        grey = np.full((120, 160, 3), 40 * number + 60, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), grey)
    done = homing("calibrate", "board", "--board", BOARD, "--images", tmp_path, "--out", tmp_path / "camera.toml")
    assert done.returncode == 1 and "the board was found in 0 pictures" in done.stderr
    assert not (tmp_path / "camera.toml").exists()


def test_pictures_of_two_sizes_are_of_two_lenses(tmp_path: Path) -> None:
    for number, width in enumerate((160, 200)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((120, width, 3), dtype=np.uint8))
    done = homing("calibrate", "board", "--board", BOARD, "--images", tmp_path)
    assert done.returncode == 1 and "are of two lenses" in done.stderr


def test_a_board_is_drawn_at_its_true_size_and_found_in_what_was_drawn(tmp_path: Path) -> None:
    out = tmp_path / "board.png"
    done = homing("calibrate", "pattern", "--board", BOARD, "--out", out, "--dpi", "100")
    assert done.returncode == 0 and "30 mm" in done.stdout
    image = cv2.imread(str(out))
    assert image is not None and image.shape[1] == 9 * round(0.030 / 0.0254 * 100)
    assert Board.named(BOARD).corners(image) is not None
    assert homing("calibrate", "pattern", "--board", BOARD, "--out", tmp_path / "no" / "b.png").returncode == 1
