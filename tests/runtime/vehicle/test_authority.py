"""No way to take authority: not in the source, and not in any byte that was ever sent here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime.vehicle
from runtime.mavlink.dialect import mavlink
from runtime.values import FailedOdometry, GeoPoint, Setpoint
from tests.runtime.vehicle.peer import MS, SECOND, Peer, Voice, Wire

SOURCES = sorted(Path(runtime.vehicle.__file__).parent.rglob("*.py"))
SPOKEN = {
    "HEARTBEAT", "TIMESYNC", "STATUSTEXT", "COMMAND_LONG", "COMMAND_INT", "SET_POSITION_TARGET_GLOBAL_INT",
    "PARAM_REQUEST_READ",
    "COMMAND_ACK", "AUTOPILOT_VERSION", "NAMED_VALUE_FLOAT", "ONBOARD_COMPUTER_STATUS",  # to the ground
}  # fmt: skip
FED = {  # only by `send_injection`
    "ODOMETRY", "VISION_POSITION_ESTIMATE", "VISION_SPEED_ESTIMATE", "GPS_INPUT", "GLOBAL_POSITION_SENSOR",
    "SET_GPS_GLOBAL_ORIGIN",
}  # fmt: skip
TAKES_AUTHORITY = re.compile(
    r"ARM_DISARM|DO_SET_MODE|set_mode|SET_MODE|arducopter_arm|motors_armed|FLIGHTTERMINATION|PREFLIGHT_REBOOT|RC_CHANNELS_OVERRIDE"
    r"|MANUAL_CONTROL|manual_control|PARAM_SET|MAV_DO_REPOSITION_FLAGS_CHANGE_MODE|MISSION_COUNT|param_set"
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_source_names_nothing_that_takes_authority(path: Path) -> None:
    assert TAKES_AUTHORITY.findall(path.read_text()) == []


def test_only_these_messages_are_ever_built() -> None:
    built = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.fullmatch(r"MAVLink_\w+_message", node.attr):
                built.add(node.attr.removeprefix("MAVLink_").removesuffix("_message").upper())
            assert not (isinstance(node, ast.Attribute) and re.search(r"\w_(send|encode)$", node.attr)), path.name
    assert built == SPOKEN | FED


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["mode", "arm", "target", "foreign", "text", "reboot", "quiet", "status", "feed"]),
        st.integers(0, 30),
    ),
    max_size=12,
)


@given(ACTIONS, st.sampled_from([mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, mavlink.MAV_AUTOPILOT_PX4]))
@settings(max_examples=40, deadline=None)
def test_whatever_happens_nothing_else_is_sent(actions: list[tuple[str, int]], autopilot: int) -> None:
    wire = Wire(peer=Peer(autopilot=autopilot))
    wire.run(1.5, step_ns=25 * MS)
    for name, number in actions:
        act(wire, name, number)
        wire.run(0.5, step_ns=25 * MS)
    fed = FED if any(name == "feed" for name, _ in actions) else set()
    assert {packet.name for _, packet in wire.sent} <= SPOKEN | fed
    for _, packet in wire.sent:
        m = packet.message
        assert (packet.system_id, packet.component_id) == (1, 191)
        if packet.name == "HEARTBEAT":
            assert (m.type, m.autopilot, m.base_mode, m.custom_mode) == (18, 8, 0, 0)
        elif packet.name in ("COMMAND_LONG", "COMMAND_INT"):
            assert m.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL
        elif packet.name == "SET_POSITION_TARGET_GLOBAL_INT":
            assert m.type_mask == 3576


def act(wire: Wire, name: str, number: int) -> None:
    if name == "mode":
        wire.peer.mode = number if wire.peer.autopilot == mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA else number << 16
        wire.inject(wire.peer.heartbeat())
    elif name == "arm":
        wire.peer.armed = bool(number % 2)
    elif name == "target":
        point = GeoPoint(60.0 + number * 1e-4, 22.0)
        wire.vehicle.send_setpoint(Setpoint(wire.t_ns, point, 500.0, wire.t_ns + 3 * SECOND, ""), wire.t_ns)
    elif name == "foreign":
        message = mavlink.MAVLink_command_long_message(1, 1, (400, 176, 22, 192, 511)[number % 5], 0, *[0.0] * 7)
        wire.inject(Voice(255, 190).say(message))
    elif name == "text":
        wire.vehicle.statustext("x" * number * 5, 6, wire.t_ns)
    elif name == "reboot":
        wire.peer.reboot(wire.t_ns)
    elif name == "feed":
        wire.vehicle.send_injection(FailedOdometry(wire.t_ns, number), wire.t_ns)
    elif name == "quiet":
        wire.peer.answers = not wire.peer.answers
    else:
        wire.peer.status = number % 9
