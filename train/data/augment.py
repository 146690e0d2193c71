"""What training does to a crop: another light and sensor, weather, and a pose that is a little wrong."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.weather import CONDITIONS, under

Crop = NDArray[np.uint8]  # (S, S, 3) RGB
_BAD_WEATHER = tuple(name for name in CONDITIONS if name != "clear")


@dataclass(frozen=True, slots=True)
class Strength:
    """``weather``: share of crops in bad weather; ``heading_deg``, ``scale``, ``shift`` (of the side): one sigma of a
    pose's error."""

    weather: float = 0.5
    heading_deg: float = 5.0
    scale: float = 0.08
    shift: float = 0.06


def augmented(crop: Crop, strength: Strength, rng: np.random.Generator, seen_from_a_drone: bool) -> Crop:
    """One crop; weather is on the drone's view alone. Both are enlarged by the error of scale, for a crop cannot be
    made smaller without inventing what lies around it: between the two it goes both ways."""
    crop = misplaced(crop, strength, rng)
    if seen_from_a_drone and rng.random() < strength.weather:
        crop = under(_BAD_WEATHER[int(rng.integers(len(_BAD_WEATHER)))], crop, rng)
    return another_sensor(crop, rng)


def misplaced(crop: Crop, strength: Strength, rng: np.random.Generator) -> Crop:
    """Turned, enlarged and moved a little, only as far as nothing has to be mirrored in."""
    side = crop.shape[0]
    zoom = 1.0 + abs(rng.normal(0, strength.scale))
    turn = float(np.clip(rng.normal(0, strength.heading_deg), -45, 45))
    reach = abs(np.sin(np.radians(turn))) + abs(np.cos(np.radians(turn)))  # of the turned square's corners
    room = max(0.0, zoom - reach) * side / 2
    move = np.clip(rng.normal(0, strength.shift, 2) * side, -room, room)
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), turn, max(zoom, reach))
    matrix[:, 2] += move
    return np.asarray(cv2.warpAffine(crop, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def another_sensor(crop: Crop, rng: np.random.Generator) -> Crop:
    """White balance, gamma, contrast, saturation, sharpness and noise of another camera."""
    light = crop.astype(np.float32) / 255
    light = light * np.exp(rng.normal(0, 0.07, 3)).astype(np.float32)
    light = np.clip(light, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.18)))
    grey = light.mean(axis=2, keepdims=True)
    light = grey + (light - grey) * np.float32(np.exp(rng.normal(0, 0.25)))
    light = (light - 0.45) * np.float32(np.exp(rng.normal(0, 0.15))) + 0.45
    if rng.random() < 0.5:
        light = cv2.GaussianBlur(light, (0, 0), float(rng.uniform(0.3, 1.0)))
    light = light + rng.normal(0, rng.uniform(0, 0.02), light.shape).astype(np.float32)
    return np.asarray(np.clip(light * 255 + 0.5, 0, 255), np.uint8)


def turned_alike(crops: Crop, quarter_turns: int, mirrored: bool) -> Crop:
    """(N, S, S, 3) crops all turned counter-clockwise by so many right angles, and mirrored left to right."""
    turned = np.rot90(crops, quarter_turns, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if mirrored else turned)


def turned_shifts(shifts: NDArray[np.float32], quarter_turns: int, mirrored: bool) -> NDArray[np.float32]:
    """(..., 2) rows and columns of displacements in crops that were `turned_alike`."""
    for _ in range(quarter_turns % 4):
        shifts = np.stack([-shifts[..., 1], shifts[..., 0]], axis=-1)
    return shifts * np.array([1.0, -1.0 if mirrored else 1.0], np.float32)
