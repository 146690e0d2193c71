"""From the history's ground to a way that is flown over it."""

from __future__ import annotations

import math

from runtime.cli.control import _status_lines
from runtime.errors import HistoryError
from runtime.guidance.covered_ground import CoveredGround
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.way import RouteKind
from tests.runtime.daemon.cockpit import Cockpit
from tests.runtime.guidance.ground import at, seen, track

RETRACE = GuidanceSettings(route=RouteKind.RETRACE)
CORNERS = [(-150.0, 0.0), (-150.0, 80.0), (-70.0, 80.0)]


def test_a_confirmed_target_is_flown_to_over_the_ground_that_the_history_covers() -> None:
    cockpit = Cockpit(guidance=RETRACE)
    cockpit.places.coverage = seen(track(CORNERS, 15.0), 40.0)
    cockpit.to_ready(at(*CORNERS[-1]))
    status = cockpit.ask("status")
    route = status["route"]
    assert any(line.endswith(f"away, over {len(route) - 1} corners") for line in _status_lines(status))
    assert len(route) >= 2 and math.isclose(route[-1]["latitude_deg"], at(*CORNERS[-1]).latitude_deg, abs_tol=1e-9)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    places = [cockpit.here]
    while cockpit.daemon.rooms.guidance.last.phase.value in ("none", "en_route") and len(places) < 60:
        cockpit.fly(1.0)
        places.append(cockpit.here)
    assert cockpit.daemon.rooms.guidance.last.phase.value == "holding"
    ground = CoveredGround(cockpit.places.coverage)
    assert max((stretch.length_m for stretch in ground.bare(ground.plane(places))), default=0.0) < 15.0
    assert max(stretch.length_m for stretch in ground.bare(ground.plane([places[0], places[-1]]))) > 40.0


def test_a_history_that_cannot_be_read_costs_the_retraced_way_and_not_the_straight_one() -> None:
    for guidance, state in ((RETRACE, "monitor"), (GuidanceSettings(), "ready")):
        cockpit = Cockpit(guidance=guidance)
        cockpit.places.coverage = HistoryError("the history is gone.")
        cockpit.fly(6.0)
        assert "error" not in cockpit.give_target(at(50.0, 200.0))
        cockpit.ask("engage")
        cockpit.fly(0.1)
        status = cockpit.ask("status")
        assert status["state"] == state and not any("corners" in line for line in _status_lines(status))
        assert ("route_leaves_coverage" in status["reasons"]) == (state == "monitor")
