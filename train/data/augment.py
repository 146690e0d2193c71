"""What training does to a crop: another light and sensor, weather, and a pose that is a little wrong."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.weather import CONDITIONS, under

Crop = NDArray[np.uint8]  # (S, S, 3) RGB
_ROTATIONS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}  # by quarter turns
BAD_WEATHER = tuple(name for name in CONDITIONS if name != "clear")


@dataclass(frozen=True, slots=True)
class Strength:
    """``weather``: share of crops in bad weather; ``heading_deg``, ``scale``: one sigma of a pose's error; ``window``:
    side of what is learned from, of a picture's, cut anywhere in it. Views that always show a place in their middle
    teach where in the crop a cell is, which padded convolutions know without looking, instead of what it shows.
    ``any_heading``: the drone's views have no north, as where it circles a building: satellite pictures are turned
    besides by right angles of their own, and no drone's picture is, for none was ever taken on its side."""

    weather: float = 0.5
    heading_deg: float = 5.0
    scale: float = 0.08
    window: float = 0.75
    any_heading: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A square part of a picture: its middle ``down`` and ``right`` of the picture's and its ``side``, all in sides of
    the picture, turned clockwise."""

    down: float
    right: float
    side: float
    turn_deg: float


def any_window(strength: Strength, rng: np.random.Generator, view: str = "drone") -> Window:
    """A window with the errors of a pose, wholly inside the picture: nothing has to be mirrored in."""
    turn = float(np.clip(rng.normal(0, strength.heading_deg), -45, 45))
    if strength.any_heading:
        turn = turn + 90.0 * int(rng.integers(4)) if view == "satellite" else 0.0
    reach = abs(np.sin(np.radians(turn))) + abs(np.cos(np.radians(turn)))  # of the turned square's corners
    side = min(strength.window * float(np.exp(rng.normal(0, strength.scale))), 1 / reach)
    down, right = rng.uniform(-1, 1, 2) * (1 - side * reach) / 2
    return Window(float(down), float(right), side, turn)


def cut(picture: Crop, window: Window, size_px: int) -> Crop:
    """(size_px, size_px, 3): what a window shows."""
    length = picture.shape[0]
    step = window.side * length / size_px  # of the picture's pixels
    cos, sin = step * np.cos(np.radians(window.turn_deg)), step * np.sin(np.radians(window.turn_deg))
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = (np.array([window.right, window.down]) + 0.5) * length - 0.5
    matrix = np.hstack([turn, (middle - turn @ np.full(2, (size_px - 1) / 2))[:, None]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(picture, matrix, (size_px, size_px), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(crop, np.uint8)


def augmented(crop: Crop, strength: Strength, rng: np.random.Generator, seen_from_a_drone: bool) -> Crop:
    """One crop in another light; weather is on the drone's view alone."""
    if seen_from_a_drone and rng.random() < strength.weather:
        crop = under(BAD_WEATHER[int(rng.integers(len(BAD_WEATHER)))], crop, rng)
    return another_sensor(crop, rng)


def another_sensor(crop: Crop, rng: np.random.Generator) -> Crop:
    """White balance, gamma, contrast, saturation, sharpness and noise of another camera."""
    levels = np.arange(256, dtype=np.float32)[None, :, None] / 255 * np.exp(rng.normal(0, 0.07, 3)).astype(np.float32)
    curve = np.clip(levels, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.18)))
    saturation, contrast = np.exp(rng.normal(0, (0.25, 0.15)))
    mix = contrast * (saturation * np.eye(3) + (1 - saturation) / 3)  # each colour towards or away from grey
    light = cv2.transform(cv2.LUT(crop, curve), np.column_stack([mix, np.full(3, 0.45 * (1 - contrast))]))
    if rng.random() < 0.5:
        light = cv2.GaussianBlur(light, (0, 0), float(rng.uniform(0.3, 1.0)))
    light += np.float32(rng.uniform(0, 0.02)) * rng.standard_normal(light.shape, np.float32)
    return np.asarray(np.clip(light * 255 + 0.5, 0, 255), np.uint8)


def turned_alike(crops: Crop, quarter_turns: int, mirrored: bool) -> Crop:
    """(N, S, S, 3) crops all turned counter-clockwise by so many right angles, and mirrored left to right."""
    turned = np.empty_like(crops)
    for crop, room in zip(crops, turned, strict=True):
        seen = cv2.rotate(crop, _ROTATIONS[quarter_turns % 4]) if quarter_turns % 4 else crop
        room[...] = cv2.flip(seen, 1) if mirrored else seen
    return turned


def turned_shifts(shifts: NDArray[np.float32], quarter_turns: int, mirrored: bool) -> NDArray[np.float32]:
    """(..., 2) rows and columns of displacements in crops that were `turned_alike`."""
    for _ in range(quarter_turns % 4):
        shifts = np.stack([-shifts[..., 1], shifts[..., 0]], axis=-1)
    return shifts * np.array([1.0, -1.0 if mirrored else 1.0], np.float32)
