"""What it sends on the way: targets ahead, their pace and their height."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.geodesy import distance_m, north_east_m, offset
from runtime.guidance.carrot import stopping_distance_m
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.reasons import Reason, State
from sim.authority.pilot import AMSL_OF_TAKEOFF_M, HOME, START, TARGET, Pilot


def test_setpoints_lead_straight_to_the_target_within_the_two_bounds() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=6.0)
    setpoint = pilot.tick().setpoint
    assert setpoint is not None
    settings = GuidanceSettings()
    ahead = distance_m(START, setpoint.position)
    assert 1.5 * stopping_distance_m(8.0, settings.deceleration_m_s2) <= ahead <= 5.0 * 8.0
    north, east = north_east_m(START, setpoint.position)
    to_target = north_east_m(START, TARGET)
    assert abs(north * to_target[1] - east * to_target[0]) / distance_m(START, TARGET) < 0.01  # off the line, m
    assert setpoint.altitude_amsl_m == pytest.approx(AMSL_OF_TAKEOFF_M + 60.0)
    assert 0 < setpoint.expires_t_ns - setpoint.t_ns <= 2_000_000_000


@pytest.mark.parametrize("speed_m_s", [0.0, 3.0, 8.0, 12.0, 20.0, 30.0])
def test_a_target_is_never_more_than_five_seconds_ahead(speed_m_s: float) -> None:
    """Blown along by a gale, 1.5 stopping distances no longer fit: then the five seconds count."""
    far = offset(HOME, 250.0, 300.0)
    pilot = Pilot()
    pilot.mode("LOITER", first=True)
    pilot.here = offset(HOME, -200.0, -300.0)
    pilot.guidance.confirm(far)
    pilot.engage()
    pilot.tick()
    pilot.mode("GUIDED")
    pilot.vehicle = replace(pilot.vehicle, ground_speed_m_s=speed_m_s)
    setpoint = pilot.tick().setpoint
    assert setpoint is not None
    ahead, pace = distance_m(pilot.here, setpoint.position), max(speed_m_s, 8.0)
    assert ahead <= 5.0 * pace + 0.01
    assert ahead >= min(1.5 * pace**2 / (2 * 2.5), 5.0 * pace) - 0.01


@pytest.mark.parametrize(("height_m", "held_m"), [(28.0, 30.0), (92.0, 90.0), (60.0, 60.0)])
def test_a_gust_at_the_moment_of_engagement_sends_nothing_past_floor_or_ceiling(
    height_m: float, held_m: float
) -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    altitude_m = AMSL_OF_TAKEOFF_M + height_m
    pilot.vehicle = replace(pilot.vehicle, height_takeoff_m=height_m, altitude_amsl_m=altitude_m)
    setpoint = pilot.tick().setpoint
    assert setpoint is not None and setpoint.altitude_amsl_m == pytest.approx(AMSL_OF_TAKEOFF_M + held_m)


def test_setpoints_come_at_their_interval() -> None:
    pilot = Pilot()
    pilot.to(State.READY)
    pilot.mode("GUIDED")
    decisions = pilot.ticks(100)  # 5 s
    sent = [decision.t_ns for decision in decisions if decision.setpoint]
    assert 5 * 2 <= len(sent) <= 5 * 5
    assert all(decision.reasons == (Reason.NOT_DUE,) for decision in decisions if not decision.setpoint)


def test_the_height_of_engagement_is_held_whatever_happens_to_it_later() -> None:
    pilot = Pilot()
    pilot.to(State.ENGAGED)
    pilot.vehicle = replace(pilot.vehicle, altitude_amsl_m=AMSL_OF_TAKEOFF_M + 55.0, height_takeoff_m=55.0)
    sent = [decision.setpoint for decision in pilot.ticks(20) if decision.setpoint]
    assert sent and all(setpoint.altitude_amsl_m == AMSL_OF_TAKEOFF_M + 60.0 for setpoint in sent)
