"""The operator's floor over hills that an elevation model tells of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from runtime.geodesy import offset
from runtime.guidance.clearance import Clearance
from runtime.guidance.guidance import Guidance
from runtime.guidance.limits import Limits
from runtime.guidance.reasons import Reason, State
from runtime.guidance.situation import Situation
from runtime.terrain import Datum, Terrain
from runtime.values import Estimate, GeoPoint, PositionSource, TrackingState, circular
from sim.authority.pilot import AMSL_OF_TAKEOFF_M, GOOD, HOME, TARGET, Pilot, limits

STEP_M = 10.0
LEVEL_M = 200.0  # of the model's ground about home; what it is above is its own
FLOOR_M = limits().floor_height_takeoff_m


def ground(hill: tuple[float, float, float] | None = None, side: int = 101, level_m: float = LEVEL_M,
           datum: Datum = Datum.ELLIPSOIDAL) -> Terrain:  # fmt: skip
    """A kilometre of level ground about home, with a hill of one node: (north, east, height)."""
    heights = np.full((side, side), level_m, np.float32)
    if hill is not None:
        heights[side // 2 - round(hill[0] / STEP_M), side // 2 + round(hill[1] / STEP_M)] += hill[2]
    return Terrain(HOME, STEP_M, heights, datum)


def at(place: GeoPoint, sigma_m: float = 1.0, source: PositionSource = PositionSource.GPS) -> Estimate:
    return Estimate(0, TrackingState.TRACKING, place, circular(sigma_m), source, "")


def floor_m(terrain: Terrain | None, vehicle: Situation = GOOD, estimate: Estimate | None = None) -> float | None:
    raised = Clearance(terrain).over_ground(limits(), vehicle, estimate or at(offset(HOME, -150.0, 0.0)), (TARGET,))
    return None if raised is None else raised.floor_height_takeoff_m


def test_over_level_ground_or_without_a_model_it_is_the_operators() -> None:
    assert floor_m(None) == FLOOR_M
    assert floor_m(ground()) == FLOOR_M
    assert floor_m(ground(level_m=-40.0)) == FLOOR_M


@pytest.mark.parametrize(("north_m", "east_m", "counts"), [
    (50.0, 60.0, True),  # on the way from 150 m south of home to the target
    (50.0, 90.0, True),  # 25 m beside it
    (50.0, 130.0, False),
    (-160.0, 0.0, True),  # under the aircraft
    (-250.0, -50.0, False),  # behind it
    (210.0, 110.0, True),  # just beyond the target
])  # fmt: skip
def test_a_hill_on_the_way_raises_it_and_one_elsewhere_does_not(north_m: float, east_m: float, counts: bool) -> None:
    assert floor_m(ground((north_m, east_m, 35.0))) == pytest.approx(FLOOR_M + 35.0 * counts)


def test_a_position_that_is_known_badly_has_more_hills_beside_it() -> None:
    far = ground((50.0, 130.0, 35.0))
    here = offset(HOME, -150.0, 0.0)
    assert floor_m(far, estimate=at(here, 3.0)) == FLOOR_M
    assert floor_m(far, estimate=at(here, 30.0)) == pytest.approx(FLOOR_M + 35.0)


def test_ground_that_the_model_does_not_reach_is_not_flown_over() -> None:
    assert floor_m(ground(side=35)) is None  # 170 m about home; the target lies 224 m away
    holes = ground()
    holes.heights_m[40, 55] = np.nan  # 100 m north, 50 m east
    assert floor_m(holes) is None


def test_by_sight_the_lower_of_homes_ground_and_the_autopilots_own_word_is_the_take_off() -> None:
    """Home was put on a hill of 30 m, where the camera first knew its place; it took off in the plain."""
    hill = ground((0.0, 0.0, 30.0), level_m=AMSL_OF_TAKEOFF_M, datum=Datum.ORTHOMETRIC)
    hill.heights_m[45, 56] += 30.0  # and one as high on the way
    here = offset(HOME, -150.0, 0.0)
    assert floor_m(hill, estimate=at(here, source=PositionSource.VISION)) == pytest.approx(FLOOR_M + 30.0)
    assert floor_m(hill, estimate=at(here)) == FLOOR_M


def decided(terrain: Terrain, operators: Limits, vehicle: Situation) -> set[Reason]:
    guidance = Guidance(operators, clearance=Clearance(terrain))
    guidance.confirm(TARGET)
    guidance.engage(0)
    return set(guidance.decide(0, vehicle, at(offset(HOME, -150.0, 0.0))).reasons)


def test_who_is_too_low_for_the_way_climbs_by_hand_before_it_is_ready() -> None:
    terrain = ground((50.0, 60.0, 35.0))
    assert Reason.BELOW_FLOOR in decided(terrain, limits(), GOOD)  # 60 m; 65 are asked for
    higher = replace(GOOD, height_takeoff_m=66.0, altitude_amsl_m=AMSL_OF_TAKEOFF_M + 66.0)
    reasons = decided(terrain, limits(), higher)
    assert not {Reason.BELOW_FLOOR, Reason.GROUND_UNKNOWN} & reasons
    assert Reason.GROUND_UNKNOWN in decided(ground(side=35), limits(), higher)
    assert Guidance(limits(), clearance=Clearance(terrain)).last.state is State.DISABLED


class OverHills(Guidance):
    """Its model reaches 250 m about home."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given, clearance=Clearance(ground(side=51)))


def test_a_flight_that_gets_where_the_model_does_not_reach_ends_with_a_hold() -> None:
    pilot = Pilot(guidance=OverHills)
    pilot.to(State.ENGAGED)
    assert pilot.tick().state is State.ENGAGED
    pilot.here = offset(HOME, -260.0, 0.0)
    decision = pilot.tick()
    assert decision.state is State.YIELDED and Reason.GROUND_UNKNOWN in decision.reasons
    assert decision.setpoint is not None and decision.setpoint.position == pilot.here
