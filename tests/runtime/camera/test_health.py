"""A camera that looks alive and is not must be noticed by its content."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.camera.health import (
    STAMP_AHEAD_LIMIT_NS,
    CameraHealth,
    CameraState,
)
from runtime.freshness import CAMERA, POSES_KEPT
from runtime.values import Frame

PERIOD_NS = 40_000_000


def scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(30, 220, (48, 64, 3), dtype=np.uint8)


def feed(images: list[np.ndarray]) -> CameraState:
    health = CameraHealth()
    for index, image in enumerate(images):
        t_ns = (index + 1) * PERIOD_NS
        state = health.observe(Frame(image, t_ns, "test", index), t_ns)
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
    health.observe(Frame(scene(0), 2 * PERIOD_NS, "test", 0), 2 * PERIOD_NS)
    assert health.observe(Frame(scene(1), PERIOD_NS, "test", 1), 3 * PERIOD_NS) is CameraState.STAMPS_BACKWARDS
    assert health.state(3 * PERIOD_NS + CAMERA.ns) is CameraState.STAMPS_BACKWARDS
    assert health.state(3 * PERIOD_NS + CAMERA.ns + 1) is CameraState.SILENT


def observed(health: CameraHealth, index: int, error_ns: int = 0) -> CameraState:
    """What the frame of an instant shows whose stamp is wrong by so much."""
    arrived_t_ns = (index + 1000) * PERIOD_NS
    return health.observe(Frame(scene(index), arrived_t_ns + error_ns, "test", index), arrived_t_ns)


@pytest.mark.parametrize(
    ("error_ns", "expected"),
    [
        (STAMP_AHEAD_LIMIT_NS, CameraState.OK),
        (STAMP_AHEAD_LIMIT_NS + 1, CameraState.STAMP_IN_FUTURE),
        (10**18, CameraState.STAMP_IN_FUTURE),
        (-POSES_KEPT.ns - 1, CameraState.STAMP_TOO_OLD),
        (-(10**18), CameraState.STAMP_TOO_OLD),
    ],
)
def test_a_wrong_stamp_costs_its_own_frame_and_the_next_is_ok(error_ns: int, expected: CameraState) -> None:
    health = CameraHealth()
    assert observed(health, 0) is CameraState.OK
    assert observed(health, 1, error_ns) is expected
    assert observed(health, 3) is CameraState.OK  # 80 ms later: beyond what is taken from a coarse clock
    first_ever = CameraHealth()
    assert observed(first_ever, 0, error_ns) is expected
    assert observed(first_ever, 2) is CameraState.OK


def test_stamps_of_a_clock_that_is_not_ours_are_called_so_and_not_silence() -> None:
    health = CameraHealth()
    for index in range(100):
        assert observed(health, index, 10**15) is CameraState.STAMP_IN_FUTURE
    assert health.state(1100 * PERIOD_NS) is CameraState.STAMP_IN_FUTURE
