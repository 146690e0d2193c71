"""The daemon's side of the control socket: a local UNIX socket that only its owner may open."""

from __future__ import annotations

import fcntl
import json
import os
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from runtime.control.client import MAX_LINE_BYTES
from runtime.errors import ControlError

_ANSWER_WITHIN_S = 120.0  # a locate over a large history on a small computer
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
        _check_path(path)
        self._lock = _locked(path)
        try:
            path.unlink(missing_ok=True)
            self._server = _bound(path, submit)
        except OSError as error:
            self._lock.close()
            raise ControlError(f"control socket {path} cannot be made: {error.strerror or error}.") from None
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening and removes the socket."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._path.unlink(missing_ok=True)
        self._lock.close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.1)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False  # a client that hangs must not hold up the end of a flight

    def __init__(self, path: Path, submit: Submit) -> None:
        self.submit = submit
        super().__init__(str(path), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10.0  # for a client that connects and says nothing

    def handle(self) -> None:
        try:
            line = self.rfile.readline(MAX_LINE_BYTES)
            answer = self._answer(line)
            self.wfile.write(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # the client left; the daemon has done what was asked

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return {"schema": 1, "error": "a request is one JSON object on one line."}
        replies: Queue[dict[str, Any]] = Queue(1)
        assert isinstance(self.server, _Server)
        self.server.submit(request, replies.put)
        try:
            return replies.get(timeout=_ANSWER_WITHIN_S)
        except Empty:
            return {"schema": 1, "error": "the daemon is too busy to answer."}


def _check_path(path: Path) -> None:
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise ControlError(f"control socket {path} is longer than the {_MAX_PATH_BYTES} bytes a socket may have.")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ControlError(f"control socket {path}: its folder cannot be made: {error.strerror}.") from None
    if path.exists() and not path.is_socket():
        raise ControlError(f"control socket {path} is another kind of file; choose another path.")


def _locked(path: Path) -> IO[str]:
    """A lock that dies with its process: whoever holds it is the daemon, whatever lies on the disk."""
    try:
        lock = open(path.with_name(path.name + ".lock"), "w")  # noqa: SIM115
    except OSError as error:
        raise ControlError(f"control socket {path} cannot be locked: {error.strerror or error}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise ControlError(f"another daemon is running at {path}; stop it first.") from None
    return lock


def _bound(path: Path, submit: Submit) -> _Server:
    before = os.umask(0o177)  # the socket is born 0600: there is no moment at which others can open it
    try:
        return _Server(path, submit)
    finally:
        os.umask(before)
