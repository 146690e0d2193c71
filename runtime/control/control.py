"""The daemon's side of the control socket: a local UNIX socket that only its owner and root may use."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socketserver
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from runtime.control.client import MAX_LINE_BYTES
from runtime.control.trust import check_folder, check_socket, is_trusted, locked, peer_uid
from runtime.errors import ControlError
from runtime.finite import finite

_LOG = logging.getLogger(__name__)
_PAUSE_S = 1.0  # before a server that failed listens again
_ANSWER_WITHIN_S = 120.0  # a locate over a large history on a small computer
SCHEMA = 1
_MAX_PATH_BYTES = 107  # sockaddr_un.sun_path, with its closing zero

Request = dict[str, Any]
Submit = Callable[[Request, Callable[[dict[str, Any]], None]], None]


class ControlServer:
    """Listens in a thread of its own; every request goes to ``submit``, whose reply goes back to the client.

    A socket file that a dead daemon left behind is replaced; a living daemon is not.

    Raises:
        ControlError: another daemon is running there, or the path cannot be a socket.
    """

    def __init__(self, path: Path, submit: Submit) -> None:
        self._path = path
        _check_length(path)
        check_folder(path)
        check_socket(path)
        self._lock = locked(path)
        try:
            path.unlink(missing_ok=True)
            self._server = _bound(path, submit)
        except OSError as error:
            os.close(self._lock)
            raise ControlError(f"control socket {path} cannot be made: {error.strerror or error}.") from None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def counts(self) -> dict[str, int]:
        """What went wrong so far, by name."""
        return {"control_failures": self._server.failures, "control_foreign_users": self._server.foreign_users}

    def close(self) -> None:
        """Stops listening and removes the socket."""
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._path.unlink(missing_ok=True)
        os.close(self._lock)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._server.serve_forever(poll_interval=0.1)
            except Exception as error:  # the thread's edge: the operator must be heard again
                self._server.failed(error)
                self._closing.wait(_PAUSE_S)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64  # of clients that wait: a full queue is an error at once for one that has a time limit
    block_on_close = False  # a client that hangs must not hold up the end of a flight

    def __init__(self, path: Path, submit: Submit) -> None:
        self.submit = submit
        self.failures = 0
        self.foreign_users = 0
        super().__init__(str(path), _Handler)

    def failed(self, error: BaseException | None) -> None:
        """Counts and logs what nobody foresaw."""
        self.failures += 1
        _LOG.error("control socket: %s", error, exc_info=error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that could not even be handed to a thread of its own."""
        self.failed(sys.exc_info()[1])


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10.0  # for a client that connects and says nothing
    server: _Server

    def handle(self) -> None:
        try:
            self.wfile.write(json.dumps(finite(self._answer()), allow_nan=False).encode() + b"\n")
        except OSError:
            pass  # the client left; the daemon has done what was asked
        except Exception as error:  # the edge of the client's thread
            self.server.failed(error)
            with contextlib.suppress(OSError):
                self.wfile.write(json.dumps(refusal("the daemon failed at this; its log says why.")).encode() + b"\n")

    def _answer(self) -> dict[str, Any]:
        line, uid = self.rfile.readline(MAX_LINE_BYTES), peer_uid(self.connection)  # read first: who writes hears why
        if not is_trusted(uid):
            self.server.foreign_users += 1
            return refusal(f"this daemon takes no requests of user {uid}; ask as user {os.geteuid()} or as root.")
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            return refusal("a request is one JSON object on one line.")
        replies: Queue[dict[str, Any]] = Queue(1)
        self.server.submit(request, replies.put)
        try:
            return replies.get(timeout=_ANSWER_WITHIN_S)
        except Empty:
            return refusal("the daemon is too busy to answer.")


def refusal(sentence: str) -> dict[str, Any]:
    """An answer that is a refusal."""
    return {"schema": SCHEMA, "error": sentence}


def _check_length(path: Path) -> None:
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise ControlError(f"control socket {path} is longer than the {_MAX_PATH_BYTES} bytes a socket may have.")


def _bound(path: Path, submit: Submit) -> _Server:
    before = os.umask(0o177)  # the socket is born 0600: there is no moment at which others can open it
    try:
        return _Server(path, submit)
    finally:
        os.umask(before)
