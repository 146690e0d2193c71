"""The parts of a multipart stream, gathered from a push parser: each with its headers, headers and bodies bounded."""

from __future__ import annotations

from collections import deque
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError

from runtime.errors import CameraError

MAX_PART_BYTES = 16 * 2**20  # 16 MiB, some times a 4K picture's JPEG: more is a part whose end was lost
MAX_HEADER_BYTES = 8 * 2**10  # 8 KiB for all headers of a part, as HTTP servers take of a request
_JPEG_END = b"\xff\xd9"  # EOI (ITU-T T.81, table B.1)

Part = tuple[dict[str, str], bytes]  # headers by their names in lower case, body


class PartCollector:
    """Takes a stream's bytes as they come; ``complete`` has its whole parts, ``ended`` says that it closed itself."""

    def __init__(self, boundary: str, source: str) -> None:
        """``source`` names the camera in errors. Raises CameraError where the boundary is none."""
        self.complete: deque[Part] = deque()
        self.ended = False
        self._source = source
        self._begin()
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._header_end,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
            "on_end": self._stream_end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise CameraError(f"camera {source} announces a boundary that cannot be used: {error}.") from error

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises CameraError where they are no multipart stream, or a part exceeds its bound."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise CameraError(f"camera {self._source} sends a damaged stream: {error}.") from error

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._field, self._value, self._body = b"", b"", bytearray()
        self._header_bytes = self._body_bytes = 0
        self._taken = False

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def _count_header(self, count: int) -> None:
        self._header_bytes += count
        if self._header_bytes > MAX_HEADER_BYTES:
            raise CameraError(f"camera {self._source} sends headers of more than {MAX_HEADER_BYTES} bytes.")

    def _header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1").strip()
        self._field, self._value = b"", b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._body_bytes += end - start
        if self._body_bytes > MAX_PART_BYTES:
            raise CameraError(f"camera {self._source} sends a part of more than {MAX_PART_BYTES} bytes.")
        if self._taken:
            return
        self._body += data[start:end]
        # Most cameras send the next boundary with the next frame: a known length spares waiting for it. A length that
        # is wrong must not cut a picture short, so the picture's own end has to be there too.
        if str(len(self._body)) == self._headers.get("content-length") and self._body.endswith(_JPEG_END):
            self._complete()

    def _end(self) -> None:
        if not self._taken:
            self._complete()

    def _complete(self) -> None:
        self.complete.append((self._headers, bytes(self._body)))
        self._body, self._taken = bytearray(), True

    def _stream_end(self) -> None:
        self.ended = True
