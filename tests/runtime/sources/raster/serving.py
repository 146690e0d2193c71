"""A file server that gives parts of files, as object stores do, and counts what it gave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Files(ThreadingHTTPServer):
    """Serves one folder; ``sent`` bytes so far; ``whole``: it knows nothing of parts."""

    daemon_threads = True

    def __init__(self, folder: Path, whole: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.whole, self.sent = folder, whole, 0
        self.asked: list[str] = []

    def handle_error(self, *_: Any) -> None:
        """A reader may hang up."""

    @property
    def url(self) -> str:
        """Of its folder."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Files

    def do_HEAD(self) -> None:
        """Answers without the bytes."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Answers with the part that was asked for."""
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = self.server.folder / self.path.partition("?")[0].lstrip("/")
        self.server.asked.append(self.path)
        if not path.is_file():
            self.send_error(404)
            return
        data, part = path.read_bytes(), self.headers.get("Range", "")
        start, end = 0, len(data)
        if part and not self.server.whole:
            first, _, last = part.removeprefix("bytes=").partition("-")
            start, end = int(first), min(len(data), int(last) + 1 if last else len(data))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if body:
            self.server.sent += end - start
            self.wfile.write(data[start:end])

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def served(folder: Path, whole: bool = False) -> Iterator[Files]:
    """A server of a folder, for a while."""
    with Files(folder, whole) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
