"""The page's thread: an event loop of its own beside the deciding thread.

Why a thread and not a process: a process of its own would isolate the page better, and cost some 60 MB more (Python,
NumPy and OpenCV again), which the small computer has not; the thread costs about 10. What that leaves to be feared is
Python's lock. The deciding thread never waits for anything of the page's: it puts a snapshot down (`Board`), and
whoever wants to look does so later. The page's own work comes in pieces of a millisecond; pictures are made by OpenCV,
SQLite reads the history, and both let go of the lock. So the deciding thread can lose the five milliseconds of Python's
switch interval a few times a second, of the fifty between two decisions. The thread is not given a lower priority: one
that holds the lock and is not scheduled would hold up the other.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from starlette.types import ASGIApp

from runtime.errors import ConfigError
from runtime.page.app import Parts, make_app
from runtime.page.protocol import IDLE_S, BoundedProtocol

_LOG = logging.getLogger(__name__)
_BACKLOG = 32
_WORKERS = 2  # threads that make pictures and read the history
_END_WITHIN_S = 1.0  # a client that hangs must not hold up the end of a flight
_PAUSE_S = 1.0  # before a server that failed serves again
_MOST_HEAD_BYTES = 16 * 1024


class PageServer:
    """Serves until `close`; a failure of the server is counted, and it serves again."""

    def __init__(self, parts: Parts, listener: socket.socket) -> None:
        """``listener``: see `listening`; it is owned from here on."""
        self.parts, self._listener = parts, listener
        self._app = make_app(parts)
        self._closing = threading.Event()
        self._server: uvicorn.Server | None = None
        self.failures = 0
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """See `address_of`."""
        return address_of(self._listener)

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name."""
        return {"page_failures": self.failures}

    def close(self) -> None:
        """Ends the page, and every connection to it; a second time it does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._server is not None:
            self._server.should_exit = self._server.force_exit = True
        self._thread.join(_END_WITHIN_S)
        self._listener.close()
        self.parts.targets.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                asyncio.run(self._serve())
            except (Exception, SystemExit) as error:  # the thread's edge: the page must come back
                if not self._closing.is_set():
                    self.failures += 1
                    _LOG.error("status page: %s", error, exc_info=error)
                    self._closing.wait(_PAUSE_S)

    async def _serve(self) -> None:
        self.parts.targets.begin()
        # Each thread that makes pictures keeps some megabytes of its own: two are enough for a few viewers.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_WORKERS, "page work"))
        self._server = server = uvicorn.Server(_config(self._app))
        if self._closing.is_set():
            return
        await server.serve(sockets=[self._listener.dup()])


def address_of(listener: socket.socket) -> str:
    """What a browser on this computer is pointed at."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ConfigError: it cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"[page] cannot listen on {address} port {port}: {why}; choose another.") from None


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=int(IDLE_S),
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
    )
