"""Setpoints: what goes out is what was meant, only where it may, and for PX4 for as long as it is valid."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.setpoints import sane
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import GUIDED, LOITER, MS, SECOND, Peer, Wire

OFFBOARD, PX4_LOITER = 6 << 16, 4 << 16 | 3 << 24
NAME = "SET_POSITION_TARGET_GLOBAL_INT"
POINT = GeoPoint(60.1234567, -22.7654321)


def setpoint(wire: Wire, valid_s: float = 5.0, point: GeoPoint = POINT, altitude_amsl_m: float = 528.25) -> Setpoint:
    return Setpoint(wire.t_ns, point, altitude_amsl_m, wire.t_ns + int(valid_s * SECOND), "test")


def flying(mode: int = GUIDED, autopilot: int = mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA) -> Wire:
    wire = Wire(peer=Peer(mode=mode, autopilot=autopilot, system_id=4))
    wire.run(3.0)
    return wire


def test_ardupilot_gets_a_position_and_nothing_else_once() -> None:
    wire = flying()
    assert wire.vehicle.send_setpoint(setpoint(wire), wire.t_ns) is None
    wire.run(4.0)
    ((_, packet),) = wire.sent_of(NAME)
    m = packet.message
    assert (m.target_system, m.target_component, m.type_mask) == (4, 1, 3576)
    assert (m.lat_int, m.lon_int, m.alt) == (601234567, -227654321, 528.25)
    assert m.coordinate_frame == mavlink.MAV_FRAME_GLOBAL_INT, "AMSL, which both autopilots take"
    assert (packet.system_id, packet.component_id) == (4, 191)


@given(st.floats(-90, 90, allow_subnormal=False), st.floats(-180, 180, allow_subnormal=False))
def test_coordinates_are_rounded_never_cut(latitude: float, longitude: float) -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(1.2, step_ns=20 * MS)
    reason = wire.vehicle.send_setpoint(setpoint(wire, point=GeoPoint(latitude, longitude)), wire.t_ns)
    wire.step()
    if reason is None:
        ((_, packet),) = wire.sent_of(NAME)
        assert abs(packet.message.lat_int - latitude * 1e7) <= 0.5001
        assert abs(packet.message.lon_int - longitude * 1e7) <= 0.5001
    else:
        assert (latitude, longitude) == (0.0, 0.0)


@pytest.mark.parametrize(
    "point, altitude",
    [
        (GeoPoint(91.0, 0.0), 10.0), (GeoPoint(10.0, 181.0), 10.0), (GeoPoint(math.nan, 1.0), 10.0),
        (GeoPoint(1.0, math.inf), 10.0), (GeoPoint(1.0, 1.0), math.nan), (GeoPoint(1.0, 1.0), 1e6),
        (GeoPoint(0.0, 0.0), 10.0), (GeoPoint(1.0, 1.0), -1000.0),
    ],
)  # fmt: skip
def test_places_that_are_none_never_go_out(point: GeoPoint, altitude: float) -> None:
    wire = flying()
    assert not sane(point, altitude)
    reason = wire.vehicle.send_setpoint(setpoint(wire, point=point, altitude_amsl_m=altitude), wire.t_ns)
    wire.run(1.0)
    assert reason == "target_out_of_range" and wire.sent_of(NAME) == []


def test_an_expired_target_does_not_go_out() -> None:
    wire = flying()
    old = setpoint(wire, valid_s=0.5)
    wire.run(0.5)
    assert wire.vehicle.send_setpoint(old, wire.t_ns) == "target_expired"


def test_outside_guided_nothing_goes_out_to_ardupilot() -> None:
    wire = flying(mode=LOITER)
    assert wire.vehicle.send_setpoint(setpoint(wire), wire.t_ns) == "not_guided"


def test_without_a_vehicle_nothing_goes_out() -> None:
    wire = Wire(peer=Peer(autopilot=mavlink.MAV_AUTOPILOT_INVALID))
    wire.run(2.0)
    assert wire.vehicle.send_setpoint(setpoint(wire), wire.t_ns) == "vehicle_silent"
    lost = flying()
    lost.peer.answers = False
    quiet = lost.t_ns + 4 * SECOND
    lost.vehicle.tick(quiet)
    assert lost.vehicle.send_setpoint(Setpoint(quiet, POINT, 500.0, quiet + SECOND, ""), quiet) == "vehicle_silent"


def test_an_unknown_autopilot_is_never_commanded() -> None:
    wire = flying(autopilot=mavlink.MAV_AUTOPILOT_GENERIC)
    assert wire.vehicle.state.stack == "other"
    assert wire.vehicle.send_setpoint(setpoint(wire), wire.t_ns) == "not_guided"


def test_px4_gets_targets_at_10_hz_until_they_expire() -> None:
    wire = flying(mode=OFFBOARD, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    assert wire.vehicle.send_setpoint(setpoint(wire, valid_s=2.0), wire.t_ns) is None
    wire.run(5.0)
    sent = [t_ns for t_ns, _ in wire.sent_of(NAME)]
    assert 19 <= len(sent) <= 21
    assert max(b - a for a, b in zip(sent, sent[1:], strict=False)) <= 120 * MS
    assert sent[-1] - sent[0] < 2 * SECOND


def test_outside_offboard_px4_gets_no_target_either() -> None:
    wire = flying(mode=PX4_LOITER, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    assert wire.vehicle.send_setpoint(setpoint(wire), wire.t_ns) == "not_guided"
    wire.run(1.0)
    assert wire.sent_of(NAME) == []


def idled(wire: Wire, seconds: float) -> set[str | None]:
    """The present point is offered 20 times a second, as guidance does; the answers."""
    answers = set()
    for _ in range(round(seconds / 0.05)):
        answers.add(wire.vehicle.send_idle(setpoint(wire), wire.t_ns))
        wire.run(0.05)
    return answers


def test_before_offboard_px4_gets_the_present_point_at_10_hz_and_not_a_moment_longer() -> None:
    wire = flying(mode=PX4_LOITER, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    assert idled(wire, 2.0) == {None, "not_due"}
    sent = [t_ns for t_ns, _ in wire.sent_of(NAME)]
    assert 18 <= len(sent) <= 21 and max(b - a for a, b in zip(sent, sent[1:], strict=False)) <= 150 * MS
    wire.run(2.0)
    assert len(wire.sent_of(NAME)) == len(sent), "nobody offers it any more"
    wire.peer.mode = OFFBOARD
    wire.run(1.5)
    assert idled(wire, 1.0) == {"guided"} and len(wire.sent_of(NAME)) == len(sent)


def test_the_stream_has_no_gap_at_the_pilots_switch() -> None:
    wire = flying(mode=PX4_LOITER, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    wire.peer.mode = OFFBOARD  # its heartbeat tells of that up to a second later
    while not wire.vehicle.state.telemetry.guided:
        wire.vehicle.send_idle(setpoint(wire), wire.t_ns)
        wire.run(0.05)
    assert wire.vehicle.send_setpoint(setpoint(wire), wire.t_ns) is None
    wire.run(1.0)
    sent = [t_ns for t_ns, _ in wire.sent_of(NAME)]
    assert len(sent) >= 12 and max(b - a for a, b in zip(sent, sent[1:], strict=False)) <= 150 * MS


def test_nothing_idles_for_an_autopilot_that_wants_no_stream_nor_where_nobody_may_command() -> None:
    wire = flying(mode=LOITER)
    assert idled(wire, 0.5) == {"no_stream_wanted"} and wire.sent_of(NAME) == []
    silent = Wire(peer=Peer(autopilot=mavlink.MAV_AUTOPILOT_INVALID))
    silent.run(2.0)
    assert idled(silent, 0.2) == {"vehicle_silent"}
    nowhere = flying(mode=PX4_LOITER, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    point = setpoint(nowhere, point=GeoPoint(0.0, 0.0))
    assert nowhere.vehicle.send_idle(point, nowhere.t_ns) == "target_out_of_range"


def test_a_new_target_replaces_the_repeated_one() -> None:
    wire = flying(mode=OFFBOARD, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    wire.vehicle.send_setpoint(setpoint(wire), wire.t_ns)
    wire.run(0.5)
    wire.vehicle.send_setpoint(setpoint(wire, point=GeoPoint(10.0, 20.0)), wire.t_ns)
    count = len(wire.sent_of(NAME))
    wire.run(1.0)
    assert {p.message.lat_int for _, p in wire.sent_of(NAME)[count:]} == {100000000}


def test_nothing_is_repeated_once_the_pilot_has_left_offboard() -> None:
    wire = flying(mode=OFFBOARD, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    assert wire.vehicle.send_setpoint(setpoint(wire, valid_s=60.0), wire.t_ns) is None
    wire.run(1.0)
    wire.peer.mode = PX4_LOITER
    wire.run(1.5)
    count = len(wire.sent_of(NAME))
    wire.peer.mode = OFFBOARD
    wire.run(2.0)
    assert count >= 9 and len(wire.sent_of(NAME)) == count


def test_a_withdrawn_target_is_not_repeated() -> None:
    wire = flying(mode=OFFBOARD, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    assert wire.vehicle.send_setpoint(setpoint(wire, valid_s=60.0), wire.t_ns) is None
    wire.run(1.0)
    count = len(wire.sent_of(NAME))
    wire.vehicle.withdraw()
    wire.run(1.0)
    assert count >= 9 and len(wire.sent_of(NAME)) == count


def test_a_lost_link_ends_the_repetition() -> None:
    wire = flying(mode=OFFBOARD, autopilot=mavlink.MAV_AUTOPILOT_PX4)
    wire.vehicle.send_setpoint(setpoint(wire, valid_s=60.0), wire.t_ns)
    vehicle: Vehicle = wire.vehicle
    vehicle.outgoing()
    late = wire.t_ns + 4 * SECOND
    vehicle.tick(late)
    vehicle.outgoing()
    vehicle.tick(late + SECOND)
    assert not vehicle.state.connected and b"\x56\x00\x00" not in vehicle.outgoing()
