"""Motion JPEG over HTTP (multipart/x-mixed-replace), with a stamp per frame where the server gives one.

A part's header ``X-Timestamp-Monotonic-Ns`` is the exposure on this machine's CLOCK_MONOTONIC; a part without it is
stamped on arrival, as any network camera's is. Whether a stamp can be true is judged with every camera's, by
`CameraHealth`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.error
import urllib.request
from email.message import Message
from http.client import HTTPException, HTTPResponse, InvalidURL

import cv2
import numpy as np

from runtime.camera.stream_parts import PartCollector
from runtime.camera.uri import without_secret
from runtime.clock import Now
from runtime.errors import CameraError
from runtime.values import Frame, ImageRGB

STAMP_HEADER = "x-timestamp-monotonic-ns"
_TIMEOUT_S = 3.0  # without a byte: the server or the network is gone
_PICTURE_TIMEOUT_S = 10.0  # with bytes, but without a whole picture: a new connection may bring one
_CHUNK_BYTES = 1 << 16
_STAMP_DIGITS = 19  # 2**63 ns have as many


class MjpegCamera:
    """Frames of a motion JPEG stream; ``damaged`` counts parts that are no picture or whose stamp is no number."""

    def __init__(self, url: str, now_ns: Now, picture_timeout_s: float = _PICTURE_TIMEOUT_S) -> None:
        """Raises CameraError where no motion JPEG stream answers at ``url``."""
        self._picture_timeout_s = picture_timeout_s
        self._now_ns = now_ns
        self._index = 0
        self._interrupted = threading.Event()
        self.damaged = 0
        self._shown = without_secret(url)
        self._response = _answered(url)
        try:
            self._parts = PartCollector(_boundary(self._shown, self._response.headers), self._shown)
        except CameraError:
            self._response.close()
            raise

    def read(self) -> Frame | None:
        """The next frame; None when the server ends the stream.

        Raises:
            CameraError: the server broke off, went silent, or sends what is no motion JPEG.
        """
        begun_s = time.monotonic()
        while not self._interrupted.is_set():
            frame = self._next_whole()
            if frame is not None:
                return frame
            if time.monotonic() - begun_s > self._picture_timeout_s:
                raise CameraError(f"camera {self._shown} sent no whole picture for {self._picture_timeout_s:g} s.")
            data = b"" if self._parts.ended else self._received()
            if not data:
                return None
            self._parts.feed(data)
        return None

    def interrupt(self) -> None:
        """Hang up, so that a blocked `read` ends at once; the connection is left to `close`."""
        self._interrupted.set()
        connection = getattr(getattr(self._response, "fp", None), "raw", None)
        raw_socket = getattr(connection, "_sock", None)
        if isinstance(raw_socket, socket.socket):
            with contextlib.suppress(OSError):  # the other side was faster
                raw_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let the connection go."""
        self._response.close()

    def _received(self) -> bytes:
        try:
            return self._response.read1(_CHUNK_BYTES)
        except (HTTPException, OSError, ValueError) as error:
            raise CameraError(f"camera {self._shown} stopped delivering frames: {_on_one_line(error)}.") from error

    def _next_whole(self) -> Frame | None:
        while self._parts.complete:
            headers, body = self._parts.complete.popleft()
            stamp, image = headers.get(STAMP_HEADER), _decoded(body)
            t_ns = self._now_ns() if stamp is None else _whole_number(stamp)
            if image is not None and t_ns is not None:
                self._index += 1
                return Frame(image, t_ns, self._shown, self._index - 1)
            self.damaged += 1
        return None


def _answered(url: str) -> HTTPResponse:
    """The answer of the server, of which only the head has been read."""
    try:
        response: HTTPResponse = urllib.request.urlopen(url, timeout=_TIMEOUT_S)  # noqa: S310 (the operator's own URL)
    except (InvalidURL, ValueError) as error:  # whose words repeat the address
        raise CameraError(f"camera {without_secret(url)} does not open: this is no address.") from error
    except (HTTPException, OSError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        reason = _on_one_line(getattr(error, "reason", error))
        raise CameraError(f"camera {without_secret(url)} does not open: {reason}.") from error
    return response


def _on_one_line(reason: object) -> str:
    return " ".join(str(reason).split())


def _decoded(body: bytes) -> ImageRGB | None:
    """(height, width, 3) uint8; None where the bytes are no picture, such as a torn JPEG: the next one comes."""
    try:
        image = cv2.imdecode(np.frombuffer(body, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # no bytes at all, or a header that claims more pixels than OpenCV takes
        return None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _whole_number(text: str) -> int | None:
    """ASCII digits only: `str.isdigit` alone is true of "²", which `int` refuses."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _STAMP_DIGITS else None


def _boundary(shown: str, headers: Message) -> str:
    boundary = headers.get_param("boundary") if headers.get_content_maintype() == "multipart" else None
    if not isinstance(boundary, str) or not boundary.lstrip("-"):
        raise CameraError(f"camera {shown} is not a motion JPEG stream (multipart/x-mixed-replace).")
    return boundary.lstrip("-")
