"""A world is the same for the same seed, differs as promised between its dates, and keeps things off the roads."""

import math

import numpy as np
import pytest

from runtime.errors import UsageError
from runtime.values import GeoPoint
from sim.world.dates import DATES, at_date, make_date
from sim.world.generate import generate
from sim.world.layout import Layout, Line, Material
from sim.world.world import World, registration

SEED, SIZE_M = 100_200, 320.0


@pytest.fixture(scope="module")
def layout() -> Layout:
    return generate(SEED, SIZE_M)


def test_same_seed_same_layout(layout: Layout) -> None:
    assert generate(SEED, SIZE_M) == layout


def test_another_seed_another_layout(layout: Layout) -> None:
    assert generate(SEED + 1, SIZE_M) != layout


def test_world_has_everything(layout: Layout) -> None:
    materials = {item.material for item in layout.ground}
    assert {Material.ASPHALT, Material.LAWN, Material.PAINT} <= materials
    assert len(layout.houses) > 20
    assert len(layout.trees) > 200
    assert len(layout.cars) > 20


def test_keys_are_unique(layout: Layout) -> None:
    keys = [o.key for group in (layout.ground, layout.houses, layout.trees, layout.cars) for o in group]
    assert len(keys) == len(set(keys))


def test_no_house_stands_on_a_street(layout: Layout) -> None:
    streets = [i for i in layout.ground if isinstance(i, Line) and i.material is Material.ASPHALT and i.width_m > 5]
    points = np.array([p for street in streets for p in street.points])
    for house in layout.houses:
        gap = np.linalg.norm(points - [house.north_m, house.east_m], axis=1).min()
        assert gap > 2.0


@pytest.mark.parametrize("seed", [100_201, 100_202, 100_203])
def test_five_to_ten_percent_of_objects_differ(seed: int) -> None:
    layout = generate(seed, 350.0)
    first, second = (at_date(layout, seed, make_date(seed, name)) for name in DATES)
    sets = [{o.key for group in (d.houses, d.trees, d.cars) for o in group} for d in (first, second)]
    differing = len(sets[0] ^ sets[1]) / len(sets[0] | sets[1])
    assert 0.05 <= differing <= 0.10


def test_dates_differ_in_season_sun_and_seed() -> None:
    for seed in range(100_300, 100_340):
        satellite, flight = make_date(seed, "satellite"), make_date(seed, "flight")
        assert satellite.season != flight.season
        assert satellite.seed != flight.seed
        assert abs(satellite.sun_azimuth_rad - flight.sun_azimuth_rad) >= math.radians(15)
        assert satellite.sensor != flight.sensor


def test_suns_never_throw_nearly_the_same_shadows() -> None:
    for seed in range(100_300, 100_400):
        dates = [make_date(seed, name) for name in DATES]
        tips = [
            np.array([math.cos(d.sun_azimuth_rad), math.sin(d.sun_azimuth_rad)]) / math.tan(d.sun_elevation_rad)
            for d in dates
        ]
        assert np.linalg.norm(tips[0] - tips[1]) > 0.4999  # metres, of what is a metre high
        assert abs(dates[0].sun_azimuth_rad - dates[1].sun_azimuth_rad) <= math.radians(45)


def test_another_pair_of_dates_shares_the_layout_and_nothing_else() -> None:
    worlds = [World.generate(SEED, SIZE_M, dates=number) for number in (0, 1)]
    assert worlds[0].layout == worlds[1].layout
    days = [make_date(SEED, name, pair) for pair in (0, 1) for name in DATES]
    for part in ("seed", "sun_azimuth_rad", "sun_elevation_rad", "sensor"):
        assert len({getattr(day, part) for day in days}) == 4, part
    assert days[:2] == [make_date(SEED, name) for name in DATES]


def test_unknown_date_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="no date 'tomorrow'"):
        make_date(1, "tomorrow")


def test_registration_is_one_to_three_metres() -> None:
    distances = [math.hypot(*registration(seed)) for seed in range(100_000, 100_100)]
    assert 1.0 <= min(distances) and max(distances) <= 3.0
    assert registration(5) == registration(5)


def test_ground_rasters_share_no_noise() -> None:
    """On road surface, where the layout is the same, the two dates' textures are uncorrelated."""
    world = World.generate(SEED, 150.0)
    rasters = [world.scene(name).ground.image.astype(np.float32).mean(axis=2) for name in DATES]
    patch = [r[600:700, 600:700] - np.roll(r, 1, axis=1)[600:700, 600:700] for r in rasters]  # grain only
    assert patch[0].std() > 1 and patch[1].std() > 1
    assert abs(float(np.corrcoef(patch[0].ravel(), patch[1].ravel())[0, 1])) < 0.35
    assert abs(float(np.corrcoef(patch[0].ravel(), patch[0].ravel())[0, 1])) > 0.99


def test_a_world_can_be_put_where_a_vehicle_stands() -> None:
    elsewhere = GeoPoint(-35.3632621, 149.1652374)
    moved, plain = World.generate(SEED, SIZE_M, elsewhere), World.generate(SEED, SIZE_M)
    assert moved.origin == elsewhere != plain.origin
    assert moved.layout == plain.layout
