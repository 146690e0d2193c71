"""The operator's word on the wire: it lasts for one flight of the vehicle, and everybody can read how long."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.cli.control import _status_lines
from runtime.geodesy import offset
from runtime.guidance.authority import Authority
from runtime.guidance.flight import GuidanceSettings
from sim.scenario.mutants import ConsentForLaterFlights, ConsentForSeveralFlights, ConsentWithoutTimeLimit
from tests.runtime.daemon.cockpit import HOME, Cockpit

TARGET = offset(HOME, -90.0, 40.0)  # 70 m from where it hovers
BRISK = {"LAND_SPEED": 150, "PILOT_SPEED_UP": 500}  # cm/s, for a landing and a climb of seconds
RETURNED_M = 40.0  # after a landing: above the floor of the limits


def ready(authority: Authority | None = None, consent_s: int = 300) -> Cockpit:
    guidance = GuidanceSettings(consent_ns=consent_s * 1_000_000_000)
    cockpit = Cockpit(authority=authority, guidance=guidance, parameters=BRISK)
    cockpit.to_ready(TARGET)
    return cockpit


def lands_and_takes_off_again(cockpit: Cockpit) -> None:
    cockpit.autopilot.pilot_set_mode("LAND")
    while cockpit.autopilot.armed:
        assert cockpit.t_ns < 90_000_000_000
        cockpit.fly(1.0)
    assert cockpit.height_m < 1.0
    cockpit.autopilot.pilot_set_mode("LOITER")
    station = mavlink.MAVLink(None, srcSystem=255, srcComponent=190)
    arm = mavlink.MAVLink_command_long_message(1, 1, mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 0, 1, 0, 0, 0, 0, 0, 0)
    cockpit.autopilot.receive(arm.pack(station), 1)
    cockpit.autopilot.pilot_set_throttle(1900)
    while cockpit.height_m < RETURNED_M:
        assert cockpit.t_ns < 240_000_000_000
        cockpit.fly(1.0)
    cockpit.autopilot.pilot_set_throttle(1500)
    cockpit.fly(3.0)
    assert cockpit.ask("status")["vehicle"]["landed"] == "in_air"


def is_left_alone_for_longer_than_that(cockpit: Cockpit) -> None:
    cockpit.fly(21.0)


def loses_the_link(cockpit: Cockpit) -> None:
    cockpit.link_up = False
    cockpit.fly(6.0)
    cockpit.link_up = True
    cockpit.fly(6.0)


def flies_there_and_is_done(cockpit: Cockpit) -> None:
    cockpit.autopilot.pilot_set_mode("GUIDED")
    while cockpit.ask("status")["phase"] != "confirmed":
        assert cockpit.t_ns < 90_000_000_000
        cockpit.fly(1.0)


def flies_until_the_pilot_takes_over(cockpit: Cockpit) -> None:
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    assert cockpit.commands()


STORIES: list[tuple[Callable[[Cockpit], None], type[Authority]]] = [
    (lands_and_takes_off_again, ConsentForLaterFlights),
    (is_left_alone_for_longer_than_that, ConsentWithoutTimeLimit),
    (loses_the_link, ConsentForLaterFlights),
    (flies_there_and_is_done, ConsentForSeveralFlights),
    (flies_until_the_pilot_takes_over, ConsentForSeveralFlights),
]
# Minutes of flight, in which the mutant of a shorter story is seen once more: a release's.
MINUTES = (lands_and_takes_off_again, flies_there_and_is_done)


def commands_after(happens: Callable[[Cockpit], None], authority: Authority, consent_s: int = 300) -> int:
    """Those that follow when the pilot switches into GUIDED once more."""
    cockpit = ready(authority, consent_s)
    happens(cockpit)
    cockpit.autopilot.pilot_set_mode("LOITER")
    cockpit.fly(3.0)
    cockpit.forget_wire()
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    return len(cockpit.commands())


@pytest.mark.parametrize(("happens", "mutant"), STORIES)
def test_the_next_switch_into_guided_is_for_nothing(
    happens: Callable[[Cockpit], None], mutant: type[Authority]
) -> None:
    assert commands_after(happens, Authority(), 20 if mutant is ConsentWithoutTimeLimit else 300) == 0


@pytest.mark.parametrize(
    ("happens", "mutant"),
    [pytest.param(*story, marks=pytest.mark.long) if story[0] in MINUTES else story for story in STORIES],
)
def test_a_daemon_whose_consent_outlives_that_is_seen_on_the_wire(
    happens: Callable[[Cockpit], None], mutant: type[Authority]
) -> None:
    assert commands_after(happens, mutant(), 20 if mutant is ConsentWithoutTimeLimit else 300) > 0


def test_a_new_word_is_needed_and_enough_for_another_flight() -> None:
    cockpit = ready()
    flies_until_the_pilot_takes_over(cockpit)
    cockpit.autopilot.pilot_set_mode("LOITER")
    cockpit.fly(2.0)
    assert "no target is confirmed" in cockpit.ask("engage")["error"]
    assert "error" not in cockpit.ask("confirm")  # the one that was shown still waits
    assert cockpit.ask("engage")["consent_left_s"] == 300.0
    cockpit.fly(1.0)
    cockpit.forget_wire()
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    assert cockpit.commands()


def test_everybody_reads_how_long_it_still_lasts() -> None:
    cockpit = ready()
    before = cockpit.ask("status")
    assert 299.0 < before["consent_left_s"] < 300.0
    cockpit.fly(20.0)
    status = cockpit.ask("status")
    assert status["consent_left_s"] == pytest.approx(before["consent_left_s"] - 20.0, abs=0.1)
    said = [line for line in _status_lines(status) if line.startswith("consent ")]
    assert said == ["consent   ends in 4 min 40 s unless the pilot switches into the guided mode"]
    logged = [record["consent_left_s"] for record in cockpit.journal.of("guidance")]
    assert logged[-1] == pytest.approx(status["consent_left_s"], abs=1.1) and logged[0] is None
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    assert cockpit.ask("status")["consent_left_s"] is None
    cockpit.autopilot.pilot_set_mode("LOITER")
    cockpit.fly(3.0)
    status = cockpit.ask("status")
    assert status["consent_left_s"] is None and status["target"] is None and "mode_changed" in status["reasons"]


def test_recording_resumes_when_the_flight_is_over() -> None:
    """Once a target was confirmed it paused for good."""
    cockpit = Cockpit()
    cockpit.to_ready(TARGET)
    paused = len(cockpit.notebook.frames)
    assert paused and cockpit.ask("status")["recording"] is False
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(4.0)
    assert len(cockpit.notebook.frames) == paused
    cockpit.autopilot.pilot_set_mode("LOITER")
    cockpit.fly(4.0)
    assert cockpit.ask("status")["recording"] is True and len(cockpit.notebook.frames) >= paused + 4
    assert "error" not in cockpit.give_target(TARGET)
    again = len(cockpit.notebook.frames)
    cockpit.fly(4.0)
    assert len(cockpit.notebook.frames) == again
