"""A short run of the fuzzed link; the long one is a command. And contents that hypothesis thinks of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.events import LinkData, Tick
from runtime.mavlink.dialect import mavlink
from tests.bench.fuzz_link import Fuzz, fed, finds_its_feet, framed, recorded, strange
from tests.runtime.daemon.cockpit import Cockpit
from tests.runtime.vehicle.peer import MS, Voice


@pytest.fixture(scope="module")
def cockpit() -> Cockpit:
    flown = Cockpit()
    flown.frame_period_ns = 10**15
    flown.fly(4.0)
    return flown


def test_nothing_raises_and_nothing_strange_leaves(cockpit: Cockpit) -> None:
    fuzz = Fuzz(3, recorded(2.0))
    found = [name for _, out in fed(cockpit, fuzz, 100_000) for name in strange(out)]
    counters = cockpit.vehicle.state.counters
    assert found == [] and counters.packets > 500 and counters.bad_packets > 200
    assert finds_its_feet(cockpit)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(mavlink.mavlink_map)), st.binary(min_size=1, max_size=80), st.integers(0, 255))
def test_any_message_with_any_contents_is_survived(
    cockpit: Cockpit, message_id: int, contents: bytes, sequence: int
) -> None:
    cockpit.t_ns += 20 * MS
    size = mavlink.mavlink_map[message_id].unpacker.size
    packet = framed(message_id, contents[:size], sequence, (1, 1))
    out = cockpit.daemon.step(LinkData(cockpit.t_ns, packet)) + cockpit.daemon.step(Tick(cockpit.t_ns))
    assert strange(b"".join(data for _, data in out)) == []


def test_what_is_strange_is_seen() -> None:
    target = mavlink.MAVLink_set_position_target_global_int_message(0, 1, 1, 0, 3576, 1, 1, 1.0, *[0.0] * 8)
    arm = mavlink.MAVLink_command_long_message(1, 1, mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 0, *[0.0] * 7)
    ask = mavlink.MAVLink_command_long_message(1, 1, mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 0, *[0.0] * 7)
    voice = Voice(1, 191)
    said = b"".join(voice.say(message) for message in (target, arm, ask))
    assert strange(said) == ["SET_POSITION_TARGET_GLOBAL_INT", "COMMAND_LONG"]
