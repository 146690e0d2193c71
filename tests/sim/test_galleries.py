"""Galleries show the places that they say they show."""

import numpy as np
import pytest
import rasterio

from runtime.errors import StorageError
from sim.galleries import PoseErrors, drone_gallery, grid, satellite_gallery, scattered, survey
from sim.satellite import cut, write_geotiff
from sim.world.world import World

EXACT = PoseErrors(attitude_deg=0.0, heading_deg=0.0, height_share=0.0, tilt_deg=6.0, speed_m_s=0.0)


@pytest.fixture(scope="module")
def world() -> World:
    return World.generate(100_220, 200.0)


def test_grid_keeps_crops_inside_and_takes_the_middle(world: World) -> None:
    everything = grid(world, 20.0, 90.0)
    assert np.abs(everything).max() <= (200 - 90) / 2
    assert len(grid(world, 20.0, 90.0, count=9)) == 9
    assert np.abs(grid(world, 20.0, 90.0, count=9)).max() == 20.0


def test_survey_flies_there_and_back() -> None:
    places = survey((-20.0, 0.0), (20.0, 30.0), 30.0, 20.0)
    assert places.tolist() == [[-20, 0], [0, 0], [20, 0], [20, 30], [0, 30], [-20, 30]]


def test_scattered_is_seeded(world: World) -> None:
    assert np.array_equal(scattered(world, 5, 90.0, 1), scattered(world, 5, 90.0, 1))
    assert not np.array_equal(scattered(world, 5, 90.0, 1), scattered(world, 5, 90.0, 2))


def test_drone_view_lies_on_the_true_ground(world: World) -> None:
    """With a true pose, the rectified view of any heading and tilt lines up with the flight date seen from above."""
    from sim.render import Renderer

    place = np.array([[8.0, -5.0]])
    view = drone_gallery(world, place, 60.0, 128, seed=3, errors=EXACT).images[0]
    above = Renderer(world.scene("flight")).orthographic((8.0, -5.0), 80.0, 60 / 128)
    reach = (above.shape[0] - 128) // 2
    best, score = (0, 0), -1.0
    for dy in range(-6, 7):
        for dx in range(-6, 7):
            part = above[reach + dy : reach + dy + 128, reach + dx : reach + dx + 128]
            likeness = float(np.corrcoef(part.ravel(), view.ravel())[0, 1])
            best, score = max((best, score), ((dy, dx), likeness), key=lambda pair: pair[1])
    assert max(abs(best[0]), abs(best[1])) <= 1
    assert score > 0.5


def test_satellite_gallery_is_displaced_by_the_registration(world: World) -> None:
    """Moving the place back by the registration error undoes it: the crop then equals the true rendering's place."""
    from sim.render import Renderer

    north, east = world.registration_ne_m
    crop = satellite_gallery(world, np.array([[-north, -east]]), 60.0, 200).images[0]
    truth = Renderer(world.scene("satellite")).orthographic((0.0, 0.0), 60.0, 0.3)
    away = Renderer(world.scene("satellite")).orthographic((6.0, 6.0), 60.0, 0.3)
    likeness = [float(np.corrcoef(crop.ravel(), image.ravel())[0, 1]) for image in (truth, away)]
    assert likeness[0] > 0.85 > likeness[1]


def test_cut_of_the_whole_is_the_whole() -> None:
    image = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    assert np.array_equal(cut(image, 32.0, (0.0, 0.0), 64.0, 64), image)


def test_geotiff_lies_where_the_world_lies(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("map") / "world.tif"
    write_geotiff(world, path, gsd_m=1.0, side_m=100.0)
    with rasterio.open(path) as file:
        assert file.count == 3 and file.width == 100
        longitude, latitude = file.xy(49.5, 49.5)
    assert latitude == pytest.approx(world.origin.latitude_deg, abs=1e-5)
    assert longitude == pytest.approx(world.origin.longitude_deg, abs=1e-5)


def test_geotiff_that_cannot_be_written_is_one_sentence(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("map") / "absent" / "world.tif"
    with pytest.raises(StorageError, match="cannot be written"):
        write_geotiff(world, path, gsd_m=2.0, side_m=50.0)
