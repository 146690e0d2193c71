"""The index of an MCAP file that is being made, as the bytes that its end will hold.

mcap's writer keeps an object for each chunk and each attachment until the file ends: of 10 channels and two chunks a
second 8 MB an hour, and whole frames at 25 Hz 31 MB more. Packed and compressed they are a fifteenth of that.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from mcap.data_stream import RecordBuilder

_BLOCK_BYTES = 64 * 1024  # of records that are compressed together


class Indexed(Protocol):
    """An index record of mcap's."""

    def write(self, stream: RecordBuilder) -> None:
        """Appends it as the file has it."""


class PackedIndex:
    """What mcap's writer uses of a list of index records: it appends them one by one and writes them all at the end."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._latest = bytearray()

    @property
    def nbytes(self) -> int:
        """How much it takes of memory."""
        return len(self._latest) + sum(map(len, self._blocks))

    def append(self, record: Indexed) -> None:
        """Takes one record more."""
        builder = RecordBuilder()
        record.write(builder)
        self._latest += builder.end()  # type: ignore[no-untyped-call]
        if len(self._latest) >= _BLOCK_BYTES:
            self._blocks.append(zlib.compress(bytes(self._latest)))
            self._latest.clear()

    def __iter__(self) -> Iterator[Indexed]:
        """The records in their order, many at a time."""
        for block in self._blocks:
            yield _Written(zlib.decompress(block))
        if self._latest:
            yield _Written(bytes(self._latest))


class _Written:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def write(self, stream: RecordBuilder) -> None:
        stream.write(self._data)
