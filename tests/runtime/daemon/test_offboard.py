"""A whole daemon with a vehicle that has PX4's manners: what opens OFFBOARD, and that nothing of ours reopens it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import distance_m, offset
from tests.runtime.daemon.cockpit import HOME, STEP_NS
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


def stranger(cockpit: OffboardCockpit) -> None:
    """A ground station's "go there", overheard."""
    elsewhere = mavlink.MAVLink_command_int_message(
        1, 1, mavlink.MAV_FRAME_GLOBAL, mavlink.MAV_CMD_DO_REPOSITION, 0, 0, -1.0, 1.0, 0.0, 0.0,
        604_000_000, 224_000_000, 137.0,
    )  # fmt: skip
    cockpit.hear(elsewhere.pack(mavlink.MAVLink(None, srcSystem=255, srcComponent=190)))


def landed(cockpit: OffboardCockpit) -> None:
    """The autopilot says that it stands on the ground."""
    state = mavlink.MAVLink_extended_sys_state_message(0, mavlink.MAV_LANDED_STATE_ON_GROUND)
    cockpit.hear(state.pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=1)))


@pytest.mark.parametrize("ended_by", [stranger, landed])
def test_once_it_was_heard_that_authority_ended_the_last_target_is_not_said_again(
    cockpit: OffboardCockpit, ended_by: Callable[[OffboardCockpit], None]
) -> None:
    """Though that was due at the very next tick."""
    assert cockpit.pilot_wants(OFFBOARD)
    cockpit.fly(3.0)
    while cockpit.streamed_ns is None or cockpit.t_ns - cockpit.streamed_ns < 80_000_000:
        cockpit.fly(STEP_NS * 1e-9)
    cockpit.forget_wire()
    ended_by(cockpit)
    cockpit.fly(0.5)
    assert cockpit.commands() == [] and cockpit.ask("status")["state"] == "yielded"


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
