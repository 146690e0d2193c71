"""Several lines to one vehicle: one commands, the others may only take away, and a message over two counts once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import (
    CompanionConflict,
    Connected,
    ConnectionLost,
    ForeignTarget,
    LineChanged,
    ModeChanged,
    OtherAutopilot,
    Rebooted,
    VehicleEvent,
)
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import GUIDED, LOITER, MS, SECOND, Peer, Voice, Wire

CABLE, RADIO = "vehicle", "vehicle2"


@dataclass
class TwoLines:
    """An autopilot with a port for each line: sequences and streams of their own, one state."""

    cable: Peer = field(default_factory=lambda: Peer(mode=GUIDED))
    radio: Peer = field(default_factory=lambda: Peer(mode=GUIDED))
    vehicle: Vehicle = field(default_factory=lambda: Vehicle(VehicleConfig(links=(CABLE, RADIO))))
    t_ns: int = 10 * SECOND
    cut: set[str] = field(default_factory=set)
    events: list[VehicleEvent] = field(default_factory=list)
    sent: dict[str, list[Any]] = field(default_factory=lambda: {CABLE: [], RADIO: []})

    def run(self, seconds: float) -> None:
        readers = {CABLE: PacketReader(), RADIO: PacketReader()}
        for _ in range(round(seconds * 100)):
            self.t_ns += 10 * MS
            for name, port in ((CABLE, self.cable), (RADIO, self.radio)):
                data = port.step(self.t_ns)
                if name not in self.cut:
                    self.events += self.vehicle.receive(data, self.t_ns, name)
            self.vehicle.feed_heartbeat(self.t_ns)
            self.events += self.vehicle.tick(self.t_ns)
            for name, port in ((CABLE, self.cable), (RADIO, self.radio)):
                data = self.vehicle.outgoing(name)
                self.sent[name] += readers[name].feed(data)
                if name not in self.cut:
                    self.events += self.vehicle.receive(port.hear(data, self.t_ns), self.t_ns, name)

    def inject(self, data: bytes, name: str) -> list[VehicleEvent]:
        return self.vehicle.receive(data, self.t_ns, name)

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def names_sent(self, name: str) -> set[str]:
        return {packet.name for packet in self.sent[name]}


def test_one_line_commands_and_our_heartbeat_goes_over_both() -> None:
    both = TwoLines()
    both.run(4.0)
    assert both.vehicle.state.problems == ()
    assert both.names_sent(RADIO) == {"HEARTBEAT"} and "COMMAND_LONG" in both.names_sent(CABLE)
    assert [(line.name, line.believed) for line in both.vehicle.state.lines] == [(CABLE, True), (RADIO, False)]
    assert both.of(ModeChanged) != [] and len(both.of(ModeChanged)) == 1
    assert both.vehicle.state.counters.unbelieved_packets == 4


def test_a_line_that_breaks_ends_authority_and_the_other_takes_over() -> None:
    both = TwoLines()
    both.run(4.0)
    both.cut = {CABLE}
    began_ns = both.t_ns
    both.run(6.0)
    (lost,), (changed,) = both.of(ConnectionLost), both.of(LineChanged)
    assert (changed.before, changed.after) == (CABLE, RADIO) and lost.t_ns == changed.t_ns
    assert 2.4 <= (changed.t_ns - began_ns) * 1e-9 <= 2.6
    again = both.of(Connected)[1]
    assert again.t_ns - changed.t_ns <= SECOND
    assert both.of(ModeChanged)[-1].previous is None, "no transition: it grants nothing"
    assert both.vehicle.state.problems == (), "its streams were asked for on the other line"
    here = Setpoint(both.t_ns, GeoPoint(60.0, 22.0), 500.0, both.t_ns + SECOND, "")
    assert both.vehicle.send_setpoint(here, both.t_ns) is None
    assert both.vehicle.outgoing(CABLE) == b"" and both.vehicle.outgoing(RADIO) != b""


def test_the_preferred_line_is_taken_again_on_the_ground_only() -> None:
    both = TwoLines()
    both.run(2.0)
    both.cut = {CABLE}
    both.run(5.0)
    both.cut = set()
    both.run(14.0)
    assert [e.after for e in both.of(LineChanged)] == [RADIO], "in the air nothing is changed that works"
    both.radio.armed = both.cable.armed = False
    both.run(2.0)
    assert [e.after for e in both.of(LineChanged)] == [RADIO, CABLE]
    both.run(4.0)
    assert both.vehicle.state.problems == ()


def test_the_pilots_takeover_counts_on_whichever_line_it_is_heard_first() -> None:
    both = TwoLines()
    both.run(4.0)
    both.events.clear()
    both.radio.mode = LOITER  # the cable still holds it back
    both.run(1.0)
    assert [(e.previous, e.mode) for e in both.of(ModeChanged)][:1] == [("GUIDED", "LOITER")]


def test_old_news_on_a_slow_line_is_no_transition() -> None:
    """The radio is seconds behind: it tells of GUIDED when the pilot has long taken over."""
    both = TwoLines(radio=Peer(mode=LOITER))
    both.run(4.0)
    both.cable.mode = LOITER
    both.run(2.0)
    both.events.clear()
    both.radio.mode = GUIDED
    both.run(3.0)
    assert both.of(ModeChanged) == [] and not both.vehicle.state.telemetry.guided
    both.radio.mode = LOITER  # and leaves it, which is no news
    both.run(2.0)
    assert both.of(ModeChanged) == []


def test_what_others_say_over_two_lines_counts_once() -> None:
    both = TwoLines()
    both.run(3.0)
    target = mavlink.MAVLink_set_position_target_global_int_message(
        0, 1, 1, 6, 3576, 600000000, 220000000, 40.0, *[0.0] * 8
    )
    goto = Voice(255, 190).say(target)
    found = [both.inject(goto, name) for name in (RADIO, CABLE)]
    assert [[type(e) for e in events] for events in found] == [[ForeignTarget], []]
    assert both.vehicle.state.counters.copied_packets == 1


def test_our_own_packets_that_a_router_sends_back_are_no_second_companion() -> None:
    both = TwoLines()
    both.run(3.0)
    echo = b"".join(packet.raw for packet in both.sent[CABLE][-20:] + both.sent[RADIO][-2:])
    assert both.inject(echo, RADIO) == [] and both.inject(echo, CABLE) == []
    assert both.vehicle.state.problems == () and both.vehicle.state.counters.own_echoes == 44
    rival = Voice(1, 191).say(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 3, 3))
    assert [type(e) for e in both.inject(rival, RADIO)] == [CompanionConflict]


# --- one line ----------------------------------------------------------------------------------------------------


def test_a_heartbeat_that_was_overtaken_takes_the_guided_mode_and_does_not_give_it() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(3.0)
    held_back = wire.peer.heartbeat()  # GUIDED
    wire.peer.mode = LOITER
    wire.inject(wire.peer.heartbeat() + wire.peer.heartbeat())
    assert wire.inject(held_back) == [] and wire.vehicle.state.telemetry.mode == "LOITER"
    held_back = wire.peer.heartbeat()  # LOITER
    wire.peer.mode = GUIDED
    wire.inject(wire.peer.heartbeat())
    assert [e.mode for e in wire.inject(held_back) if isinstance(e, ModeChanged)] == ["LOITER"]
    assert wire.vehicle.state.counters.overtaken_packets == 2


def test_a_packet_that_comes_twice_counts_once() -> None:
    wire = Wire()
    wire.run(3.0)
    before = wire.vehicle.state.counters
    text = wire.peer.voice.say(mavlink.MAVLink_statustext_message(4, b"once"))
    assert len(wire.inject(text + text)) == 1 and wire.inject(text) == []
    assert wire.vehicle.state.counters.copied_packets == before.copied_packets + 2
    wire.run(1.0)
    assert len(wire.inject(text)) == 1, "the count has come round"


def test_a_second_companion_that_falls_silent_is_forgotten() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(3.0)
    rival = Voice(1, 191)
    for _ in range(3):
        wire.inject(rival.say(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3)))
        wire.run(1.0)
        assert wire.vehicle.state.problems == ("second_companion",)
    wire.run(8.8)
    assert wire.vehicle.state.problems == ("second_companion",)
    wire.run(0.5)
    assert wire.vehicle.state.problems == () and len(wire.of(CompanionConflict)) == 1


@pytest.mark.parametrize("apart_ns", [60 * SECOND, 5 * SECOND, 500 * MS])
def test_two_autopilots_under_one_id_are_found_by_their_clocks(apart_ns: int) -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(3.0)
    twin = Peer(mode=GUIDED, clock_offset_ns=wire.peer.clock_offset_ns - apart_ns)
    twin.intervals_ns = dict(wire.peer.intervals_ns)
    heard, began_ns = len(wire.sent), wire.t_ns
    while not wire.of(OtherAutopilot) and wire.t_ns < began_ns + 10 * SECOND:
        wire.step()
        wire.inject(twin.step(wire.t_ns))
        for _, packet in wire.sent[heard:]:
            wire.inject(twin.hear(packet.raw, wire.t_ns))
        heard = len(wire.sent)
    (other,) = wire.of(OtherAutopilot)
    assert (other.system_id, other.component_id) == (1, 1) and (other.t_ns - began_ns) * 1e-9 < 2.0
    assert "second_autopilot" in wire.vehicle.state.problems


def test_a_clock_that_is_set_back_and_forth_once_is_one_clock() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(3.0)
    for step_ns in (3 * SECOND, -3 * SECOND):
        wire.peer.clock_offset_ns += step_ns
        wire.run(3.0)
    assert wire.of(OtherAutopilot) == [] and len(wire.of(Rebooted)) == 1
