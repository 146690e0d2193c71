"""MAVLink 2 signing of whole packets: a signature of 48 bits and a stamp of 48 bits that only ever grows.

https://mavlink.io/en/guide/message_signing.html. What is received is checked here and not by pymavlink, which notes a
stream's stamp before it has looked at the signature: one forged packet with a great stamp would shut out the real ones.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum

from runtime.mavlink.dialect import mavlink

KEY_BYTES = 32
STAMPS_PER_S = 100_000  # a stamp is 10 microseconds
EPOCH_UNIX_S = 1_420_070_400  # stamps count from 2015-01-01, UTC
_NEW_STREAM_BEHIND = 60 * STAMPS_PER_S  # a stream that is heard for the first time may lag by a minute
_SIGNED = 0x01  # MAVLINK_IFLAG_SIGNED
_V2 = 0xFD
_SIGNATURE, _STAMP = 6, 6  # bytes
_TRAILER = 1 + _STAMP + _SIGNATURE  # after the link's id
_UNSIGNED = frozenset({mavlink.MAVLINK_MSG_ID_RADIO_STATUS})  # a telemetry radio, which has no key, speaks for itself


class SigningKey:
    """32 secret bytes, which never show themselves: neither in a log, nor in an error, nor in a debugger's line."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """Raises ValueError where it is no key: not 32 bytes, or all of them zero, which turns signing off."""
        if len(secret) != KEY_BYTES or not any(secret):
            raise ValueError("a signing key is 32 bytes that are not all zero")
        self._secret = secret

    def __repr__(self) -> str:
        return "SigningKey(...)"

    def __reduce__(self) -> str:
        raise TypeError("a signing key is not written anywhere")

    def signature(self, head: bytes) -> bytes:
        """The first 48 bits of SHA-256 over key and ``head``, which is all of the packet up to its stamp."""
        return hashlib.sha256(self._secret + head).digest()[:_SIGNATURE]


class Verdict(Enum):
    """What a received packet is."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    FORGED = "forged"  # another key, or altered
    REPLAYED = "replayed"  # a stamp that is not newer than its stream's last one, or too old to begin one


class Signer:
    """Signs whole packets with stamps that grow, and checks those of others. Knows no clock: `reached` tells the time.

    A stamp never falls behind one that was seen with a good signature: a computer without a clock follows its vehicle.
    """

    def __init__(self, key: SigningKey, stamp: int, link_id: int = 0) -> None:
        self._key = key
        self._link_id = link_id
        self.stamp = stamp  # the next one
        self._streams: dict[tuple[int, int, int], int] = {}

    def reached(self, stamp: int) -> None:
        """Time has come to ``stamp``; an earlier one changes nothing."""
        self.stamp = max(self.stamp, stamp)

    def sign(self, packet: bytes) -> bytes:
        """The packet with a signature; one that has it already, or is MAVLink 1, as it is."""
        if packet[0] != _V2 or packet[2] & _SIGNED:
            return packet
        message_id = int.from_bytes(packet[7:10], "little")
        marked = packet[:2] + bytes([packet[2] | _SIGNED]) + packet[3:-2]
        checked = marked[1:] + bytes([mavlink.mavlink_map[message_id].crc_extra])
        head = marked + int(mavlink.x25crc(checked).crc).to_bytes(2, "little") + bytes([self._link_id])
        head += self.stamp.to_bytes(_STAMP, "little")
        self.stamp += 1
        return head + self._key.signature(head)

    def check(self, packet: bytes) -> Verdict:
        """What a packet is whose checksum is right; a good one moves its stream's stamp, and ours, on."""
        if packet[0] != _V2 or not packet[2] & _SIGNED:
            return Verdict.UNSIGNED
        head, signature = packet[:-_SIGNATURE], packet[-_SIGNATURE:]
        if not hmac.compare_digest(self._key.signature(head), signature):
            return Verdict.FORGED
        stamp = int.from_bytes(head[-_STAMP:], "little")
        stream = (packet[-_TRAILER], packet[5], packet[6])
        last = self._streams.get(stream)
        if stamp <= last if last is not None else stamp + _NEW_STREAM_BEHIND < self.stamp:
            return Verdict.REPLAYED
        self._streams[stream] = stamp
        self.reached(stamp + 1)
        return Verdict.SIGNED


def may_be_unsigned(message_id: int) -> bool:
    """Whether a message is taken without a signature on a signed link."""
    return message_id in _UNSIGNED
