"""The renderer puts things where geometry says they are: checked on a scene of one house and one marked ground."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt
import pytest

from runtime.camera_model import CameraModel
from runtime.view import GroundPlane
from sim.render import Renderer
from sim.world.dates import Sensor, make_date
from sim.world.ground import GroundRaster
from sim.world.layout import House, Layout
from sim.world.meshes import build
from sim.world.world import Scene
from tests.sim.cameras import nadir

PLAIN = Sensor((1.0, 1.0, 1.0), 1.0, 1.0, 1.0, 0.0, (0.0, 0.0, 0.0))
HALF_M, GSD_M = 60.0, 0.25
MARK_NE = (12.0, -7.0)


def scene(houses: tuple[House, ...] = (), tilt: tuple[float, float] = (0.0, 0.0)) -> Scene:
    """Grey ground with a bright 2 m square centred on MARK_NE; sun from the south at 45 degrees."""
    side = int(2 * HALF_M / GSD_M)
    image = np.full((side, side, 3), 100, np.uint8)
    row, column = int((HALF_M - MARK_NE[0]) / GSD_M), int((MARK_NE[1] + HALF_M) / GSD_M)
    image[row - 4 : row + 4, column - 4 : column + 4] = 250
    date = dataclasses.replace(
        make_date(1, "flight"),
        sensor=PLAIN,
        sun_azimuth_rad=math.pi,
        sun_elevation_rad=math.pi / 4,
        tilt_north=tilt[0],
        tilt_east=tilt[1],
    )
    layout = Layout(HALF_M, (), houses, (), ())
    return Scene(date, layout, build(layout, date), GroundRaster(image, HALF_M, -HALF_M, GSD_M))


def bright_centre(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(x, y) in continuous pixels of what is brighter than any ground."""
    rows, columns = np.nonzero(image.mean(axis=2) > 180)
    assert len(rows) > 10
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.0])
def test_mark_appears_where_the_camera_model_projects_it(yaw: float) -> None:
    camera = dataclasses.replace(CameraModel.from_hfov(640, 480, 70.0), distortion=(-0.1, 0.02, 0.0, 0.0, 0.0))
    turn = nadir(yaw)
    position = np.array([3.0, 2.0, -40.0])
    image = Renderer(scene()).perspective(camera, turn, position)
    expected = GroundPlane(camera, turn, 40.0).pixels_of(np.array([[MARK_NE[0] - 3.0, MARK_NE[1] - 2.0]]))[0]
    assert np.linalg.norm(bright_centre(image) - expected) < 1.0


def test_orthographic_is_north_up_and_metric() -> None:
    image = Renderer(scene()).orthographic((10.0, 0.0), 60.0, 0.25)
    assert image.shape == (240, 240, 3) and image.dtype == np.uint8
    x, y = bright_centre(image)
    assert 10.0 + 30.0 - y * 0.25 == pytest.approx(MARK_NE[0], abs=0.3)
    assert -30.0 + x * 0.25 == pytest.approx(MARK_NE[1], abs=0.3)


def test_shadow_falls_away_from_the_sun() -> None:
    """A flat roof 8 m up with the sun 45 degrees high in the south: the shadow reaches 8 m north of the wall."""
    house = House(0, 0.0, 0.0, 0.0, 10.0, 10.0, 8.0, 0.0, "flat", 0)
    image = Renderer(scene((house,))).orthographic((0.0, 0.0), 60.0, 0.25).mean(axis=2)

    def level(north_m: float) -> float:
        row = int((30.0 - north_m) / 0.25)
        return float(image[row - 2 : row + 2, 118:122].mean())

    assert level(9.0) < 0.6 * level(17.0)
    assert level(-9.0) > 0.9 * level(17.0)


def test_tilt_leans_roofs_but_not_ground() -> None:
    house = House(0, 0.0, 0.0, 0.0, 10.0, 10.0, 8.0, 0.0, "flat", 2)
    upright = Renderer(scene((house,))).orthographic((0.0, 0.0), 60.0, 0.25)
    leaning = Renderer(scene((house,), tilt=(0.0, 0.5))).orthographic((0.0, 0.0), 60.0, 0.25)
    assert np.linalg.norm(bright_mark(upright) - bright_mark(leaning)) < 0.6
    difference = np.abs(upright.astype(int) - leaning.astype(int)).mean(axis=2) > 25
    columns = np.nonzero(difference)[1]
    assert columns.max() < 160 and len(columns) > 50  # only about the house


def bright_mark(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    corner = image[: image.shape[0] // 2 - 24]  # the mark lies 12 m north, clear of the house
    return bright_centre(corner)


def test_same_scene_same_picture() -> None:
    house = House(0, 5.0, 5.0, 0.3, 10.0, 8.0, 4.0, 3.0, "gable", 3)
    camera = CameraModel.from_hfov(160, 120, 70.0)
    pictures = [Renderer(scene((house,))).perspective(camera, nadir(), (0.0, 0.0, -40.0)) for _ in range(2)]
    assert np.array_equal(*pictures)
