"""The referee believes the wire alone: real packets in, counts out."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import offset
from runtime.values import GeoPoint
from sim.scenario.referee import Referee

HOME = GeoPoint(60.4, 22.4)
SECOND = 1_000_000_000


class Wire:
    """Packs what an autopilot and a companion would send, and shows it to a referee."""

    def __init__(self, idles: bool = False) -> None:
        self.referee = Referee(idles=idles)
        self.autopilot = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
        self.companion = mavlink.MAVLink(None, srcSystem=1, srcComponent=191)

    def mode(self, number: int, t_s: float = 0.0, armed: bool = True) -> None:
        beat = mavlink.MAVLink_heartbeat_message(2, 3, 217 if armed else 89, number, 4, 3)
        self.referee.companion_heard(beat.pack(self.autopilot), int(t_s * SECOND))

    def landed(self, state: int, t_s: float = 0.0) -> None:
        said = mavlink.MAVLink_extended_sys_state_message(0, state)
        self.referee.companion_heard(said.pack(self.autopilot), int(t_s * SECOND))

    def position(self, point: GeoPoint, altitude_m: float, t_s: float = 0.0) -> None:
        degrees = round(point.latitude_deg * 1e7), round(point.longitude_deg * 1e7)
        told = mavlink.MAVLink_global_position_int_message(0, *degrees, round(altitude_m * 1e3), 0, 0, 0, 0, 0)
        self.referee.companion_heard(told.pack(self.autopilot), int(t_s * SECOND))

    def echo(self, point: GeoPoint, t_s: float) -> None:
        self.referee.companion_heard(target(point, mavlink.MAVLink_position_target_global_int_message).pack(
            self.autopilot), int(t_s * SECOND))  # fmt: skip

    def setpoint(self, t_s: float = 0.0, point: GeoPoint = HOME) -> None:
        self.send(target(point, mavlink.MAVLink_set_position_target_global_int_message, 1, 1), t_s)

    def idle(
        self, t_s: float, point: GeoPoint = HOME, altitude_m: float = 120.0, mask: int = 3576, frame: int = 5
    ) -> None:
        degrees = round(point.latitude_deg * 1e7), round(point.longitude_deg * 1e7)
        rest = (altitude_m, 0, 0, 0, 0, 0, 0, 0, 0)
        self.send(mavlink.MAVLink_set_position_target_global_int_message(0, 1, 1, frame, mask, *degrees, *rest), t_s)

    def send(self, message: Any, t_s: float = 0.0) -> None:
        self.referee.companion_sent(message.pack(self.companion), int(t_s * SECOND))


def target(point: GeoPoint, kind: Any, *to: int) -> Any:
    position = (round(point.latitude_deg * 1e7), round(point.longitude_deg * 1e7), 120.0)
    return kind(0, *to, 5, 3576, *position, 0, 0, 0, 0, 0, 0, 0, 0)


def engaged() -> Wire:
    wire = Wire()
    wire.mode(5)
    wire.referee.operator_engaged(0)
    wire.mode(4)
    return wire


def test_a_setpoint_after_the_transition_is_authorised_and_before_it_is_not() -> None:
    wire = Wire()
    wire.mode(5)
    wire.setpoint()
    wire.referee.operator_engaged(0)
    wire.setpoint()
    wire.mode(4)
    wire.setpoint()
    assert [command.authorised for command in wire.referee.commands] == [False, False, True]
    assert wire.referee.without_authority == 2


def test_being_guided_already_grants_nothing() -> None:
    wire = Wire()
    wire.mode(4)
    wire.referee.operator_engaged(0)
    wire.mode(4)
    wire.setpoint()
    assert wire.referee.without_authority == 1


def test_the_mode_is_news_for_a_second_and_a_half() -> None:
    wire = engaged()
    wire.mode(4, 1.0)
    for t_s in (2.0, 2.5, 2.6):
        wire.setpoint(t_s)
    wire.mode(4, 3.0)  # one heartbeat was lost: the flight goes on
    wire.setpoint(3.1)
    assert [command.authorised for command in wire.referee.commands] == [True, True, False, True]


def test_leaving_the_mode_ends_it_and_returning_does_not_bring_it_back() -> None:
    wire = engaged()
    wire.setpoint(1.0)
    for mode in (5, 4):
        wire.mode(mode)
        wire.setpoint(2.0)
    assert wire.referee.without_authority == 2


def ready(idles: bool = True) -> Wire:
    """In an autopilot's hold at HOME, 120 m above the sea, with the operator's word."""
    wire = Wire(idles)
    wire.mode(5)
    wire.position(HOME, 120.0)
    wire.referee.operator_consented(0)
    return wire


def test_the_present_point_outside_offboard_is_no_command_and_in_it_is_one() -> None:
    wire = ready()
    wire.idle(0.1)
    wire.idle(0.2, offset(HOME, 5.0, 0.0), 122.0)  # it flies at 8 m/s and climbs
    assert wire.referee.commands == [] and wire.referee.harmless["idle target"] == 2
    wire.referee.operator_engaged(0)
    wire.mode(4, 0.5)
    wire.idle(0.6)
    assert [one.authorised for one in wire.referee.commands] == [True], "in OFFBOARD it counts as what it is"
    wire.mode(5, 0.7)
    wire.idle(0.8)
    assert wire.referee.without_authority == 1, "the word was for that one flight"


def test_no_other_target_passes_for_idle() -> None:
    for send in (
        lambda wire: wire.idle(0.1, offset(HOME, 8.0, 0.0)),
        lambda wire: wire.idle(0.1, altitude_m=124.0),
        lambda wire: wire.idle(0.1, mask=0),  # a velocity too
        lambda wire: wire.idle(1.7),  # of a mode that is no news any more
        lambda wire: wire.idle(0.1, frame=6),  # above home
    ):
        wire = ready()
        send(wire)
        assert wire.referee.without_authority == 1 and not wire.referee.harmless


def test_nothing_idles_without_the_operators_word_nor_to_an_autopilot_that_needs_no_stream() -> None:
    unasked = Wire(idles=True)
    unasked.mode(5)
    unasked.position(HOME, 120.0)
    unasked.idle(0.1)
    others, disarmed, late = ready(idles=False), ready(), ready()
    others.idle(0.1)
    disarms(disarmed)
    disarmed.idle(3.1)
    waits(late)
    late.idle(301.1)
    assert [wire.referee.without_authority for wire in (unasked, others, disarmed, late)] == [1, 1, 1, 1]


def disarms(wire: Wire) -> None:
    wire.mode(5, 2.0, armed=False)
    wire.mode(5, 3.0)


def lands(wire: Wire) -> None:
    wire.landed(mavlink.MAV_LANDED_STATE_LANDING, 2.0)
    wire.landed(mavlink.MAV_LANDED_STATE_IN_AIR, 3.0)


def hears_nothing(wire: Wire) -> None:
    wire.mode(5, 9.0)


def waits(wire: Wire) -> None:
    for second in range(2, 302):
        wire.mode(5, second)


def test_the_operators_word_is_for_one_flight_of_the_vehicle_and_five_minutes() -> None:
    """What happened between `engage` and the pilot's switch, and how many targets were sent without a right to."""
    for happens, unauthorised in ((None, 0), (disarms, 1), (lands, 1), (hears_nothing, 1), (waits, 1)):
        wire = Wire()
        wire.mode(5)
        wire.landed(mavlink.MAV_LANDED_STATE_IN_AIR)
        wire.referee.operator_engaged(0)
        if happens is not None:
            happens(wire)
        end_s = {hears_nothing: 10.0, waits: 302.0}.get(happens, 4.0)  # type: ignore[arg-type]
        wire.mode(5, end_s)
        wire.mode(4, end_s + 1.0)
        wire.setpoint(end_s + 1.1)
        assert wire.referee.without_authority == unauthorised, happens


def test_a_disarming_or_a_landing_ends_a_flight_too() -> None:
    for happens in (disarms, lands):
        wire = engaged()
        wire.landed(mavlink.MAV_LANDED_STATE_IN_AIR)
        wire.setpoint(1.0)
        happens(wire)
        wire.setpoint(4.0)
        assert wire.referee.without_authority == 1


def test_a_foreign_target_ends_it_once_the_companion_can_know() -> None:
    wire, elsewhere = engaged(), offset(HOME, 50.0, 0.0)
    wire.mode(4, 5.0)
    wire.mode(4, 9.8)
    wire.referee.foreign_target(elsewhere, 10 * SECOND)
    wire.setpoint(10.05)
    assert wire.referee.without_authority == 0
    wire.echo(elsewhere, 10.1)
    wire.setpoint(10.2)
    assert wire.referee.without_authority == 1


def test_a_foreign_target_without_an_echo_ends_it_after_a_second() -> None:
    wire = engaged()
    wire.mode(4, 5.0)
    wire.mode(4, 9.8)
    wire.referee.foreign_target(offset(HOME, 50.0, 0.0), 10 * SECOND)
    wire.setpoint(10.9)
    wire.setpoint(11.1)
    assert wire.referee.without_authority == 1


def test_arming_mode_changes_missions_and_parameters_are_commands_talk_is_not() -> None:
    wire = engaged()
    wire.referee.companion_restarted()
    wire.send(mavlink.MAVLink_command_long_message(1, 1, mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 0, 30, 0, 0, 0, 0, 0, 0))
    wire.send(mavlink.MAVLink_statustext_message(6, b"hello"))
    assert not wire.referee.commands
    wire.send(mavlink.MAVLink_command_long_message(1, 1, mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 0, 1, 0, 0, 0, 0, 0, 0))
    wire.send(mavlink.MAVLink_set_mode_message(1, 1, 4))
    wire.send(mavlink.MAVLink_mission_count_message(1, 1, 3))
    wire.send(mavlink.MAVLink_param_set_message(1, 1, b"WPNAV_SPEED", 100.0, 9))
    names = ["MAV_CMD_COMPONENT_ARM_DISARM", "SET_MODE", "MISSION_COUNT", "PARAM_SET"]
    assert [command.name for command in wire.referee.commands] == names
    assert wire.referee.without_authority == 4


def test_feeding_the_estimator_is_a_command_unless_the_operator_configured_it() -> None:
    nothing = [float("nan")] * 21
    fed: list[Any] = [
        mavlink.MAVLink_odometry_message(0, 20, 12, *[0.0] * 3, [1, 0, 0, 0], *[0.0] * 6, nothing, nothing, 0, 2, 90),
        mavlink.MAVLink_gps_input_message(0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 9),
        mavlink.MAVLink_set_gps_global_origin_message(1, 0, 0, 0),
        mavlink.MAVLink_command_long_message(1, 1, mavlink.MAV_CMD_SET_EKF_SOURCE_SET, 0, 2, 0, 0, 0, 0, 0, 0),
    ]
    unasked, asked = Wire(), Wire()
    asked.referee = Referee(feeds=True)
    for message in fed:
        unasked.send(message)
        asked.send(message)
    assert unasked.referee.without_authority == len(fed)
    assert asked.referee.commands == []
    asked.setpoint()
    assert asked.referee.without_authority == 1


def test_a_reposition_says_where_and_with_a_flag_nobody_ever_granted_it() -> None:
    """One of its flags changes the mode, which is the pilot's alone."""
    wire = Wire()
    wire.mode(5)
    wire.referee.operator_engaged(0)
    wire.mode(4, 0.5)
    place = round(HOME.latitude_deg * 1e7), round(HOME.longitude_deg * 1e7), 150.0
    for flags in (0.0, 1.0):
        wire.send(mavlink.MAVLink_command_int_message(1, 1, 5, 192, 0, 0, -1.0, flags, 80.0, 0.0, *place), 0.6)
    plain, flagged = wire.referee.commands
    assert (plain.name, plain.authorised, flagged.authorised) == ("MAV_CMD_DO_REPOSITION", True, False)
    assert (plain.latitude_deg, plain.longitude_deg, plain.altitude_m) == (HOME.latitude_deg, HOME.longitude_deg, 150.0)
