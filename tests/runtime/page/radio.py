"""The radio link between a phone and the page: what is sent while it is ``down`` waits, and nobody is told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Radio:
    """A TCP relay on a port of its own."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._page = (str(parts.hostname), int(parts.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._up = threading.Event()
        self._up.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def go_down(self) -> None:
        self._up.clear()

    def come_up(self) -> None:
        self._up.set()

    def close(self) -> None:
        self._up.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                phone, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(phone,), daemon=True).start()

    def _relay(self, phone: socket.socket) -> None:
        with suppress(OSError):
            page = socket.create_connection(self._page)
            threading.Thread(target=self._copy, args=(phone, page), daemon=True).start()
            self._copy(page, phone)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while data := source.recv(65536):
                self._up.wait()
                sink.sendall(data)
