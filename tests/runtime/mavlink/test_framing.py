"""Framing: every packet is found in whatever surrounds it, and nothing that is fed ever raises."""

from __future__ import annotations

import gzip

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader, PacketWriter
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import Voice
from tests.runtime.vehicle.recording import FOLDERS, packets_of

PACKETS = [
    Voice(1, 1).say(mavlink.MAVLink_heartbeat_message(2, 3, 0x51, 4, 3, 3)),
    Voice(1, 1).say(mavlink.MAVLink_attitude_message(1000, 0.1, 0.2, 0.3, 0.0, 0.0, 0.0)),
    Voice(1, 1).say(mavlink.MAVLink_statustext_message(6, b"a text with \xfd and \xfe in it", 0, 0)),
    Voice(1, 1).say(mavlink.MAVLink_global_position_int_message(1000, 600000000, 220000000, 1, 2, 3, 4, 5, 6)),
]
UNKNOWN = bytes([0xFD, 3, 0, 0, 0, 1, 1, 0x10, 0x27, 0x01, 1, 2, 3, 4, 5])  # id 75536
GARBAGE = st.lists(st.sampled_from([b"\xfd", b"\xfe", b"\x00", b"\xfd\x09\x00", b"\xff\x55"]), max_size=20).map(
    b"".join
)


def signed(message: object) -> bytes:
    codec = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    codec.signing.secret_key = b"k" * 32
    codec.signing.sign_outgoing = True
    return bytes(message.pack(codec))  # type: ignore[attr-defined]


@given(st.lists(st.sampled_from(PACKETS), max_size=12), st.integers(1, 40))
def test_how_the_stream_is_cut_does_not_matter(packets: list[bytes], size: int) -> None:
    stream, reader = b"".join(packets), PacketReader()
    found = [p.raw for i in range(0, len(stream), size) for p in reader.feed(stream[i : i + size])]
    assert found == packets
    assert (reader.bad_packets, reader.garbage_bytes) == (0, 0)


@given(st.lists(st.tuples(GARBAGE, st.sampled_from(PACKETS)), min_size=1, max_size=8))
def test_packets_are_found_in_garbage_of_false_starts(parts: list[tuple[bytes, bytes]]) -> None:
    reader = PacketReader()
    stream = b"".join(garbage + packet for garbage, packet in parts) + b"\x00" * 300  # what a false start waits for
    found = [packet.raw for packet in reader.feed(stream) if packet.message is not None]
    assert found == [packet for _, packet in parts]


@given(
    st.lists(st.tuples(GARBAGE, st.sampled_from([*PACKETS, UNKNOWN])), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=3),
    st.integers(1, 90),
)
@settings(max_examples=60, deadline=None)
def test_packets_that_are_not_decoded_are_the_same(
    parts: list[tuple[bytes, bytes]], flips: list[tuple[int, int]], size: int
) -> None:
    stream = bytearray(b"".join(garbage + packet for garbage, packet in parts) + b"\x00" * 300)
    for at, value in flips:
        stream[at % len(stream)] = value
    raw, decoded = PacketReader(wanted=frozenset(), unknown=True), PacketReader()
    for i in range(0, len(stream), size):
        part = bytes(stream[i : i + size])
        assert [packet.raw for packet in raw.feed(part)] == [packet.raw for packet in decoded.feed(part)]
    counted = ("packets", "unknown", "bad_packets", "garbage_bytes")
    assert [getattr(raw, name) for name in counted] == [getattr(decoded, name) for name in counted]


@given(st.lists(st.binary(max_size=400), max_size=10))
@settings(max_examples=300)
def test_random_bytes_never_raise(chunks: list[bytes]) -> None:
    vehicle = Vehicle()
    for i, chunk in enumerate(chunks):
        vehicle.receive(chunk, i * 1_000_000)
        vehicle.tick(i * 1_000_000)
    assert not vehicle.state.connected or vehicle.state.counters.packets


@given(st.data())
@settings(max_examples=300)
def test_any_contents_with_a_right_checksum_never_raise(data: st.DataObject) -> None:
    """What a broken or hostile sender can make: any fields of any message, from the autopilot itself."""
    vehicle, voice = Vehicle(), Voice(1, 1)
    vehicle.receive(PACKETS[0], 0)
    names = sorted(mavlink.mavlink_map)
    for i in range(data.draw(st.integers(1, 8))):
        kind = mavlink.mavlink_map[data.draw(st.sampled_from(names))]
        payload = data.draw(st.binary(min_size=kind.unpacker.size, max_size=kind.unpacker.size))
        packet = raw_packet(kind, payload, i)
        vehicle.receive(packet, i * 50_000_000)
        vehicle.tick(i * 50_000_000)
        assert vehicle.state.t_ns >= 0
    assert voice is not None


def raw_packet(kind: type, payload: bytes, sequence: int) -> bytes:
    header = bytes([0xFD, len(payload), 0, 0, sequence, 1, 1]) + kind.id.to_bytes(3, "little")  # type: ignore[attr-defined]
    crc = mavlink.x25crc(bytearray(header[1:] + payload))
    crc.accumulate(bytes([kind.crc_extra]))  # type: ignore[attr-defined]
    return header + payload + crc.crc.to_bytes(2, "little")


@given(st.integers(0, 2**32), st.integers(0, 255))
@settings(max_examples=100)
def test_a_recorded_flight_with_flipped_bytes_never_raises(where: int, value: int) -> None:
    data = bytearray(RECORDED)
    for i in range(20):
        data[(where + i * 977) % len(data)] = value
    vehicle = Vehicle()
    vehicle.receive(bytes(data), 0)
    assert vehicle.state.counters.packets > 50


RECORDED = b"".join(packet.raw for _, (_, packet) in zip(range(120), packets_of("arducopter_goto_land"), strict=False))


def test_signed_and_version_1_packets_are_read() -> None:
    message = mavlink.MAVLink_heartbeat_message(2, 3, 0x51, 4, 3, 3)
    old = bytes(message.pack(mavlink.MAVLink(None, srcSystem=7, srcComponent=1), force_mavlink1=True))
    reader = PacketReader()
    found = reader.feed(signed(message) + old)
    assert [(p.name, p.system_id) for p in found] == [("HEARTBEAT", 1), ("HEARTBEAT", 7)]


def test_a_wrong_checksum_is_no_packet() -> None:
    reader = PacketReader()
    broken = bytearray(PACKETS[0])
    broken[-1] ^= 1
    assert reader.feed(bytes(broken) + PACKETS[1])[0].name == "ATTITUDE"
    assert reader.bad_packets >= 1


def test_messages_outside_the_dialect_pass_as_unknown() -> None:
    unknown = [p for _, p in packets_of("px4_goto_offboard") if p.message is None]
    assert {p.name for p in unknown} >= {"UNKNOWN_290", "UNKNOWN_411"}
    assert all(p.system_id == 1 and p.component_id == 1 for p in unknown)


def test_recordings_hold_no_garbage() -> None:
    for folder in FOLDERS:
        for path in folder.glob("arducopter_goto_land.tlog.gz"):
            assert gzip.decompress(path.read_bytes())[8] == 0xFD
    reader = PacketReader()
    reader.feed(RECORDED)
    assert (reader.bad_packets, reader.garbage_bytes, reader.packets) == (0, 0, 120)


def test_what_we_send_is_mavlink_2_whatever_the_environment_says() -> None:
    writer = PacketWriter(191)
    writer.system_id = 5
    for _ in range(300):
        writer.put(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3))
    packets = writer.take()
    assert {packet[0] for packet in packets} == {0xFD}
    assert {tuple(packet[5:7]) for packet in packets} == {(5, 191)}
    assert [packet[4] for packet in packets] == [i % 256 for i in range(300)]
    assert writer.take() == []
