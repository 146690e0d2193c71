"""Which pictures hold nothing to match, whatever makes them even; and which do, however dim."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime.plain import is_plain
from tests.runtime.record.fakes import ground_texture


def even(level: int, side_px: int = 320) -> NDArray[np.uint8]:
    return np.full((side_px, side_px, 3), level, np.uint8)


def noisy(level: float, deviation: float, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(level, deviation, (*size_px, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


def vignetted(side_px: int = 320) -> NDArray[np.uint8]:
    """A grey cap through a lens whose light falls by a third to the corners."""
    y, x = np.mgrid[-1 : 1 : side_px * 1j, -1 : 1 : side_px * 1j]
    return np.repeat((120 - 20 * (x * x + y * y))[..., None], 3, axis=2).astype(np.uint8)


def coded(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.mark.parametrize(
    "image",
    [
        even(0), even(255), even(128), even(7, 16), vignetted(), noisy(4, 6, (480, 640)), noisy(128, 8, (480, 640)),
        coded(noisy(128, 4, (320, 320)), 30), coded(vignetted(), 50),
    ],
    ids=["black", "white", "grey", "small", "vignette", "dark noise", "grey noise", "coded noise", "coded vignette"],
)  # fmt: skip
def test_nothing_to_match(image: NDArray[np.uint8]) -> None:
    assert is_plain(image)


@pytest.mark.parametrize("contrast", [0.12, 0.3, 1.0])
def test_ground_is_no_plain_picture_however_dim(contrast: float) -> None:
    ground = ground_texture(320).astype(np.float32)
    dim = np.clip(100 + (ground - ground.mean()) * contrast, 0, 255).astype(np.uint8)
    assert not is_plain(dim)
    assert not is_plain(cv2.resize(dim, (64, 64), interpolation=cv2.INTER_AREA))
