"""How flights by sight are judged and shown, from estimates and alarms that are made up here."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from runtime.debrief.sight_plot import draw_sights
from runtime.debrief.sightings import Moment, Sighting, Sights
from runtime.debrief.truth import Truth
from runtime.debrief.wire import Received
from runtime.geodesy import offset
from runtime.report.figures import write_png
from runtime.values import GeoPoint
from sim.scenario.catalogue import CATALOGUE
from sim.scenario.denied import Denied
from sim.scenario.outcome import Leg
from sim.scenario.sight_outcome import STEP, SightOutcome, lost_after_s
from sim.scenario.spoof_alarm import SpoofAlarm

SECOND = 1_000_000_000
ORIGIN = GeoPoint(60.4, 22.4)


def sighting(t_s: float, off_m: float = 1.0, sigma_m: float = 2.0, state: str = "tracking") -> Sighting:
    variance = sigma_m**2
    place = offset(ORIGIN, 8.0 * t_s, off_m)
    return Sighting(int(t_s * SECOND), state, place, (0.0, off_m), ((variance, 0.0), (0.0, variance)))


def arrived(**changes: object) -> SightOutcome:
    """A flight that was as it must be, but for ``changes``."""
    sights = Sights("denied", [sighting(0.2 * step) for step in range(2_000)])
    outcome = SightOutcome(
        scenario="denied", legs=[Leg("denied", 30, 0, True, "")], arrival_error_m=2.0, arrival_confirmed=True,
        sights=[sights],
    )  # fmt: skip
    for name, value in changes.items():
        setattr(outcome, name, value)
    return outcome


def test_a_good_flight_passes_and_each_thing_that_must_not_be_fails_it() -> None:
    assert arrived().passed
    wrong = [sighting(0.2 * step, 1.0 if step > 2 else 40.0) for step in range(2_000)]
    for changes in (
        {"arrival_error_m": 5.1},
        {"arrival_error_m": None},
        {"arrival_confirmed": False},
        {"false_alarms": 1},
        {"legs": [Leg("denied", 30, 1, True, "")]},
        {"legs": [Leg("denied", 30, 0, False, "")]},
        {"sights": [Sights("denied", wrong)]},
        {"sights": []},
        {"asked_first_fix": True},
        {"asked_first_fix": True, "first_fix_s": 10.1},
        {"kidnapped": True, "lost_after_s": 2.0},
        {"kidnapped": True, "lost_after_s": 3.1, "recovery_s": 5.0},
        {"kidnapped": True, "lost_after_s": 1.0, "recovery_s": 15.1},
        {"forged": {"drag_1_m_s": None}},
        {"forged": {"drag_1_m_s": SpoofAlarm(30.0, 20.5)}},
        {"forged": {STEP: SpoofAlarm(9.9, 60.0)}},
        {"forged": {STEP: SpoofAlarm(2.0, 60.0)}, "commands_after_alarm": 1},
    ):
        assert not arrived(**changes).passed, changes
    assert arrived(forged={"drag_1_m_s": SpoofAlarm(9.0, 9.0), STEP: SpoofAlarm(2.0, 60.0)}).passed
    assert arrived(kidnapped=True, lost_after_s=1.0, recovery_s=5.0, asked_first_fix=True, first_fix_s=3.0).passed


def test_only_what_is_judged_counts() -> None:
    before = [sighting(0.2 * step, 80.0) for step in range(50)]
    sights = dataclasses.replace(Sights("denied", before + [sighting(10 + 0.2 * step) for step in range(50)]))
    sights.judged_from_ns = 10 * SECOND
    outcome = arrived(sights=[sights])
    assert outcome.accuracy.frames == 50
    assert outcome.passed


def test_the_json_has_what_is_promised_and_is_json() -> None:
    alarms = {"drag_1_m_s": SpoofAlarm(9.0, 9.5), "drag_2_m_s": SpoofAlarm(6.0, 12.5), STEP: SpoofAlarm(2.0, 60.0)}
    said = json.loads(json.dumps(arrived(forged=alarms).as_json(3.0, Path("report.html"))))
    assert set(said["position_error_m"]) == {"median", "p95", "p99", "max"}
    assert said["spoof_alarm"] == {"s": 6.0, "offset_m": 12.5}, "the drag that got farthest"
    assert said["tracking_share"] == 1.0 and said["inside_2sigma"] == 1.0
    for key in ("first_fix_s", "recovery_s", "confidently_wrong_share", "false_alarms", "inside_1sigma"):
        assert key in said
    assert arrived(forged={**alarms, "drag_5_m_s": None}).as_json(3.0, Path("r"))["spoof_alarm"] is None


def test_how_long_a_covered_lens_is_still_believed() -> None:
    trusted = [int(0.2 * step * SECOND) for step in range(100)]
    assert lost_after_s(trusted, 5 * SECOND, 25 * SECOND) == 14.8
    assert lost_after_s([t for t in trusted if t < 7 * SECOND], 5 * SECOND, 25 * SECOND) == 1.8
    assert lost_after_s([t for t in trusted if t < 5 * SECOND], 5 * SECOND, 25 * SECOND) == 0.0


def test_the_plot_shows_a_flight_also_one_without_gps_or_sight(tmp_path: Path) -> None:
    stamps = [step * SECOND for step in range(41)]
    track = Truth("simulator", stamps, [offset(ORIGIN, 8.0 * t_ns / SECOND, 0.0) for t_ns in stamps])
    seen = [sighting(0.2 * step, math.sin(step / 9.0), state="searching" if 60 < step < 80 else "tracking")
            for step in range(200)]  # fmt: skip
    received = [Received(step * SECOND // 5, offset(ORIGIN, 1.6 * step, 0.05 * step), True) for step in range(200)]
    full = Sights("denied", seen, received, [Moment(9 * SECOND, "GPS cut")], 2 * SECOND, track)
    for number, sights in enumerate((full, Sights("blind"), Sights("lost", [sighting(1.0, state="lost")]))):
        path = tmp_path / f"{number}.png"
        write_png(draw_sights(sights), path)
        assert path.stat().st_size > 10_000
    assert np.isfinite(full.judged[0].error_m)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_scenario_is_a_command(name: str) -> None:
    from sim.cli.main import app

    assert name in {command.name for command in app.registered_commands}


def test_scenarios_without_gps_have_no_receiver_and_are_fed() -> None:
    flown = [entry.fly for name, entry in CATALOGUE.items() if name not in ("return", "denied", "spoofed")]
    scenarios = [fly.args[0] for fly in flown]  # type: ignore[attr-defined]
    assert len(scenarios) == 10 and all(isinstance(one, Denied) for one in scenarios)
    for scenario in scenarios:
        assert scenario.now.fed and not scenario.now.receiver
        assert scenario.now.parameters["GPS1_TYPE"] == 0
