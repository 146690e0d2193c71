"""The simulated people press their buttons as people do."""

from __future__ import annotations

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.scenario.crew import arm
from sim.scenario.station import GroundStation

SECOND_NS = 1_000_000_000


def presses(data: bytes) -> int:
    """How many arming commands are in what the ground station sent."""
    said = mavlink.MAVLink(None).parse_buffer(data) or []
    return sum(m.get_type() == "COMMAND_LONG" and m.command == mavlink.MAV_CMD_COMPONENT_ARM_DISARM for m in said)


def heartbeat(armed: bool) -> bytes:
    """The autopilot's."""
    flags = mavlink.MAV_MODE_FLAG_SAFETY_ARMED if armed else 0
    message = mavlink.MAVLink_heartbeat_message(2, 3, flags, 4, mavlink.MAV_STATE_ACTIVE, 3)
    return bytes(message.pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=1)))


def test_a_refused_arming_is_asked_for_again_until_the_motors_turn() -> None:
    station = GroundStation()
    script, pressed = arm(station), []
    for second in range(10):
        station.receive(heartbeat(armed=second >= 7))
        try:
            next(script)
        except StopIteration:
            break
        if presses(station.outgoing(second * SECOND_NS)):
            pressed.append(second)
    assert second == 7
    assert pressed == [0, 4]
