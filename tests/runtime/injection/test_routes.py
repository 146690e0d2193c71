"""Each route of the injection: who takes it, what it says, and when it is silent."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.injection.injection import Injection
from runtime.injection.settings import InjectionSettings, Route
from runtime.injection.values import InjectionReason, InjectionState
from runtime.values import Aiding, FailedOdometry, GlobalPosition, LocalOdometry, PositionEstimate, says_failed
from tests.runtime.injection.flying import SECOND, Flight

LOCAL = [Route.ODOMETRY, Route.VISION]
GLOBAL = [Route.GLOBAL_POSITION, Route.POSITION_ESTIMATE]


def flight(route: Route, **values: Any) -> Flight:
    return Flight(Injection(InjectionSettings(route=route, sensor_id=7)), **values)


def said(flown: Flight) -> list[Aiding]:
    return [message for decision in flown.decisions for message in decision.messages]


@pytest.mark.parametrize("best", [Route.ODOMETRY, Route.GLOBAL_POSITION])
def test_auto_takes_the_best_that_the_autopilot_takes(best: Route) -> None:
    flown = flight(Route.AUTO, routes=(best, Route.VISION), has_source_sets=False)
    flown.lose_gps()
    flown.run(2.0)
    assert flown.injection.route is best
    assert {type(one) for one in said(flown)} == {LocalOdometry if best is Route.ODOMETRY else GlobalPosition}


@pytest.mark.parametrize("route", [*LOCAL, *GLOBAL, Route.GPS_INPUT])
def test_a_route_that_the_autopilot_does_not_take_is_not_tried(route: Route) -> None:
    flown = flight(route, routes=tuple(one for one in Flight().routes if one is not route))
    flown.lose_gps()
    assert flown.run(3.0).reasons == (InjectionReason.ROUTE_UNSUPPORTED,)
    assert said(flown) == [] and flown.switches == [] and not flown.injection.echoing


def test_vision_is_odometry_by_other_messages() -> None:
    flown = flight(Route.VISION)
    flown.fly_on_it()
    assert flown.decisions[-1].state is InjectionState.FEEDING and flown.switches == [2]
    assert {one.route for one in flown.fed()} == {Route.VISION}
    flown.trusted = False
    flown.run(1.0)
    failures = [one for one in said(flown) if isinstance(one, FailedOdometry)]
    assert len(failures) == 5 and {one.route for one in failures} == {Route.VISION}


def test_a_global_position_is_said_once_gps_is_gone_and_calls_itself_unhealthy_when_it_fails() -> None:
    flown = flight(Route.GLOBAL_POSITION, has_source_sets=False)
    flown.run(2.0)
    assert said(flown) == [], "an estimator that has GPS is given nothing to mix"
    flown.lose_gps()
    flown.run(3.0)
    fed = [one for one in said(flown) if isinstance(one, GlobalPosition)]
    assert len(fed) > 20 and {one.sensor_id for one in fed} == {7} and flown.injection.echoing
    assert [one.t_ns for one in fed] == sorted({one.t_ns for one in fed}), "nothing is repeated"
    flown.trusted = False
    flown.decisions.clear()
    flown.run(2.0)
    assert [says_failed(one) for one in said(flown)] == [True] * 5


def test_an_estimator_is_put_onto_a_position_after_each_fix_and_no_oftener_than_once_a_second() -> None:
    flown = flight(Route.POSITION_ESTIMATE, belief_ne=(130.0, 50.0))
    flown.run(2.0)
    assert said(flown) == [], "it would jump although it has GPS"
    flown.lose_gps()
    flown.support["fix_t_ns"] = flown.t_ns
    flown.run(5.0)
    (only,) = said(flown)
    assert isinstance(only, PositionEstimate), "one fix, one position"
    assert only.covariance_m2[0][0] == pytest.approx(1.5**2), "sight's own: nothing is aligned away"
    del flown.support["fix_t_ns"]  # a fix with every frame
    flown.run(5.0)
    stamps = [one.t_ns for one in said(flown) if isinstance(one, PositionEstimate)]
    assert 5 <= len(stamps) <= 7
    assert all(b - a >= SECOND for a, b in zip(stamps, stamps[1:], strict=False))


def test_it_is_flown_on_once_the_autopilot_took_it() -> None:
    flown = flight(Route.POSITION_ESTIMATE)
    flown.lose_gps()
    flown.run(3.0)
    assert flown.decisions[-1].state is InjectionState.ALIGNING
    assert flown.decisions[-1].reasons == (InjectionReason.ESTIMATE_NOT_TAKEN,)
    assert flown.injection.echoing, "its answer may be on the way"
    flown.injection.answered_estimate(accepted=False)
    assert flown.run(1.0).state is InjectionState.ALIGNING, "it is tried again with the next fix"
    flown.injection.answered_estimate(accepted=True)
    assert flown.run(1.0).state is InjectionState.FEEDING


def test_a_failure_of_that_route_is_silence() -> None:
    flown = flight(Route.POSITION_ESTIMATE)
    flown.lose_gps()
    flown.run(3.0)
    flown.trusted = False
    flown.decisions.clear()
    flown.run(2.0)
    assert said(flown) == []


@pytest.mark.parametrize("route", [*LOCAL, *GLOBAL])
def test_every_route_of_a_local_frame_needs_its_origin(route: Route) -> None:
    flown = flight(route, situation={"has_origin": False, "gps_lost_s": float("inf")})
    assert flown.run(1.0).reasons == (InjectionReason.NO_ORIGIN_ALTITUDE,)
