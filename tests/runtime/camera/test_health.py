"""A camera that looks alive and is not must be noticed by its content."""

from __future__ import annotations

import numpy as np

from runtime.camera.health import SILENT_AFTER_NS, CameraHealth, CameraState
from runtime.values import Frame

PERIOD_NS = 40_000_000


def scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(30, 220, (48, 64, 3), dtype=np.uint8)


def feed(images: list[np.ndarray]) -> CameraState:
    health = CameraHealth()
    for index, image in enumerate(images):
        state = health.observe(Frame(image, (index + 1) * PERIOD_NS, "test", index))
    return state


def test_changing_frames_are_ok() -> None:
    assert feed([scene(index) for index in range(10)]) is CameraState.OK


def test_the_same_frame_again_and_again_is_frozen_and_recovers() -> None:
    assert feed([scene(0)] * 6) is CameraState.FROZEN
    assert feed([scene(0)] * 6 + [scene(1)]) is CameraState.OK


def test_black_and_white_frames_are_told_apart_from_frozen() -> None:
    rng = np.random.default_rng(0)
    dark = [rng.integers(0, 4, (48, 64, 3), dtype=np.uint8) for _ in range(3)]
    assert feed(dark) is CameraState.BLACK
    assert feed([255 - image for image in dark]) is CameraState.WHITE


def test_stamps_going_backwards_and_silence() -> None:
    health = CameraHealth()
    assert health.state(0) is CameraState.NO_FRAME_YET
    health.observe(Frame(scene(0), 2 * PERIOD_NS, "test", 0))
    assert health.observe(Frame(scene(1), PERIOD_NS, "test", 1)) is CameraState.STAMPS_BACKWARDS
    assert health.state(2 * PERIOD_NS + SILENT_AFTER_NS + 1) is CameraState.SILENT
