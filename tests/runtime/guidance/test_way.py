"""The way: straight or over covered ground, what of it is refused beforehand, and how its corners are flown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from shapely import LineString, Polygon

from runtime.geodesy import distance_m, north_east_m
from runtime.guidance.covered_ground import CoveredGround
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.limits import Area, Limits
from runtime.guidance.reasons import Phase, Reason, State
from runtime.guidance.way import RouteKind
from runtime.values import Coverage, GeoPoint, PositionSource, circular
from sim.authority.pilot import HOME, Pilot, limits
from tests.runtime.guidance.ground import Corner, at, seen, track
from tests.runtime.guidance.test_arrival import fly

RETRACE = GuidanceSettings(route=RouteKind.RETRACE)
SIGHT, SKY = PositionSource.VISION, PositionSource.AUTOPILOT
L_SHAPE = [(-300.0, -300.0), (300.0, -300.0), (300.0, 300.0)]


def waiting(
    coverage: Coverage | None,
    source: PositionSource,
    settings: GuidanceSettings | None = None,
    ends: tuple[Corner, Corner] = ((0.0, 0.0), (0.0, 300.0)),
    operator: Limits | None = None,
) -> Pilot:
    """Confirmed and engaged, before the pilot's switch."""
    pilot = Pilot(settings=settings, operator_limits=operator or limits(max_distance_m=700.0))
    pilot.here, pilot.source, pilot.coverage = at(*ends[0]), source, coverage
    pilot.mode("LOITER", first=True)
    pilot.confirm(at(*ends[1]))
    pilot.engage()
    return pilot


def flown(pilot: Pilot, seconds: float) -> list[GeoPoint]:
    """Where the aircraft was, ten times a second, after the pilot's switch; until it has arrived."""
    assert pilot.tick().state is State.READY
    pilot.mode("GUIDED")
    places = [pilot.here]
    while pilot.guidance.last.phase in (Phase.NONE, Phase.EN_ROUTE) and len(places) < 10 * seconds:
        fly(pilot, 0.1)
        places.append(pilot.here)
    assert pilot.guidance.last.phase is Phase.HOLDING, pilot.guidance.last.reasons
    return places


def longest_bare_m(coverage: Coverage, way: Sequence[GeoPoint]) -> float:
    ground = CoveredGround(coverage)
    return max((stretch.length_m for stretch in ground.bare(ground.plane(way))), default=0.0)


# Refused before it gets there


@pytest.mark.parametrize(("gap_m", "ready"), [(70.0, True), (90.0, False)])
def test_a_way_that_leaves_covered_ground_for_longer_than_may_be_coasted_is_never_ready(
    gap_m: float, ready: bool
) -> None:
    """80 m are ten seconds of cruise."""
    sides = seen([*track([(0.0, 0.0), (0.0, 50.0)]), *track([(0.0, 150.0 + gap_m), (0.0, 350.0)])])
    decision = waiting(sides, SIGHT).tick()
    assert (decision.state is State.READY) == ready
    assert (Reason.ROUTE_LEAVES_COVERAGE in decision.reasons) != ready
    assert waiting(sides, SKY).tick().state is State.READY  # on the receiver's word a straight way needs no coverage


def test_what_is_left_of_coasting_bounds_the_stretch_that_has_begun() -> None:
    ahead = seen(track([(0.0, 100.0), (0.0, 300.0)]))  # bare for the first 50 m: 6.25 s
    pilot = waiting(ahead, SIGHT)
    pilot.estimate_changes = {"coast_left_s": 5.0 + 6.3}
    assert pilot.tick().state is State.READY
    pilot.estimate_changes = {"coast_left_s": 5.0 + 6.2}
    assert Reason.ROUTE_LEAVES_COVERAGE in pilot.tick().reasons


def test_a_flight_that_comes_to_lead_over_bare_ground_ends_with_a_hold() -> None:
    pilot = waiting(seen(track([(0.0, 0.0), (0.0, 300.0)])), SIGHT)
    assert pilot.tick().state is State.READY
    pilot.mode("GUIDED")
    assert pilot.tick().setpoint is not None
    pilot.here = at(200.0, 0.0)
    decision = pilot.tick()
    assert decision.state is State.YIELDED and decision.reasons == (Reason.ROUTE_LEAVES_COVERAGE,)
    assert decision.setpoint is not None and decision.setpoint.position == pilot.here


@pytest.mark.parametrize(
    ("coverage", "settings", "refused"),
    [(None, None, False), (seen([]), None, True), (None, RETRACE, True), (seen([]), RETRACE, True)],
)
def test_ground_of_which_nothing_is_known_cannot_be_retraced_and_ground_without_a_keyframe_not_be_crossed(
    coverage: Coverage | None, settings: GuidanceSettings | None, refused: bool
) -> None:
    assert (Reason.ROUTE_LEAVES_COVERAGE in waiting(coverage, SIGHT, settings).tick().reasons) == refused


def test_who_wants_to_retrace_is_not_sent_another_way_on_any_source() -> None:
    elsewhere = seen(track([(-300.0, -300.0), (-300.0, -100.0)]))
    decision = waiting(elsewhere, SKY, RETRACE).tick()
    assert decision.state is State.MONITOR and Reason.ROUTE_LEAVES_COVERAGE in decision.reasons
    assert decision.route == ()


# Flown


def test_a_retraced_flight_stays_over_what_was_seen_and_arrives() -> None:
    coverage = seen(track(L_SHAPE))
    pilot = waiting(coverage, SIGHT, RETRACE, (L_SHAPE[0], L_SHAPE[-1]))
    places = flown(pilot, 150.0)
    assert longest_bare_m(coverage, places) <= 10.0  # where a corner is cut
    assert longest_bare_m(coverage, [places[0], places[-1]]) > 400.0
    assert sum(distance_m(a, b) for a, b in pairwise(places)) < 1250.0
    assert distance_m(places[-1], at(*L_SHAPE[-1])) <= 3.0


def test_every_setpoint_of_it_keeps_the_pace_and_corners_are_not_stopped_at() -> None:
    pilot = waiting(seen(track(L_SHAPE)), SKY, RETRACE, (L_SHAPE[0], L_SHAPE[-1]))
    assert pilot.tick().state is State.READY
    route = pilot.guidance.last.route
    assert len(route) >= 2 and route[-1] == at(*L_SHAPE[-1])
    pilot.mode("GUIDED")
    while len(pilot.guidance.last.route) > 1:
        before = pilot.here
        sent = fly(pilot, 0.1)
        assert all(distance_m(before, setpoint.position) <= 40.0 for setpoint in sent)
        assert distance_m(before, pilot.here) > 0.7  # 8 m/s
    assert pilot.guidance.last.route == (at(*L_SHAPE[-1]),)


def test_the_way_is_planned_anew_while_nobody_has_granted_and_stays_as_it_is_in_flight() -> None:
    pilot = waiting(seen(track(L_SHAPE)), SKY, RETRACE, (L_SHAPE[0], L_SHAPE[-1]))
    first = pilot.tick().route
    pilot.here = at(300.0, 0.0)
    later = [decision.route for decision in pilot.ticks(21)]
    assert later[0] == first and later[-1] == (at(*L_SHAPE[-1]),)  # once a second
    pilot.mode("GUIDED")
    pilot.tick()
    pilot.here = at(290.0, -300.0)
    assert {decision.route for decision in pilot.ticks(40)} == {later[-1]}


def test_another_target_has_another_way() -> None:
    pilot = waiting(seen(track(L_SHAPE)), SKY, RETRACE, (L_SHAPE[0], L_SHAPE[-1]))
    pilot.tick()
    pilot.confirm(at(*L_SHAPE[1]))
    assert pilot.tick().route == (at(*L_SHAPE[1]),)


# Inside the limits

U_SHAPE = [(-400, -400), (-400, 400), (400, 400), (400, 100), (-200, 100), (-200, -100), (400, -100), (400, -400)]


def u_area() -> Limits:
    return limits(area=Area([at(*corner) for corner in U_SHAPE]), max_distance_m=1000.0)


def test_a_way_round_the_notch_of_the_area_is_found_where_the_straight_one_is_refused() -> None:
    field = seen([(north, east) for north in range(-400, 401, 40) for east in range(-400, 401, 40)])
    ends = ((300.0, -250.0), (300.0, 250.0))
    assert Reason.PATH_LEAVES_AREA in waiting(field, SKY, None, ends, u_area()).tick().reasons
    pilot = waiting(field, SKY, RETRACE, ends, u_area())
    pilot.estimate_changes = {"covariance_m2": circular(3.0)}
    places = flown(pilot, 250.0)
    line = LineString([north_east_m(HOME, place) for place in places])
    assert Polygon(U_SHAPE).buffer(-6.0).covers(line)  # two sigma


def test_a_corner_is_not_cut_where_that_would_come_too_near_the_border() -> None:
    """Twelve metres from the notch, with two sigma of four: ten metres before the corner it must still go on."""
    around = seen(track([(-150.0, -112.0), (-212.0, -112.0), (-212.0, 112.0), (-150.0, 112.0)], 8.0), 16.0)
    pilot = waiting(around, SKY, RETRACE, ((-150.0, -112.0), (-150.0, 112.0)), u_area())
    pilot.estimate_changes = {"covariance_m2": circular(2.0)}
    assert longest_bare_m(around, flown(pilot, 80.0)) <= 15.0


def test_a_way_keeps_room_for_a_sigma_that_grows() -> None:
    """Planned with 1 m, and flown on with 3 m around the same notch."""
    field = seen([(north, east) for north in range(-400, 401, 40) for east in range(-400, 401, 40)])
    pilot = waiting(field, SKY, RETRACE, ((300.0, -250.0), (300.0, 250.0)), u_area())
    assert pilot.tick().state is State.READY
    pilot.mode("GUIDED")
    pilot.tick()
    pilot.estimate_changes = {"covariance_m2": circular(3.0)}
    assert pilot.tick().state is State.ENGAGED
    pilot.estimate_changes = {"covariance_m2": circular(8.0)}
    assert Reason.PATH_LEAVES_AREA in pilot.tick().reasons


def test_a_way_beyond_the_greatest_distance_is_refused_though_its_target_is_not() -> None:
    outer = seen(track([(0.0, 0.0), (0.0, 450.0), (300.0, 450.0), (300.0, 100.0)]))
    ends = ((0.0, 0.0), (300.0, 100.0))
    assert waiting(outer, SKY, RETRACE, ends, limits(max_distance_m=700.0)).tick().state is State.READY
    near = waiting(outer, SKY, RETRACE, ends, limits(max_distance_m=400.0))
    assert Reason.ROUTE_LEAVES_COVERAGE in near.tick().reasons
