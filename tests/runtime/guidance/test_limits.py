"""Limits are kept with two sigma to spare, in the direction of the border."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point as ShapelyPoint
from shapely import Polygon

from runtime.errors import CommandingError
from runtime.geodesy import offset
from runtime.guidance.limits import Area, largest_sigma_m, sigma_along_m
from runtime.guidance.reasons import Reason, State
from runtime.values import Covariance, GeoPoint, TrackingState, circular
from sim.authority.pilot import HOME, TARGET, Pilot, limits, square

ACROSS_EAST: Covariance = (100.0, 0.0), (0.0, 1.0)  # 10 m north, 1 m east


def test_the_margin_is_that_of_the_borders_direction() -> None:
    area = Area(square(1000.0))
    near_east = offset(HOME, 0.0, 500.0 - 3.0)
    assert area.contains(near_east) and area.contains(near_east, circular(1.4))
    assert not area.contains(near_east, circular(1.6))
    assert area.contains(near_east, ACROSS_EAST)  # a circle of the larger axis would have cost 20 m
    assert not area.contains(offset(HOME, 500.0 - 19.0, 0.0), ACROSS_EAST)
    assert area.contains(offset(HOME, 500.0 - 21.0, 0.0), ACROSS_EAST)
    assert not area.contains(offset(HOME, 0.0, 501.0), circular(0.1))


def test_a_way_along_the_border_keeps_the_margin_and_a_notch_in_it_counts() -> None:
    area = Area(square(1000.0))
    south, north = offset(HOME, -300.0, 497.0), offset(HOME, 300.0, 497.0)
    assert area.contains_path(south, north) and area.contains_path(south, north, ACROSS_EAST)
    assert not area.contains_path(south, north, circular(1.6))
    notched = [(-500, -500), (-500, 500), (-10, 500), (0, 20), (10, 500), (500, 500), (500, -500)]
    area = Area([offset(HOME, *corner) for corner in notched])
    west, far = offset(HOME, -200.0, 10.0), offset(HOME, 200.0, 10.0)
    assert area.contains_path(west, far, circular(4.0)) and not area.contains_path(west, far, circular(6.0))


@pytest.mark.parametrize("exclusions", [(), ([(-60, -60), (-60, 40), (40, 40), (40, -60)],)])
def test_what_was_asked_before_changes_no_answer(exclusions: tuple[list[tuple[float, float]], ...]) -> None:
    """An aircraft that wanders about and over the border, known well or badly, is told what a new area tells."""
    corners, rings = square(400.0), [[offset(HOME, *corner) for corner in ring] for ring in exclusions]
    asked, steps = Area(corners, rings), np.random.default_rng(5)
    inside = 0
    north, east, target = 150.0, 150.0, offset(HOME, 100.0, 185.0)
    for _ in range(150):
        north, east = np.clip((north, east) + steps.normal(0.0, 9.0, 2), -230.0, 230.0).tolist()
        here, spare = offset(HOME, north, east), circular(float(steps.choice([0.0, 1.0, 8.0, math.inf])))
        new = Area(corners, rings)
        assert asked.contains(here, spare) == new.contains(here, spare)
        assert asked.contains_path(here, target, spare) == new.contains_path(here, target, spare)
        inside += asked.contains(here, spare)
    assert 20 < inside < 130


def test_an_exclusion_is_not_entered_not_crossed_and_kept_at_the_same_margin() -> None:
    school = [offset(HOME, north, east) for north, east in ((100, 100), (100, 200), (200, 200), (200, 100))]
    area = Area(square(1000.0), [school])
    assert area.contains(HOME, circular(10.0)) and not area.contains(offset(HOME, 150.0, 150.0))
    beside = offset(HOME, 150.0, 97.0)
    assert area.contains(beside, circular(1.4)) and not area.contains(beside, circular(1.6))
    assert area.contains(beside, ((100.0, 0.0), (0.0, 1.0))) and not area.contains(beside, ((1.0, 0.0), (0.0, 100.0)))
    assert not area.contains_path(offset(HOME, 150.0, 50.0), offset(HOME, 150.0, 250.0))
    assert area.contains_path(offset(HOME, 150.0, 50.0), offset(HOME, 250.0, 50.0), circular(5.0))
    allowed = replace(limits(), area=area).region(HOME, None, 10.0)  # (north, east)
    assert allowed.contains(ShapelyPoint(50.0, 50.0)) and not allowed.intersects(ShapelyPoint(95.0, 150.0))


@pytest.mark.parametrize(
    ("ring", "said"),
    [
        ([(0, -600), (0, 600), (50, 600), (50, -600)], "leave 2 pieces"),
        ([(-600, -600), (-600, 600), (600, 600), (600, -600)], "leave 0 pieces"),
        ([(0, 0), (50, 50)], "exclusion 1 has 2 corners"),
        ([(0, 0), (50, 50), (0, 50), (50, 0)], "exclusion 1 is not a simple area"),
    ],
)
def test_exclusions_that_leave_no_one_area_are_refused(ring: list[tuple[float, float]], said: str) -> None:
    with pytest.raises(CommandingError, match=said):
        Area(square(1000.0), [[offset(HOME, *corner) for corner in ring]])


@pytest.mark.parametrize("covariance", [circular(math.inf), ((math.inf, 0.0), (0.0, 1.0)), ((1.0, 5.0), (5.0, 1.0))])
def test_what_is_no_covariance_is_inside_nothing(covariance: Covariance) -> None:
    assert not Area(square(20.0)).contains(HOME, covariance)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.floats(-480.0, 480.0, allow_subnormal=False), st.floats(-480.0, 480.0, allow_subnormal=False)),
    st.tuples(
        st.floats(0.1, 30.0, allow_subnormal=False),
        st.floats(0.1, 30.0, allow_subnormal=False),
        st.floats(0.0, math.pi, allow_subnormal=False),
    ),
)
def test_what_is_contained_has_its_whole_ellipse_inside(
    here_m: tuple[float, float], shape: tuple[float, float, float]
) -> None:
    corners = [(-500.0, -500.0), (-500.0, 450.0), (100.0, 500.0), (0.0, 0.0), (500.0, -100.0)]
    major, minor, turn = shape
    axes = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) * [major, minor]
    (nn, ne), (_, ee) = (axes @ axes.T).tolist()
    circle = np.linspace(0.0, math.tau, 181)
    ellipse = np.array(here_m) + 2.0 * np.stack([np.cos(circle), np.sin(circle)], axis=1) @ axes.T
    polygon = Polygon(corners)
    # an ellipse of straight pieces lies just within the true one: a thousandth of an axis
    inside = polygon.contains(Polygon(ellipse))
    near = any(abs(polygon.exterior.distance(ShapelyPoint(point))) < 0.02 * major for point in ellipse)
    found = Area([offset(HOME, *corner) for corner in corners]).contains(offset(HOME, *here_m), ((nn, ne), (ne, ee)))
    assert found == inside or near


def test_sigmas_of_an_ellipse() -> None:
    assert sigma_along_m(ACROSS_EAST, (1.0, 0.0)) == 10.0 and sigma_along_m(ACROSS_EAST, (0.0, 1.0)) == 1.0
    assert largest_sigma_m(ACROSS_EAST) == 10.0 and largest_sigma_m(circular(math.inf)) == math.inf
    assert largest_sigma_m(((5.0, 4.0), (4.0, 5.0))) == pytest.approx(3.0)


def test_the_greatest_distance_is_kept_by_the_sigma_away_from_home() -> None:
    kept = limits(max_distance_m=450.0)
    east = offset(HOME, 0.0, 440.0)
    assert kept.within_distance(HOME, east, ACROSS_EAST) and not kept.within_distance(HOME, east, circular(6.0))
    assert not kept.within_distance(HOME, offset(HOME, 440.0, 0.0), ACROSS_EAST)
    assert kept.within_distance(HOME, HOME, circular(100.0))


@pytest.mark.parametrize(
    ("here", "target", "sigma_m", "reason"),
    [
        (offset(HOME, 0.0, 490.0), TARGET, 6.0, Reason.OUTSIDE_AREA),
        (offset(HOME, 440.0, 0.0), TARGET, 6.0, Reason.TOO_FAR),
        (HOME, offset(HOME, 100.0, 490.0), 6.0, Reason.TARGET_OUTSIDE_AREA),
        (HOME, offset(HOME, 0.0, 440.0), 6.0, Reason.TARGET_TOO_FAR),
    ],
)
def test_guidance_refuses_by_sigma_what_it_allows_without(
    here: GeoPoint, target: GeoPoint, sigma_m: float, reason: Reason
) -> None:
    pilot = Pilot(operator_limits=limits(max_distance_m=450.0 if "far" in reason.value else 900.0))
    pilot.here = here
    pilot.mode("LOITER", first=True)
    pilot.guidance.confirm(target)
    pilot.engage()
    assert pilot.tick().state is State.READY
    pilot.estimate_changes = {"covariance_m2": circular(sigma_m)}
    decision = pilot.tick()
    assert decision.state is State.MONITOR and reason in decision.reasons


def test_a_sigma_that_grows_over_the_border_in_flight_ends_it_without_a_hold() -> None:
    pilot = Pilot(operator_limits=limits(max_distance_m=900.0))
    pilot.to(State.ENGAGED)
    pilot.here = offset(HOME, 0.0, 490.0)
    assert pilot.tick().state is State.ENGAGED
    pilot.estimate_changes = {"covariance_m2": circular(6.0)}
    decision = pilot.tick()
    assert decision.state is State.YIELDED and decision.reasons[0] is Reason.OUTSIDE_AREA and decision.setpoint is None


def test_an_estimate_that_is_not_trusted_is_called_that_and_not_outside() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.estimate_changes = {"covariance_m2": circular(math.inf), "state": TrackingState.LOST}
    decision = pilot.tick()
    assert decision.state is State.ENGAGED and decision.reasons == (Reason.ESTIMATE_UNTRUSTED,)
