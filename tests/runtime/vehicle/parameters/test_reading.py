"""Parameters read by name, over a line that loses, from autopilots that answer and from those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import Packet
from tests.runtime.vehicle.parameters.keeping import INT8, INT32, PX4, REAL32, Keeper
from tests.runtime.vehicle.peer import Voice, Wire

STORE: dict[str, list[float]] = {f"P{number:02}": [number, INT32] for number in range(30)}


def connected(**peer: Any) -> Wire:
    wire = Wire(peer=Keeper(**peer))
    wire.run(1.0)
    return wire


def keeper(wire: Wire) -> Keeper:
    assert isinstance(wire.peer, Keeper)
    return wire.peer


@pytest.mark.parametrize("autopilot", [mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, PX4])
def test_a_few_at_a_time_until_all_are_known(autopilot: int) -> None:
    store = {**STORE, "NEGATIVE": [-7.0, INT32], "HALF": [0.5, REAL32]}
    wire = connected(autopilot=autopilot, store=store)
    assert len(wire.vehicle.read_parameters(store).pending) == len(store)
    wire.step()
    assert len(wire.sent_of("PARAM_REQUEST_READ")) == 8
    wire.run(1.0)
    read = wire.vehicle.read_parameters(())
    assert {name: one.value for name, one in read.known.items()} == {name: value for name, (value, _) in store.items()}
    assert read.pending == read.missing == frozenset() and len(keeper(wire).asked) == len(store)


def test_an_integer_of_px4_with_the_bits_of_no_float_is_read_all_the_same() -> None:
    """-8388603 as int32 is a signalling NaN: a float that is made of it and taken apart again is another number."""
    wire = connected(autopilot=PX4, store={"ODD": [0.0, INT32]}, lost=99)
    wire.vehicle.read_parameters(["ODD"])
    wire.step()
    packet = bytearray(wire.peer.voice.say(mavlink.MAVLink_param_value_message(b"ODD", 1.0, INT32, 1, 0)))
    packet[10:14] = (-8388603).to_bytes(4, "little", signed=True)
    check = mavlink.x25crc(bytes(packet[1:-2]) + bytes([mavlink.MAVLink_param_value_message.crc_extra])).crc
    packet[-2:] = check.to_bytes(2, "little")
    wire.inject(bytes(packet))
    assert wire.vehicle.read_parameters(()).known["ODD"].value == -8388603


def test_silence_is_asked_again_and_then_missing() -> None:
    wire = connected(store={"HERE": [1, INT8]}, lost=2)
    wire.vehicle.read_parameters(["HERE", "GONE"])
    wire.run(1.0)
    assert wire.vehicle.read_parameters(()).known["HERE"].value == 1
    wire.run(3.0)
    assert wire.vehicle.read_parameters(()).missing == {"GONE"} and keeper(wire).asked.count("GONE") == 3


def test_a_px4_that_says_that_it_has_none_is_not_asked_again() -> None:
    wire = connected(autopilot=PX4, errors=True)
    wire.vehicle.read_parameters(["GONE"])
    wire.run(0.2)
    assert wire.vehicle.read_parameters(()).missing == {"GONE"} and keeper(wire).asked == ["GONE"]


def test_what_somebody_else_sets_meanwhile_is_news_and_what_nobody_asked_for_is_not() -> None:
    wire = connected(store={"HERE": [1, INT8], "OTHER": [3, INT8]})
    wire.vehicle.read_parameters(["HERE"])
    wire.run(0.2)
    keeper(wire).store["HERE"][0] = 2
    for name in ("HERE", "OTHER"):
        wire.inject(wire.peer.voice.say(keeper(wire).value(name)))
    known = wire.vehicle.read_parameters(()).known
    assert known["HERE"].value == 2 and "OTHER" not in known


def test_only_the_autopilots_word_counts() -> None:
    wire = connected(store={"HERE": [1, INT8]})
    wire.vehicle.read_parameters(["HERE"])
    wire.inject(Voice(1, 154).say(mavlink.MAVLink_param_value_message(b"HERE", 9.0, INT8, 1, 0)))
    wire.run(0.2)
    assert wire.vehicle.read_parameters(()).known["HERE"].value == 1


def test_a_reboot_forgets_them_and_reading_sets_nothing() -> None:
    wire = connected(store={"HERE": [1, INT8]})
    wire.vehicle.read_parameters(["HERE"])
    wire.run(3.0)
    wire.peer.reboot(wire.t_ns)
    wire.run(2.0)
    assert wire.vehicle.read_parameters(()).known == {}
    assert keeper(wire).written == [] and not any(sets(packet) for _, packet in wire.sent)


def sets(packet: Packet) -> bool:
    return packet.name.startswith("PARAM_") and packet.name != "PARAM_REQUEST_READ"
