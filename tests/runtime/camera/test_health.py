"""A camera that looks alive and is not must be noticed by its content."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.camera.health import (
    STAMP_AHEAD_LIMIT_NS,
    CameraHealth,
    CameraState,
)
from runtime.camera.words import WORDS
from runtime.freshness import CAMERA, CAMERA_QUICK, POSES_KEPT
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
    assert health.state(3 * PERIOD_NS + CAMERA_QUICK.ns) is CameraState.STAMPS_BACKWARDS
    assert health.state(3 * PERIOD_NS + CAMERA_QUICK.ns + 1) is CameraState.SILENT


@pytest.mark.parametrize(
    ("gaps_ms", "silent_after_ms"),
    [
        ([40] * 20, 200),  # 25 Hz: lost within 0.3 s, a tick of 50 ms included
        ([100] * 20, 200),
        ([40] * 10 + [230] + [40] * 5, 267),  # what jitters is not silent
        ([40] * 10 + [5000] + [40] * 80, 200),  # nor is what once stood still jittery for ever
        ([1000] * 5, 1000),
        ([], 1000),  # nothing is known of its pace yet
    ],
)
def test_a_camera_is_silent_the_sooner_the_more_evenly_its_frames_came(
    gaps_ms: list[int], silent_after_ms: int
) -> None:
    health, t_ns = CameraHealth(), 0
    for index, gap_ms in enumerate([0, *gaps_ms]):
        t_ns += gap_ms * 1_000_000
        health.observe(Frame(scene(index), t_ns, "test", index), t_ns)
        assert gap_ms < 1000 or health.state(t_ns + CAMERA.ns) is not CameraState.SILENT
    assert health.silent_after_ns == pytest.approx(silent_after_ms * 1e6, rel=0.01)
    assert health.state(t_ns + health.silent_after_ns) is CameraState.OK
    assert health.state(t_ns + health.silent_after_ns + 1) is CameraState.SILENT


@pytest.mark.parametrize("rate_hz", [3.0, 4.0, 10.0, 25.0, 60.0])
def test_a_frozen_camera_is_noticed_within_a_second_at_any_pace(rate_hz: float) -> None:
    health, period_ns = CameraHealth(), round(1e9 / rate_hz)
    health.observe(Frame(scene(0), 0, "test", 0), 0)
    states = [health.observe(Frame(scene(0), n * period_ns, "test", n), n * period_ns) for n in range(1, 100)]
    assert states.index(CameraState.FROZEN) + 1 <= rate_hz
    assert states[states.index(CameraState.FROZEN) :] == [CameraState.FROZEN] * (99 - states.index(CameraState.FROZEN))


@pytest.mark.parametrize("rate_hz", [3.0, 30.0])
def test_a_driver_that_says_each_frame_twice_is_not_frozen(rate_hz: float) -> None:
    health, period_ns = CameraHealth(), round(1e9 / rate_hz)
    for n in range(1, 40):
        frame = Frame(scene(n // 2), n * period_ns, "test", n)
        assert health.observe(frame, n * period_ns) is CameraState.OK


@pytest.mark.parametrize(
    ("width_px", "height_px", "expected"),
    [
        (64, 48, CameraState.OK),
        (128, 96, CameraState.OK),  # the same view in more pixels
        (128, 95, CameraState.OK),
        (64, 36, CameraState.OTHER_SHAPE),  # another mode of the sensor: it cuts something off
        (48, 64, CameraState.OTHER_SHAPE),
    ],
)
def test_pictures_of_another_shape_are_not_the_configured_cameras(
    width_px: int, height_px: int, expected: CameraState
) -> None:
    image = np.random.default_rng(1).integers(30, 220, (height_px, width_px, 3), dtype=np.uint8)
    assert CameraHealth(64 / 48).observe(Frame(image, 1, "test", 0), 1) is expected
    assert CameraHealth().observe(Frame(image, 1, "test", 0), 1) is CameraState.OK


def test_every_state_is_explained_in_words_of_its_own() -> None:
    assert set(WORDS) == set(CameraState) and len(set(WORDS.values())) == len(WORDS)


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
