"""Motion JPEG over HTTP (multipart/x-mixed-replace), with a stamp per frame where the server gives one.

A part's header ``X-Timestamp-Monotonic-Ns`` is the exposure on this machine's CLOCK_MONOTONIC; a part without it is
stamped on arrival, as any network camera's is.
"""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections import deque
from email.message import Message
from typing import Any

import cv2
import numpy as np
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError

from runtime.clock import Now
from runtime.errors import CameraError
from runtime.values import Frame

STAMP_HEADER = "x-timestamp-monotonic-ns"
_TIMEOUT_S = 3.0
_CHUNK = 1 << 16


class MjpegCamera:
    """Frames of a motion JPEG stream."""

    def __init__(self, url: str, now_ns: Now) -> None:
        self._url = url
        self._now_ns = now_ns
        self._index = 0
        try:
            self._response = urllib.request.urlopen(url, timeout=_TIMEOUT_S)  # noqa: S310 (the operator's own URL)
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise CameraError(f"camera {url} does not open: {reason}.") from error
        boundary = _boundary(self._response.headers)
        if boundary is None:
            self._response.close()
            raise CameraError(f"camera {url} is not a motion JPEG stream (multipart/x-mixed-replace).")
        self._parts = _Parts(boundary)

    def read(self) -> Frame | None:
        """The next frame; None when the server ends the stream."""
        while True:
            while self._parts.complete:
                frame = self._frame(*self._parts.complete.popleft())
                if frame is not None:
                    return frame
            try:
                data = self._response.read1(_CHUNK)
            except (OSError, ValueError) as error:
                raise CameraError(f"camera {self._url} stopped delivering frames: {error}.") from error
            if not data:
                return None
            self._parts.feed(data, self._url)

    def close(self) -> None:
        """Hang up, also under a blocked `read`."""
        connection = getattr(getattr(self._response, "fp", None), "raw", None)
        raw_socket = getattr(connection, "_sock", None)
        if isinstance(raw_socket, socket.socket):
            try:
                raw_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was faster
        else:
            self._response.close()

    def _frame(self, headers: dict[str, str], body: bytes) -> Frame | None:
        image = cv2.imdecode(np.frombuffer(body, dtype=np.uint8), cv2.IMREAD_COLOR)
        if image is None:  # a torn JPEG: the next one comes
            return None
        stamp = headers.get(STAMP_HEADER, "")
        t_ns = int(stamp) if stamp.isdigit() else self._now_ns()
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        frame = Frame(rgb, t_ns, self._url, self._index)
        self._index += 1
        return frame


class _Parts:
    """Collects the parts of a multipart stream from a push parser."""

    def __init__(self, boundary: str) -> None:
        self.complete: deque[tuple[dict[str, str], bytes]] = deque()
        self._headers: dict[str, str] = {}
        self._field, self._value, self._body, self._taken = b"", b"", bytearray(), False
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._header_end,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, data: bytes, url: str) -> None:
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise CameraError(f"camera {url} sends a damaged stream: {error}.") from error

    def _begin(self) -> None:
        self._headers, self._body, self._taken = {}, bytearray(), False
        self._field, self._value = b"", b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1").strip()
        self._field, self._value = b"", b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._body += data[start:end]
        # Most cameras send the next boundary with the next frame: a known length spares waiting for it.
        if str(len(self._body)) == self._headers.get("content-length"):
            self._complete()

    def _end(self) -> None:
        if not self._taken:
            self._complete()

    def _complete(self) -> None:
        self.complete.append((self._headers, bytes(self._body)))
        self._taken = True


def _boundary(headers: Message) -> str | None:
    if headers.get_content_maintype() != "multipart":
        return None
    boundary = headers.get_param("boundary")
    return boundary.lstrip("-") if isinstance(boundary, str) else None
