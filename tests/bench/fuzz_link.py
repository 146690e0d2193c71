"""Bytes that no autopilot sends, through the path that receives: nothing raises, nothing is believed, nothing is sent.

    python -m tests.bench.fuzz_link --bytes 10000000

A daemon that is connected to an autopilot in LOITER is fed with a recorded link whose packets are cut,
flipped, swapped, copied and given random contents under a right checksum, between stretches of pure noise. No packet of
the autopilot's in it says a guided mode, unless fuzz has made one: whatever comes of it, no target may leave, for none
was asked for, and what does leave must be heartbeats, TIMESYNC, texts and requests for telemetry.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import LinkBytes, LinkData, Tick
from runtime.mavlink.framing import PacketReader
from tests.bench.rough_link import ASKING, HARMLESS
from tests.runtime.daemon.cockpit import Cockpit
from tests.runtime.vehicle.peer import MS, SECOND, Peer, Wire

_CHUNK = 1000  # bytes in 20 ms: a fast link


def recorded(seconds: float = 8.0) -> list[bytes]:
    """The packets of a vehicle that streams all that we ask for."""
    wire, packets = Wire(), list[bytes]()
    for _ in range(round(seconds * 100)):
        wire.step()
        packets += [packet.raw for packet in PacketReader().feed(wire.peer.step(wire.t_ns + 5 * MS))]
    return packets


class Fuzz:
    """An endless source of chunks, the same for the same seed."""

    def __init__(self, seed: int, packets: list[bytes]) -> None:
        self.chance = random.Random(seed)
        self._packets = packets
        self._known = sorted(mavlink.mavlink_map)
        self._makers = (self._noise, self._flipped, self._cut, self._copied, self._random, self._random, self._signed)
        self.messages = 0

    def chunk(self) -> bytes:
        """Some packets, most of them wrong."""
        out = b""
        while len(out) < _CHUNK:
            self.messages += 1
            out += self._whole() if self.chance.random() < 0.3 else self.chance.choice(self._makers)()
        return out

    def _whole(self) -> bytes:
        return self.chance.choice(self._packets)

    def _noise(self) -> bytes:
        start = self.chance.choice((b"", b"\xfd", b"\xfe", b"\xfd\xff"))
        return start + self.chance.randbytes(self.chance.randrange(300))

    def _flipped(self) -> bytes:
        raw = bytearray(self._whole())
        for _ in range(self.chance.randrange(1, 4)):
            raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
        return bytes(raw)

    def _cut(self) -> bytes:
        raw = self._whole()
        return raw[: self.chance.randrange(len(raw))]

    def _copied(self) -> bytes:
        return self._whole() * self.chance.randrange(2, 4)

    def _random(self) -> bytes:
        """Any message of the dialect with any contents, from anybody, under a right checksum."""
        known = self.chance.choice(self._known)
        kind = mavlink.mavlink_map[known]
        size = self.chance.choice((kind.unpacker.size, self.chance.randrange(1, kind.unpacker.size + 1)))
        sender = self.chance.choice(((1, 1), (1, 1), (1, 191), (255, 190), (self.chance.randrange(256),) * 2))
        return framed(known, self.chance.randbytes(size), self.chance.randrange(256), sender)

    def _signed(self) -> bytes:
        raw = bytearray(self._random())
        raw[2] |= 1
        return bytes(raw) + self.chance.randbytes(13)


def framed(message_id: int, contents: bytes, sequence: int, sender: tuple[int, int]) -> bytes:
    """A MAVLink 2 packet around any contents."""
    head = bytes([0xFD, len(contents), 0, 0, sequence, *sender]) + message_id.to_bytes(3, "little") + contents
    checked = head[1:] + bytes([mavlink.mavlink_map[message_id].crc_extra])
    return head + int(mavlink.x25crc(checked).crc).to_bytes(2, "little")


def fed(cockpit: Cockpit, fuzz: Fuzz, total: int) -> Iterator[tuple[int, bytes]]:
    """Feeds a daemon at least ``total`` bytes, cut anywhere: how many so far, and what it would send."""
    t_ns, given = cockpit.t_ns, 0
    while given < total:
        chunk, out = fuzz.chunk(), list[LinkBytes]()
        given += len(chunk)
        cuts = sorted(fuzz.chance.randrange(len(chunk)) for _ in range(3))
        for piece in (chunk[a:b] for a, b in zip([0, *cuts], [*cuts, len(chunk)], strict=True)):
            t_ns += 5 * MS
            out += cockpit.daemon.step(LinkData(t_ns, piece))
        out += cockpit.daemon.step(Tick(t_ns))
        cockpit.journal.records.clear()
        cockpit.journal.raw.clear()
        yield given, b"".join(data for _, data in out)
    cockpit.t_ns = t_ns


def strange(data: bytes) -> list[str]:
    """What left that is neither harmless nor a request for telemetry, by name."""
    found: list[Any] = mavlink.MAVLink(None).parse_buffer(data) or []
    return [
        m.get_type()
        for m in found
        if m.get_type() not in HARMLESS and not (m.get_type().startswith("COMMAND_") and m.command in ASKING)
    ]


def finds_its_feet(cockpit: Cockpit) -> bool:
    """Whether clean packets are read again after all that: heartbeats, two of them, in three seconds."""
    before = cockpit.vehicle.state.counters.packets
    wire = Wire(vehicle=cockpit.vehicle, peer=Peer(), t_ns=cockpit.t_ns + SECOND)
    wire.run(3.0)
    return cockpit.vehicle.state.counters.packets >= before + 2


def main() -> None:
    """Prints one line of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cockpit, fuzz = Cockpit(), Fuzz(options.seed, recorded())
    cockpit.fly(4.0)
    begun_s, sent, total, odd = time.process_time(), 0, 0, Counter[str]()
    for given, out in fed(cockpit, fuzz, options.bytes):
        sent, total = sent + len(out), given
        odd.update(strange(out))
    counters, spent_s = cockpit.vehicle.state.counters, time.process_time() - begun_s
    print(
        f"{total} bytes, {fuzz.messages} messages and pieces of such: {counters.packets} packets were read, "
        f"{counters.bad_packets} were none, {counters.garbage_bytes} bytes thrown away; nothing raised. "
        f"{sent} bytes were sent, of them strange: {dict(odd) or 'none'}; "
        f"clean packets are {'' if finds_its_feet(cockpit) else 'NOT '}read afterwards; {spent_s:.0f} s of CPU"
    )


if __name__ == "__main__":
    main()
