"""Several peers: routing as ArduPilot's MAVLink_routing does it."""

from __future__ import annotations

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from sim.autopilot.endpoints import whole_messages
from tests.sim.autopilot.companion import Companion, autopilot

HEARTBEAT = mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3)


def _two() -> tuple[Companion, Companion]:
    vehicle = autopilot()
    companion, station = Companion(vehicle, 0, 1, 191), Companion(vehicle, 1, 255, 190)
    return companion, station


def _command(target: tuple[int, int]) -> object:
    return mavlink.MAVLink_command_long_message(*target, 400, 0, 1, 0, 0, 0, 0, 0, 0)


def test_heartbeats_and_broadcasts_reach_the_others() -> None:
    companion, station = _two()
    companion.send(HEARTBEAT)
    companion.send(mavlink.MAVLink_statustext_message(6, b"hello"))
    assert [m.get_srcComponent() for m in station.listen()] == [191]  # its text waits for a route
    station.send(HEARTBEAT)
    companion.send(mavlink.MAVLink_statustext_message(6, b"hello"))
    (text,) = station.listen()
    assert (text.text, text.get_srcSystem(), text.get_srcComponent()) == ("hello", 1, 191)


def test_a_message_for_the_autopilot_goes_no_further() -> None:
    companion, station = _two()
    station.send(HEARTBEAT)
    companion.listen()
    assert companion.send(_command((1, 1)))[0].get_type() == "COMMAND_ACK"
    assert station.listen() == []


def test_a_message_for_the_companion_is_forwarded_not_executed() -> None:
    companion, station = _two()
    companion.send(HEARTBEAT)
    assert station.send(_command((1, 191)))[-1].get_type() == "HEARTBEAT"  # the companion's, not an answer
    (forwarded,) = companion.listen()
    assert forwarded.get_type() == "COMMAND_LONG" and forwarded.get_srcSystem() == 255
    assert not companion.vehicle.armed


@pytest.mark.parametrize("component", [1, 0, 77])
def test_a_component_that_nobody_has_heard_of_is_executed_all_the_same(component: int) -> None:
    companion, _ = _two()
    companion.send(_command((1, component)))
    assert companion.vehicle.armed


def test_another_system_is_none_of_its_business() -> None:
    companion, _ = _two()
    assert companion.send(_command((2, 1))) == []
    assert not companion.vehicle.armed


def test_noise_and_half_messages_are_survived() -> None:
    companion, _ = _two()
    data = _command((1, 1)).pack(mavlink.MAVLink(None, 1, 191))  # type: ignore[attr-defined]
    companion.vehicle.receive(b"\x00\xfd garbage \xfe" + bytes(range(60)), 0)
    companion.vehicle.receive(data[:9], 0)
    companion.vehicle.receive(data[9:], 0)
    companion.send(_command((1, 1)))
    assert companion.vehicle.armed


def test_a_peer_that_does_not_read_costs_bounded_memory() -> None:
    vehicle = autopilot()
    companion = Companion(vehicle)
    for message_id in (30, 31, 32, 33, 24):
        companion.command(511, message_id, 10_000)
    vehicle.advance(vehicle.t_ns + 90_000_000_000)
    assert 900_000 < len(vehicle.transmit()) <= 1 << 20


def test_sequence_numbers_are_each_links_own_and_without_gaps() -> None:
    vehicle = autopilot()
    peers = [Companion(vehicle, 0), Companion(vehicle, 1, 255, 190)]
    peers[0].stream(30, 50)
    peers[0].run(8.0)
    for peer in peers:
        peer.listen()
        numbers = [m.get_seq() for m in peer.heard if m.get_srcComponent() == 1]
        assert all((b - a) % 256 == 1 for a, b in zip(numbers, numbers[1:], strict=False))


def test_a_closed_link_is_forgotten() -> None:
    companion, station = _two()
    companion.send(HEARTBEAT)
    companion.vehicle.close_link(0)
    station.send(_command((1, 191)))  # nobody has that component now
    assert companion.vehicle.armed


def test_datagrams_are_cut_between_messages() -> None:
    vehicle = autopilot()
    companion = Companion(vehicle)
    companion.stream(30, 100)
    vehicle.advance(vehicle.t_ns + 3_000_000_000)
    data = vehicle.transmit()
    datagrams = whole_messages(data)
    assert b"".join(datagrams) == data and len(datagrams) > 2
    for datagram in datagrams:
        assert len(datagram) <= 1400
        parser = mavlink.MAVLink(None)
        parser.robust_parsing = True
        assert all(m.get_type() != "BAD_DATA" for m in parser.parse_buffer(datagram) or ())
        assert parser.buf_len() == 0
