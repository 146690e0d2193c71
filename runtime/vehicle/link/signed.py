"""A link whose packets are signed: what is sent gets a signature, and what has none, or a wrong one, never came.

It stands between the line and everything else, so that nothing beyond it knows of signatures: the flight log holds the
packets as the daemon took them, and its replay needs no key.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from runtime.clock import Clock
from runtime.mavlink.framing import PacketReader
from runtime.mavlink.signing import STAMPS_PER_S, Signer, SigningKey, Verdict, may_be_unsigned
from runtime.vehicle.link.link import WaitingLink
from runtime.vehicle.link.stamps import StampFile

_REFUSED = (Verdict.UNSIGNED, Verdict.FORGED, Verdict.REPLAYED)
_NS_PER_STAMP = 1_000_000_000 // STAMPS_PER_S


class Stamping:
    """The stamps of all links of one program: one sequence, kept in one file."""

    def __init__(self, file: StampFile, clock: Clock, unix_s: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._begin_ns, self._begin = clock.now_ns(), file.first(unix_s())
        self.used = self._begin

    def now(self) -> int:
        """The stamp of this instant, by the monotonic clock: what is done to the wall clock in flight changes nothing.

        Never less than one that was told to be used."""
        passed = (self._clock.now_ns() - self._begin_ns) // _NS_PER_STAMP
        return max(self._begin + passed, self.used)

    def used_up_to(self, stamp: int) -> None:
        """``stamp`` is the next one of a link; a vehicle may have moved it on."""
        self.used = max(self.used, stamp)
        self._file.reach(self.used)

    @property
    def failures(self) -> int:
        """How often the file could not be written."""
        return self._file.failures

    def close(self) -> None:
        """Writes the last stamp back."""
        self._file.close(self.now())


class SignedLink:
    """A `WaitingLink` around another. ``link_id``: ours among the links of this program."""

    def __init__(self, inner: WaitingLink, key: SigningKey, stamping: Stamping, link_id: int = 0) -> None:
        self._inner = inner
        self._stamping = stamping
        self._signer = Signer(key, stamping.now(), link_id)
        self._incoming = PacketReader(wanted=frozenset(), unknown=False)
        self._outgoing = PacketReader(wanted=frozenset(), unknown=False)
        self._refused: Counter[Verdict] = Counter()

    def read(self) -> list[tuple[bytes, int]]:
        """The packets that may be believed, with the instants of their arrival."""
        taken = []
        for data, t_ns in self._inner.read():
            good = [packet.raw for packet in self._incoming.feed(data) if self._believed(packet.raw, packet.message_id)]
            if good:
                taken.append((b"".join(good), t_ns))
        return taken

    def _believed(self, raw: bytes, message_id: int) -> bool:
        self._signer.reached(self._stamping.now())
        verdict = self._signer.check(raw)
        if verdict is Verdict.SIGNED or (verdict is Verdict.UNSIGNED and may_be_unsigned(message_id)):
            self._stamping.used_up_to(self._signer.stamp)
            return True
        self._refused[verdict] += 1
        return False

    def write(self, data: bytes) -> None:
        """Send, signed."""
        self._signer.reached(self._stamping.now())
        signed = b"".join(self._signer.sign(packet.raw) for packet in self._outgoing.feed(data))
        self._stamping.used_up_to(self._signer.stamp)
        self._inner.write(signed)

    def close(self) -> None:
        """Let the line go; the stamps are the program's to close."""
        self._inner.close()

    def wait(self, timeout_s: float) -> bool:
        """Until something arrives, believed or not, or the time is over."""
        return self._inner.wait(timeout_s)

    def wake(self) -> None:
        """Ends a `wait`."""
        self._inner.wake()

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name: the line's own, and what was not believed."""
        return {
            **self._inner.counts(),
            **{_name(verdict): self._refused[verdict] for verdict in _REFUSED},
            "link_stamps_unwritten": self._stamping.failures,
        }


def unbelieved(counts: Mapping[str, int]) -> int:
    """How many packets had no right signature, by the ``counts`` of a link; 0 of one that is not signed."""
    return sum(counts.get(_name(verdict), 0) for verdict in _REFUSED)


def _name(verdict: Verdict) -> str:
    return f"link_packets_{verdict.value}"
