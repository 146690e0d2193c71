"""Weather and light on a crop: the ten conditions that University-1652's follow-ups measure, drawn on the fly.

The conditions are those of University-WX (Wang and others, "Multiple-environment self-adaptive network", Pattern
Recognition 2024); the drawing is our own. A condition is what it changes, in the order in which light meets it: the
ground, the air, what falls through the air, the shaken lens, the sensor. Snow so lies beneath the fog, not on it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import UsageError

Crop = NDArray[np.uint8]  # (S, S, 3) RGB
Light = NDArray[np.float32]  # the same, 0 to 255
Draw = Callable[[Light, np.random.Generator], Light]


def fog(light: Light, rng: np.random.Generator) -> Light:
    """Airlight in drifting density: contrast falls, edges stay."""
    density = rng.uniform(0.35, 0.6) * (0.75 + 0.5 * _drift(light.shape[0], 3, rng))[..., None]
    return np.asarray(light * (1 - density) + rng.uniform(190, 225) * density, np.float32)


def rain(light: Light, rng: np.random.Generator) -> Light:
    """Slanted streaks over a darker, softer picture."""
    side = light.shape[0]
    drops = (rng.random((side, side), np.float32) > 0.985).astype(np.float32)
    streaks = cv2.filter2D(drops, -1, lean_streak(side, rng))[..., None]
    soft = cv2.GaussianBlur(light * rng.uniform(0.65, 0.85), (0, 0), side / 400)
    return np.asarray(soft + 170 * np.minimum(streaks, 0.6), np.float32)


def lean_streak(side: int, rng: np.random.Generator) -> Light:
    """The kernel that draws a drop out to a slanted streak, in a crop of that side."""
    length = max(5, side // 14)
    streak = np.zeros((length, length), np.float32)
    lean = int(rng.integers(0, length // 2 + 1))
    cv2.line(streak, (lean, 0), (length - 1 - lean, length - 1), 1.0)
    return np.asarray(streak / streak.sum() * 4, np.float32)


def lying_snow(light: Light, rng: np.random.Generator) -> Light:
    """Ground whitened where it is bright."""
    brightness = light.mean(axis=2, keepdims=True) / 255
    drift = _drift(light.shape[0], 8, rng)[..., None]
    covered = np.clip(brightness * 1.6 - 0.25 + 0.25 * drift, 0, 1) * np.float32(rng.uniform(0.5, 0.8))
    return np.asarray(light * (1 - covered) + 235 * covered, np.float32)


def flakes(light: Light, rng: np.random.Generator) -> Light:
    """Flakes of several sizes in the air."""
    side = light.shape[0]
    seen = np.zeros((side, side), np.float32)
    for size in (0.7, 1.2, 2.0):
        points = (rng.random((side, side), np.float32) > 0.994).astype(np.float32)
        seen += cv2.GaussianBlur(points, (0, 0), size) * size * size * 5
    return np.asarray(light + 200 * np.minimum(seen, 0.8)[..., None], np.float32)


def dark(light: Light, rng: np.random.Generator) -> Light:
    """Dusk: little light, bluish, and the noise that the gain brings."""
    dim = light * rng.uniform(0.22, 0.4) * np.array([0.9, 0.95, 1.1], np.float32)
    return dim + 5 * rng.standard_normal(light.shape, np.float32)


def over_exposed(light: Light, rng: np.random.Generator) -> Light:
    """Too much light: what is bright is lost."""
    return light * rng.uniform(1.5, 1.9) + rng.uniform(10, 35)


def wind(light: Light, rng: np.random.Generator) -> Light:
    """Blur along the way the camera was shaken."""
    kernel = shake_streak(light.shape[0], rng)
    return np.asarray(cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32)


def shake_streak(side: int, rng: np.random.Generator) -> Light:
    """The kernel of a shake along any way, in a crop of that side."""
    length = max(3, round(side * rng.uniform(0.02, 0.045)))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1.0
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), float(rng.uniform(0, 180)), 1.0)
    kernel = cv2.warpAffine(kernel, turn, (length, length)).astype(np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)


# What a condition draws, and in which order what is drawn meets the light.
_IN_ORDER: dict[str, Draw] = {
    "lying_snow": lying_snow, "fog": fog, "rain": rain, "flakes": flakes, "wind": wind, "dark": dark,
    "over_exposed": over_exposed,
}  # fmt: skip
PLAIN: dict[str, tuple[str, ...]] = {
    "fog": ("fog",), "rain": ("rain",), "snow": ("lying_snow", "flakes"), "dark": ("dark",),
    "over_exposed": ("over_exposed",), "wind": ("wind",),
}  # fmt: skip
PARTS: dict[str, tuple[str, ...]] = {
    "clear": (), **{name: (name,) for name in ("fog", "rain", "snow")}, "fog_rain": ("fog", "rain"),
    "fog_snow": ("fog", "snow"), **{name: (name,) for name in ("dark", "over_exposed", "wind")},
}  # fmt: skip
MIXED = "mixed"  # two of the plain ones at once
CONDITIONS: tuple[str, ...] = (*PARTS, MIXED)


def under(condition: str, crop: Crop, rng: np.random.Generator) -> Crop:
    """A crop as it would look in a condition of `CONDITIONS`.

    Raises:
        UsageError: there is no such condition.
    """
    if condition not in CONDITIONS:
        raise UsageError(f"there is no condition {condition}: choose {', '.join(CONDITIONS)}.")
    parts = tuple(rng.choice(list(PLAIN), 2, replace=False)) if condition == MIXED else PARTS[condition]
    light = crop.astype(np.float32)
    drawn = {name for part in parts for name in PLAIN[part]}
    for draw in (draw for name, draw in _IN_ORDER.items() if name in drawn):
        light = np.clip(draw(light, rng), 0, 255)
    return np.asarray(light + 0.5, np.uint8)


def _drift(side: int, cells: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(side, side) smooth noise, 0 to 1."""
    coarse = rng.random((cells, cells)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), 0, 1)
