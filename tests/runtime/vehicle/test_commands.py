"""Commands: answered once, asked again on silence, and only ever those that take no authority."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from runtime.vehicle.commands import PERMITTED, Command, CommandQueue
from runtime.vehicle.events import CommandDone
from tests.runtime.vehicle.peer import SECOND, Peer, Wire

INTERVAL = mavlink.MAV_CMD_SET_MESSAGE_INTERVAL
REQUEST = mavlink.MAV_CMD_REQUEST_MESSAGE
REPOSITION = mavlink.MAV_CMD_DO_REPOSITION
ACCEPTED, BUSY, DENIED, UNSUPPORTED, FAILED, PROGRESS, LONG_ONLY, INT_ONLY = 0, 1, 2, 3, 4, 5, 7, 8


def made(attempts: int = 4) -> tuple[CommandQueue, list[Any]]:
    sent: list[Any] = []
    queue = CommandQueue(sent.append, 0.5, attempts)
    queue.target = (1, 1)
    return queue, sent


def ask(number: float) -> Command:
    return Command(INTERVAL, (number, 1000.0, 0.0, 0.0))


def look(number: float) -> Command:
    return Command(REQUEST, (number, 0.0, 0.0, 0.0))


def test_silence_is_answered_with_a_higher_confirmation_until_it_gives_up() -> None:
    queue, sent = made()
    queue.submit(ask(30), 0)
    events = [event for t in range(30) for event in queue.tick(t * SECOND // 10)]
    assert [message.confirmation for message in sent] == [0, 1, 2, 3]
    assert events == [CommandDone(2 * SECOND, INTERVAL, 30.0, "NO_ANSWER", False, 4)]
    assert len(queue) == 0


def test_one_command_of_an_id_is_outstanding_at_a_time() -> None:
    queue, sent = made()
    for number in (30, 33, 24):
        queue.submit(ask(number), 0)
    assert [m.param1 for m in sent] == [30] and len(queue) == 3
    assert queue.acknowledged(INTERVAL, ACCEPTED, 1) == [CommandDone(1, INTERVAL, 30.0, "ACCEPTED", True, 1)]
    assert [m.param1 for m in sent] == [30, 33]


@pytest.mark.parametrize("result, name", [(DENIED, "DENIED"), (UNSUPPORTED, "UNSUPPORTED"), (FAILED, "FAILED")])
def test_a_no_is_not_asked_again(result: int, name: str) -> None:
    queue, sent = made()
    queue.submit(ask(30), 0)
    (done,) = queue.acknowledged(INTERVAL, result, 1)
    assert isinstance(done, CommandDone) and (done.result, done.accepted) == (name, False)
    assert queue.tick(100 * SECOND) == [] and len(sent) == 1


def test_not_now_is_asked_again_after_a_pause_that_grows_and_told_in_the_end() -> None:
    queue, sent = made()
    queue.submit(ask(30), 0)
    t_ns, pauses = 0, []
    for _ in range(4):
        assert queue.acknowledged(INTERVAL, BUSY, t_ns) == []
        asked, since_ns = len(sent), t_ns
        while len(sent) == asked:
            t_ns += SECOND // 10
            assert queue.tick(t_ns) == []
        pauses.append((t_ns - since_ns) // SECOND)
    assert pauses == [1, 2, 4, 8]
    assert [message.confirmation for message in sent] == [0] * 5, "each was answered: none is a repetition"
    (done,) = queue.acknowledged(INTERVAL, BUSY, t_ns)
    assert isinstance(done, CommandDone) and (done.result, done.attempts) == ("TEMPORARILY_REJECTED", 5)


def test_in_progress_extends_for_as_long_as_it_is_said() -> None:
    queue, sent = made()
    queue.submit(ask(30), 0)
    for t in range(0, 40, 8):
        assert queue.acknowledged(INTERVAL, PROGRESS, t * SECOND) == []
        assert queue.tick((t + 8) * SECOND) == []
    assert len(sent) == 1
    assert len(queue.acknowledged(INTERVAL, ACCEPTED, 40 * SECOND)) == 1


def test_the_second_answer_to_a_command_that_was_repeated_does_not_conclude_the_next() -> None:
    queue, sent = made()
    queue.submit(look(30), 0)
    queue.submit(look(33), 0)
    queue.tick(SECOND // 2)  # the first answer is late, not lost
    (done,) = queue.acknowledged(REQUEST, ACCEPTED, SECOND // 2 + 1)
    assert isinstance(done, CommandDone) and done.parameter == 30.0
    assert queue.acknowledged(REQUEST, ACCEPTED, SECOND // 2 + 2) == [], "that was the answer to the repetition"
    (done,) = queue.acknowledged(REQUEST, DENIED, SECOND // 2 + 3)
    assert isinstance(done, CommandDone) and (done.parameter, done.result) == (33.0, "DENIED")
    assert [m.param1 for m in sent] == [30, 30, 33]


def test_an_answer_that_is_taken_for_a_late_one_costs_one_repetition() -> None:
    queue, sent = made()
    queue.submit(look(30), 0)
    queue.submit(look(33), 0)
    queue.tick(SECOND // 2)  # the first was lost with its answer
    queue.acknowledged(REQUEST, ACCEPTED, SECOND)
    assert queue.acknowledged(REQUEST, ACCEPTED, SECOND + 1) == []
    queue.tick(2 * SECOND)
    assert [(m.param1, m.confirmation) for m in sent] == [(30, 0), (30, 1), (33, 0), (33, 1)]
    assert len(queue.acknowledged(REQUEST, ACCEPTED, 2 * SECOND + 1)) == 1


def test_an_autopilot_that_wants_the_other_form_gets_it_once() -> None:
    queue, sent = made()
    queue.submit(ask(30), 0)
    assert queue.acknowledged(INTERVAL, INT_ONLY, 0) == []
    assert [m.get_type() for m in sent] == ["COMMAND_LONG", "COMMAND_INT"]
    assert sent[1].param1 == 30
    (done,) = queue.acknowledged(INTERVAL, LONG_ONLY, 0)
    assert isinstance(done, CommandDone) and not done.accepted


def test_a_position_travels_as_integers() -> None:
    queue, sent = made()
    command = Command(REPOSITION, (-1.0, 0.0, 0.0, float("nan")), GeoPoint(47.3990476, 8.5455998), 528.0)
    queue.submit(command, 0)
    (message,) = sent
    assert message.get_type() == "COMMAND_INT"
    assert (message.x, message.y, message.z) == (473990476, 85455998, 528.0)
    assert (message.frame, message.param2) == (mavlink.MAV_FRAME_GLOBAL, 0.0)
    (done,) = queue.acknowledged(REPOSITION, LONG_ONLY, 0)
    assert isinstance(done, CommandDone) and not done.accepted, "never as coarse floats"


def test_answers_to_nothing_are_ignored() -> None:
    queue, _ = made()
    assert queue.acknowledged(INTERVAL, ACCEPTED, 0) == []


@given(st.integers(0, 65535).filter(lambda number: number not in PERMITTED))
def test_no_other_command_can_be_made(number: int) -> None:
    with pytest.raises(ValueError, match="the pilot's to send"):
        Command(number)


@given(st.floats(allow_nan=False, allow_subnormal=False).filter(lambda flags: flags != 0.0))
def test_a_reposition_that_would_change_the_mode_cannot_be_made(flags: float) -> None:
    with pytest.raises(ValueError, match="changes the mode"):
        Command(REPOSITION, (-1.0, flags, 0.0, 0.0), GeoPoint(1.0, 2.0), 10.0)
    with pytest.raises(ValueError, match="needs a position"):
        Command(REPOSITION)


def test_what_is_permitted_holds_no_authority() -> None:
    names = {mavlink.enums["MAV_CMD"][number].name for number in PERMITTED}
    assert names == {
        "MAV_CMD_SET_MESSAGE_INTERVAL",
        "MAV_CMD_REQUEST_MESSAGE",
        "MAV_CMD_DO_REPOSITION",
        "MAV_CMD_SET_EKF_SOURCE_SET",
    }


def test_an_answer_counts_only_from_the_autopilot_and_to_us() -> None:
    wire = Wire(peer=Peer(answers=False))
    wire.run(1.2)
    wire.vehicle.send_command(Command(REPOSITION, position=GeoPoint(60.0, 22.0), altitude_amsl_m=528.0), wire.t_ns)
    wire.run(0.1)
    stranger = Peer(system_id=9)
    for wrong in (stranger.ack(REPOSITION, 0), wire.peer.ack(REPOSITION, 0, to=(1, 190)), wire.peer.ack(22, 0)):
        assert wire.inject(wrong) == []
    (done,) = wire.inject(wire.peer.ack(REPOSITION, 4, to=(0, 0)))
    assert isinstance(done, CommandDone) and done.result == "FAILED"
