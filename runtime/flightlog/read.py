"""Flight logs read back, whole or cut off at any byte."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile, McapError
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Header, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader, get_chunk_data_stream

from runtime.errors import TelemetryError
from runtime.flightlog.keeper import FRAMES, TARGETS
from runtime.flightlog.segment import LIBRARY

_MAGIC = b"\x89MCAP0\r\n"
_PREFIX, _MESSAGE = struct.Struct("<BQ"), struct.Struct("<HIQQ")  # of a record, and of a message's content
_RECORD_LIMIT = 256 * 2**20  # nothing that we write is longer; a damaged length field would be


@dataclass(frozen=True, slots=True)
class Attached:
    """A file within a log; ``t_ns``: the instant of the event that it belongs to. A damaged one has no data."""

    name: str
    t_ns: int
    data: bytes


def read_all(path: Path, channels: Collection[str]) -> Iterator[tuple[str, int, dict[str, Any]] | Attached]:
    """The records of these channels as `read_flightlog` gives them, and between them the attached files.

    A kept frame may come before or after its record, by as long as it took to encode. Raises like `read_flightlog`.
    """
    for record in _mcap_records(path, channels):
        if isinstance(record, tuple):
            yield record
        elif isinstance(record, Attachment):
            yield Attached(record.name, record.log_time, record.data)


def read_flightlog(
    path: Path, channels: Collection[str] | None = None
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield (channel, t_ns, record) of one MCAP file, in the order of writing; also of one that was cut off anywhere.

    ``channels``: of these alone, where the rest need not be taken apart. A damaged
    chunk is left out. Raises TelemetryError when the file is missing, is no MCAP file or another program's.
    """
    for record in _mcap_records(path, channels):
        if isinstance(record, tuple):
            yield record


def read_attachments(path: Path) -> dict[str, bytes]:
    """The files that were attached to a log, by name, without frames and targets. Raises like `read_flightlog`."""
    attached = (record for record in _mcap_records(path, ()) if isinstance(record, Attachment))
    return {record.name: record.data for record in attached if not record.name.startswith((FRAMES, TARGETS))}


def read_metadata(path: Path, name: str) -> dict[str, str]:
    """The texts of a metadata record by name, none where there is no such record. Raises like `read_flightlog`."""
    for record in _mcap_records(path, ()):
        if isinstance(record, Metadata) and record.name == name:
            return dict(record.metadata)
    return {}


def missing_records(path: Path) -> int:
    """How many records are gone from among the others: those of damaged chunks. Raises like `read_flightlog`."""
    missing, last = 0, 0
    for record in raw_records(path):
        if isinstance(record, Message):
            missing += max(0, record.sequence - last - 1)
            last = record.sequence
    return missing


def _mcap_records(path: Path, wanted: Collection[str] | None = None) -> Iterator[Any]:
    """Messages as (channel, t_ns, record), everything else as mcap's record; ends quietly where the file was cut."""
    names: dict[int, str] = {}
    try:
        for record in raw_records(path):
            if isinstance(record, Channel):
                names[record.id] = record.topic
            if not isinstance(record, Message):
                yield record
            elif record.channel_id in names:
                name = names[record.channel_id]
                if wanted is None or name in wanted:
                    yield name, record.log_time, json.loads(record.data)
    except ValueError:
        return  # no JSON: nothing that follows is to be trusted


def raw_records(path: Path) -> Iterator[Any]:
    """Everything in the file as mcap's records, what lies in chunks too, in the order of writing; ends where the file
    was cut. Raises like `read_flightlog`."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise TelemetryError(f"the flight log {path} cannot be read: {error.strerror or error}") from error
    with stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise TelemetryError(f"{path} is no flight log: it does not begin as an MCAP file does")
        reader = _Reader(stream, skip_magic=True, emit_chunks=True, record_size_limit=_RECORD_LIMIT)
        try:
            for record in reader.records:
                if isinstance(record, Header) and record.library != LIBRARY:
                    raise TelemetryError(f"{path} is an MCAP file of another program, and no flight log of Homing.")
                yield from _unpacked(record)
        except (McapError, struct.error, ValueError, MemoryError):
            return  # the writer was killed here; what is before it is whole


class _Reader(StreamReader):
    """One that looks at the checksums of attachments, which its base passes over, and passes over chunks' indexes."""

    def _read_record(self, opcode: int, length: int) -> McapRecord | None:
        if opcode == Opcode.MESSAGE_INDEX:  # of no use to who reads from the front, and as long to read as messages
            self._stream.read(length)
            return None
        if opcode != Opcode.ATTACHMENT:
            other: McapRecord | None = super()._read_record(opcode, length)
            return other
        raw = self._stream.read(length)
        attachment: Attachment = Attachment.read(ReadDataStream(BytesIO(raw)))
        if struct.unpack("<I", raw[-4:])[0] not in (0, zlib.crc32(raw[:-4])):  # 0: none was made
            attachment.data = b""
        return attachment


def _unpacked(record: Any) -> list[Any]:
    """What is in a chunk, nothing of a damaged one; any other record alone."""
    if not isinstance(record, Chunk):
        return [record]
    try:
        stream, length = get_chunk_data_stream(record, validate_crc=True)
        return list(_within(stream.read(length)))
    except (McapError, struct.error, ValueError, zstandard.ZstdError):
        return []


def _within(data: bytes) -> Iterator[McapRecord]:
    """The records of a chunk, as mcap's `breakup_chunk` gives them in ten times the time, number by number."""
    end = 0
    while end < len(data):
        opcode, length = _PREFIX.unpack_from(data, end)
        begin = end + _PREFIX.size
        end = begin + length
        if end > len(data):
            raise EndOfFile
        if opcode == Opcode.MESSAGE:
            channel_id, sequence, log_t_ns, publish_t_ns = _MESSAGE.unpack_from(data, begin)
            yield Message(channel_id, log_t_ns, data[begin + _MESSAGE.size : end], publish_t_ns, sequence)
        elif opcode == Opcode.CHANNEL:
            yield Channel.read(ReadDataStream(BytesIO(data[begin:end])))
        elif opcode == Opcode.SCHEMA:
            yield Schema.read(ReadDataStream(BytesIO(data[begin:end])))
