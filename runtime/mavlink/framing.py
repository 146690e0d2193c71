"""Bytes to MAVLink packets and back. Framing is ours so that one false start byte cannot swallow good packets
(pymavlink drops the whole false frame) and so that the raw packet is at hand for the log; decoding is pymavlink's."""

from __future__ import annotations

from typing import Any, NamedTuple

from runtime.mavlink.dialect import mavlink

_V1, _V2 = 0xFE, 0xFD
_SIGNED = 0x01  # the only incompatibility flag that is defined
_EXTENSIONS = 64  # bytes by which a newer definition of a known message may have grown
_MOST_PAYLOAD = {number: kind.unpacker.size + _EXTENSIONS for number, kind in mavlink.mavlink_map.items()}
_CHECKED_LAST = {number: bytes([kind.crc_extra]) for number, kind in mavlink.mavlink_map.items()}


class Packet(NamedTuple):
    """One packet that passed its checks. ``message`` is pymavlink's, or None for an id outside the dialect, or for one
    that was not asked for; ``offset`` is its place in all bytes that were fed."""

    raw: bytes
    system_id: int
    component_id: int
    message_id: int
    message: Any
    offset: int = 0

    @property
    def sequence(self) -> int:
        """Its sender's count, modulo 256."""
        return self.raw[4] if self.raw[0] == _V2 else self.raw[2]

    @property
    def name(self) -> str:
        """The message's name, or "UNKNOWN_<id>"."""
        return str(self.message.get_type()) if self.message is not None else f"UNKNOWN_{self.message_id}"


class PacketReader:
    """Cuts a byte stream into packets. Never raises, whatever it is fed; counts what it threw away.

    ``wanted``: the ids whose messages are decoded, all where None. Of the others the checksum is looked at, no more;
    ids outside the dialect, which have none that is known, are passed over, unless ``unknown`` has them taken as a
    reader takes them that decodes all.
    """

    def __init__(self, wanted: frozenset[int] | None = None, unknown: bool = False) -> None:
        self._codec = mavlink.MAVLink(None)
        self._buffer = bytearray()
        self._wanted, self._takes_unknown = wanted, unknown or wanted is None
        self._gone = 0  # bytes before the buffer
        self.packets = 0
        self.unknown = 0
        self.bad_packets = 0  # a start byte and a length, but no packet (length, flags, CRC, contents)
        self.garbage_bytes = 0

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that ``data`` completes, in order."""
        self._buffer += data
        found: list[Packet] = []
        start = 0
        while True:
            start = self._next_start(start)
            length = self._frame_length(start)
            if length is None or start + length > len(self._buffer):
                break
            packet = self._decode(start, length) if length else None
            if packet is None:
                self.bad_packets += 1
                self.garbage_bytes += 1
                start += 1  # not a packet: look for a start byte inside it
                continue
            start += length
            self.packets += 1
            found.append(packet)
        del self._buffer[:start]
        self._gone += start
        return found

    def _next_start(self, start: int) -> int:
        buffer = self._buffer
        if start < len(buffer) and (buffer[start] == _V2 or buffer[start] == _V1):
            return start  # as always on a clean link
        found = [i for i in (buffer.find(_V2, start), buffer.find(_V1, start)) if i >= 0]
        begin = min(found) if found else len(buffer)
        self.garbage_bytes += begin - start
        return begin

    def _frame_length(self, start: int) -> int | None:
        """Length of the frame that begins at ``start``; None until its header is there; 0 when it can be none.

        A header is judged as soon as it is whole: a false start byte would otherwise hold back up to 280 bytes.
        """
        buffer, left = self._buffer, len(self._buffer) - start
        if left < 6 or (left < 10 and buffer[start] != _V1):
            return None
        payload, flags = buffer[start + 1], buffer[start + 2]
        if buffer[start] == _V1:
            return 8 + payload if payload <= _MOST_PAYLOAD.get(buffer[start + 5], payload) else 0
        message_id = buffer[start + 7] | buffer[start + 8] << 8 | buffer[start + 9] << 16
        if flags & ~_SIGNED or payload > _MOST_PAYLOAD.get(message_id, payload):
            return 0
        return 12 + payload + (13 if flags & _SIGNED else 0)

    def _decode(self, start: int, length: int) -> Packet | None:
        raw = bytes(self._buffer[start : start + length])
        header = (raw[5], raw[6], raw[7] | raw[8] << 8 | raw[9] << 16) if raw[0] == _V2 else (raw[3], raw[4], raw[5])
        if self._wanted is not None and header[2] not in self._wanted:
            known = header[2] in _CHECKED_LAST
            if known or not self._takes_unknown:
                return Packet(raw, *header, None, self._gone + start) if known and _sound(raw, header[2]) else None
        try:
            message = self._codec.decode(bytearray(raw))
        except Exception:  # whatever a hostile payload makes pymavlink raise is a bad packet, and is counted as one
            return None
        if message.get_type().startswith("UNKNOWN"):
            return self._unknown(raw, header, start)
        return Packet(raw, *header, message, self._gone + start)

    def _unknown(self, raw: bytes, header: tuple[int, int, int], start: int) -> Packet | None:
        """An id outside the dialect has no known CRC: believe it only where another packet, or nothing, follows, and
        where no known packet lies across it."""
        end = start + len(raw)
        if end < len(self._buffer) and self._buffer[end] not in (_V1, _V2):
            return None
        if any(self._known_at(at) for at in range(start + 1, end) if self._buffer[at] in (_V1, _V2)):
            return None
        self.unknown += 1
        return Packet(raw, *header, None, self._gone + start)

    def _known_at(self, start: int) -> bool:
        length = self._frame_length(start)
        if not length or start + length > len(self._buffer):
            return False
        try:
            message = self._codec.decode(self._buffer[start : start + length])
        except Exception:  # as in `_decode`
            return False
        return not message.get_type().startswith("UNKNOWN")


def _sound(raw: bytes, message_id: int) -> bool:
    """Whether the checksum of a packet of the dialect is right."""
    v2 = raw[0] == _V2
    end = len(raw) - (13 if v2 and raw[2] & _SIGNED else 0)
    checked = raw[1 : end - 2] + _CHECKED_LAST[message_id]
    return int(mavlink.x25crc(checked).crc) == raw[end - 2] | raw[end - 1] << 8


class PacketWriter:
    """Packs messages as MAVLink 2 from one (system, component), with its own sequence."""

    def __init__(self, component_id: int) -> None:
        self._codec = mavlink.MAVLink(None, srcSystem=1, srcComponent=component_id)
        self._pending: list[bytes] = []

    @property
    def system_id(self) -> int:
        """The source system of what is packed from now on."""
        return int(self._codec.srcSystem)

    @system_id.setter
    def system_id(self, system_id: int) -> None:
        self._codec.srcSystem = system_id

    def put(self, message: Any) -> None:
        """Pack ``message`` and queue it."""
        self._pending.append(bytes(message.pack(self._codec)))
        self._codec.seq = (self._codec.seq + 1) % 256

    def take(self) -> list[bytes]:
        """All packets queued since the last call, oldest first."""
        packets, self._pending = self._pending, []
        return packets
