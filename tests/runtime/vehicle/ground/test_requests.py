"""What others ask of our component is answered once, by what they may ask; what they ask of others is not ours."""

from __future__ import annotations

from typing import Any

import pytest
from pymavlink import mavutil

from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import OperatorCommand
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import MS, Peer, Voice, Wire

STATION = Voice(255, 190)
ENGAGE, DISENGAGE, RELOCALISE = mavlink.MAV_CMD_USER_1, mavlink.MAV_CMD_USER_2, mavlink.MAV_CMD_USER_3
ACCEPTED, DENIED, UNSUPPORTED = mavlink.MAV_RESULT_ACCEPTED, mavlink.MAV_RESULT_DENIED, mavlink.MAV_RESULT_UNSUPPORTED
TO_US = (1, 191)


def connected(operator: int | None = None) -> Wire:
    wire = Wire(vehicle=Vehicle(VehicleConfig(operator_system_id=operator)), peer=Peer())
    wire.run(1.5)
    return wire


def asked(command: int, *parameters: float, to: tuple[int, int] = TO_US) -> Any:
    return mavlink.MAVLink_command_long_message(*to, command, 0, *parameters, *[0.0] * (7 - len(parameters)))


def answers(wire: Wire, message: Any, voice: Voice = STATION) -> list[Any]:
    """What leaves within a moment because of a message, besides what leaves anyhow."""
    wire.sent.clear()
    wire.inject(voice.say(message))
    wire.run(0.05)
    usual = {"HEARTBEAT", "TIMESYNC", "COMMAND_LONG"}
    return [packet.message for _, packet in wire.sent if packet.name not in usual]


def test_a_ground_station_sees_a_component_and_takes_it_for_no_vehicle() -> None:
    wire = connected()
    beat = next(packet.message for _, packet in wire.sent if packet.name == "HEARTBEAT")
    assert (beat.get_srcSystem(), beat.get_srcComponent()) == TO_US
    assert (beat.type, beat.autopilot) == (mavlink.MAV_TYPE_ONBOARD_CONTROLLER, mavlink.MAV_AUTOPILOT_INVALID)
    assert not mavutil.mavfile.probably_vehicle_heartbeat(mavutil.mavfile, beat)  # how MAVProxy tells them apart


@pytest.mark.parametrize("message", [asked(512, 148.0), asked(520, 1.0)], ids=["REQUEST_MESSAGE", "CAPABILITIES"])
def test_who_asks_what_we_are_is_told(message: Any) -> None:
    ack, version = answers(connected(), message)
    assert (ack.command, ack.result) == (message.command, ACCEPTED)
    assert (ack.target_system, ack.target_component) == (255, 190)
    assert version.get_type() == "AUTOPILOT_VERSION"
    assert version.capabilities & mavlink.MAV_PROTOCOL_CAPABILITY_MAVLINK2
    moves = mavlink.MAV_PROTOCOL_CAPABILITY_SET_POSITION_TARGET_GLOBAL_INT | mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_INT
    assert not version.capabilities & moves, "it is no autopilot"


@pytest.mark.parametrize("wanted", [395.0, 397.0, 0.0, float("nan"), float("inf"), 1e9])
def test_messages_that_there_are_none_of_are_denied(wanted: float) -> None:
    (ack,) = answers(connected(), asked(512, wanted))
    assert (ack.command, ack.result) == (512, DENIED)


@pytest.mark.parametrize("command", [400, 176, 22, 192, 246, 511])
def test_what_a_companion_does_not_do_is_unsupported(command: int) -> None:
    (ack,) = answers(connected(operator=255), asked(command, 1.0))
    assert (ack.command, ack.result) == (command, UNSUPPORTED)


@pytest.mark.parametrize("to", [(0, 0), (1, 0), (1, 1), (2, 191), (0, 191)])
@pytest.mark.parametrize("command", [512, ENGAGE])
def test_what_is_not_asked_of_us_by_name_is_not_answered(to: tuple[int, int], command: int) -> None:
    wire = connected(operator=255)
    assert answers(wire, asked(command, 148.0, to=to)) == [] and wire.of(OperatorCommand) == []


def test_parameters_are_not_ours_and_their_list_stays_unanswered() -> None:
    wire = connected(operator=255)
    for message in (mavlink.MAVLink_param_request_list_message(*TO_US),
                    mavlink.MAVLink_param_request_read_message(*TO_US, b"", 0)):  # fmt: skip
        assert answers(wire, message) == []


def test_who_asks_too_often_is_not_answered_all_the_time() -> None:
    wire = connected(operator=255)
    wire.sent.clear()
    for _ in range(50):
        wire.inject(STATION.say(asked(512, 148.0)))
    wire.run(0.05)
    assert sum(packet.name == "COMMAND_ACK" for _, packet in wire.sent) == 10
    wire.run(1.0)
    assert len(answers(wire, asked(512, 148.0))) == 2


# The operator's words


@pytest.mark.parametrize(
    ("operator", "station", "said"),
    [(None, STATION, "Homing: commands by radio are off"), (254, STATION, "Homing: no commands from system 255")],
)
@pytest.mark.parametrize("command", [ENGAGE, DISENGAGE, RELOCALISE])
def test_words_of_whom_the_configuration_does_not_name_are_denied_and_say_why(
    operator: int | None, station: Voice, said: str, command: int
) -> None:
    wire = connected(operator)
    ack, text = answers(wire, asked(command, 0, 0, 0, 0, 60.0, 22.0), station)
    assert (ack.command, ack.result) == (command, DENIED) and text.text == said
    assert wire.of(OperatorCommand) == []


@pytest.mark.parametrize(("command", "word"), [(ENGAGE, "engage"), (DISENGAGE, "disengage")])
def test_a_word_of_the_operators_ground_station_is_an_event_and_answered_when_it_is_decided(
    command: int, word: str
) -> None:
    wire = connected(255)
    assert answers(wire, asked(command)) == []
    (event,) = wire.of(OperatorCommand)
    assert (event.word, event.near, event.system_id, event.component_id) == (word, None, 255, 190)
    wire.sent.clear()
    wire.vehicle.answer_operator(event, ACCEPTED)
    wire.run(0.01)
    (ack,) = [packet.message for _, packet in wire.sent if packet.name == "COMMAND_ACK"]
    assert (ack.command, ack.result, ack.target_system, ack.target_component) == (command, ACCEPTED, 255, 190)


@pytest.mark.parametrize(("radius", "taken"), [(300.0, 300.0), (0.0, 200.0), (1.0, 10.0), (1e9, 5000.0),
                                               (float("nan"), 200.0), (-5.0, 200.0)])  # fmt: skip
def test_a_place_to_look_at_travels_as_integers_or_as_floats(radius: float, taken: float) -> None:
    near = GeoPoint(60.1234567, -22.7654321)
    whole = mavlink.MAVLink_command_int_message(*TO_US, 0, RELOCALISE, 0, 0, radius, 0, 0, 0, 601234567, -227654321, 0)
    coarse = asked(RELOCALISE, radius, 0, 0, 0, near.latitude_deg, near.longitude_deg)
    for message, digits in ((whole, 7), (coarse, 5)):
        wire = connected(255)
        assert answers(wire, message) == []
        (event,) = wire.of(OperatorCommand)
        assert (event.word, event.radius_m) == ("relocalise", taken)
        assert event.near.latitude_deg == pytest.approx(near.latitude_deg, abs=10.0**-digits)
        assert event.near.longitude_deg == pytest.approx(near.longitude_deg, abs=10.0**-digits)


@pytest.mark.parametrize("place", [(0.0, 0.0), (91.0, 0.0), (10.0, 181.0), (float("nan"), 22.0)])
def test_a_place_that_is_none_is_denied(place: tuple[float, float]) -> None:
    wire = connected(255)
    ack, text = answers(wire, asked(RELOCALISE, 100.0, 0, 0, 0, *place))
    assert ack.result == DENIED and text.text == "Homing: re-localise needs a position"
    assert wire.of(OperatorCommand) == []


def test_no_word_is_taken_before_there_is_an_autopilot() -> None:
    wire = Wire(vehicle=Vehicle(VehicleConfig(operator_system_id=255)))
    assert wire.vehicle.receive(STATION.say(asked(ENGAGE)), 5 * MS) == []
