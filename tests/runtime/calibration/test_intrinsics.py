"""A lens is found again from films of boards as it shows them, and what cannot be told is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from runtime.calibration.board import Board, Corners, seen_cells
from runtime.calibration.intrinsics import Intrinsics, solve
from runtime.camera_model import CameraModel
from runtime.errors import CalibrationError, UsageError
from tests.runtime.calibration.filmed import LENS, pictures, undistorted

SIZE = (LENS.width_px, LENS.height_px)
CHARUCO, CHECKER = Board.named("charuco:7x5:30mm"), Board.named("checker:9x6:25mm")


def corners(board: Board, count: int, **options: float) -> list[Corners]:
    found = [board.corners(image) for image in pictures(board, LENS, count, **options)]  # type: ignore[arg-type]
    return [one for one in found if one is not None]


@pytest.fixture(scope="module")
def seen() -> list[Corners]:
    return corners(CHARUCO, 26, part=1.1)


def apart_px(lens: Intrinsics, truth: CameraModel) -> np.ndarray:
    """How far the two put the same direction, over the middle nine tenths of the picture, once one is turned onto the
    other: a shifted centre and a turned camera are nearly one thing, and the mount is calibrated apart."""
    columns, rows = np.meshgrid(*(np.linspace(0.05 * side, 0.95 * side, 15) for side in SIZE))
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=-1).reshape(-1, 1, 2)
    solved = CameraModel(*SIZE, lens.fx_px, lens.fy_px, lens.cx_px, lens.cy_px, lens.distortion)
    ours, true = (rays / np.linalg.norm(rays, axis=1)[:, None] for rays in (
        np.concatenate([undistorted(pixels, one), np.ones((len(pixels), 1))], axis=1) for one in (solved, truth)
    ))  # fmt: skip
    turn, _ = Rotation.align_vectors(true, ours)
    return np.asarray(np.linalg.norm(turn.apply(ours) - true, axis=1) * truth.fx_px)


def test_the_lens_is_found_again_all_over_the_picture(seen: list[Corners]) -> None:
    lens = solve(seen, SIZE)
    assert lens.fx_px == pytest.approx(LENS.fx_px, rel=0.01) and lens.cy_px == pytest.approx(LENS.cy_px, abs=3.0)
    off = apart_px(lens, LENS)
    assert np.median(off) < 1.0 and off.max() < 2.5
    assert lens.predicted_px < 0.5 and lens.rms_px < 0.5 and lens.warnings == ()
    assert abs(lens.fx_px - LENS.fx_px) < 5 * lens.sigma_px[0] + 0.5


def test_a_plain_checkerboard_does_too() -> None:
    lens = solve(corners(CHECKER, 13, part=0.3), SIZE)
    assert np.median(apart_px(lens, LENS)) < 1.0 and lens.predicted_px < 0.5


def test_wrong_views_among_good_ones_are_left_out(seen: list[Corners]) -> None:
    chance = np.random.default_rng(1)
    moved = [
        Corners(view.image_px + chance.normal(0, 6.0, view.image_px.shape).astype(np.float32), view.board_m)
        for view in seen[:3]
    ]
    lens = solve([*moved, *seen[3:]], SIZE)
    assert np.median(apart_px(lens, LENS)) < 1.0 and max(lens.errors_px) < 3.0


def test_a_film_that_repeats_one_view_is_refused(seen: list[Corners]) -> None:
    with pytest.raises(CalibrationError, match="found in 60 pictures, 1 of them different enough"):
        solve([seen[0]] * 60, SIZE)
    with pytest.raises(CalibrationError, match="found in 0 pictures"):
        solve([], SIZE)


def test_boards_that_only_face_the_camera_are_warned_of() -> None:
    lens = solve(corners(CHARUCO, 12, tilt_deg=4.0, part=0.1), SIZE)
    assert any("tilt the board" in warning for warning in lens.warnings)


def test_a_part_of_the_picture_that_no_corner_was_in_is_warned_of(seen: list[Corners]) -> None:
    left = [Corners(view.image_px * (0.5, 1.0), view.board_m) for view in seen]
    cells = seen_cells(left, SIZE)
    assert cells[:, :4].mean() > 0.7 and not cells[:, 4:].any()
    lens = replace(solve(seen, SIZE), cover=float(cells.mean()))
    assert [warning for warning in lens.warnings if "into its corners" in warning]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("charuco", "is not understood"),
        ("charuco:7x5:30", "is not understood"),
        ("checker:2x5:30mm", "3 to 60 squares"),
        ("charuco:7x5:30mm:30mm", "smaller than its square"),
        ("charuco:7x5:30mm:20mm:DICT_9X9", "knows no dictionary"),
    ],
)
def test_a_board_that_is_none_is_told_in_a_sentence(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Board.named(name)


def test_a_picture_without_a_board_has_no_corners() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    assert CHARUCO.corners(noise) is None and CHECKER.corners(noise) is None
