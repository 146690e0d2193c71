"""The rows of the fault table: nothing is commanded that must not be, each is noticed, and the link is well again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from runtime.mavlink.dialect import mavlink
from tests.bench.link_faults import (
    COMMANDS,
    FAULTS,
    YEAR_S,
    Act,
    Fault,
    Row,
    all_flown,
    command,
    vision_stops,
    wall_clock,
)
from tests.bench.rough_link import Referee
from tests.runtime.vehicle.peer import SECOND, Voice

CONCLUDED = {
    "the first acknowledgement is lost": ("ACCEPTED, sent 2 times", 0.4, 0.8),
    "every acknowledgement is lost": ("NO_ANSWER, sent 4 times", 1.9, 2.2),
    "acknowledgements come 0.7 s late": ("ACCEPTED, sent 2 times", 0.7, 0.8),
    "the answer is DENIED": ("DENIED, sent once", 0.0, 0.1),
    "the mode is switched in the middle of a command": ("ACCEPTED, sent 4 times", 1.4, 1.7),
}
NOTICED_S = {  # where it may take longer than half a second
    "a gap of 2 s, both ways": 1.6, "a gap of 5 s, both ways": 1.6, "another component claims our id": 1.1,
    "its clock is set on by 1 s": 2.6, "its clock is set back by 1 s": 2.6,
}  # fmt: skip
NEVER_WELL = {"two autopilots under one id", "an autopilot of another system"}
LATER = {"another component claims our id"}  # once it has been silent for ten seconds: tests/runtime/vehicle/test_lines


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, Row]]:
    shorter = [replace(fault, seconds=min(fault.seconds, 3.0)) for fault in FAULTS]
    yield {row.name: row for row in all_flown(shorter, wait_s=3.0)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_commands_nothing_is_noticed_and_passes(rows: dict[str, Row], fault: Fault) -> None:
    name, row = fault.name, rows[fault.name]
    assert row.forbidden == 0
    assert row.ends is None or row.ended == row.ends, row.note
    assert row.ended or row.targets > 5
    if fault.noticed is not None:
        assert row.noticed_s is not None and row.noticed_s <= NOTICED_S.get(name, 0.5)
    if name not in NEVER_WELL | LATER:
        assert row.recovered_s is not None and row.recovered_s <= 2.5


@pytest.mark.parametrize("name, begin, end, after_s", COMMANDS, ids=[one[0] for one in COMMANDS])
def test_a_command_is_concluded_whatever_becomes_of_its_answer(name: str, begin: Act, end: Act, after_s: float) -> None:
    row = command(name, begin, end, after_s)
    note, earliest_s, latest_s = CONCLUDED[name]
    assert (row.forbidden, row.note) == (0, note)
    assert row.noticed_s is not None and earliest_s <= row.noticed_s <= latest_s
    assert row.ended == ("mode is switched" in name)


@pytest.mark.parametrize("off_s", [YEAR_S, -YEAR_S])
def test_a_wall_clock_that_is_a_year_off_costs_no_packet(off_s: float) -> None:
    assert wall_clock(off_s).note == "0 of 150 packets refused"


def test_a_camera_that_comes_back_moves_nobody() -> None:
    row = vision_stops(gps=True, blind_s=3.0)
    assert (row.targets, row.forbidden) == (0, 0) and row.note == "largest jump 0.0 m; then LOITER"
    assert row.noticed_s is not None and row.noticed_s < 1.2 and row.recovered_s is not None and row.recovered_s < 1.0


def test_the_referee_sees_what_it_is_there_for() -> None:
    """A target after the pilot's heartbeat, after a rival's, after a reboot; and a mode that we set ourselves."""
    goto = mavlink.MAVLink_set_position_target_global_int_message(0, 1, 1, 0, 3576, 1, 1, 1.0, *[0.0] * 8)
    target = Voice(1, 191).say(goto)
    mode = Voice(1, 191).say(mavlink.MAVLink_command_long_message(1, 1, mavlink.MAV_CMD_DO_SET_MODE, 0, *[0.0] * 7))
    guided = Voice(1, 1).say(mavlink.MAVLink_heartbeat_message(2, 3, 0, 4, 4, 3))
    attitudes = [mavlink.MAVLink_attitude_message(ms, 0, 0, 0, 0, 0, 0) for ms in (90_000, 500)]
    rival = Voice(1, 191).say(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3))
    loiter = Voice(1, 1).say(mavlink.MAVLink_heartbeat_message(2, 3, 0, 5, 4, 3))
    for ends in (rival, loiter, b"".join(Voice(1, 1).say(a) for a in attitudes)):
        referee = Referee()
        referee.watching = True
        referee.delivered(guided, SECOND)
        referee.sent(target)
        assert (referee.targets, referee.forbidden) == (1, 0)
        referee.delivered(ends, 2 * SECOND)
        referee.sent(target + mode)
        assert (referee.targets, referee.forbidden, referee.ended_ns) == (2, 2, 2 * SECOND)
