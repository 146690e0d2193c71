"""A whole daemon with a vehicle that has PX4's manners: what opens OFFBOARD, and that nothing of ours reopens it."""

from __future__ import annotations

import pytest

from runtime.geodesy import distance_m, offset
from tests.runtime.daemon.cockpit import HOME
from tests.runtime.daemon.offboard import LOITER, OFFBOARD, OffboardCockpit

PLACE = offset(HOME, -110.0, 60.0)


@pytest.fixture
def cockpit() -> OffboardCockpit:
    cockpit = OffboardCockpit()
    cockpit.to_ready(PLACE)
    return cockpit


def targets_in(cockpit: OffboardCockpit, seconds: float) -> int:
    before = cockpit.targets
    cockpit.fly(seconds)
    return cockpit.targets - before


def test_without_the_operators_word_nothing_streams_and_the_pilot_cannot_switch() -> None:
    cockpit = OffboardCockpit()
    cockpit.fly(6.0)
    cockpit.give_target(PLACE)
    assert targets_in(cockpit, 3.0) == 0 and not cockpit.pilot_wants(OFFBOARD)


def test_from_ready_on_the_present_point_streams_and_moves_nothing(cockpit: OffboardCockpit) -> None:
    place = cockpit.here
    cockpit.forget_wire()
    assert 25 <= targets_in(cockpit, 3.0) <= 31
    assert not cockpit.offboard and distance_m(place, cockpit.here) < 3.0
    for message in cockpit.commands():
        assert distance_m(place, type(place)(message.lat_int / 1e7, message.lon_int / 1e7)) < 6.0


def test_the_pilots_switch_opens_the_flight_and_the_hold_at_its_end_lasts(cockpit: OffboardCockpit) -> None:
    assert cockpit.pilot_wants(OFFBOARD)
    cockpit.fly(30.0)
    status = cockpit.ask("status")
    assert (status["state"], status["phase"]) == ("engaged", "confirmed") and cockpit.offboard
    assert distance_m(cockpit.here, PLACE) < 4.0
    assert targets_in(cockpit, 5.0) >= 45, "or PX4 would leave OFFBOARD at every target"
    assert cockpit.pilot_wants(LOITER)
    cockpit.fly(1.5)
    assert targets_in(cockpit, 3.0) == 0 and cockpit.ask("status")["state"] == "yielded"


def test_a_stream_that_ended_is_not_taken_up_again_while_px4_would_return_by_itself(cockpit: OffboardCockpit) -> None:
    """PX4 goes back to OFFBOARD without anybody's switch once targets flow again: that would be our doing."""
    assert cockpit.pilot_wants(OFFBOARD)
    cockpit.fly(5.0)
    assert "error" not in cockpit.ask("disengage")
    cockpit.fly(3.0)
    assert cockpit.failsafe and not cockpit.offboard
    cockpit.give_target(PLACE)
    assert "error" not in cockpit.ask("engage")
    assert targets_in(cockpit, 10.0) == 0 and not cockpit.offboard
    assert "failsafe" in cockpit.ask("status")["reasons"]


def test_the_pilots_own_switch_to_hold_clears_that_and_another_to_offboard_grants(cockpit: OffboardCockpit) -> None:
    assert cockpit.pilot_wants(OFFBOARD)
    cockpit.fly(5.0)
    cockpit.ask("disengage")
    cockpit.fly(3.0)
    assert cockpit.pilot_wants(LOITER)
    cockpit.fly(1.5)
    cockpit.give_target(PLACE)
    cockpit.ask("engage")
    assert targets_in(cockpit, 3.0) >= 25 and not cockpit.offboard
    assert cockpit.pilot_wants(OFFBOARD)
    cockpit.fly(2.0)
    assert cockpit.ask("status")["state"] == "engaged"


def test_a_restarted_daemon_streams_nothing_to_a_px4_that_misses_the_last_one(cockpit: OffboardCockpit) -> None:
    assert cockpit.pilot_wants(OFFBOARD)
    cockpit.fly(3.0)
    cockpit.daemon = cockpit.make()  # a power cut, and another start
    cockpit.fly(8.0)
    assert cockpit.failsafe and not cockpit.offboard
    cockpit.give_target(PLACE)
    cockpit.ask("engage")
    assert targets_in(cockpit, 5.0) == 0
