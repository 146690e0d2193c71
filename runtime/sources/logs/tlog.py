"""A telemetry log (.tlog): MAVLink packets of everybody on a link, each after its writer's 64-bit time in microseconds.

The packets are cut out and checked as on the live link, so that what is damaged costs nothing but itself; a file of
bare packets is read as well.
"""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path

from runtime.errors import TelemetryError
from runtime.mavlink.framing import Packet, PacketReader
from runtime.sources.logs.choice import LONGEST, Asked, Judge, chosen
from runtime.sources.logs.flight import flight_of
from runtime.sources.logs.senders import WANTED, Senders
from runtime.sources.track import Track

_CHUNK = 1 << 16  # bytes fed at once
_STAMP = 8  # bytes of the writer's time before each packet
_STAMPS_US = (10**14, 10**16)  # 1973 to 2286: other bytes before a packet are no time


def read_tlog(path: Path, asked: Asked = LONGEST, judge: Judge = flight_of) -> tuple[Track, list[str]]:
    """The vehicle's positions that are to be believed, its attitudes and heights, over its own clock; and sentences on
    what else the log holds, and what of it is damaged.

    Raises:
        TelemetryError: it cannot be read, holds no such vehicle or boot, or no positions that are to be believed.
    """
    senders, damage = Senders(), _Damage()
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise TelemetryError(f"{path}: is empty.")
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                packets = _read(data, senders, damage)
    except OSError as error:
        raise TelemetryError(f"{path}: cannot be read ({error.strerror or error}).") from None
    if not packets:
        raise TelemetryError(f"{path}: not a telemetry log (there is no MAVLink packet in it).")
    flight, notes = chosen(str(path), senders.vehicles(), asked, judge)
    said = [*notes, *damage.notes(str(path)), *flight.notes(str(path))]
    return flight.track(str(path), "tlog"), said


def _read(data: mmap, senders: Senders, damage: _Damage) -> int:
    reader = PacketReader(WANTED)
    end = 0
    for start in range(0, len(data), _CHUNK):
        for packet in reader.feed(data[start : start + _CHUNK]):
            damage.count(data, end, packet.offset - _STAMP)
            end = packet.offset + len(packet.raw)
            if packet.message is not None:
                senders.take(packet, _stamp_s(data, packet))
    if not _STAMPS_US[0] < _stamp_us(data, end) < _STAMPS_US[1]:  # else a packet that was being written
        damage.count(data, end, len(data))
    return reader.packets


def _stamp_s(data: mmap, packet: Packet) -> float | None:
    """The writer's time before a packet, in seconds."""
    us = _stamp_us(data, packet.offset - _STAMP)
    return us * 1e-6 if _STAMPS_US[0] < us < _STAMPS_US[1] else None


def _stamp_us(data: mmap, at: int) -> int:
    return int.from_bytes(data[max(at, 0) : max(at, 0) + _STAMP], "big")


class _Damage:
    """Bytes of a file that are no packets of any dialect, and in how many places."""

    def __init__(self) -> None:
        self.bytes = self.places = 0

    def count(self, data: mmap, at: int, end: int) -> None:
        """Between two packets that were read: what is left after those of other dialects, each with its time."""
        while at < end:
            length = _foreign(data, at + _STAMP)
            if not length or at + _STAMP + length > end:
                self.bytes, self.places = self.bytes + end - at, self.places + 1
                return
            at += _STAMP + length

    def notes(self, name: str) -> list[str]:
        """A sentence on it."""
        if not self.bytes:
            return []
        places = "one place" if self.places == 1 else f"{self.places} places"
        return [f"{name}: damaged in {places} ({self.bytes} bytes); what lies before and after is used."]


def _foreign(data: mmap, at: int) -> int:
    """Length of a packet by its own header; 0 where there is none."""
    header = data[at : at + 3]
    if len(header) < 3 or header[0] not in (0xFE, 0xFD):
        return 0
    if header[0] == 0xFE:
        return 8 + header[1]
    return 12 + header[1] + (13 if header[2] & 1 else 0)
