"""What training does to crops, on many at once by the device that computes: `train.data.augment` as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from train.data.augment import BAD_WEATHER, Strength, Window
from train.data.weather_batch import Draws, blurred, under_many


def cut_many(pictures: Tensor, windows: Sequence[Window], size_px: int) -> Tensor:
    """(N, S, S, 3) uint8 pictures to (N, 3, size_px, size_px) uint8: what each one's window shows."""
    turns = np.radians([window.turn_deg for window in windows])
    sides = np.array([window.side for window in windows])
    cos, sin = sides * np.cos(turns), sides * np.sin(turns)
    middles = 2 * np.array([(window.right, window.down) for window in windows])
    rows = np.stack([np.column_stack([cos, -sin, middles[:, 0]]), np.column_stack([sin, cos, middles[:, 1]])], axis=1)
    affine = torch.from_numpy(rows.astype(np.float32)).to(pictures.device, non_blocking=True)
    grid = functional.affine_grid(affine, [len(windows), 3, size_px, size_px], align_corners=False)
    planes = pictures.permute(0, 3, 1, 2).float()
    return as_levels(functional.grid_sample(planes, grid, padding_mode="reflection", align_corners=False))


def augmented_many(crops: Tensor, strength: Strength, draws: Draws, seen_from_a_drone: bool) -> Tensor:
    """(N, 3, S, S) uint8 crops, each in another light; weather is on the drone's views alone."""
    light = crops.float()
    if seen_from_a_drone:
        bad = draws.plain.random(len(crops)) < strength.weather
        kinds = draws.plain.integers(len(BAD_WEATHER), size=len(crops))
        light = under_many([BAD_WEATHER[k] if b else "clear" for b, k in zip(bad, kinds, strict=True)], light, draws)
    return as_levels(255 * _another_sensor(light / 255, draws))


def turned_alike_many(crops: Tensor, quarter_turns: int, mirrored: bool) -> Tensor:
    """(N, 3, S, S) crops to (N, S, S, 3), as `train.data.augment.turned_alike` has them."""
    turned = torch.rot90(crops, quarter_turns, dims=(2, 3))
    return (turned.flip(3) if mirrored else turned).permute(0, 2, 3, 1).contiguous()


def as_levels(light: Tensor) -> Tensor:
    """Grey levels, rounded, as uint8."""
    return (light + 0.5).clamp(0, 255).to(torch.uint8)


def _another_sensor(light: Tensor, draws: Draws) -> Tensor:
    """White balance, gamma, contrast, saturation, sharpness and noise of another camera, of light from 0 to 1."""
    count, plain = len(light), draws.plain
    white = draws.there(np.exp(plain.normal(0, 0.07, (count, 3, 1, 1))))
    gamma = draws.there(np.exp(plain.normal(0, 0.18, (count, 1, 1, 1))))
    saturation, contrast = (np.exp(plain.normal(0, sigma, (count, 1, 1))) for sigma in (0.25, 0.15))
    mix = draws.there(contrast * (saturation * np.eye(3) + (1 - saturation) / 3))
    toned = (light * white).clamp(0, 1) ** gamma
    mixed = torch.einsum("nij,njhw->nihw", mix, toned) + draws.there(0.45 * (1 - contrast))[..., None]
    sharpness = plain.uniform(0.3, 1.0, count) * (plain.random(count) < 0.5)
    noise = draws.uniform(0, 0.02, count)
    return blurred(mixed, sharpness) + noise * draws.noise(*mixed.shape)
