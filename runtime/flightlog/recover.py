"""A log that was cut off, or damaged in places, made whole: with an end, an index, and all that can still be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcap.records import Attachment, Channel, Message, Metadata, Schema
from mcap.writer import CompressionType, Writer

from runtime.errors import StorageError
from runtime.flightlog.read import missing_records, raw_records
from runtime.flightlog.segment import LIBRARY


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was brought over, and how many records are missing from among the others."""

    records: int
    attachments: int
    missing: int


def recover(path: Path, out: Path) -> Recovered:
    """Writes all of the MCAP file at ``path`` that can be read to a new file; the old one stays as it is.

    Raises:
        TelemetryError: it cannot be read, or is no flight log.
        StorageError: ``out`` is there already, or cannot be written; nothing is left half-written.
    """
    missing = missing_records(path)
    partial = out.with_name(f".{out.name}.partial")
    try:
        if out.exists():
            raise StorageError(f"{out} is there already; choose another name.")
        with partial.open("wb") as stream:
            copy = _Copy(Writer(stream, compression=CompressionType.ZSTD))
            for record in raw_records(path):
                copy.add(record)
            copy.finish()
        partial.rename(out)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror or error}.") from None
    finally:
        partial.unlink(missing_ok=True)
    return Recovered(copy.records, copy.attachments, missing)


class _Copy:
    """Records in, under the new file's own numbers of schemas and channels."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer  # half of mcap's Writer has no types
        self._writer.start(profile="", library=LIBRARY)
        self._schemas: dict[int, int] = {}
        self._channels: dict[int, int] = {}
        self.records = self.attachments = 0

    def add(self, record: Any) -> None:
        if isinstance(record, Schema):
            if record.id not in self._schemas:
                self._schemas[record.id] = self._writer.register_schema(record.name, record.encoding, record.data)
        elif isinstance(record, Channel):
            if record.id not in self._channels:
                schema = self._schemas.get(record.schema_id, 0)
                self._channels[record.id] = self._writer.register_channel(
                    record.topic, record.message_encoding, schema, record.metadata
                )
        elif isinstance(record, Message):
            self._message(record)
        elif isinstance(record, Attachment):
            self._writer.flush()  # what came before it stays before it
            self._writer.add_attachment(
                record.create_time, record.log_time, record.name, record.media_type, record.data
            )
            self.attachments += 1
        elif isinstance(record, Metadata):
            self._writer.add_metadata(record.name, record.metadata)

    def _message(self, record: Message) -> None:
        channel = self._channels.get(record.channel_id)
        if channel is None:  # what names it lay in a damaged chunk
            return
        self._writer.add_message(channel, record.log_time, record.data, record.publish_time, record.sequence)
        self.records += 1

    def finish(self) -> None:
        self._writer.finish()
