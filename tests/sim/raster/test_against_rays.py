"""What the rasteriser draws is what a ray per pixel would meet, to a level of grey, whatever the camera."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt
import pytest

from runtime.camera_model import CameraModel
from runtime.rotations import ned_from_euler, rotation
from sim.camera import default_camera
from sim.render import Renderer
from sim.world.meshes import build
from sim.world.world import Scene, World
from tests.sim.cameras import nadir
from tests.sim.raster.traced import TracedRenderer

Image = npt.NDArray[np.uint8]
SEED, SIDE_M = 100_241, 150.0
SMALL = CameraModel.from_hfov(320, 240, 70.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return World.generate(SEED, SIDE_M).scene("flight")


@pytest.fixture(scope="module")
def drawn(scene: Scene) -> Renderer:
    return Renderer(scene)


@pytest.fixture(scope="module")
def traced(scene: Scene) -> TracedRenderer:
    return TracedRenderer(scene)


def turned(roll_deg: float, pitch_deg: float, yaw_deg: float) -> npt.NDArray[np.float64]:
    """ned_from_camera of a camera that looks down out of a body in that attitude."""
    body = rotation(ned_from_euler(*(math.radians(angle) for angle in (roll_deg, pitch_deg, yaw_deg))))
    return np.asarray((body * rotation(SMALL.body_from_camera)).as_matrix())


def assert_same_picture(picture: Image, expected: Image) -> None:
    """Rounded noise moves light by a level, which the tone curve may make two; on an edge, rays fall to a neighbour."""
    difference = np.abs(picture.astype(int) - expected).max(axis=2)
    assert difference.mean() < 0.3
    assert (difference > 2).mean() < 0.001
    assert (difference > 8).mean() < 0.0005


@pytest.mark.parametrize("camera", [
    default_camera(),
    SMALL,
    dataclasses.replace(SMALL, distortion=(-0.3, 0.08, 2e-3, -1e-3, 0.0)),  # an action camera's barrel
    dataclasses.replace(SMALL, distortion=(0.15, 0.05, 0.0, 0.0, 0.01)),  # a pincushion
    dataclasses.replace(SMALL, distortion=(-0.28, 0.08, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0)),  # more than is projected
])  # fmt: skip
def test_a_view_from_above_is_what_rays_meet(drawn: Renderer, traced: TracedRenderer, camera: CameraModel) -> None:
    turn, eye = turned(4.0, -7.0, 50.0), (12.0, -20.0, -70.0)
    picture = drawn.perspective(camera, turn, eye)
    assert_same_picture(picture, traced.perspective(camera, turn, eye))


@pytest.mark.parametrize(("turn", "eye"), [
    (turned(0.0, 45.0, 200.0), (30.0, 10.0, -60.0)),
    (turned(70.0, 10.0, 0.0), (-20.0, 15.0, -25.0)),
    (turned(3.0, 84.0, 30.0), (5.0, 5.0, -1.7)),  # a person's view: sky, and walls on both sides of the lens
    (turned(0.0, 80.0, 120.0), (-12.0, 22.0, -4.0)),  # among the crowns
    (turned(0.0, 120.0, 75.0), (8.0, -9.0, -2.5)),  # upwards, from under what stands around
])  # fmt: skip
def test_an_oblique_view_is_what_rays_meet(
    drawn: Renderer, traced: TracedRenderer, turn: npt.NDArray[np.float64], eye: tuple[float, float, float]
) -> None:
    assert_same_picture(drawn.perspective(SMALL, turn, eye), traced.perspective(SMALL, turn, eye))


def test_a_view_shows_more_than_ground(scene: Scene, drawn: Renderer) -> None:
    """The comparisons above are of something: crowns and houses fill a good part of the picture."""
    nothing = build(dataclasses.replace(scene.layout, houses=(), trees=(), cars=()), scene.date)
    bare = Renderer(dataclasses.replace(scene, mesh=nothing))
    pictures = [r.perspective(SMALL, nadir(), (0.0, 0.0, -60.0)).astype(int) for r in (drawn, bare)]
    assert (np.abs(pictures[0] - pictures[1]).max(axis=2) > 3).mean() > 0.1


def test_the_satellites_view_is_what_rays_meet() -> None:
    scene = World.generate(SEED, SIDE_M).scene("satellite")
    assert math.hypot(scene.date.tilt_north, scene.date.tilt_east) > 0.02
    drawn, traced = Renderer(scene), TracedRenderer(scene)
    assert_same_picture(drawn.orthographic((5.0, -8.0), 120.0, 0.3), traced.orthographic((5.0, -8.0), 120.0, 0.3))


def test_the_shadows_on_the_ground_are_those_of_rays(
    scene: Scene, drawn: Renderer, traced: TracedRenderer
) -> None:
    difference = np.abs(drawn.scene.ground.image.astype(int) - traced.lit).max(axis=2)
    assert (difference > 0).mean() < 0.001
    assert traced.lit.mean() < 0.97 * scene.ground.image.mean(), "nothing throws a shadow"
