"""The messages of a dataflash log, binary or as the text that ground stations make of it, found where they are whole.

The formats are pymavlink's `DFFormat`. The walk through the file is ours: pymavlink's index ends at the first byte that
it does not understand, says so on stderr, and holds the place of every message in memory.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import struct
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from pymavlink.DFReader import DFFormat

from runtime.errors import TelemetryError

_FMT = 0x80
_FORMAT = ("FMT", 89, "BBnNZ", "Type,Length,Name,Format,Columns")
_HEAD = b"\xa3\x95"
_HEAD_BYTES = 3
_LONGEST_LINE = 1024  # bytes of a text log's line: a message has at most 16 fields
_TEXT = re.compile(rb"^(?:\xef\xbb\xbf)?FMT, ?128, ?89, ?FMT,", re.M)
_BEGINNING = 1 << 16  # bytes within which the formats begin, after damage or a ground station's own heading
_TAIL = 528  # bytes at the end that are a page's padding, or a message that was being written


class Message:
    """One message: its ``name`` and its fields, by the columns of its format (pymavlink's)."""

    __slots__ = ("_fields", "_kind", "_scaled")

    def __init__(self, kind: Any, fields: list[Any], scaled: bool) -> None:
        self._kind = kind
        self._fields = fields
        self._scaled = scaled  # the fields are stored in the units of their letters, not printed

    @property
    def name(self) -> str:
        """As the format has it."""
        return str(self._kind.name)

    def number(self, field: str) -> float | None:
        """A field as a finite number, None where it is none or there is no such field."""
        column = self._kind.colhash.get(field)
        if column is None:
            return None
        try:
            value = float(self._fields[column])
        except (TypeError, ValueError, OverflowError):
            return None
        multiplier = self._kind.msg_mults[column] if self._scaled else None
        if multiplier is not None:
            value /= round(1.0 / multiplier)  # exact, as a product with 1e-7 is not
        return value if math.isfinite(value) else None

    def nan(self, field: str) -> float:
        """A field as a number, NaN where it is none."""
        value = self.number(field)
        return math.nan if value is None else value

    def text(self, field: str) -> str:
        """A field as text, empty where there is no such field."""
        column = self._kind.colhash.get(field)
        said = "" if column is None else self._fields[column]
        return said.split(b"\0")[0].decode("ascii", "replace") if isinstance(said, bytes) else str(said)


class DataflashFile:
    """Iterates over the wanted messages of a file. ``damaged_bytes``: what lay between and is no message of any
    format, known after the iteration; binary logs only."""

    def __init__(self, path: Path, wanted: frozenset[str]) -> None:
        self._path = path
        self._wanted = wanted
        self.damaged_bytes = 0

    def __iter__(self) -> Iterator[Message]:
        """In the order of the file.

        Raises:
            TelemetryError: it is neither kind of dataflash log, or cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                if not file.read(1):
                    raise TelemetryError(f"{self._path}: is empty.")
                with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                    if data.find(_HEAD + bytes([_FMT]), 0, _BEGINNING) >= 0:
                        yield from self._binary(data)
                    elif _TEXT.search(data[:_BEGINNING]):
                        yield from self._text(data)
                    else:
                        reason = "not a dataflash log (it does not begin with its formats)"
                        raise TelemetryError(f"{self._path}: {reason}.")
        except OSError as error:
            raise TelemetryError(f"{self._path}: cannot be read ({error.strerror or error}).") from None

    def _binary(self, data: mmap) -> Iterator[Message]:
        formats = _formats(data)
        wanted = {number for number, found in formats.items() if any(f.name in self._wanted for f in found)}
        heads = re.compile(re.escape(_HEAD) + b"[" + b"".join(re.escape(bytes([n])) for n in {*wanted, _FMT}) + b"]")
        lengths = {number: {found.len for found in known} for number, known in formats.items()}
        current = {_FMT: _known_format(*_FORMAT)}
        end = 0
        for match in heads.finditer(data):
            at, number = match.start(), data[match.start() + 2]
            kind = current.get(number)
            if at < end or kind is None or not _followed(data, at + kind.len):
                continue
            self.damaged_bytes += _unread(data, end, at, lengths)
            end = at + kind.len
            fields = _unpacked(kind, data[at + _HEAD_BYTES : end])
            if fields is None:
                continue
            if number == _FMT:
                made = _made(fields)
                if made is not None:
                    current[made.type] = made
            elif kind.name in self._wanted:
                yield Message(kind, fields, scaled=True)
        tail = _unread(data, end, len(data), lengths)
        self.damaged_bytes += tail if tail > _TAIL else 0

    def _text(self, data: mmap) -> Iterator[Message]:
        formats: dict[str, Any] = {}
        whole = too_long = 0
        for line in iter(lambda: data.readline(), b""):
            words = [word.strip() for word in line[:_LONGEST_LINE].decode("utf-8", "replace").split(",")]
            if words[0] == "FMT" and len(words) > 5:
                with contextlib.suppress(ValueError):
                    made = _known_format(words[3], int(words[2]), words[4], ",".join(words[5:]), int(words[1]))
                    if made is not None:
                        formats[words[3]] = made
            elif words[0] in self._wanted and words[0] in formats:
                kind = formats[words[0]]
                fields = words[1:] if words[-1] else words[1:-1]
                more = len(fields) - len(kind.columns)
                whole, too_long = whole + (more == 0), too_long + (more > 0)
                if more == 0:
                    yield Message(kind, fields, scaled=False)
        if too_long and not whole:
            raise TelemetryError(f"{self._path}: its lines have more fields than their formats; with decimal commas?")


def _known_format(name: str, length: int, letters: str, columns: str, number: int = _FMT) -> Any | None:
    """pymavlink's format, None where it is none: a letter that is unknown, another number of columns than of letters,
    or a length that is not theirs."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not know
        try:
            made = DFFormat(number, name, length, letters, columns)
        except Exception:  # pymavlink's own is nothing more exact
            return None
    if len(made.columns) != len(made.msg_fmts) or struct.calcsize(made.msg_struct) + _HEAD_BYTES != length:
        return None
    return made


def _made(fields: list[Any]) -> Any | None:
    """The format that a FMT message describes."""
    number, length = fields[0], fields[1]
    name, letters, columns = (part.split(b"\0")[0].decode("ascii", "replace") for part in fields[2:5])
    return None if number == _FMT else _known_format(name, length, letters, columns, number)


def _formats(data: mmap) -> dict[int, list[Any]]:
    """Every format that is described anywhere in the file, by its number: a second boot may describe others."""
    first: Any = _known_format(*_FORMAT)
    found: dict[int, list[Any]] = {_FMT: [first]}
    for match in re.finditer(re.escape(_HEAD + bytes([_FMT])), data):
        body = data[match.start() + _HEAD_BYTES : match.start() + first.len]
        fields = _unpacked(first, body)
        made = None if fields is None else _made(fields)
        if made is not None:
            found.setdefault(made.type, []).append(made)
    return found


def _unpacked(kind: Any, body: bytes) -> list[Any] | None:
    try:
        return list(struct.unpack(kind.msg_struct, body))
    except struct.error:
        return None


def _followed(data: mmap, end: int) -> bool:
    """Whether a message ends where another begins, or the file ends: the format has no checksum."""
    return data[end : end + 2] == _HEAD[: max(0, len(data) - end)] and end <= len(data)


def _unread(data: mmap, at: int, end: int, lengths: dict[int, set[int]]) -> int:
    """Bytes before ``end`` that are no chain of messages."""
    while at < end:
        head = data[at : at + _HEAD_BYTES]
        if head[:2] != _HEAD or len(head) < _HEAD_BYTES or head[2] not in lengths:
            return end - at
        at += max(lengths[head[2]])
    return 0
