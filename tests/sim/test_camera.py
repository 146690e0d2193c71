"""The simulated camera is imperfect in the ways it says, and the same every time."""

import dataclasses

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.rotations import ned_from_euler
from sim.camera import CameraFaults, SimulatedCamera, default_camera, delay_s
from sim.render import Renderer
from sim.world.world import World

POSITION, LEVEL = (0.0, 0.0, -60.0), ned_from_euler(0.0, 0.0, 0.5)
PERFECT = CameraFaults(exposure_wobble=0.0, noise=0.0, blur_px=0.01, jpeg_quality=None)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(World.generate(100_210, 120.0).scene("flight"))


def test_frame_is_rgb_of_the_model_and_repeatable(renderer: Renderer) -> None:
    first, second = (SimulatedCamera(renderer, default_camera(), 7).capture(POSITION, LEVEL) for _ in range(2))
    assert first.shape == (480, 640, 3) and first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_another_seed_other_noise(renderer: Renderer) -> None:
    first, second = (SimulatedCamera(renderer, default_camera(), s).capture(POSITION, LEVEL) for s in (7, 8))
    assert not np.array_equal(first, second)


def test_perfect_camera_shows_the_rendering(renderer: Renderer) -> None:
    camera = CameraModel.from_hfov(160, 120, 70.0)
    taken = SimulatedCamera(renderer, camera, 1, PERFECT).capture(POSITION, ned_from_euler(0.0, 0.0, 0.0))
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    shown = renderer.perspective(camera, turn, POSITION)
    assert np.abs(taken.astype(int) - shown.astype(int)).mean() < 1.0


def test_speed_blurs_along_the_course(renderer: Renderer) -> None:
    """Flying north at 200 m/s with north up smears rows into each other, not columns."""
    camera = CameraModel.from_hfov(320, 240, 70.0)
    faults = dataclasses.replace(PERFECT, exposure_s=0.02)
    north = ned_from_euler(0.0, 0.0, 0.0)
    still = SimulatedCamera(renderer, camera, 1, faults).capture(POSITION, north).astype(int)
    moving = SimulatedCamera(renderer, camera, 1, faults).capture(POSITION, north, (200.0, 0.0, 0.0)).astype(int)
    kept = [np.abs(np.diff(moving, axis=a)).mean() / np.abs(np.diff(still, axis=a)).mean() for a in (0, 1)]
    assert kept[0] < 0.5 * kept[1]


def test_exposure_wanders(renderer: Renderer) -> None:
    camera = SimulatedCamera(renderer, CameraModel.from_hfov(80, 60, 70.0), 3)
    levels = [camera.capture(POSITION, LEVEL).mean() for _ in range(30)]
    assert np.std(levels) / np.mean(levels) == pytest.approx(0.06, abs=0.045)


def test_delay_is_sixty_milliseconds_give_or_take_twenty() -> None:
    rng = np.random.default_rng(1)
    delays = np.array([delay_s(rng) for _ in range(4000)])
    assert delays.mean() == pytest.approx(0.060, abs=0.002)
    assert delays.std() == pytest.approx(0.020, abs=0.002)
    assert delays.min() >= 0.010
