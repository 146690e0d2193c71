"""The formats, subscriptions and data of some topics of a .ulg, found where they are whole, as a small .ulg for pyulog.

pyulog reads every message of a file and ends at a damaged length. Here a message has to be followed by another; where
one is not, the next place from which several follow one another is taken.
"""

from __future__ import annotations

import re
from io import BytesIO
from mmap import ACCESS_READ, mmap
from pathlib import Path

from runtime.errors import TelemetryError

_MAGIC = b"ULog\x01\x12\x35"
_HEADER = 16  # bytes: magic, version, start time
_KINDS = b"BFIMPQARDLCSO"
_KIND = re.compile(b"[" + _KINDS + b"]")
_FORMAT = re.compile(rb"[\w/-]+:(?:[\w/-]+(?:\[\d{1,4}\])? [\w.\[\]-]+;)*\Z")
_FIELD = re.compile(rb"([\w/-]+)(?:\[(\d+)\])? [\w.\[\]-]+;")
_SIZES = {b"int8_t": 1, b"uint8_t": 1, b"int16_t": 2, b"uint16_t": 2, b"int32_t": 4, b"uint32_t": 4, b"int64_t": 8,
          b"uint64_t": 8, b"float": 4, b"double": 8, b"bool": 1, b"char": 1}  # fmt: skip
_LONGEST = {ord("A"): 300, ord("D"): 2048, ord("B"): 1024, ord("S"): 64, ord("O"): 16}  # bytes of a message
_LONGEST_OTHER = 1 << 16
_IN_A_ROW = 4  # messages that follow one another after damage: random bytes do so once in a hundred million
_DEEPEST = 4  # types within types
_PADDING = 8  # bytes at the end of a sample, which are not logged, are fewer
_TAIL = 1 << 16  # bytes at the end that are a message which was being written


class UlogFile:
    """What of a .ulg concerns ``topics``. ``damaged_bytes``: those that are no messages.

    Raises:
        TelemetryError: it is no .ulg, of a version that is not known, or cannot be read.
    """

    def __init__(self, path: Path, topics: frozenset[str]) -> None:
        self._path = path
        self._topics = {topic.encode() for topic in topics}
        self._formats: dict[bytes, bytes] = {}  # fields by name
        self._sizes: dict[bytes, int] = {}  # bytes of a sample by the number of a subscription
        self._subscribed: set[bytes] = set()
        self.damaged_bytes = 0
        self.wanted = BytesIO()
        try:
            with path.open("rb") as file:
                head = file.read(_HEADER)
                if head[: len(_MAGIC)] != _MAGIC or len(head) < _HEADER:
                    raise TelemetryError(f"{path}: not a PX4 log (it does not begin with ULog).")
                self.wanted.write(head[: len(_MAGIC)] + b"\1" + head[len(_MAGIC) + 1 :])
                with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                    self._walk(data)
        except OSError as error:
            raise TelemetryError(f"{path}: cannot be read ({error.strerror or error}).") from None
        self.wanted.seek(0)

    def _walk(self, data: mmap) -> None:
        at, length = _HEADER, len(data)
        while at + 3 <= length:
            end = self._end(data, at)
            if end and (end + 3 > length or self._end(data, end)):
                self._take(data[at + 2], data[at:end])
                at = end
                continue
            found = self._next(data, at + 1)
            if found < length or length - at > _TAIL or not _cut_off(data, at):
                self.damaged_bytes += found - at
            at = found

    def _take(self, kind: int, message: bytes) -> None:
        body = message[3:]
        if kind == ord("B"):
            self._check(body)
        elif kind == ord("F") and _FORMAT.match(body):
            name, _, fields = body.partition(b":")
            self._formats[name] = fields
            self.wanted.write(message)
        elif kind == ord("A"):
            size = self._sizes[body[1:3]] = self._size(self._formats.get(body[3:], b""))
            if body[3:] in self._topics and size:
                self._subscribed.add(body[1:3])
                self.wanted.write(message)
            else:
                self._subscribed.discard(body[1:3])
        elif kind == ord("D") and body[:2] in self._subscribed:
            self.wanted.write(message)

    def _size(self, fields: bytes, depth: int = 0) -> int:
        """Bytes of a sample with these fields, all padding included; 0 where a type is unknown, or no sample is as
        long."""
        total = 0
        for kind, count in _FIELD.findall(fields):
            size = _SIZES.get(kind, 0)
            if not size and depth < _DEEPEST:
                size = self._size(self._formats.get(kind, b""), depth + 1)
            total += size * int(count or 1)
            if not size or total > _LONGEST[ord("D")]:
                return 0
        return total

    def _end(self, data: mmap, at: int) -> int:
        """Where the message at ``at`` ends; 0 if it is none."""
        header = data[at : at + 5]
        if len(header) < 3 or header[2] not in _KINDS:
            return 0
        size = header[0] | header[1] << 8
        end = at + 3 + size
        if not 0 < size <= _LONGEST.get(header[2], _LONGEST_OTHER) or end > len(data):
            return 0
        known = self._sizes.get(header[3:5], 0) if header[2] == ord("D") else 0
        return end if not known or known - _PADDING < size - 2 <= known else 0

    def _next(self, data: mmap, at: int) -> int:
        """The next place from which several messages follow one another, or the end."""
        while match := _KIND.search(data, at + 2):
            at = match.start() - 2
            end = at
            for _ in range(_IN_A_ROW):
                end = self._end(data, end)
                if not end or end == len(data):
                    break
            if end:
                return at
            at += 1
        return len(data)

    def _check(self, body: bytes) -> None:
        """The flags that a reader has to know; appended data, the only one there is, is read as what follows."""
        flags = body[8:16]
        if flags and (flags[0] & ~1 or any(flags[1:])):
            raise TelemetryError(f"{self._path}: a PX4 log of a newer format than is known.")


def _cut_off(data: mmap, at: int) -> bool:
    """Whether a message begins at ``at`` that the file ends in."""
    return len(data) - at < 3 or data[at + 2] in _KINDS
