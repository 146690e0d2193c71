"""The wall clock jumps: what depends on it, the stamps of signed packets, over restarts of the daemon."""

from __future__ import annotations

from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.signing import Signer, SigningKey
from runtime.vehicle.link.signed import Stamping
from runtime.vehicle.link.stamps import StampFile
from sim.faults.row import Fault, Outcome
from sim.faults.workshop import Workshop

_YEAR_S = 365 * 86_400.0
_DATE_S = 1.8e9
_KEY = bytes(range(1, 33))
_PACKETS = 50  # of each run
_STEP_NS = 20_000_000


class _Hands:
    """A monotonic clock by hand."""

    t_ns = 0

    def now_ns(self) -> int:
        """The present instant."""
        return self.t_ns


def jumps(workshop: Workshop) -> Outcome:
    """Three starts of a daemon whose link is signed: today, with the clock a year on, and a year back."""
    vehicle: Any = mavlink.MAVLink(None, 1, 1)
    vehicle.signing.secret_key = _KEY
    clock, refused = _Hands(), 0
    for number, unix_s in enumerate((_DATE_S, _DATE_S + _YEAR_S, _DATE_S - _YEAR_S)):
        stamping = Stamping(StampFile(workshop.folder / "stamp"), clock, lambda at=unix_s: at)  # type: ignore[misc]
        signer = Signer(SigningKey(_KEY), stamping.now())
        for packet in range(_PACKETS):
            clock.t_ns += _STEP_NS
            signer.reached(stamping.now())
            refused += _refuses(vehicle, signer.sign(_heartbeat(number * _PACKETS + packet)))
            stamping.used_up_to(signer.stamp)
        stamping.close()
    failures = () if not refused else (f"{refused} of {3 * _PACKETS} packets were refused",)
    did = f"flies by the monotonic clock; {refused} of {3 * _PACKETS} signed packets are refused"
    return Outcome(did, failures=failures)


def _heartbeat(sequence: int) -> bytes:
    codec: Any = mavlink.MAVLink(None, 1, 191)
    codec.seq = sequence % 256
    beat: Any = mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3)
    return bytes(beat.pack(codec))


def _refuses(vehicle: Any, packet: bytes) -> bool:
    try:
        vehicle.decode(bytearray(packet))
    except mavlink.MAVError:
        return True
    return False


FAULTS = (
    Fault("wall_clock", "wall clock jumping", "a year on and a year back between starts, the link signed", jumps),
)
