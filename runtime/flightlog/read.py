"""Flight logs read back, whole or cut off at any byte."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard
from mcap.exceptions import McapError
from mcap.records import Attachment, Channel, Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk

from runtime.errors import TelemetryError

_MAGIC = b"\x89MCAP0\r\n"
_RECORD_LIMIT = 256 * 2**20  # nothing that we write is longer; a damaged length field would be


def read_flightlog(path: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield (channel, t_ns, record) of one MCAP file, in the order of writing; also of one that was cut off anywhere.

    A damaged chunk is left out. Raises TelemetryError when the file is missing or is no MCAP file.
    """
    for record in _mcap_records(path):
        if isinstance(record, tuple):
            yield record


def read_attachments(path: Path) -> dict[str, bytes]:
    """The files that were attached to a log, by name. Raises like `read_flightlog`."""
    return {r.name: r.data for r in _mcap_records(path) if isinstance(r, Attachment)}


def _mcap_records(path: Path) -> Iterator[Any]:
    """Messages as (channel, t_ns, record), everything else as mcap's record; ends quietly where the file was cut."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise TelemetryError(f"the flight log {path} cannot be read: {error.strerror or error}") from error
    with stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise TelemetryError(f"{path} is no flight log: it does not begin as an MCAP file does")
        channels: dict[int, str] = {}
        reader = StreamReader(stream, skip_magic=True, emit_chunks=True, record_size_limit=_RECORD_LIMIT)
        try:
            for record in reader.records:
                yield from _unpacked(record, channels)
        except (McapError, struct.error, ValueError, MemoryError):
            return  # the writer was killed here; what is before it is whole


def _unpacked(record: Any, channels: dict[int, str]) -> Iterator[Any]:
    if not isinstance(record, Chunk):
        yield record
        return
    try:
        inside = breakup_chunk(record, validate_crc=True)
    except (McapError, struct.error, ValueError, zstandard.ZstdError):
        return
    for item in inside:
        if isinstance(item, Channel):
            channels[item.id] = item.topic
        elif isinstance(item, Message) and item.channel_id in channels:
            yield channels[item.channel_id], item.log_time, json.loads(item.data)
