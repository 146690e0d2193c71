"""Streams: asked for, measured, and asked for again."""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.events import CommandDone, Rebooted, StreamChanged
from runtime.vehicle.stack import StreamRequest
from runtime.vehicle.telemetry.streams import StreamKeeper
from tests.runtime.vehicle.peer import SECOND, Peer, Wire

ATTITUDE, TARGET, ESTIMATOR = 30, 87, 193


def status(wire: Wire, name: str) -> Any:
    return {health.name: health for health in wire.vehicle.state.streams}[name]


def requests(wire: Wire, message_id: int) -> list[int]:
    found = wire.sent_of("COMMAND_LONG")
    return [t for t, p in found if p.message.command == 511 and p.message.param1 == message_id]


def test_required_streams_come_at_their_rates() -> None:
    wire = Wire()
    wire.run(5.0)
    state = wire.vehicle.state
    assert state.streams_missing == () and state.problems == ()
    assert status(wire, "ATTITUDE").rate_hz >= 25.0
    assert status(wire, "GLOBAL_POSITION_INT").rate_hz >= 18.0
    assert len(requests(wire, ATTITUDE)) == 1, "a stream that comes is not asked for again"


def test_the_interval_is_in_microseconds_and_addressed_to_the_autopilot() -> None:
    wire = Wire(peer=Peer(system_id=3))
    wire.run(2.0)
    sent = [p.message for _, p in wire.sent_of("COMMAND_LONG") if p.message.param1 == ATTITUDE]
    assert (sent[0].target_system, sent[0].target_component) == (3, 1)
    assert abs(sent[0].param2 - 1e6 / 30.0) < 1.0
    assert {(p.system_id, p.component_id) for _, p in wire.sent_of("COMMAND_LONG")} == {(3, 191)}


def test_a_stream_that_stops_is_missed_and_asked_for_again() -> None:
    wire = Wire()
    wire.run(5.0)
    wire.peer.intervals_ns.pop(ESTIMATOR)
    wire.peer.answers = False
    wire.run(3.0)
    assert "EKF_STATUS_REPORT" in wire.vehicle.state.streams_missing
    assert "stream_ekf_status_report" in wire.vehicle.state.problems
    wire.peer.answers = True
    wire.run(5.0)
    assert wire.vehicle.state.streams_missing == ()
    told = [e.reason for e in wire.of(StreamChanged) if e.name == "EKF_STATUS_REPORT"]
    assert told[-4:] == ["slow", "silent", "slow", "ok"]


def test_every_required_stream_is_believed_within_a_second_of_the_first_heartbeat() -> None:
    wire = Wire()
    wire.run(1.0)
    assert wire.vehicle.state.streams_missing == ()


def test_what_is_told_of_one_instant_knows_all_that_came_by_then() -> None:
    keeper = StreamKeeper(lambda command, t_ns: None)
    keeper.start((StreamRequest(ATTITUDE, "ATTITUDE", 30.0, required=True),))
    before = keeper.health(SECOND)
    assert keeper.health(SECOND) is before and before[0].rate_hz == 0.0
    keeper.seen(ATTITUDE, SECOND)
    assert keeper.health(SECOND)[0].rate_hz > 0.0
    assert keeper.health(60 * SECOND)[0].rate_hz == 0.0
    keeper.answered(ATTITUDE, False, True, 60 * SECOND)
    keeper.tick(60 * SECOND)
    assert keeper.health(60 * SECOND)[0].status == "denied"
    keeper.start(())
    assert keeper.health(60 * SECOND) == ()


def test_a_stream_that_begins_too_slowly_is_not_believed() -> None:
    """Three messages within half a second of a stream at 30 Hz are one at 6 Hz; two are nothing to go by."""
    keeper = StreamKeeper(lambda command, t_ns: None)
    keeper.start((StreamRequest(ATTITUDE, "ATTITUDE", 30.0, True), StreamRequest(1, "SYS_STATUS", 4.0, True)))
    for t_ns in range(0, SECOND, SECOND // 6):
        keeper.seen(ATTITUDE, t_ns)
    for t_ns in (0, SECOND // 10):
        keeper.seen(1, t_ns)
    keeper.tick(SECOND)
    assert {one.name: one.status for one in keeper.health(SECOND)} == {"ATTITUDE": "waiting", "SYS_STATUS": "waiting"}


def test_a_slow_stream_is_not_ok() -> None:
    wire = Wire()
    wire.run(5.0)
    wire.peer.intervals_ns[ATTITUDE] = SECOND // 5
    wire.run(2.2)
    assert status(wire, "ATTITUDE").status == "slow"
    wire.run(4.0)
    assert status(wire, "ATTITUDE").status == "ok", "asked for again, at the rate that is needed"


def test_a_denied_required_stream_is_a_problem_with_a_name() -> None:
    wire = Wire(peer=Peer(denies=frozenset({TARGET})))
    wire.run(5.0)
    assert status(wire, "POSITION_TARGET_GLOBAL_INT").status == "denied"
    assert wire.vehicle.state.problems == ("stream_position_target_global_int",)
    assert any(isinstance(e, CommandDone) and e.result == "DENIED" for e in wire.events)


def test_an_optional_stream_that_is_denied_is_left_alone() -> None:
    wire = Wire()
    wire.run(60.0, step_ns=20_000_000)
    fence = mavlink.MAVLINK_MSG_ID_FENCE_STATUS
    assert status(wire, "FENCE_STATUS").status == "denied" and len(requests(wire, fence)) == 1


def test_a_target_stream_that_has_nothing_to_say_is_no_fault() -> None:
    wire = Wire()
    wire.run(5.0)
    assert status(wire, "POSITION_TARGET_GLOBAL_INT").status == "accepted"
    assert len(requests(wire, TARGET)) == 1


def test_what_has_nothing_to_say_for_minutes_was_asked_for_twice() -> None:
    wire = Wire()
    wire.run(140.0, step_ns=50_000_000)
    assert status(wire, "POSITION_TARGET_GLOBAL_INT").status == "accepted"
    assert len(requests(wire, TARGET)) == 2, "once more, for an acknowledgement may have been another request's"
    often = [m for m in {p.message.param1 for _, p in wire.sent_of("COMMAND_LONG") if p.message.command == 511}
             if len(requests(wire, int(m))) > 2]  # fmt: skip
    assert often == []


def test_after_a_reboot_everything_is_asked_for_again() -> None:
    wire = Wire()
    wire.run(5.0)
    wire.peer.reboot(wire.t_ns)
    wire.run(6.0)
    assert len(wire.of(Rebooted)) == 1
    assert len(requests(wire, ATTITUDE)) == 2
    assert wire.vehicle.state.streams_missing == ()
