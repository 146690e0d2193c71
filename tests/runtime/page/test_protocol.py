"""Connections that only wait are closed, and those that work are not, however long they take."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from runtime.page.protocol import BoundedProtocol


class Impatient(BoundedProtocol):
    idle_s, stalled_s, look_every_s = 0.4, 0.6, 0.1


async def application(scope: Any, receive: Any, send: Any) -> None:
    """/slow takes a second and a half to answer; /large has more to say than any socket holds."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    pieces = 400 if scope["path"] == "/large" else 1
    for piece in range(pieces):
        await send({"type": "http.response.body", "body": bytes(65536), "more_body": piece + 1 < pieces})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(application, http=Impatient, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    server.should_exit = server.force_exit = True
    thread.join()


def connected(port: int, said: bytes = b"", **options: int) -> socket.socket:
    connection = socket.socket()
    for name, value in options.items():
        connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    connection.settimeout(10.0)
    connection.connect(("127.0.0.1", port))
    connection.sendall(said)
    return connection


def is_closed_after_s(connection: socket.socket) -> float:
    begun_s = time.monotonic()
    try:
        while connection.recv(1 << 20):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - begun_s


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost: a\r\n", b"POST"])
def test_a_request_that_never_comes(port: int, said: bytes) -> None:
    with connected(port, said) as connection:
        assert 0.2 < is_closed_after_s(connection) < 5.0


def test_a_head_that_comes_a_byte_at_a_time_is_not_waited_for(port: int) -> None:
    with connected(port) as connection:
        with pytest.raises(ConnectionError):
            for letter in b"GET / HTTP/1.1\r\nx-long: " + b"a" * 100:
                connection.sendall(bytes([letter]))
                time.sleep(0.05)


def test_an_answer_that_takes_longer_is_not_idle(port: int) -> None:
    with connected(port, b"GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n") as connection:
        assert connection.recv(64).startswith(b"HTTP/1.1 200")
        assert is_closed_after_s(connection) > 1.0  # by the answer's own end


def test_a_client_that_never_reads(port: int) -> None:
    request = b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    with connected(port, request, SO_RCVBUF=4096) as deaf, connected(port, request) as reading:
        assert _all_of(reading) > 400 * 65536
        time.sleep(1.0)
        assert _all_of(deaf) < 400 * 65536


def _all_of(connection: socket.socket) -> int:
    received = 0
    try:
        while piece := connection.recv(1 << 20):
            received += len(piece)
    except ConnectionError:
        pass
    return received
