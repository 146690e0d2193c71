"""What the vehicle link costs: the processor's share at full stream rates, beside pymavlink's own parser.

    python -m tests.bench.link_cpu

Both are given the same bytes, in the pieces in which they came: all streams that we ask for at our rates, and as PX4's
onboard link sends them unasked (attitude at 100 Hz, positions at 50 Hz). "The link" is framing, decoding, telemetry,
poses, time synchronisation, streams and targets: all of `Vehicle.receive`, and twenty ticks a second. Signed, each
packet is checked as well. CPU seconds of this process, so that what else runs does not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import PacketReader
from runtime.mavlink.signing import Signer, SigningKey
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import MS, SECOND, Peer, Wire

Piece = tuple[int, bytes]
_PX4_HZ = {"ATTITUDE": 100.0, "GLOBAL_POSITION_INT": 50.0}
_KEY = bytes(range(1, 33))


def stream(seconds: float, hz: dict[str, float]) -> list[Piece]:
    """What comes in ``seconds`` of an established link, with ``hz`` for some messages by name."""
    wire = Wire(peer=Peer(target=(60.0, 22.0, 50.0)))
    wire.run(3.0)
    for name, rate in hz.items():
        wire.peer.intervals_ns[getattr(mavlink, f"MAVLINK_MSG_ID_{name}")] = round(SECOND / rate)
    pieces: list[Piece] = []
    end_ns = wire.t_ns + round(seconds * SECOND)
    while wire.t_ns < end_ns:
        wire.t_ns += 5 * MS
        data = wire.peer.step(wire.t_ns)
        if data:
            pieces.append((wire.t_ns, data))
    return pieces


def signed(pieces: list[Piece]) -> list[Piece]:
    """The same packets as a vehicle signs them."""
    signer, reader = Signer(SigningKey(_KEY), 1), PacketReader(frozenset())
    return [(t_ns, b"".join(signer.sign(packet.raw) for packet in reader.feed(data))) for t_ns, data in pieces]


def ours(pieces: list[Piece]) -> int:
    """Through the vehicle room; the packets that were read."""
    vehicle, due_ns = Vehicle(), 0
    for t_ns, data in pieces:
        vehicle.receive(data, t_ns)
        if t_ns >= due_ns:
            due_ns = t_ns + 50 * MS
            vehicle.feed_heartbeat(t_ns)
            vehicle.tick(t_ns)
            vehicle.outgoing()
    return vehicle.state.counters.packets


def ours_signed(pieces: list[Piece]) -> int:
    """The same behind the check of every signature."""
    signer, reader = Signer(SigningKey(_KEY), 1), PacketReader(frozenset())
    checked = []
    for t_ns, data in pieces:
        good = [packet.raw for packet in reader.feed(data) if signer.check(packet.raw).value == "signed"]
        checked.append((t_ns, b"".join(good)))
    return ours(checked)


def theirs(pieces: list[Piece]) -> int:
    """Through pymavlink's parser alone: bytes to messages, and no more."""
    parser = mavlink.MAVLink(None)
    parser.robust_parsing = True
    return sum(len(parser.parse_buffer(data) or []) for _, data in pieces)


def cost_s(work: Callable[[list[Piece]], int], pieces: list[Piece], repeats: int = 3) -> tuple[float, int]:
    """The least CPU seconds of some runs, and the packets of one."""
    best, packets = float("inf"), 0
    for _ in range(repeats):
        begun = time.process_time()
        packets = work(pieces)
        best = min(best, time.process_time() - begun)
    return best, packets


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of link, in simulated time")
    options = parser.parse_args()
    print("| streams | packets a second | the link, of one core | of two | pymavlink's parser alone | ratio |")
    print("|---|---|---|---|---|---|")
    for name, hz in (("as we ask for them", {}), ("as PX4's onboard link sends them", _PX4_HZ)):
        pieces = stream(options.seconds, hz)
        for kind, work, given in ((name, ours, pieces), (f"{name}, signed", ours_signed, signed(pieces))):
            (spent_s, packets), (parsed_s, _) = cost_s(work, given), cost_s(theirs, given)
            share = spent_s / options.seconds
            print(
                f"| {kind} | {packets / options.seconds:.0f} | {share:.2%} | {share / 2:.2%} | "
                f"{parsed_s / options.seconds:.2%} | {spent_s / parsed_s:.2f} |"
            )


if __name__ == "__main__":
    main()
