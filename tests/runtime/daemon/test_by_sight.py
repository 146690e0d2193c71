"""A flight to a target by the camera's position, with an autopilot that is fed with it; and what ends one by GPS."""

from __future__ import annotations

import pytest

from runtime.geodesy import distance_m, offset
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.way import RouteKind
from runtime.injection.settings import InjectionSettings, Route
from runtime.localizer.navigation import NavigationSource
from tests.runtime.daemon.cockpit import HOME, Cockpit
from tests.runtime.daemon.test_feeding import FALLBACK
from tests.runtime.guidance.ground import at, seen, track

WAY = [(-150.0, 0.0), (-150.0, 70.0), (-90.0, 70.0)]


def airborne(guidance: GuidanceSettings | None = None) -> Cockpit:
    cockpit = Cockpit(
        source=NavigationSource.AUTO,
        injection=InjectionSettings(route=Route.ODOMETRY),
        parameters=FALLBACK,
        guidance=guidance,
    )
    cockpit.frame_period_ns = 100_000_000
    cockpit.fly(6.0)
    return cockpit


def test_with_gps_gone_it_comes_to_its_target_over_covered_ground() -> None:
    cockpit = airborne(GuidanceSettings(route=RouteKind.RETRACE))
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(6.0)
    cockpit.places.coverage = seen(track(WAY, 15.0), 50.0)
    target = at(*WAY[-1])
    assert "error" not in cockpit.give_target(target)
    cockpit.ask("engage")
    cockpit.fly(0.2)
    status = cockpit.ask("status")
    assert status["state"] == "ready" and status["estimate"]["source"] == "vision", status["reasons"]
    cockpit.autopilot.pilot_set_mode("GUIDED")
    for _ in range(60):
        cockpit.fly(1.0)
        if cockpit.daemon.rooms.guidance.last.phase.value == "confirmed":
            break
    assert cockpit.daemon.rooms.guidance.last.phase.value == "confirmed", cockpit.ask("status")["reasons"]
    assert distance_m(cockpit.here, target) < 5.0
    assert cockpit.vehicle.state.telemetry.mode == "GUIDED"


def test_a_fix_is_looked_for_about_the_cameras_word_and_never_about_the_autopilots() -> None:
    cockpit = airborne()
    near = cockpit.eyes.vicinity
    assert near is not None and distance_m(near.place, cockpit.here) < 5.0 and near.sigma_m < 20.0
    blind = Cockpit(source=NavigationSource.AUTOPILOT)
    blind.eyes.blind = True
    blind.fly(6.0)
    assert blind.eyes.asked and blind.eyes.vicinity is None
    assert blind.daemon.rooms.navigation.estimate(blind.t_ns).position is not None


@pytest.mark.parametrize(
    ("parameter", "value", "reason"),
    [("SIM_GPS1_ENABLE", 0.0, "source_changed"), ("SIM_GPS1_GLTCH_X", 0.0003, "gps_doubted")],
)
def test_a_flight_by_gps_ends_with_one_hold_when_gps_goes_or_lies(parameter: str, value: float, reason: str) -> None:
    cockpit = airborne()
    cockpit.give_target(offset(HOME, 150.0, 0.0))
    cockpit.ask("engage")
    cockpit.fly(0.2)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    assert cockpit.daemon.rooms.guidance.last.state.value == "engaged"
    cockpit.autopilot.set_parameter(parameter, value)
    cockpit.fly(6.0)
    records = [record for record in cockpit.journal.of("guidance") if record["state"] == "yielded"]
    assert reason in records[0]["reasons"], records[0]["reasons"]
    holds = [record for record in cockpit.journal.of("setpoint") if record["reason"].startswith("hold")]
    assert len(holds) == 1 and cockpit.journal.of("setpoint")[-1] == holds[0]
