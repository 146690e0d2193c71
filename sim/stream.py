"""A camera as a motion JPEG stream over HTTP, each frame with the instant of its arrival on CLOCK_MONOTONIC."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from runtime.camera.mjpeg import STAMP_HEADER
from runtime.errors import UsageError
from runtime.values import Frame

_BOUNDARY = "homing-frame"
JPEG_QUALITY = 92
_WAIT_S = 1.0  # a client's thread looks this often whether the server is closing


class FrameStream:
    """Serves the newest frame to any number of clients at ``http://127.0.0.1:<port>/stream``."""

    def __init__(self, port: int = 0) -> None:
        self._fresh = threading.Condition()
        self._part = b""
        self._index = -1
        self._closing = False
        handler = type("Handler", (_Handler,), {"stream": self})
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        except OSError as error:
            raise UsageError(f"camera port {port} cannot be opened: {error.strerror}; choose another.") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="camera stream", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What `homing run` is given as its camera."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/stream"

    def publish(self, frame: Frame) -> None:
        """Make a frame the newest one; clients that are slower than the camera miss frames, as with any camera."""
        _, data = cv2.imencode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        self.publish_jpeg(data.tobytes(), frame.t_ns, frame.index)

    def publish_jpeg(self, data: bytes, t_ns: int, index: int) -> None:
        """The same of a frame that is encoded already."""
        head = (
            f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n"
            f"{STAMP_HEADER}: {t_ns}\r\n\r\n"
        )
        with self._fresh:
            self._part = head.encode("ascii") + data + b"\r\n"
            self._index = index
            self._fresh.notify_all()

    def close(self) -> None:
        """Stop serving and let the clients go."""
        with self._fresh:
            self._closing = True
            self._fresh.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5.0)

    def next_part(self, after: int) -> tuple[int, bytes] | None:
        """The newest part after frame ``after``, waiting for it; None when the stream closes."""
        with self._fresh:
            while self._index <= after and not self._closing:
                self._fresh.wait(_WAIT_S)
            return None if self._closing else (self._index, self._part)


class _Handler(BaseHTTPRequestHandler):
    stream: FrameStream

    def do_GET(self) -> None:
        if self.path != "/stream":
            self.send_error(404, "the camera is at /stream")
            return
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        sent = -1
        try:
            while (part := self.stream.next_part(sent)) is not None:
                sent = part[0]
                self.wfile.write(part[1])
            self.wfile.write(f"--{_BOUNDARY}--\r\n".encode("ascii"))
        except OSError:
            return  # the client left

    def log_message(self, format: str, *args: object) -> None:
        """A simulator's terminal is for what happens in the air."""
