"""Many points at once are where one after the other are."""

from __future__ import annotations

import numpy as np

from runtime.geodesy import north_east_array_m, offset, offsets
from runtime.values import GeoPoint


def test_many_offsets_are_as_one_after_the_other_and_come_back() -> None:
    origin, metres = GeoPoint(-33.4, 151.2), np.random.default_rng(2).uniform(-3000, 3000, (20, 2))
    points = offsets(origin, metres)
    for point, (north_m, east_m) in zip(points, metres, strict=True):
        one = offset(origin, float(north_m), float(east_m))
        assert abs(point.latitude_deg - one.latitude_deg) < 1e-12
        assert abs(point.longitude_deg - one.longitude_deg) < 1e-12
    latitudes, longitudes = np.array([(point.latitude_deg, point.longitude_deg) for point in points]).T
    np.testing.assert_allclose(north_east_array_m(origin, latitudes, longitudes), metres, atol=2.0)  # to the ellipsoid
