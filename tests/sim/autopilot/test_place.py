"""The quick tangent plane against the library's."""

from __future__ import annotations

import pytest

from runtime.geodesy import north_east_m, offset
from runtime.values import GeoPoint
from sim.autopilot.place import LocalFrame


@pytest.mark.parametrize("latitude", [-72.0, -0.5, 47.3977, 61.0])
@pytest.mark.parametrize("north, east", [(0.0, 0.0), (150.0, -20.0), (-3000.0, 4000.0), (9000.0, 9000.0)])
def test_agrees_with_geodesy(latitude: float, north: float, east: float) -> None:
    origin = GeoPoint(latitude, 8.5456)
    frame = LocalFrame(origin)
    point = offset(origin, north, east)
    # The library's point lies above the ellipsoid by the earth's curvature; that is 2e-6 of the distance.
    slack = 1e-3 + 2e-6 * max(abs(north), abs(east))
    assert frame.north_east(point.latitude_deg, point.longitude_deg) == pytest.approx((north, east), abs=slack)
    back = GeoPoint(*frame.geodetic(north, east))
    assert north_east_m(origin, back) == pytest.approx((north, east), abs=1e-3)
