"""One MCAP file of a flight log, made in memory a piece at a time."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from mcap.writer import CompressionType, Writer

from runtime.flightlog.disk import Spool
from runtime.flightlog.packed_index import PackedIndex
from runtime.flightlog.record import Record

LIBRARY = "homing"  # what the header of our files says, and that of no other's


class Segment:
    """One MCAP file being made in memory; `take` gives what is to be appended, whole chunks at a time."""

    def __init__(self, spool: Spool) -> None:
        """Begins the file."""
        self.spool = spool
        self.gathered = 0  # bytes of records since the last `take`
        self.pending_records = 0
        self._out = Tail()
        # chunks end when `take` says so, not at a size; typed loosely because half of mcap's Writer has no types
        self._writer: Any = Writer(self._out, chunk_size=2**30, compression=CompressionType.ZSTD)
        # its two growing lists, for which it has no other door; tests hold its files and its memory against them
        self._chunks, self._attachments = PackedIndex(), PackedIndex()
        vars(self._writer).update(
            _Writer__chunk_indices=self._chunks, _Writer__attachment_indexes=self._attachments
        )
        self._writer.start(profile="", library=LIBRARY)
        self._channels: dict[str, int] = {}
        self._sequence = 0

    def add(self, t_ns: int, record: Record) -> None:
        """One record; raises what its encoding does where JSON cannot hold it."""
        data = record.encoded()
        identity = self._channels.get(record.channel)
        if identity is None:
            schema = json.dumps(record.schema()).encode()
            schema_id = self._writer.register_schema(f"homing.{record.channel}", "jsonschema", schema)
            identity = self._writer.register_channel(record.channel, "json", schema_id)
            self._channels[record.channel] = identity
        self._sequence += 1
        stamp = max(0, t_ns)
        self._writer.add_message(identity, stamp, data, stamp, self._sequence & 0xFFFFFFFF)
        self.gathered += len(data)
        self.pending_records += 1

    def attach(self, name: str, data: bytes, t_ns: int, media_type: str) -> None:
        """A file of its own between the chunks, not compressed again."""
        self.gathered += len(data)
        self._writer.add_attachment(0, max(0, t_ns), name, media_type, data)

    def metadata(self, name: str, fields: dict[str, str]) -> None:
        """Texts by name."""
        self._writer.add_metadata(name, fields)

    def take(self) -> bytes:
        """The bytes since the last call; they end a chunk."""
        self._writer.flush()
        self.gathered = self.pending_records = 0
        return self._out.take()

    @property
    def index_bytes(self) -> int:
        """How much the index of what was taken takes of memory, until the end."""
        return self._chunks.nbytes + self._attachments.nbytes

    def finish(self) -> bytes:
        """The end of the file, with its index."""
        self._writer.finish()
        return self._out.take()


class Tail(BytesIO):
    """A stream that forgets what was taken from it but remembers how long it has become."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def tell(self) -> int:
        """How long the whole stream is."""
        return self._taken + super().tell()

    def take(self) -> bytes:
        """What was written since the last call."""
        data = self.getvalue()
        self._taken += len(data)
        self.seek(0)
        self.truncate()
        return data
