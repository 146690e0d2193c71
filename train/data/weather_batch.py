"""The weather of `train.data.weather`, drawn on many crops at once by the device that computes.

The same conditions with the same numbers in them; what falls where is drawn on the device, so that a crop's weather is
another draw than the one-by-one form's, of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from train.data.weather import MIXED, PARTS, PLAIN, lean_streak, shake_streak


class Draws:
    """Random numbers of a batch: ``plain`` for a number a crop, on the processor; ``field`` for a number a pixel, on
    the device. Equal seeds give equal draws on one kind of device."""

    def __init__(self, seed: Sequence[int], device: torch.device) -> None:
        self.plain = np.random.default_rng(list(seed))
        self.device = device
        self._generator = torch.Generator(device).manual_seed(int(self.plain.integers(2**62)))

    def uniform(self, low: float, high: float, count: int) -> Tensor:
        """(count, 1, 1, 1) float32."""
        return self.there(self.plain.uniform(low, high, (count, 1, 1, 1)))

    def there(self, array: NDArray[np.floating]) -> Tensor:
        """An array as float32 on the device."""
        return torch.from_numpy(array.astype(np.float32)).to(self.device, non_blocking=True)

    def field(self, *shape: int) -> Tensor:
        """Uniform from 0 to 1."""
        return torch.rand(shape, generator=self._generator, device=self.device)

    def noise(self, *shape: int) -> Tensor:
        """Normal, of one sigma."""
        return torch.randn(shape, generator=self._generator, device=self.device)


Draw = Callable[[Tensor, Draws], Tensor]  # (n, 3, S, S), 0 to 255


def under_many(conditions: Sequence[str], light: Tensor, draws: Draws) -> Tensor:
    """(N, 3, S, S) float32 of 0 to 255, each crop under its condition of `train.data.weather.CONDITIONS`."""
    parts = [
        tuple(draws.plain.choice(list(PLAIN), 2, replace=False)) if one == MIXED else PARTS[one] for one in conditions
    ]
    drawn = [{name for part in own for name in PLAIN[part]} for own in parts]
    for name, draw in _IN_ORDER.items():
        rows = [i for i, own in enumerate(drawn) if name in own]
        if rows:
            index = torch.tensor(rows, device=light.device)
            light = light.index_copy(0, index, draw(light[index], draws).clamp(0, 255))
    return light


def blurred(light: Tensor, sigmas: NDArray[np.float64]) -> Tensor:
    """(N, C, S, S), each smoothed by a Gaussian of its own; a sigma of 0 leaves a picture as it is."""
    reach = max(1, int(np.ceil(3 * sigmas.max(initial=0.0))))
    at = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (at / np.maximum(sigmas, 1e-3)[:, None]) ** 2)
    line = torch.from_numpy((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)).to(light.device)
    return filtered(filtered(light, line[:, None, :]), line[:, :, None])


def filtered(light: Tensor, kernels: Tensor) -> Tensor:
    """(N, C, S, S), each correlated with its own of (N, h, w) kernels; borders are mirrored."""
    count, channels, height, width = light.shape
    high, wide = kernels.shape[1:]
    margins = (wide // 2, wide - 1 - wide // 2, high // 2, high - 1 - high // 2)
    padded = functional.pad(light, margins, mode="reflect").reshape(1, count * channels, height + high - 1, -1)
    each = kernels.repeat_interleave(channels, dim=0)[:, None]
    return functional.conv2d(padded, each, groups=count * channels).reshape(count, channels, height, width)


def _drift(light: Tensor, cells: int, draws: Draws) -> Tensor:
    coarse = draws.field(len(light), 1, cells, cells)
    return functional.interpolate(coarse, size=light.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)


def _fog(light: Tensor, draws: Draws) -> Tensor:
    density = draws.uniform(0.35, 0.6, len(light)) * (0.75 + 0.5 * _drift(light, 3, draws))
    return light * (1 - density) + draws.uniform(190, 225, len(light)) * density


def _rain(light: Tensor, draws: Draws) -> Tensor:
    count, side = len(light), light.shape[-1]
    drops = (draws.field(count, 1, side, side) > 0.985).float()
    streaks = filtered(drops, draws.there(np.stack([lean_streak(side, draws.plain) for _ in range(count)])))
    soft = blurred(light * draws.uniform(0.65, 0.85, count), np.full(count, side / 400))
    return soft + 170 * streaks.clamp(max=0.6)


def _lying_snow(light: Tensor, draws: Draws) -> Tensor:
    brightness = light.mean(dim=1, keepdim=True) / 255
    covered = (brightness * 1.6 - 0.25 + 0.25 * _drift(light, 8, draws)).clamp(0, 1)
    covered = covered * draws.uniform(0.5, 0.8, len(light))
    return light * (1 - covered) + 235 * covered


def _flakes(light: Tensor, draws: Draws) -> Tensor:
    count, side = len(light), light.shape[-1]
    seen = torch.zeros(count, 1, side, side, device=light.device)
    for size in (0.7, 1.2, 2.0):
        points = (draws.field(count, 1, side, side) > 0.994).float()
        seen = seen + blurred(points, np.full(count, size)) * size * size * 5
    return light + 200 * seen.clamp(max=0.8)


def _dark(light: Tensor, draws: Draws) -> Tensor:
    bluish = draws.there(np.array([0.9, 0.95, 1.1]))[:, None, None]
    return light * draws.uniform(0.22, 0.4, len(light)) * bluish + 5 * draws.noise(*light.shape)


def _over_exposed(light: Tensor, draws: Draws) -> Tensor:
    return light * draws.uniform(1.5, 1.9, len(light)) + draws.uniform(10, 35, len(light))


def _wind(light: Tensor, draws: Draws) -> Tensor:
    kernels = [shake_streak(light.shape[-1], draws.plain) for _ in range(len(light))]
    room = max(len(kernel) for kernel in kernels)
    return filtered(light, draws.there(np.stack([_padded(kernel, room) for kernel in kernels])))


def _padded(kernel: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """A square kernel in the middle of a larger one: its anchor, half its side, stays the anchor."""
    before = side // 2 - len(kernel) // 2
    after = side - len(kernel) - before
    return np.asarray(cv2.copyMakeBorder(kernel, before, after, before, after, cv2.BORDER_CONSTANT, value=0.0))


_IN_ORDER: dict[str, Draw] = {
    "lying_snow": _lying_snow, "fog": _fog, "rain": _rain, "flakes": _flakes, "wind": _wind, "dark": _dark,
    "over_exposed": _over_exposed,
}  # fmt: skip
