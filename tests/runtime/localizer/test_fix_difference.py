"""How far a fix is from the autopilot's position."""

from __future__ import annotations

import pytest

from runtime.geodesy import offset
from runtime.localizer.fix_difference import difference_of
from runtime.values import Decision, Fix, GeoPoint, Position, PositionSource, circular

HERE = GeoPoint(60.45, 22.25)
SAID = Position.circular(HERE, 1.0, PositionSource.AUTOPILOT)


def fix(at: GeoPoint) -> Fix:
    return Fix(5, Decision.FIX, at, at, circular(1.5), 3, 30, 1, "")


def test_north_and_east_from_the_autopilots_position_to_the_fix() -> None:
    difference = difference_of(fix(offset(HERE, 3.0, -4.0)), SAID)
    assert difference is not None and difference.t_ns == 5
    assert difference.distance_m == pytest.approx(5.0, abs=1e-3)
    assert (difference.north_m, difference.east_m) == pytest.approx((3.0, -4.0), abs=1e-3)


def test_nothing_to_compare() -> None:
    assert difference_of(Fix.none(5, ""), SAID) is None
    assert difference_of(fix(HERE), None) is None
