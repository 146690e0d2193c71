"""Dusk: the day of the flight, an hour before night."""

from __future__ import annotations

import math

from sim.world.dates import DUSK, at_date, make_date
from sim.world.generate import generate


def test_it_is_the_same_day_under_a_low_sun() -> None:
    for seed in range(100_000, 100_010):
        day, dusk = make_date(seed, "flight"), make_date(seed, DUSK)
        assert (day.seed, day.season, day.crown_scale) == (dusk.seed, dusk.season, dusk.crown_scale)
        assert math.degrees(dusk.sun_elevation_rad) < 10.0 < math.degrees(day.sun_elevation_rad)
        turned = math.degrees(abs(math.remainder(day.sun_azimuth_rad - dusk.sun_azimuth_rad, 2 * math.pi)))
        assert turned > 40.0, "another side is lit"


def test_what_stands_by_day_stands_at_dusk() -> None:
    seed = 100_003
    layout = generate(seed, 300.0)
    by_day, at_dusk, before = (at_date(layout, seed, make_date(seed, name)) for name in ("flight", DUSK, "satellite"))
    assert by_day == at_dusk
    assert by_day != before
