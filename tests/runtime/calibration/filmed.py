"""Pictures of a calibration board as a lens with distortion shows it: one ray a pixel onto the board's plane."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.calibration.board import Board
from runtime.camera_model import CameraModel
from runtime.values import ImageRGB

LENS = CameraModel(400, 300, 325.0, 322.0, 207.0, 142.5, (-0.21, 0.09, 0.0012, -0.0008, -0.02))
_PX_A_SQUARE = 50


def pictures(
    board: Board, lens: CameraModel, count: int, seed: int = 0, *, tilt_deg: float = 40.0, part: float = 0.35
) -> Iterator[ImageRGB]:
    """``count`` views of a board that is moved, turned and tilted by up to ``tilt_deg``; its centre keeps to the middle
    ``part`` of the picture's half width."""
    drawn = cv2.copyMakeBorder(board.drawn(_PX_A_SQUARE), *(4 * [_PX_A_SQUARE]), cv2.BORDER_CONSTANT, value=255)
    rays, chance = _rays(lens), np.random.default_rng(seed)
    for _ in range(count):
        yield _view(board, drawn, rays, chance, lens, tilt_deg, part)


@cache
def _rays(lens: CameraModel) -> NDArray[np.float64]:
    """(H, W, 3): the direction that each pixel looks in."""
    columns, rows = np.meshgrid(np.arange(lens.width_px), np.arange(lens.height_px))
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    plane = undistorted(pixels, lens).reshape(lens.height_px, lens.width_px, 2)
    return np.concatenate([plane, np.ones((*plane.shape[:2], 1))], axis=-1)


def undistorted(pixels: NDArray[np.float64], lens: CameraModel, steps: int = 25) -> NDArray[np.float64]:
    """(N, 2): where the rays of (N, 1, 2) pixels meet the plane at a distance of 1, by fixed-point iteration: OpenCV's
    own takes five steps, a hundredth of a pixel short in the corners of such a lens."""
    ideal = cv2.undistortPoints(pixels, lens.matrix, None).reshape(-1, 2)
    plane = ideal.copy()
    for _ in range(steps):
        rays = np.concatenate([plane, np.ones((len(plane), 1))], axis=1)
        told, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), np.eye(3), np.array(lens.distortion))
        plane += ideal - told.reshape(-1, 2)
    return np.asarray(plane, dtype=np.float64)


def _view(
    board: Board, drawn: NDArray[np.uint8], rays: NDArray[np.float64], chance: np.random.Generator,
    lens: CameraModel, tilt_deg: float, part: float,
) -> ImageRGB:  # fmt: skip
    axis = np.append(chance.normal(size=2), 0.0)
    tilt = axis / np.linalg.norm(axis) * np.radians(tilt_deg * chance.uniform(0.2, 1.0))
    turn = cv2.Rodrigues(tilt)[0] @ cv2.Rodrigues(np.array([0.0, 0.0, chance.uniform(-0.6, 0.6)]))[0]
    width, height = board.columns * board.square_m, board.rows * board.square_m
    away = chance.uniform(0.8, 1.5) * width * lens.fx_px / lens.width_px * 1.3
    shift = chance.uniform(-part, part, 2) * 0.5 * np.array([lens.width_px / lens.fx_px, lens.height_px / lens.fy_px])
    centre = np.array([shift[0] * away, shift[1] * away, away])
    corner = centre - turn @ np.array([width / 2, height / 2, 0.0])
    # The plane through the board: n . (s ray) = n . corner.
    normal = turn[:, 2]
    points = rays * ((normal @ corner) / (rays @ normal))[..., None] - corner
    across, down = points @ turn[:, 0], points @ turn[:, 1]
    # The centre of a picture's first pixel is half a pixel inside the square that it is of.
    scale = _PX_A_SQUARE / board.square_m
    maps = [(values * scale + _PX_A_SQUARE - 0.5).astype(np.float32) for values in (across, down)]
    grey = cv2.remap(drawn, *maps, cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=150.0)
    seen = cv2.GaussianBlur(grey, (3, 3), 0.7).astype(np.float32) * 0.8 + 20
    noisy = np.clip(seen + chance.normal(0.0, 3.0, grey.shape), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)
