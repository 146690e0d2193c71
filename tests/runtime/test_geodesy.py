"""Many points at once are where one after the other are."""

from __future__ import annotations

import numpy as np
import pytest
from pymap3d import enu2geodetic, geodetic2enu

from runtime.geodesy import north_east_array_m, north_east_m, offset, offsets
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


def test_one_point_is_where_the_library_has_it() -> None:
    """The origin's half of the work is kept; wherever it lies, nothing of the answer changes."""
    rng = np.random.default_rng(3)
    for latitude, longitude in [(0.0, 0.0), (60.4, 22.4), (-33.4, 151.2), (89.9, -179.99), (-89.9, 180.0)]:
        origin = GeoPoint(latitude, longitude)
        for north, east in rng.uniform(-0.05, 0.05, (20, 2)).tolist():
            there = GeoPoint(latitude + north, longitude + east)
            east_m, north_m, _ = geodetic2enu(there.latitude_deg, there.longitude_deg, 0.0, latitude, longitude, 0.0)
            np.testing.assert_allclose(north_east_m(origin, there), (north_m, east_m), atol=1e-9)


@pytest.mark.parametrize("side_m", [10.0, 5_000.0, 100_000.0])
def test_one_offset_leads_where_the_library_has_it(side_m: float) -> None:
    """Also over the poles and the antimeridian."""
    rng = np.random.default_rng(4)
    for latitude, longitude in [(0.0, 0.0), (60.4, 22.4), (-33.4, 151.2), (89.99, -180.0), (-90.0, 9.0)]:
        for north, east in [(0.0, 0.0), *rng.uniform(-side_m, side_m, (20, 2)).tolist()]:
            point = offset(GeoPoint(latitude, longitude), north, east)
            there_latitude, there_longitude, _ = enu2geodetic(east, north, 0.0, latitude, longitude, 0.0)
            assert abs(point.latitude_deg - there_latitude) < 1e-13 * 180
            off_deg = (point.longitude_deg - there_longitude + 180.0) % 360.0 - 180.0
            assert abs(off_deg) * np.cos(np.radians(point.latitude_deg)) < 1e-13 * 360
